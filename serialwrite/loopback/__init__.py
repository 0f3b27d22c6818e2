"""Loopback validation: patterns, exact accounting of every byte, statistics and the report.

Layers, lowest first: `_prbs`, `_patterns` (what is sent) · `_faults` (the words), `_align`, `_holes`,
`_fault_log`, `_ledger`, `_disciplines`, `_diagnose`, `_account` (what arrived) · `_confidence`, `_statistics`
(figures) · `_result`, `_words`, `_files`, `_html`, `_charts`, `_report_tables`, `_report` (what is told).
"""

from serialwrite.loopback._account import Checker as Checker
from serialwrite.loopback._confidence import ErrorRate as ErrorRate
from serialwrite.loopback._confidence import bit_error_rate as bit_error_rate
from serialwrite.loopback._faults import Account as Account
from serialwrite.loopback._faults import Diagnosis as Diagnosis
from serialwrite.loopback._faults import Fault as Fault
from serialwrite.loopback._faults import FaultKind as FaultKind
from serialwrite.loopback._patterns import PATTERN_NAMES as PATTERN_NAMES
from serialwrite.loopback._patterns import Pattern as Pattern
from serialwrite.loopback._patterns import for_line as for_line
from serialwrite.loopback._patterns import make_pattern as make_pattern
from serialwrite.loopback._prbs import SelfSynchronisingCheck as SelfSynchronisingCheck
from serialwrite.loopback._report import write_report as write_report
from serialwrite.loopback._result import Result as Result
from serialwrite.loopback._result import Settings as Settings
from serialwrite.loopback._result import Verdict as Verdict
from serialwrite.loopback._result import to_json as to_json

"""Loopback validation: patterns, exact accounting of every byte, statistics and the report.

``patterns``: what is sent. ``check``: what arrived, byte by byte. ``measure``: figures, wiring and budgets.
``report``: the result as HTML and JUnit XML. ``card``: a port's card. ``_run`` puts them together.
"""

from serialwrite import _show_as_public
from serialwrite.loopback._faults import (
    Account as Account,
    Diagnosis as Diagnosis,
    ErrorMap as ErrorMap,
    Fault as Fault,
    FaultKind as FaultKind,
)
from serialwrite.loopback._result import (
    Axis as Axis,
    Check as Check,
    Direction as Direction,
    Fact as Fact,
    KernelCounters as KernelCounters,
    Outcome as Outcome,
    Result as Result,
    Run as Run,
    Settings as Settings,
    Verdict as Verdict,
    Writes as Writes,
    to_json as to_json,
)
from serialwrite.loopback._run import async_run as async_run, run as run
from serialwrite.loopback._sink import Progress as Progress
from serialwrite.loopback.card._card import Card as Card, probe as probe
from serialwrite.loopback.check._checker import Checker as Checker
from serialwrite.loopback.measure._budget import Budget as Budget
from serialwrite.loopback.measure._confidence import ErrorRate as ErrorRate, bit_error_rate as bit_error_rate
from serialwrite.loopback.measure._statistics import (
    Bin as Bin,
    Gap as Gap,
    Gaps as Gaps,
    Latency as Latency,
    Rate as Rate,
)
from serialwrite.loopback.patterns._patterns import (
    PATTERN_NAMES as PATTERN_NAMES,
    Pattern as Pattern,
    for_line as for_line,
    make_pattern as make_pattern,
)
from serialwrite.loopback.patterns._prbs import SelfSynchronisingCheck as SelfSynchronisingCheck
from serialwrite.loopback.report._junit import write_junit as write_junit
from serialwrite.loopback.report._page import write_report as write_report
from serialwrite.streams.serial._holders import lock_holders as lock_holders

_show_as_public(__name__, globals())

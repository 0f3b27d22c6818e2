"""The result as JUnit XML, which CI systems read: a test case for each run and each check."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final

from serialwrite.loopback._result import Outcome, Verdict
from serialwrite.loopback.report._files import write_whole
from serialwrite.loopback.report._words import printable, rate, run_sentence

if TYPE_CHECKING:
    from serialwrite.loopback._result import Result, Run

# What XML 1.0 can't hold, even escaped: printable() leaves no control characters, but lone surrogates are none.
_UNHOLDABLE: Final = re.compile("[^\u0009\u000a\u000d\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(result: Result, path: str | os.PathLike[str]) -> None:
    """Write the result as JUnit XML to ``path``, whole or not at all. If it raises OSError, the file is unchanged."""
    write_whole(path, junit(result))


def junit(result: Result) -> str:
    """Return the result as the text of a JUnit XML file."""
    suite = ET.Element("testsuite", name="serialwrite loopback", timestamp=result.started[:19])
    failures = errors = skipped = 0
    for run in result.runs:
        case = _case(suite, "loopback.data", _name(run), run.seconds)
        words = "; ".join(run.reasons) or run_sentence(run)
        if run.verdict is Verdict.FAIL:
            failures += 1
            ET.SubElement(case, "failure", message=_safe(words)).text = _safe(_faults(run))
        elif run.verdict is Verdict.NOT_TESTED:
            skipped += 1
            ET.SubElement(case, "skipped", message=_safe(words))
        elif run.verdict is not Verdict.PASS:
            errors += 1
            ET.SubElement(case, "error", message=_safe(words))
        else:
            ET.SubElement(case, "system-out").text = _safe(_figures(run))
    for check in result.checks:
        case = _case(suite, "loopback.checks", check.name, 0.0)
        if check.outcome is Outcome.FAIL:
            failures += 1
            ET.SubElement(case, "failure", message=_safe(check.detail))
        elif check.outcome is not Outcome.PASS:  # unknown isn't a pass
            skipped += 1
            ET.SubElement(case, "skipped", message=_safe(check.detail))
    if result.reasons and not result.runs:
        errors += 1
        ET.SubElement(_case(suite, "loopback", "start", 0.0), "error", message=_safe("; ".join(result.reasons)))
    for key, count in (("tests", len(suite)), ("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(key, str(count))
    suite.set("time", f"{sum(run.seconds for run in result.runs):.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, group: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=group, name=_safe(name), time=f"{seconds:.3f}")


def _name(run: Run) -> str:
    settings = run.settings
    return f"{' ↔ '.join(settings.ports)}, {settings.mode}, flow {settings.flow}, {settings.pattern}"


def _faults(run: Run) -> str:
    return "\n".join(f"{way.name}: {fault}" for way in run.directions for fault in way.account.faults[:20])


def _figures(run: Run) -> str:
    return "\n".join(
        f"{way.name}: {way.account.received:,} bytes, {rate(way.bytes_per_second)}" for way in run.directions
    )


def _safe(text: str) -> str:
    lines = text.split("\n")
    return _UNHOLDABLE.sub("\ufffd", "\n".join(printable(line) for line in lines))

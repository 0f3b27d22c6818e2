"""The rows of a lab as one HTML page, one JSON file and one JUnit file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serialwrite.loopback.report._files import write_whole
from serialwrite.loopback.report._template import environment
from serialwrite.loopback.report._words import plural, printable

from ._row import FAILED, Row, State


def to_json(rows: Sequence[Row], coordinator: str, started: str) -> dict[str, Any]:
    """Return what ``json.dumps`` takes: the figures of the whole, and a row a line with its loopback's own result."""
    return {
        "coordinator": coordinator,
        "started": started,
        "summary": summary(rows),
        "rows": [asdict(row) for row in rows],
    }


def summary(rows: Sequence[Row]) -> str:
    """Return the whole in one sentence: ``4 lines: 2 pass, 1 fail, 1 busy``."""
    counts = [(state, sum(row.state is state for row in rows)) for state in State]
    return f"{plural(len(rows), 'line')}: " + ", ".join(f"{count} {state}" for state, count in counts if count)


def write_html(rows: Sequence[Row], coordinator: str, started: str, path: Path) -> None:
    """Write one page with a row a line. Raises OSError, with the file as it was."""
    template = environment("serialwrite", "lab").get_template("lab.html.jinja")
    page = template.render(rows=rows, coordinator=coordinator, started=started, summary=summary(rows), failed=FAILED)
    write_whole(path, page)


def write_json(rows: Sequence[Row], coordinator: str, started: str, path: Path) -> None:
    """Write the rows as JSON. Raises OSError, with the file as it was."""
    write_whole(path, json.dumps(to_json(rows, coordinator, started), indent=1) + "\n")


def write_junit(rows: Sequence[Row], coordinator: str, started: str, path: Path) -> None:
    """Write a test case a line: a busy place is skipped, and what could not run is an error. Raises OSError."""
    suite = ET.Element("testsuite", name=f"serialwrite lab {printable(coordinator)}", timestamp=started[:19])
    kinds = [_kind(row.state) for row in rows]
    for row, kind in zip(rows, kinds, strict=True):
        case = ET.SubElement(suite, "testcase", classname=f"lab.{printable(row.place)}", time=f"{row.seconds:.3f}")
        case.set("name", printable(row.line.name if row.line else row.place))
        if kind is not None:
            ET.SubElement(case, kind, message=f"{row.state}: {printable(row.reason)}")
    suite.set("tests", str(len(rows)))
    for kind, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(key, str(kinds.count(kind)))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    write_whole(path, '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _kind(state: State) -> str | None:
    if state is State.PASS:
        return None
    if state in FAILED:
        return "failure"
    return "skipped" if state in {State.BUSY, State.NOT_TESTED} else "error"

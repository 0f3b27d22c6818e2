"""What a run leaves behind for the docs, as ``run.json``: what became of each promise on each device, quirks, cards."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

PASSED, FAILED = "passed", "failed"
KINDS = ("quirks", "cards", "unplugs")  # what is told of each device


class Recorder:
    """A pytest plugin, which reads it all off the tests' reports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = time.monotonic()
        self._counts: dict[str, int] = {}
        self._failed: set[str] = set()
        self._promises: dict[str, dict[str, set[str]]] = {}
        self._of_device: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of one test's setup, call or teardown."""
        if report.when != "call" and report.passed:
            return
        outcome = _outcome(report)
        counted = outcome if outcome in (PASSED, FAILED) else "skipped"
        self._counts[counted] = self._counts.get(counted, 0) + 1
        if outcome == FAILED:
            self._failed.add(report.nodeid)
        about = dict(report.user_properties)
        if not (device := about.get("device")):
            return
        for kind, known in self._of_device.items():
            if kind in about:
                known[device] = about[kind]
        if promise := about.get("promise"):
            self._promises.setdefault(promise, {}).setdefault(device, set()).add(outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write it down."""
        option = session.config.option
        content = {
            "kernel": os.uname().release,
            "whole": session.config.args == ["hw_tests"] and not (option.keyword or option.markexpr or option.plant),
            "seconds": round(time.monotonic() - self._started, 1),
            "counts": self._counts,
            "failed": sorted(self._failed),
            "promises": {
                promise: {device: sorted(outcomes) for device, outcomes in cells.items()}
                for promise, cells in self._promises.items()
            },
            **self._of_device,
        }
        _write(self._folder, content)


def merge(folder: Path) -> None:
    """Make one ``run.json`` of those in the folders of machines that shared a run; none where one of them left none."""
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob("*/run.json"))]
    if not parts or len(parts) < len([path for path in folder.iterdir() if path.is_dir()]):
        return
    merged = parts[0]
    for part in parts[1:]:
        merged["whole"] &= part["whole"]
        merged["seconds"] = max(merged["seconds"], part["seconds"])
        merged["failed"] += part["failed"]
        for outcome, number in part["counts"].items():
            merged["counts"][outcome] = merged["counts"].get(outcome, 0) + number
        for promise, cells in part["promises"].items():
            merged["promises"].setdefault(promise, {}).update(cells)
        for kind in KINDS:
            merged[kind] |= part[kind]
    _write(folder, merged)


def _write(folder: Path, content: dict[str, Any]) -> None:
    (folder / "run.json").write_text(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _outcome(report: pytest.TestReport) -> str:
    """Passed, failed, or the quirk that the test was skipped by."""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return reason.removeprefix("Skipped: ").partition(":")[0]
    return report.outcome

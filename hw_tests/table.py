"""The tables of a run, for the docs: promise by device, and quirk by device. ``python -m hw_tests.table [FOLDER]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hw_tests import quirks
from hw_tests.rig.kernel import CACHE

PROVED, FAILED = "✓", "**failed**"


def promises(outcomes: dict[str, dict[str, str]], devices: list[str]) -> str:
    """One row a promise; a cell is a passed test, or the quirk that the device was excused by."""
    rows = [
        [promise, *(_cell(cells.get(device, "not run")) for device in devices)] for promise, cells in outcomes.items()
    ]
    return _markdown(["promise", *devices], rows)


def quirk_table(found: dict[str, list[str]]) -> str:
    """One row a quirk that at least one device has, with what it means."""
    rows = [
        [f"`{quirk}`", meaning, *(PROVED if quirk in own else "" for own in found.values())]
        for quirk, meaning in quirks.ALL.items()
        if any(quirk in own for own in found.values())
    ]
    return _markdown(["quirk", "meaning", *found], rows)


def _cell(outcome: str) -> str:
    if outcome in quirks.ALL:
        return f"`{outcome}`"
    return {"passed": PROVED, "failed": FAILED}.get(outcome, outcome)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def main(folder: Path) -> None:
    """Print both tables from what conftest.py left in a folder."""
    found: dict[str, list[str]] = json.loads((folder / "quirks.json").read_text())
    outcomes: dict[str, dict[str, str]] = json.loads((folder / "promises.json").read_text())
    print(promises(outcomes, list(found)))
    print(quirk_table(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE / "results")

"""docs/reference/drivers.md, made of a whole run: ``python -m hw_tests.drivers take|write|check`` (see hw_tests/README.md)."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from hw_tests import quirks
from hw_tests.record import FAILED, PASSED
from hw_tests.rig.kernel import CACHE, PROJECT

RUN = CACHE / "results" / "run.json"
PAGE = PROJECT / "docs/reference/drivers.md"
TAKEN = PAGE.with_suffix(".json")  # the run that the page was made of

# Every device that the page has a column for, and whether it gets a card: the last two are the null modem again.
DEVICES = {
    "8250-isa": True,
    "8250-pci": True,
    "ftdi_sio": True,
    "cdc_acm": True,
    "nullmodem": True,
    "wired-pair": False,
    "plug": False,
}
HELD, BROKEN = "✓", "**failed**"

Run = dict[str, Any]


def promises() -> list[str]:
    """The promises, in the order in which the tests name them first."""
    found: dict[str, None] = {}
    for path in sorted(Path(__file__).parent.glob("test_promises_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                found[ast.literal_eval(node.args[0])] = None
    return list(found)


def page(text: str, run: Run) -> str:
    """``text`` with every generated part made anew: from ``<!-- generated: name -->`` to ``<!-- end -->``."""
    parts = {"run": _run, "promises": _promises, "quirks": _quirks, "cards": _cards}

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{parts[match[2]](run)}\n{match[3]}"

    return re.sub(r"(<!-- generated: (\w+) -->).*?(<!-- end -->)", replace, text, flags=re.DOTALL)


def differences(run: Run, taken: Run) -> list[str]:
    """What a run tells otherwise than the page does."""
    found = [
        f"{promise} on {device}: {_cell(told)}, the page says {_cell(said)}"
        for promise in sorted(run["promises"] | taken["promises"])
        for device in DEVICES
        if (told := run["promises"].get(promise, {}).get(device))
        != (said := taken["promises"].get(promise, {}).get(device))
    ]
    return found + [
        f"quirks of {device}: {run['quirks'].get(device)}, the page says {taken['quirks'].get(device)}"
        for device in DEVICES
        if run["quirks"].get(device) != taken["quirks"].get(device)
    ]


def series(release: str) -> str:
    """Drivers change from one series of kernels to the next: "6.1" of "6.1.0-56-amd64"."""
    return ".".join(release.split(".")[:2])


def _run(run: Run) -> str:
    counts = ", ".join(f"{number:,} {outcome}" for outcome, number in run["counts"].items())
    return f"Linux {run['kernel']}; {counts}, each for a reason that it names.\n"


def _promises(run: Run) -> str:
    rows = [
        [promise, *(_cell(run["promises"].get(promise, {}).get(device)) for device in DEVICES)]
        for promise in promises()
    ]
    return _table(["promise", *DEVICES], rows)


def _cell(outcomes: list[str] | None) -> str:
    if not outcomes:
        return "not run"
    excuses = [f"`{each}`" if each in quirks.ALL else each for each in outcomes if each not in (PASSED, FAILED)]
    verdict = [BROKEN] * (FAILED in outcomes) or [HELD] * (PASSED in outcomes)
    return " ".join([*verdict, *excuses])


def _quirks(run: Run) -> str:
    rows = [
        [f"`{quirk}`", meaning, *(HELD * (quirk in run["quirks"][device]) for device in DEVICES)]
        for quirk, meaning in quirks.ALL.items()
    ]
    return _table(["quirk", "meaning", *DEVICES], rows)


def _cards(run: Run) -> str:
    return "\n".join(
        f"### {device}\n\n{_card(run['cards'][device], run['unplugs'].get(device))}"
        for device, has_card in DEVICES.items()
        if has_card
    )


def _card(card: dict[str, Any], unplug: dict[str, str] | None) -> str:
    rows = [
        [fact["name"], fact["value"], f"`{fact['source']}`" if fact["source"] else ""]
        for fact in card["facts"]
        if fact["name"] not in {"port", "held open by", "errno of an unplug"}
    ]
    if unplug:
        rows.append(["after an unplug", ", ".join(f"{call}: {seen}" for call, seen in unplug.items()), "`hw_tests`"])
    advice = "".join(f"- {each}\n" for each in card["advice"])
    return _table(["fact", "value", "reported by"], rows) + (f"\n{advice}" if advice else "")


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def take() -> str:
    """Make the page of the last run, which must have been whole and green."""
    run: Run = json.loads(RUN.read_text())
    if run["failed"] or not run["whole"]:
        sys.exit(f"{RUN}: the page is made of a run that is whole and green; run `make hw-test`")
    TAKEN.write_text(RUN.read_text())
    return write()


def write() -> str:
    """Write the page anew from the run that it was made of."""
    PAGE.write_text(page(PAGE.read_text(), json.loads(TAKEN.read_text())))
    return f"written: {PAGE.relative_to(PROJECT)}"


def check() -> str:
    """See that the last run tells what the page does."""
    if not RUN.exists():
        return "no run to compare the page with"
    run, taken = json.loads(RUN.read_text()), json.loads(TAKEN.read_text())
    if not run["whole"]:
        return "the last run was of a part: nothing to compare the page with"
    if series(run["kernel"]) != series(taken["kernel"]):
        return f"the page tells of Linux {taken['kernel']}, the last run was on {run['kernel']}: not compared"
    if found := differences(run, taken):
        sys.exit("\n".join([*found, "see which is right, then: python -m hw_tests.drivers take"]))
    return f"{PAGE.relative_to(PROJECT)} tells what the last run did"


if __name__ == "__main__":
    commands = {command.__name__: command for command in (take, write, check)}
    if sys.argv[1:] not in [[name] for name in commands]:
        sys.exit(f"usage: python -m hw_tests.drivers {'|'.join(commands)}")
    print(commands[sys.argv[1]]())

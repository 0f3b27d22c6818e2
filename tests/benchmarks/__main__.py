"""``python -m tests.benchmarks [W1 ...] [--rounds N] [--quick] [--json FILE] [--plot FILE]``."""

# ruff: noqa: PLC0415 # matplotlib is an extra

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from .contestants import QUICK, contestants
from .contestants._shapes import Contestant
from .runner import describe_machine, run
from .summary import growths, summarise
from .table import render
from .targets import verdicts
from .workloads import works


def main() -> int:
    """Run, print, and say by the exit code whether every byte arrived."""
    given = _arguments()
    chosen = [work for work in works(quick=given.quick) if not given.work or work.title.startswith(tuple(given.work))]
    if not chosen:
        sys.exit(f"no such work: {' '.join(given.work)}; there are W1 to W7, and import")
    entering = _present(given)
    measurements = run(chosen, entering, given.rounds, given.patience, lambda line: print(line, file=sys.stderr))
    tables = summarise(chosen, measurements)
    grown = [] if given.quick else growths(tables)  # a small run is too short to say how costs grow
    judged = [] if given.quick else verdicts(tables, grown, measurements)
    machine = describe_machine()
    noisy = sum(not one.quiet for one in measurements)
    print(render(tables, grown, judged))
    print(f"\n{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}; ", end="")
    print(f"{given.rounds} rounds; {noisy} of {len(measurements)} measurements began on a busy machine")
    if given.json:
        result = {
            "machine": machine,
            "rounds": given.rounds,
            "targets": [asdict(verdict) for verdict in judged],
            "exponents": {f"{growth.axis}, {growth.contestant}": growth.exponent for growth in grown},
            "measurements": [asdict(one) for one in measurements],
        }
        Path(given.json).write_text(json.dumps(result, indent=1))
    if given.plot:
        from .plot import plot

        plot(tables, grown, given.plot)
    return 1 if any(one.error for one in measurements) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("work", nargs="*", help="beginnings of names, such as W1 or 'W1 pty'; all by default")
    parser.add_argument("--rounds", type=int, help="default 7; 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="small sizes and few contestants: does it still work?")
    parser.add_argument(
        "--only", action="append", default=[], help="a contestant (the beginning of its name), repeatable"
    )
    parser.add_argument(
        "--patience",
        type=float,
        help="seconds of each round that may go into waiting for a quiet machine; default 300, 0 with --quick",
    )
    parser.add_argument("--json", help="write every measurement here")
    parser.add_argument("--plot", help="draw into this file (.svg, .png, .pdf)")
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 7)
    if given.patience is None:
        given.patience = 0.0 if given.quick else 300.0
    return given


def _present(given: argparse.Namespace) -> list[Contestant]:
    """Those that can take part; the others are named."""
    entering: list[Contestant] = []
    for one in contestants():
        if (given.quick and one.name not in QUICK) or (given.only and not one.name.startswith(tuple(given.only))):
            continue
        missing = one.missing()
        if missing:
            print(f"without {one.name}: {missing}", file=sys.stderr)
        else:
            entering.append(one)
    return entering


if __name__ == "__main__":
    sys.exit(main())

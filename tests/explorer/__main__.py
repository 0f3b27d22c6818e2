"""`python -m tests.explorer SEEDS [FIRST]`: explore schedules, and print the seed of each that breaks a promise."""

from __future__ import annotations

import argparse
import sys
import time

from .schedule import Violation, explore

MOST_SHOWN = 10


def main() -> int:
    """Explore; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.explorer", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=100_000, help="how many schedules (default: 100,000)")
    parser.add_argument("first", nargs="?", type=int, default=0, help="the seed of the first one (default: 0)")
    arguments = parser.parse_args()
    seeds, first = arguments.seeds, arguments.first
    started, broken = time.monotonic(), 0
    for seed in range(first, first + seeds):
        try:
            explore(seed)
        except Violation as violation:
            broken += 1
            if broken <= MOST_SHOWN:
                print(violation, file=sys.stderr)
    print(f"{seeds:,} schedules in {time.monotonic() - started:.1f} s: {broken:,} broke a promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

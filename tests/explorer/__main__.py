"""`python -m tests.explorer SEEDS [FIRST]`: explore schedules, and say the seed of each that breaks a promise."""

from __future__ import annotations

import sys
import time

from .schedule import Violation, explore

MOST_SHOWN = 10


def main(seeds: int = 100_000, first: int = 0) -> int:
    """Explore; return the exit code."""
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
    sys.exit(main(*map(int, sys.argv[1:3])))

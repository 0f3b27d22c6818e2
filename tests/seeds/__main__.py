"""`python -m tests.seeds SEEDS [FIRST]`: run seeds on real ptys and sockets, and print each that loses a byte."""

import argparse
import asyncio
import sys
import time
from collections import Counter
from typing import Any

from tests.soak.account import Wrong

from .run import run

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS: list[Any] = [asyncio.new_event_loop, *([uvloop.new_event_loop] if uvloop else [])]
AT_ONCE = 8


def main() -> int:
    """Run them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.seeds", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=int, default=1000, help="how many (default: 1,000)")
    parser.add_argument("first", nargs="?", type=int, default=0, help="the first one (default: 0)")
    arguments = parser.parse_args()
    seeds, first = arguments.seeds, arguments.first
    started, broken = time.monotonic(), 0
    tally: Counter[str] = Counter()
    for number, make in enumerate(LOOPS):
        with asyncio.Runner(loop_factory=make) as runner:
            for what in runner.run(several(range(first + number, first + seeds, len(LOOPS)))):
                if isinstance(what, Wrong):
                    broken += 1
                    print(what, file=sys.stderr)
                else:
                    tally.update({what.what: 1, "writes": what.writes, "faults": what.faults})
    for what, count in sorted(tally.items()):
        print(f"{count:6,} {what}")
    print(f"{seeds:,} seeds in {time.monotonic() - started:.1f} s: {broken:,} broke a promise")
    return 1 if broken else 0


async def several(seeds: range) -> list[Any]:
    """Run these, some of them at once."""
    left, done = iter(seeds), list[Any]()

    async def work() -> None:
        for seed in left:
            try:
                done.append(await run(seed))
            except Wrong as wrong:
                done.append(wrong)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.soak --minutes 30 --streams 64`: many streams at once, with faults and cancels at random."""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from serialwrite.testing._leaks import Held, leaked_since

from .account import Wrong
from .kinds import Missing, kinds, need_tool
from .worker import Worker

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS: dict[str, Any] = {"asyncio": asyncio.new_event_loop} | ({"uvloop": uvloop.new_event_loop} if uvloop else {})
WARM_UP = 2  # periods in which memory may still grow: imports, caches, the allocator's own
FLAT = 0.02  # of the memory after the warm-up
SETTLE = 10.0  # seconds that what was let go of may take to be gone


def main() -> int:
    """Soak; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--streams", type=int, default=64, help="how many at once (default: 64)")
    parser.add_argument("--seed", type=int, default=None, help="of all that is chosen at random (default: a new one)")
    parser.add_argument("--periods", type=int, default=None, help="how often all comes to rest and is looked at")
    arguments = parser.parse_args()
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    soak = Soak(seed, arguments.streams)
    periods = arguments.periods or max(6, round(arguments.minutes))
    print(f"{arguments.streams} streams for {arguments.minutes:g} min, seed {seed}, on {', '.join(soak.kinds)}")
    try:
        for number in range(periods):
            soak.period(number, arguments.minutes * 60 / periods)
            print(f"{number + 1}/{periods} {soak.line()}", flush=True)
        soak.check_memory()
    except Wrong as wrong:
        print(f"seed {seed}: {wrong}", file=sys.stderr)
        return 1
    print(soak.summary())
    return 0


class Soak:
    """Periods of load, each on an event loop of its own; after each, everything must have been given back."""

    def __init__(self, seed: int, streams: int) -> None:
        self.kinds = kinds()
        try:
            need_tool("socat")
        except Missing:
            print("without socat: it is not installed")
            self.kinds = {name: make for name, make in self.kinds.items() if "socat" not in name}
        self.tally: Counter[str] = Counter()
        self.memory: list[int] = []
        self._seed = seed
        self._streams = streams
        for make in LOOPS.values():
            make().close()  # uvloop's first one of a process makes a pipe that stays
        self._before = Held()
        self.held = self._before

    def period(self, number: int, seconds: float) -> None:
        """Load all streams for so long, then see that nothing is left."""
        name, make = list(LOOPS.items())[number % len(LOOPS)]
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(self._load(number, seconds))
        gc.collect()  # what the loop's last tasks left in cycles
        if leaked := leaked_since(self._before, SETTLE):
            raise Wrong(f"period {number}, on {name}: left behind: {', '.join(leaked)}")
        self.held = Held()
        self.memory.append(resident())

    async def _load(self, number: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        try:
            async with asyncio.TaskGroup() as group:
                for stream in range(self._streams):
                    group.create_task(self._stream(f"{self._seed} {number} {stream}", until))
        except ExceptionGroup as errors:  # the first one ended the others
            raise errors.exceptions[0] from None
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=SETTLE)
        if left := [task for task in tasks if not task.done()]:
            raise Wrong(f"tasks were left behind: {left}")

    async def _stream(self, seed: str, until: float) -> None:
        rng = random.Random(seed)
        worker = Worker(rng, self.tally)
        while time.monotonic() < until:
            name = rng.choice(sorted(self.kinds))
            async with self.kinds[name](rng) as loaded:
                try:
                    await worker.live(loaded, until)
                except Exception as error:
                    what = error if isinstance(error, Wrong) else repr(error)
                    told = "\n  ".join([f"stream {seed!r} on {name}: {what}", *loaded.story, *loaded.replay().splitlines()])
                    raise Wrong(told) from error
                finally:
                    loaded.account.stop_reading()
            self.tally[f"on {name}"] += 1

    # -- what is told ----------------------------------------------------------------------------------------

    def line(self) -> str:
        """What there was so far, and what is held at rest."""
        done = self.tally
        lines = sum(count for what, count in done.items() if what.startswith("on "))
        return (
            f"{lines:,} lines, {done['writes']:,} writes, {done['bytes']:,} bytes; at rest: "
            f"{len(self.held.descriptors)} descriptors, {len(self.held.threads)} threads, 0 tasks, "
            f"{self.memory[-1] / 1e6:.2f} MB"
        )

    def check_memory(self) -> None:
        """Raise where memory has grown since the warm-up."""
        after = self.memory[WARM_UP:]
        grown = after[-1] / after[0] - 1 if after and after[0] else 0.0
        if grown > FLAT:
            raise Wrong(f"memory has grown by {grown:.1%} since the warm-up: {[round(n / 1e6, 2) for n in self.memory]} MB")

    def summary(self) -> str:
        """All that was done."""
        after = self.memory[WARM_UP:] or self.memory
        counts = "\n".join(f"  {count:12,} {what}" for what, count in sorted(self.tally.items()))
        return (
            f"{counts}\nnothing was lost, doubled or left behind; "
            f"memory after the warm-up {after[0] / 1e6:.2f} MB, at the end {after[-1] / 1e6:.2f} MB "
            f"({after[-1] / after[0] - 1:+.2%}), between {min(after) / 1e6:.2f} and {max(after) / 1e6:.2f} MB"
        )


def resident() -> int:
    """Bytes of memory that this process has now (RSS), but for what malloc only keeps; 0 where nobody tells."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # glibc's own
        ctypes.CDLL(None).malloc_trim(0)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())

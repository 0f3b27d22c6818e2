"""`python -m tests.soak --minutes 30 --streams 64`: many streams at once, with faults and cancels at random."""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import random
import resource
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, Self

from serialwrite.testing._leaks import Held, leaked_since

from .account import Wrong
from .kinds import Missing, kinds, need_tool
from .worker import Worker

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS: dict[str, Any] = {"asyncio": asyncio.new_event_loop} | ({"uvloop": uvloop.new_event_loop} if uvloop else {})
FLAT = 0.02  # by how much memory may grow from one third of the run to the next
LONG = 10.0  # minutes from which on the process's size is judged: malloc takes so long to have seen its worst
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
        soak.check_memory(long=arguments.minutes >= LONG)
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
        self.memory: list[Memory] = []
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
        self.memory.append(Memory.now())

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
                    told = "\n  ".join(
                        [f"stream {seed!r} on {name}: {what}", *loaded.story, *loaded.replay().splitlines()]
                    )
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
            f"{self.memory[-1]}"
        )

    def check_memory(self, *, long: bool) -> None:
        """Raise where memory grows on. The first third of the run is not looked at: caches fill, and malloc's own."""
        for what in Memory._fields if long else ("blocks",):
            sizes = [getattr(memory, what) for memory in self.memory]
            if (grown := growth(sizes)) > FLAT:
                raise Wrong(f"{what} grew by {grown:.1%} from the second third of the run to the last: {sizes}")

    def summary(self) -> str:
        """All that was done."""
        counts = "\n".join(f"  {count:12,} {what}" for what, count in sorted(self.tally.items()))
        grown = ", ".join(
            f"{what} {growth([getattr(memory, what) for memory in self.memory]):+.2%}" for what in Memory._fields
        )
        return f"{counts}\nnothing was lost, doubled or left behind; from the second third to the last: {grown}"


class Memory(NamedTuple):
    """What this process has at rest."""

    blocks: int  # that Python has allocated: a leak shows here first
    resident: int  # bytes (RSS), but for what malloc only keeps; 0 where nobody tells

    @classmethod
    def now(cls) -> Self:
        gc.collect()
        with contextlib.suppress(AttributeError):  # glibc's own
            ctypes.CDLL(None).malloc_trim(0)
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
        except OSError:
            pages = 0
        return cls(sys.getallocatedblocks(), pages * resource.getpagesize())

    def __str__(self) -> str:
        return f"{self.blocks:,} blocks, {self.resident / 1e6:.2f} MB"


def growth(sizes: list[int]) -> float:
    """From the second third to the last, as a part of it. Medians: every second period is on another event loop."""
    third = len(sizes) // 3
    if not third:  # too short to tell
        return 0.0
    second, last = statistics.median(sizes[third : 2 * third]), statistics.median(sizes[2 * third :])
    return last / second - 1 if second else 0.0


if __name__ == "__main__":
    sys.exit(main())

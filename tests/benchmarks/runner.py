"""Rounds: in each of them every contestant does every piece of work once, in a process of its own."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from . import drain
from .contestants._shapes import Contestant
from .links import Links
from .quiet import place, wait_until_quiet
from .workloads import Work

ROOT = Path(__file__).parents[2]
SILENCE = 0.1  # seconds after which nothing more is expected
LIMIT = 180.0  # seconds for one piece of work; whoever takes longer hangs


class Failed(Exception):
    """A contestant did not do the work; the message says why."""


@dataclass
class Measurement:
    """One contestant's one go at one piece of work.

    Attributes:
        seconds: from the first call until the far end had the last byte; NaN where it failed.
        call_seconds: until the last call returned.
        user, system: seconds of CPU.
        rss_kib: how far the peak of the memory was above where it stood at the start.
        preempted: how often other programs took the core away.
        quiet: whether the machine had nothing else to do when it began.
        delivered: whether every byte arrived once and in its place; of a timed-out write, whether the count that was
            reported, if any, was what arrived.
        late_us: of timeouts, how late each was.
        reports: whether it reports counts of what was written before a timeout.
    """

    work: str
    contestant: str
    round: int
    seconds: float = float("nan")
    call_seconds: float = float("nan")
    user: float = 0.0
    system: float = 0.0
    rss_kib: int = 0
    preempted: int = 0
    quiet: bool = True
    load: float = 0.0
    delivered: bool = False
    late_us: list[float] = field(default_factory=list)
    reports: bool = False
    error: str | None = None


def run(
    works: Sequence[Work],
    contestants: Iterable[Contestant],
    rounds: int,
    patience: float,
    progress: Callable[[str], None],
) -> list[Measurement]:
    """``rounds`` rounds of all of it; a contestant that fails at something is not asked to do that again.

    Args:
        patience: seconds of each round that may be spent on waiting until other programs leave the machine alone.
    """
    made: list[Measurement] = []
    failed: set[tuple[str, str]] = set()
    entries = [(work, one) for work in works for one in contestants if one.takes(work)]
    for number in range(rounds):
        left = patience
        for work in works:
            progress(f"round {number + 1} of {rounds}: {work.title}")
            for entered, one in entries:
                if entered is not work or (work.title, one.name) in failed:
                    continue
                measurement = Measurement(work.title, one.name, number)
                began = time.monotonic()
                measurement.quiet = wait_until_quiet(left)
                left = max(0.0, left - (time.monotonic() - began))
                measurement.load = os.getloadavg()[0]
                try:
                    _measure(one, work, measurement)
                except Failed as error:
                    measurement.error = str(error)
                    failed.add((work.title, one.name))
                    progress(f"  {one.name} failed: {error}")
                made.append(measurement)
    return made


def _measure(contestant: Contestant, work: Work, measurement: Measurement) -> None:
    with ExitStack() as stack:
        links = stack.enter_context(Links(work.link, 0 if work.owns_link else work.streams))
        reader = None
        if work.drained:
            reader = stack.enter_context(
                Process(drain.command(work.bytes_per_stream, work.period, links.far), core=1, fds=links.far)
            )
            if reader.line() != "ready":
                raise Failed("the far end did not start")
            links.close_far()
        ends = links.names(paths=contestant.ends_are_paths)
        inherited = links.near if ends == list(map(str, links.near)) else []
        writer = stack.enter_context(Process(contestant.command(work, ends), core=0, fds=inherited))
        if inherited:
            links.close_near()
        meter = json.loads(writer.line())
        measurement.user, measurement.system = meter["user"], meter["system"]
        measurement.rss_kib, measurement.preempted = meter["rss_kib"], meter["preempted"]
        measurement.call_seconds = (meter["ended_ns"] - meter["started_ns"]) / 1e9
        ended = meter["ended_ns"]
        measurement.delivered = True
        if reader:
            report = json.loads(reader.line())
            measurement.delivered = report["delivered"]
            ended = max(ended, report["last_ns"])
        elif work.action == "timeout":
            counts = meter["counts"]
            measurement.late_us, measurement.reports = meter["late_us"], None not in counts
            writer.end()  # what it still holds itself is not counted as arrived
            measurement.delivered = not measurement.reports or sum(counts) == _arrived(links.far[0])
        measurement.seconds = (ended - meter["started_ns"]) / 1e9
        if not measurement.delivered:
            raise Failed("not every byte arrived once and in its place")


def readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read within so many seconds. Not by select(), which knows no descriptor past 1,023."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _arrived(fd: int) -> int:
    """Bytes that come until nothing has come for a while: a pty hands them on bit by bit."""
    total = 0
    while readable(fd, SILENCE):
        data = drain.read(fd)
        if not data:
            break
        total += len(data)
    return total


class Process:
    """A process of the run, pinned to a core: it prints lines of JSON, and ends when its input does."""

    def __init__(self, command: Sequence[str], *, core: int, fds: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # poll() is to see whatever was not read
            pass_fds=fds,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        )
        place(self._process.pid, core)

    def line(self) -> str:
        """Its next line; Failed where none comes."""
        assert self._process.stdout
        if not readable(self._process.stdout.fileno(), LIMIT):
            raise Failed(f"nothing came within {LIMIT:.0f} s")
        line = self._process.stdout.readline().decode().strip()
        if not line:
            raise Failed(self._last_words())
        return line

    def _last_words(self) -> str:
        assert self._process.stderr
        self._process.kill()
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it ended without a word"

    def end(self) -> None:
        """Let it end, and see to it that it does."""
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self._process.communicate(b"\n", timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self._process.kill()
        if self._process.stdin and not self._process.stdin.closed:
            self.end()


def describe_machine() -> dict[str, object]:
    """What the figures were measured on."""
    cpu = "unknown"
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": " ".join(os.uname()[0:3:2]),
        "python": sys.version.split()[0],
    }

"""Rounds: in each of them every contestant does every piece of work once, in a process of its own."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import drain
from .contestants._shapes import Contestant
from .links import Links
from .process import Failed, Process, readable
from .quiet import wait_until_quiet
from .workloads import Work

SILENCE = 0.1  # seconds after which nothing more is expected


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
    contestants: Sequence[Contestant],
    rounds: int,
    patience: float,
    progress: Callable[[str], None],
) -> list[Measurement]:
    """``rounds`` rounds of all of it; interrupted (Ctrl-C), what was measured until then.

    Args:
        patience: seconds of each round that may be spent on waiting until other programs leave the machine alone.
    """
    made: list[Measurement] = []
    try:
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            _round(number, works, contestants, patience, progress, made)
    except KeyboardInterrupt:
        progress("interrupted")
    return made


def _round(
    number: int,
    works: Sequence[Work],
    contestants: Sequence[Contestant],
    patience: float,
    progress: Callable[[str], None],
    made: list[Measurement],
) -> None:
    """Each contestant at each piece of work, once; one that failed at something is not asked to do that again."""
    failed = {(one.work, one.contestant) for one in made if one.error}
    for work in works:
        for contestant in contestants:
            if not contestant.takes(work) or (work.title, contestant.name) in failed:
                continue
            measurement = Measurement(work.title, contestant.name, number)
            began = time.monotonic()
            measurement.quiet = wait_until_quiet(patience)
            patience = max(0.0, patience - (time.monotonic() - began))
            measurement.load = os.getloadavg()[0]
            try:
                _measure(contestant, work, measurement)
            except Failed as error:
                measurement.error = str(error)
                progress(f"{contestant.name} failed at {work.title}: {error}")
            made.append(measurement)


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
        writer = stack.enter_context(
            Process(contestant.command(work, ends), core=0, fds=inherited, environment=contestant.environment)
        )
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


def _arrived(fd: int) -> int:
    """Bytes that come until nothing has come for a while: a pty hands them on bit by bit."""
    total = 0
    while readable(fd, SILENCE):
        data = drain.read(fd)
        if not data:
            break
        total += len(data)
    return total


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

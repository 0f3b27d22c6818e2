"""Owns one run over an open line: the data both ways, the round trips, the checks, and the verdict with its reasons."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

from serialwrite.loopback._direction import Way
from serialwrite.loopback._lateness import Lateness
from serialwrite.loopback._line import Line
from serialwrite.loopback._patterns import Pattern
from serialwrite.loopback._progress import Watch
from serialwrite.loopback._proofs import check_accounting, check_baud, check_speed, let_settle
from serialwrite.loopback._result import Check, Direction, Outcome, Run, Settings, Verdict
from serialwrite.loopback._statistics import Latency
from serialwrite.loopback._wiring import check_wiring, round_trips
from serialwrite.loopback._words import damage
from serialwrite.testing._rig import NO_PACING

SETTLED: Final = 0.05  # seconds of silence before a test begins: a USB adapter holds bytes back for up to 16 ms


class Test:
    """One line with one group of settings, and all that is done to it."""

    def __init__(
        self,
        line: Line,
        settings: Settings,
        pattern: Pattern,
        *,
        watch: Watch,
        patience: float,
        stop: asyncio.Event,
    ) -> None:
        self._line, self._settings, self._pattern = line, settings, pattern
        self._watch, self._patience, self._stop = watch, patience, stop
        self._gone = False
        self.left_over = 0
        """Bytes that came before the test, and were thrown away."""

    async def transfer(self, *, both_ways: bool, trips: int, max_gap: float | None) -> Run:
        line, settings = self._line, self._settings
        self.left_over = await let_settle(line.port, line.peer, quiet=SETTLED + 16 / settings.line_rate)
        lateness = Lateness()
        ways = [
            Way(
                name,
                sender,
                receiver,
                self._pattern,
                settings,
                patience=self._patience,
                max_gap=max_gap,
                paced=NO_PACING not in line.quirks,
                clock=lateness.clock,
            )
            for name, sender, receiver in line.ways(both=both_ways)
        ]
        began, spent = time.monotonic(), time.process_time()
        async with self._watch.on("data", ways), _stopping(self._stop, ways), lateness.measured():
            directions = await asyncio.gather(*(way.run() for way in ways))
        seconds, cpu = time.monotonic() - began, time.process_time() - spent
        reasons = [problem for way in ways for problem in way.problems]
        self._gone = any(way.gone for way in ways)
        figures: Latency | None = None
        if trips and not reasons and not self._stop.is_set():
            await let_settle(line.port, line.peer)
            async with self._watch.on("round trips", ways):
                figures, problem = await round_trips(line, settings, trips, 2.0, self._patience)
            reasons += [problem] if problem else []
        for direction in directions:
            reasons += _complaints(direction, max_gap, stopped=self._stop.is_set())
        return Run(
            settings=settings,
            verdict=Verdict.FAIL if reasons else Verdict.PASS,
            reasons=tuple(reasons),
            directions=tuple(directions),
            latency=figures,
            cpu_seconds=cpu,
            seconds=seconds,
            kept_waiting=lateness.seconds,
        )

    def baud_checks(self, run: Run) -> list[Check]:
        line = self._line
        done = [check_baud(way, self._settings, line.quirks, run.kept_waiting) for way in run.directions]
        if NO_PACING not in line.quirks:
            done += check_speed(line.port, "port", self._settings)
            done += [] if line.plugged else check_speed(line.peer, "peer", self._settings)
        return done

    async def check_accounting(self) -> list[Check]:
        """Check the count of a write that is cut off, and that flow control stops the sender."""
        line, settings = self._line, self._settings
        if self._stop.is_set():
            return []
        if self._gone:
            return [Check("accounting on this line", Outcome.SKIPPED, "a port is gone: nothing is left to check")]
        async with self._watch.on("accounting", []):
            await let_settle(line.port, line.peer)
            return await check_accounting(line, settings, self._pattern, self._patience)

    async def check_wiring(self, *, require_lines: bool) -> list[Check]:
        """Check the lines beside the data."""
        if self._stop.is_set() or self._gone:
            return []
        async with self._watch.on("wiring", []):
            return await check_wiring(self._line, self._settings, required=require_lines)


@contextlib.asynccontextmanager
async def _stopping(stop: asyncio.Event, ways: list[Way]) -> AsyncGenerator[None]:
    """Let `stop` end the sending."""

    async def wait() -> None:
        await stop.wait()
        for way in ways:
            way.stop()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


def _complaints(direction: Direction, max_gap: float | None, *, stopped: bool) -> list[str]:
    """Return why one direction is not a pass, in words: first how much, then what, where, and its cause."""
    account, found = direction.account, list[str]()
    if not account.clean:
        words = f"{direction.name}: {damage(direction)}"
        if account.diagnoses:
            words += f" ({'; '.join(f'{cause.name}: {cause.text}' for cause in account.diagnoses)})"
        elif account.faults:
            words += f" (the first: {account.faults[0]})"
        found.append(words)
    if not account.sent and not stopped:
        found.append(f"{direction.name}: nothing was sent, so nothing is proved")
    kernel = direction.kernel
    if kernel is not None:
        counts = {"framing": kernel.frame, "overrun": kernel.overrun, "parity": kernel.parity}
        counts["buffer overrun"] = kernel.buffer_overrun
        told = [f"{n:,} {kind}" for kind, n in counts.items() if n]
        if told:
            found.append(f"{direction.name}: the driver counted errors: {', '.join(told)}")
    longest = direction.gaps.longest[0] if direction.gaps and direction.gaps.longest else None
    if max_gap is not None and longest is not None and longest.seconds > max_gap:
        found.append(
            f"{direction.name}: nothing arrived for {longest.seconds:.3f} s after byte {longest.offset:,}; "
            f"{max_gap:g} s are allowed"
        )
    return found

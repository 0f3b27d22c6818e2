"""One run over an open line: the data both ways, the round trips, the checks, and the verdict with its reasons."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import serialwrite as sw
from serialwrite.loopback._line_ends import OpenLine
from serialwrite.loopback._one_way import DirectionRun
from serialwrite.loopback._result import Check, Direction, Outcome, Run, Settings, Verdict
from serialwrite.loopback._sink import ProgressReporter
from serialwrite.loopback.measure import _budget
from serialwrite.loopback.measure._accounting import (
    accounting_name,
    check_accounting,
    check_baud,
    check_speed,
    let_settle,
)
from serialwrite.loopback.measure._budget import Budget
from serialwrite.loopback.measure._loop_lag import LoopLag
from serialwrite.loopback.measure._statistics import latency
from serialwrite.loopback.measure._wiring import check_wiring, measure_round_trips
from serialwrite.loopback.patterns._patterns import Pattern
from serialwrite.loopback.report._words import damage, plural
from serialwrite.testing.rigs._rig import NO_PACING

T = TypeVar("T")


class LineTest:
    """One line with one group of settings, and all that is done to it, each phase within its budget."""

    def __init__(
        self,
        line: OpenLine,
        settings: Settings,
        pattern: Pattern,
        *,
        watch: ProgressReporter,
        patience: float,
        stop: asyncio.Event,
    ) -> None:
        self._line, self._settings, self._pattern = line, settings, pattern
        self._watch, self._patience, self._stop = watch, patience, stop
        self._paced = NO_PACING not in line.quirks
        self._gone = False
        self._ways: list[DirectionRun] = []
        self._baud: list[Check] = []
        self.left_over = 0
        """Bytes that came before the test, and were thrown away."""

    async def transfer(self, *, both_ways: bool, trips: int, max_gap: float | None) -> Run:
        line, settings = self._line, self._settings
        silence = _budget.SETTLED_AFTER_S + 16 / settings.line_rate
        settled = let_settle(line.port, line.peer, quiet=silence)
        self.left_over = await self._phase("settling", _budget.settling(settings), settled) or 0
        if self._stop.is_set():
            return Run(settings, Verdict.STOPPED, in_force=line.in_force)
        lag = LoopLag()
        self._ways = ways = [
            DirectionRun(
                name,
                sender,
                receiver,
                self._pattern,
                settings,
                patience=self._patience,
                max_gap=max_gap,
                paced=self._paced,
                clock=lag.clock,
            )
            for name, sender, receiver in line.ways(both=both_ways)
        ]
        budget = _budget.data(settings, self._patience, paced=self._paced)
        began, spent = time.monotonic(), time.process_time()
        async with (
            self._watch.on("data", ways, budget),
            lag.measured(),
            _ending(self._stop, budget.most, lag.clock, ways) as timed_out,
        ):
            directions: list[Direction] = await asyncio.gather(*(way.run() for way in ways))
        seconds, cpu = time.monotonic() - began, time.process_time() - spent
        self._baud = [
            check_baud(direction, settings, line.quirks, lag.seconds, fed=way.fed)
            for direction, way in zip(directions, ways, strict=True)
        ]
        directions = [
            direction if check.outcome in (Outcome.PASS, Outcome.FAIL) else replace(direction, baud=None)
            for direction, check in zip(directions, self._baud, strict=True)
        ]
        reasons = [problem for way in ways for problem in way.problems]
        self._gone = any(way.gone for way in ways)
        times: list[float] = []
        if trips and not reasons and not timed_out.is_set():
            reasons += await self._round_trips(trips, times)
        cut = self._stop.is_set() or timed_out.is_set()
        for direction in directions:
            reasons += _complaints(direction, max_gap, stopped=cut, plugged=line.plugged)
        verdict = Verdict.FAIL if reasons else Verdict.PASS
        if timed_out.is_set() and not reasons:
            verdict = Verdict.TIMED_OUT
            reasons += [_too_slow(direction, settings, seconds) for direction in directions if direction.on_its_way]
        return Run(
            settings=settings,
            verdict=verdict,
            reasons=tuple(reasons),
            directions=tuple(directions),
            latency=latency(times),
            cpu_seconds=cpu,
            seconds=seconds,
            kept_waiting=lag.seconds,
            in_force=line.in_force,
        )

    @property
    def disconnected(self) -> bool:
        """Whether a port is gone."""
        return self._gone or any(_is_gone(port) for port in (self._line.port, self._line.peer))

    def baud_checks(self) -> list[Check]:
        line, settings = self._line, self._settings
        done = [*self._baud]
        if self._paced:
            done += check_speed(line.port, "port", settings)
            done += [] if line.plugged else check_speed(line.peer, "peer", settings)
        return done

    async def check_accounting(self, run: Run) -> list[Check]:
        """Check the count of a write that is cut off, and that flow control stops the sender."""
        line, settings = self._line, self._settings
        name = accounting_name(settings)
        if self._gone:
            return [Check(name, Outcome.NOT_TESTED, "a port is gone: nothing is left to check")]
        if run.verdict is Verdict.TIMED_OUT:
            return [Check(name, Outcome.NOT_TESTED, "the line was too slow for the data already")]
        if any(_is_dead(direction) for direction in run.directions):
            return [Check(name, Outcome.NOT_TESTED, "nothing came back that a count could be compared with")]
        found: list[Check] = []

        async def work() -> bool:
            await let_settle(line.port, line.peer)
            rate = _line_rate(run, settings)
            await check_accounting(line, settings, self._pattern, self._patience, found, rate)
            return True

        budget = _budget.accounting(settings, self._patience)
        if not await self._phase("accounting", budget, work()) and not self._stop.is_set():
            words = f"ended after {budget.most:.0f} s: the line is slower than {settings.mode}"
            found.append(Check(name, Outcome.UNKNOWN, words))
        return found

    async def check_wiring(self, *, require_lines: bool) -> list[Check]:
        """Check the lines beside the data."""
        if self._gone:
            return []
        found: list[Check] = []

        async def work() -> bool:
            await check_wiring(self._line, self._settings, found, required=require_lines)
            return True

        budget = _budget.wiring(len(self._line.ways(both=True)))
        if not await self._phase("wiring", budget, work()) and not self._stop.is_set():
            found.append(Check("wiring", Outcome.UNKNOWN, f"ended after {budget.most:.0f} s: a line took too long"))
        return found

    async def _round_trips(self, trips: int, times: list[float]) -> list[str]:
        """Measure round trips, until a problem, which is returned; ``times`` has what was measured until then."""
        line, settings, patience = self._line, self._settings, self._patience

        async def work() -> list[str]:
            await let_settle(line.port, line.peer)
            problem = await measure_round_trips(line, settings, trips, _budget.ROUND_TRIPS_S, patience, times)
            return [] if problem is None else [problem]

        budget = _budget.round_trips(settings, patience, trips)
        found = await self._phase("round trips", budget, work())
        late = [] if self._stop.is_set() else [f"the round trips were ended after {budget.most:.0f} s"]
        return late if found is None else found

    async def _phase(self, name: str, budget: Budget, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what ``work`` does; None where it was ended before, by the stop or at the bound of its budget."""
        if self._stop.is_set():
            work.close()
            return None
        async with self._watch.on(name, self._ways, budget):
            working = asyncio.create_task(work)
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait((working, stopping), timeout=budget.most, return_when=asyncio.FIRST_COMPLETED)
                return working.result() if working.done() else None
            finally:
                working.cancel()
                stopping.cancel()
                await asyncio.gather(working, stopping, return_exceptions=True)


@contextlib.asynccontextmanager
async def _ending(
    stop: asyncio.Event, most: float, clock: Callable[[], float], ways: list[DirectionRun]
) -> AsyncGenerator[asyncio.Event]:
    """End the sending of ``ways`` at ``stop``, or after ``most`` seconds of ``clock``: then the event given is set."""
    timed_out, deadline = asyncio.Event(), clock() + most

    async def wait() -> None:
        while not stop.is_set() and (left := deadline - clock()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), left)
        if not stop.is_set():
            timed_out.set()
        for way in ways:
            way.stop()

    waiting = asyncio.create_task(wait())
    try:
        yield timed_out
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


def _line_rate(run: Run, settings: Settings) -> float:
    """Return the bytes per second that the line carries: as seen in a run that was long enough, else as set."""
    seen = min((way.bytes_per_second for way in run.directions if way.seconds > 1), default=0.0)
    return seen or max([settings.line_rate, *(way.bytes_per_second for way in run.directions)])


def _too_slow(direction: Direction, settings: Settings, seconds: float) -> str:
    sent = direction.account.sent + direction.on_its_way
    return (
        f"{direction.name}: ended after {seconds:.0f} s; {direction.account.received:,} of {plural(sent, 'byte')} "
        f"had come, all right: the line is slower than {settings.mode}, or held up"
    )


def _is_dead(direction: Direction) -> bool:
    """Whether nothing at all came of what was sent."""
    return bool(direction.account.sent) and not direction.account.received


def _is_gone(port: sw.SerialPort) -> bool:
    try:
        port.in_force  # noqa: B018 # asked for its error
    except sw.TransferError:
        return True
    return False


def _complaints(direction: Direction, max_gap: float | None, *, stopped: bool, plugged: bool) -> list[str]:
    """Return why one direction is not a pass, in words: first how much, then what, where, and its cause."""
    account, found = direction.account, list[str]()
    if _is_dead(direction):
        found.append(f"{direction.name}: nothing came back: check the {'plug' if plugged else 'cable'}, TX/RX")
    elif not account.clean:
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

"""One direction of the line: send, receive, check every byte, and drain the tail before the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final

import serialwrite as sw
from serialwrite._direction import WRITING, direction_of
from serialwrite.loopback._result import Direction, KernelCounters, Settings, Writes
from serialwrite.loopback.check._checker import LOOK_AHEAD_SIZE, Checker
from serialwrite.loopback.measure._arrivals import Arrivals
from serialwrite.loopback.measure._budget import TAIL_SILENCE_S, slack
from serialwrite.loopback.patterns._patterns import Pattern

GAP_MIN_S: Final = 0.1  # seconds without a byte that are worth telling, on a line that is fast enough
STOP_GRACE_S: Final = 0.3  # seconds for what is on its way when a run is ended early
SEND_POLL_S: Final = 0.005  # seconds between two looks whether the line can carry more in the time left
WRITE_MIN_S: Final = 0.05  # seconds of line that a write in that time has at least
UNPACED_RATIO: Final = 1.1  # times the baud rate that is set: no clock is that wrong, so nothing paces the line
# Bytes' time with nothing right in it, after which the rest is not waited for.
HOPELESS_SIZE: Final = 8 * LOOK_AHEAD_SIZE
CHANCE_RATIO: Final = 16  # a byte in so many is more than are right by chance, which are one in 256
READ_SIZE: Final = 1 << 16
RECEIVE_POLL_S: Final = 0.1  # seconds of one read: what ends the receiving is looked at in between


@dataclass
class DirectionRun:
    """One direction under way: its sender, its receiver, and what both have counted so far."""

    name: str
    sender: sw.SerialPort
    receiver: sw.SerialPort
    pattern: Pattern
    settings: Settings
    patience: float
    max_gap: float | None = None
    paced: bool = True
    """Whether the line has a baud rate that could be measured."""
    clock: Callable[[], float] = time.monotonic
    """What patience is measured by."""
    sent: int = 0
    total: int | None = None
    """What the sender says it sent, once it has ended: what the receiver drains the tail for."""
    gone: bool = False
    """Whether one of the ports is: unplugged, hung up."""
    fed: bool = False
    """Whether as much was on its way as the line could carry in the time left, so that it never starved."""
    problems: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Make the check."""
        self.checker = Checker(self.pattern, data_bits=self.settings.data_bits)
        self.meter = WriteMeter()
        threshold = min(max(GAP_MIN_S, 64 / self.settings.line_rate), self.max_gap or math.inf)
        self._arrivals = Arrivals(threshold=threshold, line_rate=self.settings.line_rate)
        self._began = time.monotonic()
        self._stop = sw.CancellationSignal()
        self._stopped_at: float | None = None
        self._counters = _counters(self.receiver)

    @property
    def slack(self) -> float:
        """Seconds of silence that are normal."""
        return slack(self.settings, self.patience)

    def stop(self) -> None:
        """Send no more; what comes within STOP_GRACE_S is still received, and the account is of that."""
        self._stopped_at = time.monotonic()
        self._stop.emit(sw.CancellationType.PARTIAL)

    async def run(self) -> Direction:
        """Send and receive at once; return the account.  Problems are in ``problems``, none is raised."""
        self._began = time.monotonic()
        receiving = asyncio.create_task(self._receive())
        try:
            await self._send()
            await receiving
        finally:
            receiving.cancel()
        arrivals = self._arrivals
        cut = self._stopped_at is not None and self.checker.received < self.sent
        account = self.checker.finish(None if cut else self.total)
        return Direction(
            name=self.name,
            account=account,
            seconds=time.monotonic() - self._began if arrivals.last is None else arrivals.last,
            throughput=arrivals.throughput(),
            gaps=None if arrivals.last is None else arrivals.gaps(),
            baud=self._baud(),
            writes=self.meter.writes(),
            kernel=self._kernel(),
            on_its_way=max(self.sent - account.sent, 0) if cut else 0,
        )

    def _baud(self) -> float | None:
        """Return the baud rate by the arrivals; None where they came faster than one that is set can make them."""
        measured = self._arrivals.baud(self.settings.frame_bits) if self.paced else None
        return None if measured is not None and measured > UNPACED_RATIO * self.settings.baudrate else measured

    async def _send(self) -> None:
        """Send until the bytes or the seconds are used up; the total is exact, however the last write ended."""
        settings = self.settings
        block = settings.block_size
        longest = self.slack + 2 * block / settings.line_rate  # a write that takes longer is stuck
        stoppable = sw.bind_cancellation_slot(self._stop.slot, sw.deferred)
        try:
            with self.meter.on(self.sender):
                moved = self.clock()  # when a byte last went
                while self._stopped_at is None and (time_left := self._time_left()) > 0 and self.sent != self._wanted:
                    size = self._next_size(time_left)
                    if not size:
                        self.fed = True
                        await asyncio.sleep(min(time_left, max(SEND_POLL_S, 1 / settings.line_rate)))
                        moved = self.clock()
                        continue
                    left = min(longest, time_left)
                    data = self.pattern.block(self.sent, size)
                    before = self.sent
                    try:
                        self.sent += await sw.async_write(self.sender, data, stoppable, timeout=max(left, 0.0))
                    except sw.TransferError as error:
                        self.sent += error.bytes_transferred
                        if self._stopped_at is not None:
                            return
                        if not isinstance(error, sw.TransferTimeout) or not (
                            left < longest  # the run's time is up
                            or self.sent > before  # it went somewhere
                            or self.clock() - moved < longest  # this machine was starved
                        ):
                            self.gone |= isinstance(error, sw.Disconnected)
                            self.problems.append(f"{self.name}: the sender stopped after {self.sent:,} bytes: {error}")
                            return
                    if self.sent > before:
                        moved = self.clock()
        finally:
            self.total = self.sent

    @property
    def _wanted(self) -> int | None:
        return self.settings.bytes_to_send

    def _time_left(self) -> float:
        """Return the seconds left to send in, where no number of bytes was given."""
        if self._wanted is not None:
            return math.inf
        return self._began + (self.settings.seconds or 0.0) - time.monotonic()

    def _next_size(self, time_left: float) -> int:
        """Return the bytes of the next write: no more is on its way than the line can carry in the time left.

        What a driver or a network holds would else have to be waited for: minutes, at 300 Bd.
        The rate is the one that is set, or the one seen where that is higher: a pty carries more.
        """
        block = self.settings.block_size
        if self._wanted is not None:
            return min(block, self._wanted - self.sent)
        carried, line_rate = min(self.checker.received, self.sent), self.settings.line_rate
        rate = max(line_rate, carried / max(time.monotonic() - self._began, SEND_POLL_S))
        room = int(rate * time_left) - (self.sent - carried)
        if not self.sent:
            return min(block, max(room, 1))
        return min(block, room) if room >= max(1.0, WRITE_MIN_S * line_rate) else 0

    async def _receive(self) -> None:
        """Receive until everything has come and nothing more comes, or nothing has come for too long, or nothing right.

        The expected data is finite, but a device may send unrelated data forever.
        """
        buffer = bytearray(READ_SIZE)
        view = memoryview(buffer)
        last = self.clock()  # for silence; talk takes the time of a machine that has to look into it
        came_at = right_at = time.monotonic()
        right = heard = 0  # as of right_at
        hopeless = self.slack + HOPELESS_SIZE / self.settings.line_rate
        complete_since: float | None = None
        at_least_one = sw.transfer_at_least(1)
        while True:
            complete = self.total is not None and self.checker.received >= self.total
            if self._stopped_at is not None and time.monotonic() - self._stopped_at > STOP_GRACE_S:
                return
            if complete and complete_since is None:
                complete_since = time.monotonic()
            if complete_since is not None and time.monotonic() - complete_since > self.slack:
                return
            if self.total is not None and not complete and came_at - right_at > hopeless:
                vain = f"what came in the last {came_at - right_at:.1f} s was none of it"
                self.problems.append(f"{self.name}: the rest was not waited for: {vain}")
                return
            quiet = TAIL_SILENCE_S + 16 / self.settings.line_rate if complete else self.slack
            try:
                n = await sw.async_read(
                    self.receiver, buffer, completion_condition=at_least_one, timeout=min(quiet, RECEIVE_POLL_S)
                )
            except sw.TransferTimeout:
                ended = self.total is not None and self.clock() - last >= quiet
                if ended:
                    return
                continue
            except sw.TransferError as error:
                self.gone |= isinstance(error, sw.Disconnected)
                self.problems.append(f"{self.name}: the receiver ended after {self.checker.received:,} bytes: {error}")
                return
            last, came_at = self.clock(), time.monotonic()
            self._arrivals.add(came_at - self._began, n)
            self.checker.feed(view[:n])
            if (self.checker.correct - right) * CHANCE_RATIO > self.checker.received - heard:
                right, heard, right_at = self.checker.correct, self.checker.received, came_at

    def _kernel(self) -> KernelCounters | None:
        before, after = self._counters, _counters(self.receiver)
        if before is None or after is None:
            return None
        return KernelCounters(
            frame=after.frame - before.frame,
            overrun=after.overrun - before.overrun,
            parity=after.parity - before.parity,
            breaks=after.brk - before.brk,
            buffer_overrun=after.buf_overrun - before.buf_overrun,
        )


class WriteMeter:
    """Counts how the operating system took each write."""

    def __init__(self) -> None:
        """Count from zero."""
        self._calls = self._short = self._blocked = 0
        self._smallest: int | None = None
        self._metered = False

    @contextlib.contextmanager
    def on(self, port: sw.SerialPort) -> Generator[None]:
        """Count the writes to ``port`` inside the block; a port without a descriptor isn't metered."""
        direction: Any = direction_of(port, WRITING)
        if not hasattr(direction, "write_one"):  # a thread writes, in chunks of its own
            yield
            return
        self._metered = True
        # async_write tries plain bytes with the second one first
        ways: dict[str, Callable[[Any], int]] = {"try_now": sw.buffer_size, "write_one": len}
        below = {name: getattr(direction, name) for name in ways if hasattr(direction, name)}
        for name, way in below.items():
            setattr(direction, name, self._metering(way, ways[name]))
        try:
            yield
        finally:
            for name, way in below.items():
                setattr(direction, name, way)

    def _metering(self, write: Callable[[Any], int], size: Callable[[Any], int]) -> Callable[[Any], int]:
        def metered(given: Any) -> int:
            self._calls += 1
            try:
                n = write(given)
            except BlockingIOError:
                self._blocked += 1
                raise
            if not n:
                self._blocked += 1
            elif n < size(given):
                self._short += 1
                self._smallest = n if self._smallest is None else min(self._smallest, n)
            return n

        return metered

    def writes(self) -> Writes | None:
        """Return the counts; None where the system does not report them."""
        if not self._metered:
            return None
        return Writes(calls=self._calls, short=self._short, blocked=self._blocked, smallest=self._smallest)


def _counters(port: sw.SerialPort) -> sw.LineCounters | None:
    with contextlib.suppress(OSError, NotImplementedError, AttributeError):
        return port.line_counters
    return None

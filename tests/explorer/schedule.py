"""One seed is one schedule of writes, errors, cancels and timeouts, and what must hold of it."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import serialwrite as sw
from serialwrite._direction import UserDirection
from serialwrite.testing import BLOCKED, ScriptedNowaitStream, ScriptedStream, Step, VirtualTime

MOST_WRITES = 4
MOST_BYTES = 32  # of one write: a byte says whose it is, and where in it
MOST_CALLS = 2000  # that the executor runs; a schedule needs some fifty
END = 100.0  # virtual seconds by which everything random has happened
TYPES = (sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, sw.CancellationType.TOTAL, sw.CancellationType.ALL)


class Violation(AssertionError):
    """A promise that did not hold; the message has the seed that shows it again."""


def explore(seed: int) -> None:
    """Run the schedule of `seed` in virtual time; raises `Violation` where a promise of async_write did not hold."""
    schedule = Schedule(random.Random(seed))  # repeatable, not secret
    try:
        schedule.run()
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        raise Violation(f"seed {seed}: {kind}{error}\n{schedule}") from error


def holds(what: str, true: object) -> None:
    """Raise where `what` is not `true`."""
    if not true:
        raise Violation(what)


class Schedule:
    """A line, and writes to it that overlap, fail, stall, time out and are cancelled."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock = VirtualTime()
        kind = rng.choice((ScriptedStream, ScriptedNowaitStream))
        self.script = [self._step() for _ in range(rng.randrange(8))]
        self.line = kind(*self.script, executor=self.clock)
        self.queued = rng.random() < 0.4
        self.stream: Any = self.line
        if rng.random() < 0.3:
            self.stream = sw.Traced(self.stream, lambda event: None)
        if self.queued:
            self.stream = sw.Queued(self.stream)
        self.planned = 0  # timers that are the schedule's own
        self.writes = [Write(self, number) for number in range(rng.randint(1, MOST_WRITES))]

    def __repr__(self) -> str:
        lines = [f"  {self.stream!r}, script {self.script}", *(f"  {write!r}" for write in self.writes)]
        return "\n".join(lines)

    @property
    def live(self) -> list[Write]:
        """Writes that have been started and have not ended."""
        return [write for write in self.writes if write.started is not None and write.ended is None]

    def run(self) -> None:
        chained = False
        for write, following in zip(self.writes, [*self.writes[1:], None], strict=True):
            if not chained:
                self.plan(self.rng.choice((0.0, self.moment())), write.start)
            chained = following is not None and self.rng.random() < 0.3
            write.following = following if chained else None
        self.clock.run(until=END, limit=MOST_CALLS)
        while blocked := self.live:  # nobody lets these go; others may follow them
            blocked[0].cancel(sw.CancellationType.TERMINAL)
            self.clock.run(limit=MOST_CALLS)
            holds("a blocked write can be cancelled", blocked[0].ended is not None)
        for write in self.writes:
            write.check_end()
        holds("no write_some waits when all has ended", not self.line.watching)
        holds("no timer is left when all has ended", self.clock.timers == 0)
        holds("nobody has the stream when all has ended", (id(self.line), "write") not in UserDirection.in_use)
        self._resume()

    def plan(self, seconds: float, function: Callable[[], object]) -> None:
        """Do something of the schedule's own, later."""

        def happen() -> None:
            self.planned -= 1
            function()

        self.planned += 1
        self.clock.call_later(seconds, happen)

    def _resume(self) -> None:
        """What is left of each write, written: nothing is missing then, and nothing is there twice."""
        line = ScriptedStream(executor=self.clock)
        for write in self.writes:
            rest = sw.async_write(line, write.operation.remaining, sw.use_future)
            self.clock.run(limit=MOST_CALLS)
            holds("a resumed write writes the rest", rest.result(0) == len(write.data) - write.count)
        for write in self.writes:
            both = bytes(byte for byte in self.line.written + line.written if byte >> 5 == write.number)
            holds(f"write {write.number}, resumed, is whole", both == write.data)

    def _step(self) -> Step | int:
        error = OSError(self.rng.choice((errno.EIO, errno.EPIPE, errno.ENOSPC)), "scripted")
        return self.rng.choices(
            (
                self.rng.randint(1, MOST_BYTES),
                Step(self.rng.randint(1, MOST_BYTES), after=self.moment()),
                Step(self.rng.randrange(4), error, after=self.rng.choice((0.0, self.moment()))),
                BLOCKED,
                0,
            ),
            (8, 8, 3, 2, 1),
        )[0]

    def moment(self) -> float:
        return self.rng.choice((0.5, 1.0, 1.5, 2.0, self.rng.uniform(0.0, 8.0)))  # some of them together


class Write:
    """One write of a schedule: how it is asked for, what becomes of it, and what must be true of that."""

    def __init__(self, schedule: Schedule, number: int) -> None:
        rng = schedule.rng
        self.schedule, self.number = schedule, number
        self.data = bytes(number << 5 | index for index in range(rng.randrange(MOST_BYTES)))
        self.memory = bytearray(self.data)
        self.most = rng.choice((None, None, None, rng.randrange(MOST_BYTES)))  # of transfer_exactly
        self.timeout = rng.choice((None, None, schedule.moment()))
        self.by_future = rng.random() < 0.3
        self.adapters = rng.choices(sorted(ADAPTERS), k=rng.randrange(4))
        self.signal = sw.CancellationSignal()
        self.cancels = [(schedule.moment(), rng.choice(TYPES)) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
        self.following: Write | None = None
        self.ref = sw.ErrorRef()
        self.operation: sw.Operation[int]
        self.started: float | None = None
        self.ended: float | None = None
        self.deadline = END  # when a cancellation or a timeout must have ended it
        self.timed = False
        self.starting = False
        self.error: BaseException | None = None
        self.count = 0

    def __repr__(self) -> str:
        return (
            f"write {self.number}: {len(self.data)} bytes, most {self.most}, timeout {self.timeout}, "
            f"adapters {self.adapters}, cancels {self.cancels}; from {self.started} to {self.ended}: "
            f"{self.count} bytes, {self.error!r}"
        )

    # -- what happens ----------------------------------------------------------------------------------------

    def start(self) -> None:
        schedule, clock = self.schedule, self.schedule.clock
        occupied = bool(schedule.live) and not schedule.queued
        condition = sw.transfer_all() if self.most is None else sw.transfer_exactly(self.most)
        self.operation = sw.async_write(
            schedule.stream, self.memory, sw.deferred, completion_condition=condition, timeout=self.timeout
        )
        self._expect_end(self.timeout, timed=True)
        token: Any = sw.use_future if self.by_future else self._handle
        token = sw.bind_cancellation_slot(self.signal.slot, token)
        for name in self.adapters:
            token = ADAPTERS[name](self, token)
        self.started, self.starting = clock.time(), True
        try:
            future: Any = self.operation(token)
        except sw.StreamBusy as busy:
            holds("only a stream that is in use is busy", occupied)
            self._ended(busy, 0)
            if self.following is not None:
                schedule.plan(0.0, self.following.start)
            return
        finally:
            self.starting = False
        holds("a write that overlaps another is refused", not occupied)
        if self.by_future:
            future.add_done_callback(self._future_done)
        for seconds, requested in self.cancels:
            schedule.plan(seconds, partial(self.cancel, requested))

    def cancel(self, requested: sw.CancellationType) -> None:
        if self.ended is None and requested != sw.CancellationType.TOTAL:
            self._expect_end(0.0, timed=False)
        self.signal.emit(requested)

    def expire_after(self, seconds: float) -> float:
        """Note that a timer of an adapter will end it."""
        self._expect_end(seconds, timed=True)
        return seconds

    def _expect_end(self, seconds: float | None, *, timed: bool) -> None:
        if seconds is not None:
            self.deadline = min(self.deadline, self.schedule.clock.time() + seconds)
            self.timed = self.timed or timed

    # -- how it ends -----------------------------------------------------------------------------------------

    def _future_done(self, future: Any) -> None:
        error = future.exception(0)
        self._handle(*((error, error.bytes_transferred) if error is not None else (future.result(0),)))

    def _handle(self, *results: Any) -> None:
        found = list(flattened(results))
        errors = [value for value in found if isinstance(value, BaseException)]
        counts = [value for value in found if isinstance(value, int)]
        holds("a result has one count", len(counts) == 1)
        self._ended(errors[0] if errors else self.ref.value, counts[0])
        if self.following is not None:
            self.following.start()

    def _ended(self, error: BaseException | None, count: int) -> None:
        schedule = self.schedule
        holds("a handler runs once", self.ended is None)
        busy = isinstance(error, sw.StreamBusy)
        holds("a handler never runs inside the function that started it", busy or not self.starting)
        self.ended, self.error, self.count = schedule.clock.time(), error, count
        holds("the slot is clear when the handler runs", not self.signal.slot.has_handler)
        try:
            self.memory.append(0)
            self.memory.pop()
        except BufferError:
            raise Violation("memory is still exported when the handler runs") from None
        if not schedule.live:
            holds("no write_some waits when the handler runs", not schedule.line.watching)
            if not busy:
                holds("no timer is left when the handler runs", schedule.clock.timers == schedule.planned)
        self._check_count()

    def _check_count(self) -> None:
        accepted = bytes(byte for byte in self.schedule.line.written if byte >> 5 == self.number)
        holds(f"reported {self.count} == accepted {len(accepted)}", accepted == self.data[: self.count])
        holds("the operation tells the same count", self.operation.bytes_transferred == self.count)
        holds("what remains is the rest", b"".join(self.operation.remaining) == self.data[self.count :])
        if isinstance(self.error, sw.TransferError):
            holds("the error tells the same count", self.error.bytes_transferred == self.count)
            holds("the error has the rest", b"".join(self.error.remaining) == self.data[self.count :])

    def check_end(self) -> None:
        """What must be true when all is over."""
        holds(f"write {self.number} has ended", self.ended is not None)
        assert self.ended is not None
        self._check_count()  # as it was when it ended: not one more byte went out
        written = bytes(self.schedule.line.written)
        holds("bytes of a write are not mixed with another's", self.data[: self.count] in written)
        if self.deadline < END:
            holds("a cancellation, a timeout ends it at once", self.ended <= self.deadline)
        wanted = len(self.data) if self.most is None else min(self.most, len(self.data))
        match self.error:
            case None:
                holds("success is all that was asked", self.count == wanted or 0 in self.schedule.script)
            case sw.TransferTimeout():
                holds("only a timer times out, when it is due", self.timed and self.ended >= self.deadline)
            case sw.OperationAborted():
                holds("only a request aborts, and not a total one", self.ended >= self.deadline)
            case sw.StreamBusy():
                holds("a write that was refused wrote nothing", self.count == 0)
            case _:
                scripted = [step.error for step in self.schedule.script if isinstance(step, Step) and step.error]
                holds("an error is the stream's", self.error.__cause__ in scripted or self.error in scripted)


def flattened(values: tuple[Any, ...]) -> Iterator[Any]:
    """What is in tuples of tuples."""
    for value in values:
        if isinstance(value, tuple):
            yield from flattened(value)
        else:
            yield value


ADAPTERS: dict[str, Callable[[Write, Any], Any]] = {
    "append": lambda write, token: sw.append(token, "appended"),
    "as_tuple": lambda write, token: sw.as_tuple(token),
    "bind_executor": lambda write, token: sw.bind_executor(write.schedule.clock, token),
    "cancel_after": lambda write, token: sw.cancel_after(write.expire_after(write.schedule.moment()), token),
    "cancel_at": lambda write, token: sw.cancel_at(
        write.schedule.clock.time() + write.expire_after(write.schedule.moment()), token
    ),
    "consign": lambda write, token: sw.consign(token, object()),
    "prepend": lambda write, token: sw.prepend(token, "prepended"),
    "redirect_error": lambda write, token: sw.redirect_error(token, write.ref),
}

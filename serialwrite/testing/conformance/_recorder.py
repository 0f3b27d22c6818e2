"""Shared by the conformance suites: a recording handler, the far end, and the rules by name."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

from ..._cancellation import CancellationSignal, CancellationType
from ..._errors import OperationAborted, TransferError
from ..._handler import Handler

T = TypeVar("T")
Made: TypeAlias = AbstractContextManager[T] | AbstractAsyncContextManager[T]

Rule: TypeAlias = "tuple[str, Callable[[Any], Awaitable[None]]]"

# No 251 bytes of it are alike: what is missing, doubled or out of order shows.
PATTERN = bytes(i % 251 for i in range(1 << 18))
# Seconds without anything new after which nothing more is expected to come.
SILENCE_S = 0.05


NEVER_INLINE, NOTHING_BLOCKS = 2, 8  # rules that any call of a handler, or of an initiating function, may break


class Broken(AssertionError):
    """A rule that a stream breaks: the one that is being checked, or the one that is named."""

    def __init__(self, text: str, rule: int | None = None) -> None:
        super().__init__(text)
        self.rule = rule


async def run_rules(rules: Mapping[int, Rule], numbers: Collection[int] | None, case: object) -> None:
    """Run each rule; what goes wrong in it is an AssertionError that begins with its number and name."""
    for number in sorted(rules) if numbers is None else numbers:
        name, rule = rules[number]
        try:
            await rule(case)
        except Broken as broken:
            number = broken.rule or number  # noqa: PLW2901 # the one that is broken
            raise AssertionError(f"rule {number}, {rules[number][0]}: {broken}") from broken
        except Exception as error:
            raise AssertionError(f"rule {number}, {name}: {error!r} was raised") from error


def broken(text: str) -> NoReturn:
    """The stream breaks the rule that is being checked."""
    raise Broken(text)


def require(condition: object, text: str, rule: int | None = None) -> None:
    """What must hold of the stream; ``text`` says what is wrong where it doesn't."""
    if not condition:
        raise Broken(text, rule)


@asynccontextmanager
async def entered(made: Made[T]) -> AsyncGenerator[T]:
    """What a context manager gives, be it an asynchronous one or not."""
    if isinstance(made, AbstractAsyncContextManager):
        async with made as value:
            yield value
    else:
        with made as value:
            yield value


async def settled(value: Any) -> Any:
    """The value, awaited where it has to be."""
    return await value if inspect.isawaitable(value) else value


class Probe(Handler):
    """A completion handler that notes how it is called."""

    def __init__(self, stream: Any, timeout: float) -> None:
        self.signal = CancellationSignal()
        super().__init__(self._noted, stream.get_executor(), self.signal.slot)
        self.calls: list[tuple[Any, ...]] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timeout = timeout
        self._called = asyncio.Event()
        self._initiating = False
        self._wrong: list[str] = []
        self.then: Callable[[], object] | None = None
        """Called inside the handler."""

    def __call__(self, *args: Any) -> None:
        self._noted(*args)  # report a second call; an exception here would be lost

    def _noted(self, *args: Any) -> None:
        self.calls.append(args)
        if self._initiating:
            self._wrong.append("the handler ran inside the initiating function")
        if threading.get_ident() != self._thread:
            self._wrong.append("the handler ran on another thread than that of the stream's executor")
        elif self.signal.slot.has_handler:
            self._wrong.append("the cancellation slot was not cleared when the handler ran")
        self._loop.call_soon_threadsafe(self._called.set)
        if self.then is not None:
            then, self.then = self.then, None
            try:
                then()
            except Exception as error:
                self._wrong.append(f"inside the handler, where all is released, {error!r} was raised")

    def initiate(self, initiate: Callable[[Handler], object]) -> None:
        """Start the operation; its call must return soon."""
        began = time.monotonic()
        self._initiating = True
        try:
            initiate(self)
        finally:
            self._initiating = False
        took = time.monotonic() - began
        require(took < 1, f"the initiating function blocked the event loop for {took:.1f} s", NOTHING_BLOCKS)

    @property
    def ended(self) -> bool:
        return bool(self.calls)

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end, for ``seconds`` at most; whether it has come."""
        return await until(lambda: self.ended, seconds)

    async def result(self, what: str) -> tuple[TransferError | None, int]:
        """``(error, n)``, once the handler was called."""
        try:
            await asyncio.wait_for(self._called.wait(), self._timeout)
        except TimeoutError:
            broken(f"{what}: no handler was called within {self._timeout:g} s")
        require(not self._wrong, f"{what}: {'; '.join(self._wrong)}", NEVER_INLINE)
        self.check_called_once(what)
        args = self.calls[0]
        require(
            len(args) == 2 and isinstance(args[1], int) and (args[0] is None or isinstance(args[0], BaseException)),
            f"{what}: the handler was called with {args!r}, which is not (error or None, number of bytes)",
        )
        error, n = args
        return error, n

    def check_called_once(self, what: str) -> None:
        times = len(self.calls)
        require(times == 1, f"{what}: the handler was called {times} times: {self.calls!r}", NEVER_INLINE)


async def cancelled(probe: Probe, type: CancellationType, what: str) -> int:
    """Cancel an operation that waits, and give the bytes that it had transferred."""
    probe.signal.emit(type)
    error, n = await probe.result(what)
    require(isinstance(error, OperationAborted), f"{what}: it ended with {error!r} instead of OperationAborted")
    count = getattr(error, "bytes_transferred", None)
    require(count == n, f"{what}: the error says {count} bytes, the handler was given {n}")
    return n


def cancellable(stream: Any) -> CancellationType:
    """The types of cancellation that a stream's ``*_some`` says it supports; all, where it says nothing."""
    types: CancellationType = getattr(stream, "cancellable", CancellationType.ALL)
    return types


async def require_idle(what: str) -> None:
    """What waits is to leave the CPU alone for some time: of the time that this thread could have had it."""
    ran = could = 0.0
    for _ in range(3):  # what the garbage collector takes at times is not the stream's
        began, began_running = _available_and_ran()
        await asyncio.sleep(0.3)  # what an idle wait costs is measured over some time
        ended, ended_running = _available_and_ran()
        ran, could = ended_running - began_running, ended - began
        if ran < could / 10:
            return
    broken(f"{what} uses the CPU: {ran:.2f} of {could:.2f} s")


def _available_and_ran() -> tuple[float, float]:
    """The clock without the time that others kept this thread from running, and how long the thread has run."""
    kept = seconds_kept()
    while True:
        # Of one moment: had another thread the core in between, one would be of before that and the other of after it.
        now, ran, before = time.monotonic(), time.thread_time(), kept
        kept = seconds_kept()
        if kept == before:
            return now - kept, ran


def seconds_kept() -> float:
    """How long others have kept this thread from running, where the system reports it (Linux), else 0."""
    try:
        # Not also how long it has run: of the turn under way that counts what was before the last tick.
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


async def until(condition: Callable[[], object], seconds: float) -> bool:
    """Let the loop turn until ``condition()`` holds; whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return bool(condition())
        await asyncio.sleep(0.001)
    return True


async def unchanged(value: Callable[[], object]) -> None:
    """Let the loop turn until ``value()`` has stayed the same for SILENCE_S."""
    last, since = value(), time.monotonic()
    while time.monotonic() - since < SILENCE_S:
        await asyncio.sleep(0.001)
        now = value()
        if now != last:
            last, since = now, time.monotonic()


def excerpt(data: bytes | bytearray) -> str:
    """Bytes, as far as a message has room for them."""
    return repr(bytes(data)) if len(data) <= 24 else f"{bytes(data[:20])!r}... ({len(data):,} bytes)"


def difference(found: bytes | bytearray, expected: bytes | bytearray) -> str:
    """Where two runs of bytes part, in words."""
    at = next(
        (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
    )
    return (
        f"{len(found):,} bytes came, {len(expected):,} were to come; they part at byte {at:,}: "
        f"{excerpt(found[at : at + 8])} instead of {excerpt(expected[at : at + 8])}"
    )

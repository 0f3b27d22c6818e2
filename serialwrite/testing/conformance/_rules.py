"""The rules that hold both of writing and of reading. What each does to a stream is its case's."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

from ..._cancellation import CancellationType
from ._case import Case, FarEnd
from ._recorder import (
    PATTERN,
    SILENCE_S,
    Probe,
    Rule,
    cancellable,
    cancelled,
    require,
    require_idle,
)

TERMINAL, PARTIAL, TOTAL = CancellationType.TERMINAL, CancellationType.PARTIAL, CancellationType.TOTAL


async def _loop(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        for memory in ([], [memoryview(bytearray())]):
            found = await case.start_some(stream, memory).result(f"{case.some} of no bytes")
            require(found == (None, 0), f"{case.some} of no bytes ended with {found!r} instead of (None, 0)")
        await case.transfer(stream, far, bytearray(), "no bytes")
        byte = await far.offer(b"x")
        await case.start_some(stream, [memoryview(byte)]).result(f"{case.some} after that")
        await far.moved(byte, f"{case.some} after that")


async def _never_inline(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        data, byte = await far.offer(b"first"), await far.offer(b"2")
        view = memoryview(data)
        first, second = Probe(stream, case.timeout), Probe(stream, case.timeout)

        def next_one() -> None:
            view.release()
            data.append(0)  # BufferError where the stream still holds the memory
            second.initiate(case.initiate_some(stream, [memoryview(byte)]))

        first.then = next_one
        first.initiate(case.initiate_some(stream, [view]))
        error, n = await first.result(case.some)
        require(error is None and 1 <= n <= 5, f"{case.some} of 5 bytes ended with ({error!r}, {n})")
        await second.result(f"{case.some}, started inside the handler of the one before")
        await far.moved(data[:n] + byte, f"{case.some} twice, one after the other")
        await asyncio.sleep(SILENCE_S)
        first.check_called_once(case.some)
        second.check_called_once(case.some)


async def rule_4(case: Case[FarEnd]) -> None:
    """No zombies, nothing lost."""
    if not case.waits:
        return
    async with case.stuck() as (stream, far, memory):
        taken, probe = await _stuck_some(case, stream, memory)
        what = f"{case.some}, cancelled while it waited"
        n = await cancelled(probe, TERMINAL, what)
        require(n == 0 or not cancellable(stream) & TOTAL, f"{what}: cancelled totally, it reported {n} bytes")
        await _stopped(case, stream, far, memory, taken + n, what)
    async with case.stuck() as (stream, far, memory):
        probe = await case.start_stuck(stream, far, memory)
        what = f"{case.whole}, cancelled while it waited"
        n = await cancelled(probe, TERMINAL, what)
        await _stopped(case, stream, far, memory, n, what)


async def _stopped(case: Case[FarEnd], stream: Any, far: FarEnd, memory: bytes | bytearray, n: int, what: str) -> None:
    """No more than ``n`` bytes of ``memory`` are transferred, and the stream can be used as before."""
    exact = bool(cancellable(stream) & PARTIAL)
    what = f"{what}, reported {n:,} bytes"
    await far.moved(memory[:n], what, exact=exact)
    if exact:
        await case.transfer(stream, far, await far.offer(b"next"), f"{what}, and the next one")
    await far.nothing_more(memory, n, what)


async def _stuck_some(case: Case[FarEnd], stream: Any, memory: bytes | bytearray) -> tuple[int, Probe]:
    """One that waits, and how many bytes those before it transferred: a full stream may take a few after all."""
    taken = 0
    while True:
        probe = case.start_some(stream, [memoryview(memory)[taken:]])
        if not await probe.ends_within(SILENCE_S):
            return taken, probe
        error, n = await probe.result(f"{case.some} that is to wait")
        require(error is None and n > 0, f"{case.some} that is to wait ended with ({error!r}, {n})")
        taken += n


async def _by_type(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        byte = await far.offer(b"x")
        probe = Probe(stream, case.timeout)
        probe.signal.emit(TERMINAL)  # before the start: it has no listener
        probe.initiate(case.initiate_some(stream, [memoryview(byte)]))
        what = f"{case.some}, cancelled before its start"
        found = await probe.result(what)
        require(found == (None, 1), f"{what}, ended with {found!r}: nothing must come of it")
        probe.signal.emit(TERMINAL)  # after the end
        await far.moved(byte, f"{what} and after its end")
        await asyncio.sleep(SILENCE_S)
        probe.check_called_once(f"{case.some}, cancelled after its end")
    for kind in (TERMINAL, PARTIAL) if case.waits else ():
        async with case.stuck() as (stream, far, memory):
            supported = cancellable(stream) & (TERMINAL | PARTIAL)
            probe = await case.start_stuck(stream, far, memory)
            probe.signal.emit(TOTAL)
            await asyncio.sleep(SILENCE_S)
            require(not probe.ended, f"{case.whole} ended on total cancellation, which it can't give")
            if not kind & supported:
                probe.signal.emit(kind)
                await asyncio.sleep(SILENCE_S)
                what = f"{case.whole} ended on {kind.name} cancellation, which cancellable leaves out"
                require(not probe.ended, what)
                kind = TERMINAL  # noqa: PLW2901 # it has to end
            what = f"{case.whole}, {kind.name} cancellation"
            n = await cancelled(probe, kind, what)
            await far.moved(memory[:n], f"{what}, {n:,} bytes", exact=bool(supported & PARTIAL))


async def _task(case: Case[FarEnd]) -> None:
    if not case.waits:
        return
    async with case.stuck() as (stream, far, memory):
        operation = case.operation(stream, memory)
        task = asyncio.create_task(operation)
        await asyncio.sleep(0)
        await case.until_stuck(operation, far)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=case.timeout)
        require(done, f"a cancelled task that awaits {case.whole} did not end within {case.timeout:g} s")
        require(task.cancelled(), "CancelledError was swallowed")
        n = operation.bytes_transferred
        exact = bool(cancellable(stream) & PARTIAL)
        await far.moved(memory[:n], f"the task was cancelled, the operation says {n:,} bytes", exact=exact)


async def _waits_idle(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        byte = await far.offer(b"x")
        await case.start_some(stream, [memoryview(byte)]).result(case.some)
        await far.moved(byte, case.some)
    if not case.waits:
        return
    async with case.stuck() as (stream, far, memory):
        probe = await case.start_stuck(stream, far, memory)
        await require_idle(f"{case.whole} that waits")
        await cancelled(probe, TERMINAL, f"{case.whole}, cancelled while it waited")


async def _fair(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        memory = await far.offer(PATTERN[:500])
        counting = asyncio.create_task(count())
        try:
            for i in range(500):
                byte = memory[i : i + 1]
                async with asyncio.timeout(case.timeout):
                    n = await case.operation(stream, byte)
                require(n == 1, f"{case.whole} of a byte gave {n}")
                memory[i : i + 1] = byte
                await far.pull()
        finally:
            counting.cancel()
        require(turns >= 4, f"500 times {case.whole}, one after the other, let the event loop turn {turns} times")
        await far.moved(memory, f"500 times {case.whole} of a byte")


async def _closing(case: Case[FarEnd]) -> None:
    if not case.waits:
        return
    async with case.stuck() as (stream, far, memory):
        close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
        if close is None:
            return
        probe = await case.start_stuck(stream, far, memory)
        began = time.monotonic()
        closed = close()
        if inspect.isawaitable(closed):
            await asyncio.wait_for(closed, case.timeout)
        took = time.monotonic() - began
        require(took < case.timeout, f"close() waited {took:.1f} s for a peer that does not {case.peer}")
        what = f"{case.whole} whose stream was closed"
        error, n = await probe.result(what)
        require(error is not None, f"{what} ended without an error, after {n:,} bytes")


async def _foreign_threads(case: Case[FarEnd]) -> None:
    async with case.made() as (stream, far):
        await case.transfer(stream, far, await far.offer(b"here, "), case.whole)  # binds the stream to this loop
        memory, byte = await far.offer(b"elsewhere"), await far.offer(b"!")
        for what, into, initiate in (
            (case.whole, memory, case.operation(stream, memory)),
            (case.some, byte, case.initiate_some(stream, [memoryview(byte)])),
        ):
            probe = Probe(stream, case.timeout)
            await asyncio.to_thread(initiate, probe)
            found = await probe.result(f"{what} from another thread")
            expected = (None, len(into))
            require(found == expected, f"{what} of {len(into)} bytes from another thread ended with {found!r}")
            await far.moved(into, f"{what} from another thread")


RULES_OF_BOTH_WAYS: dict[int, Rule] = {
    1: ("Asio's loop", _loop),
    2: ("never inline", _never_inline),
    5: ("cancellation by type", _by_type),
    6: ("task cancellation", _task),
    8: ("nothing spins or blocks", _waits_idle),
    9: ("fair", _fair),
    10: ("closing is bounded", _closing),
    11: ("foreign threads", _foreign_threads),
}

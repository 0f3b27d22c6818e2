"""The rules of section 4 of the design, checked on a stream that is read from."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from ..._cancellation import CancellationType
from ..._errors import StreamBusy
from ..._read import async_read
from ._read_case import ReadCase, check_untouched, progressed, untouched
from ._recorder import (
    PATTERN,
    SILENCE_S,
    Probe,
    Rule,
    broken,
    cancellable,
    cancelled,
    difference,
    require,
    require_idle,
)

TERMINAL, PARTIAL, TOTAL = CancellationType.TERMINAL, CancellationType.PARTIAL, CancellationType.TOTAL


async def _loop(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        for buffers in ([], [memoryview(bytearray())]):
            found = await case.start_some(stream, buffers).result("read_some of no bytes")
            require(found == (None, 0), f"read_some of no bytes ended with {found!r} instead of (None, 0)")
        await send(b"x")
        await case.expect(stream, b"x", "a read after one of no bytes")


async def _never_inline(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        await send(b"first")
        data, byte = untouched(5), untouched(1)
        view = memoryview(data)
        first, second = Probe(stream, case.timeout), Probe(stream, case.timeout)

        def next_read() -> None:
            view.release()
            data.append(0)  # BufferError where the stream still holds the memory
            second.initiate(lambda handler: stream.async_read_some([memoryview(byte)], handler))

        first.then = next_read
        first.initiate(lambda handler: stream.async_read_some([view], handler))
        error, n = await first.result("read_some")
        require(error is None and 1 <= n <= 5, f"read_some of 5 bytes ended with ({error!r}, {n})")
        await send(b"2")
        await second.result("read_some, started inside the handler of the one before")
        require(
            bytes(data[:n] + byte) == b"first2"[:n] + b"first2"[n : n + 1],
            "two reads, one after the other, lost a byte",
        )
        await asyncio.sleep(SILENCE_S)
        first.check_called_once("read_some")
        second.check_called_once("read_some")


async def _count(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        sent = PATTERN[:3000]
        await send(sent)
        came = bytearray()
        while len(came) < len(sent):
            one, two = untouched(10), untouched(2000)
            error, n = await case.start_some(stream, [memoryview(one), memoryview(two)]).result("read_some")
            require(error is None, f"read_some ended with {error!r}")
            require(1 <= n <= 2010, f"read_some into 2,010 bytes reported {n:,}")
            check_untouched(one + two, n, "read_some")
            came += (one + two)[:n]
        require(bytes(came) == sent, difference(came, sent))
    async with case.made() as (stream, send):
        into = [untouched(3), bytearray(), untouched(50_000)]
        operation, probe = case.start(stream, into)
        for at in range(0, 60_000, 1000):
            await send(PATTERN[at : at + 1000])
            await progressed(operation, min(at + 1000, 50_003), case)
        error, n = await probe.result("async_read into many buffers")
        require((error, n) == (None, 50_003), f"async_read of 50,003 bytes ended with ({error!r}, {n:,})")
        joined = b"".join(into)
        require(joined == PATTERN[:50_003], difference(joined, PATTERN[:50_003]))
        await case.expect(stream, PATTERN[50_003:60_000], "a read of what was left")


async def _nothing_lost(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        into = untouched(10)
        n = await cancelled(
            case.start_some(stream, [memoryview(into)]), TERMINAL, "read_some, cancelled while it waited"
        )
        require(n == 0 or not cancellable(stream) & TOTAL, f"read_some, cancelled totally, reported {n} bytes")
        check_untouched(into, n, "read_some, cancelled")
        await send(b"abcdef")
        await asyncio.sleep(SILENCE_S)
        check_untouched(into, n, "read_some, cancelled, and later more came in")
        await case.expect(stream, b"abcdef"[: 6 - n], "a read after a cancelled one")
    async with case.made() as (stream, send):
        into = untouched(100)
        operation, probe = case.start(stream, into)
        await send(b"0123456789")
        await progressed(operation, 10, case)
        n = await cancelled(probe, TERMINAL, "async_read, cancelled while it waited")
        require(
            (n, bytes(into[:n])) == (10, b"0123456789"),
            f"async_read, cancelled after 10 bytes, gave {bytes(into[:n])!r}",
        )
        await send(b"abcdef")
        await case.expect(stream, b"abcdef", "a read after a cancelled one")
        check_untouched(into, n, "async_read, cancelled, and later more came in")


async def _by_type(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        await send(b"x")
        probe = Probe(stream, case.timeout)
        probe.signal.emit(TERMINAL)  # before the start: it has no listener
        probe.initiate(lambda handler: stream.async_read_some([memoryview(bytearray(1))], handler))
        found = await probe.result("read_some, cancelled before its start")
        require(
            found == (None, 1), f"read_some, cancelled before its start, ended with {found!r}: nothing must come of it"
        )
        probe.signal.emit(TERMINAL)  # after the end
        await asyncio.sleep(SILENCE_S)
        probe.check_called_once("read_some, cancelled after its end")
    for kind in (TERMINAL, PARTIAL):
        async with case.made() as (stream, _):
            if kind & cancellable(stream):
                _, probe = case.start(stream, untouched(1))
                probe.signal.emit(TOTAL)
                await asyncio.sleep(SILENCE_S)
                require(not probe.ended, "async_read ended on total cancellation, which it can't give")
                await cancelled(probe, kind, f"async_read, {kind.name} cancellation")


async def _task(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        into = untouched(100)
        operation = async_read(stream, into)
        task = asyncio.create_task(operation)
        await send(b"0123456789")
        await progressed(operation, 10, case)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=case.timeout)
        require(done, f"a cancelled task that awaits async_read did not end within {case.timeout:g} s")
        require(task.cancelled(), "CancelledError was swallowed")
        n = operation.bytes_transferred
        require(
            (n, bytes(into[:n])) == (10, b"0123456789"), f"the task was cancelled, the operation says {n} of 10 bytes"
        )


async def _one_at_a_time(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        into = untouched(3)
        _, probe = case.start(stream, into)
        try:
            second = async_read(stream, bytearray(3))
            second(lambda error, n: None)
        except StreamBusy:
            pass
        else:
            broken("a second async_read began while the first was in progress")
        await send(b"abc")
        found = await probe.result("the first of two overlapping reads")
        require(
            (found, bytes(into)) == ((None, 3), b"abc"),
            f"the first of two overlapping reads ended with {found!r}, {into!r}",
        )


async def _waits_idle(case: ReadCase) -> None:
    async with case.made() as (stream, _):
        _, probe = case.start(stream, bytearray(1))
        await require_idle("a read that waits")
        await cancelled(probe, TERMINAL, "async_read, cancelled while it waited")


async def _fair(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        await send(PATTERN[:500])
        counting = asyncio.create_task(count())
        try:
            for i in range(500):
                await _read_byte(case, stream, i)
        finally:
            counting.cancel()
        require(turns >= 4, f"500 reads, one after the other, let the event loop turn {turns} times")


async def _read_byte(case: ReadCase, stream: Any, i: int) -> None:
    into = bytearray(1)
    n = await async_read(stream, into, timeout=case.timeout)
    require((n, bytes(into)) == (1, PATTERN[i : i + 1]), f"async_read of byte {i} gave {n}: {bytes(into)!r}")


async def _closing(case: ReadCase) -> None:
    async with case.made() as (stream, _):
        close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
        if close is None:
            return
        _, probe = case.start(stream, bytearray(1))
        closed = close()
        if inspect.isawaitable(closed):
            await asyncio.wait_for(closed, case.timeout)
        error, n = await probe.result("a read whose stream was closed")
        require(error is not None, f"a read whose stream was closed ended without an error, after {n:,} bytes")


async def _foreign_threads(case: ReadCase) -> None:
    async with case.made() as (stream, send):
        await send(b"here")
        await case.expect(stream, b"here", "async_read")  # binds the stream to this loop
        into = bytearray(9)
        probe = Probe(stream, case.timeout)
        await asyncio.to_thread(async_read(stream, into), probe)
        await send(b"elsewhere")
        found = await probe.result("async_read from another thread")
        require((found, bytes(into)) == ((None, 9), b"elsewhere"), f"from another thread: {found!r}, {bytes(into)!r}")


READ_RULES: dict[int, Rule] = {
    1: ("Asio's loop", _loop),
    2: ("never inline", _never_inline),
    3: ("the count is the truth", _count),
    4: ("nothing lost", _nothing_lost),
    5: ("cancellation by type", _by_type),
    6: ("task cancellation", _task),
    7: ("one read at a time", _one_at_a_time),
    8: ("nothing spins or blocks", _waits_idle),
    9: ("fair", _fair),
    10: ("closing is bounded", _closing),
    11: ("foreign threads", _foreign_threads),
}

"""The rules of section 4 of the design, checked on a stream that is written to."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

from ..._cancellation import CancellationType
from ..._errors import StreamBusy
from ..._write import async_write
from ._recorder import (
    PATTERN,
    SILENCE_S,
    Probe,
    Rule,
    cancellable,
    cancelled,
    require,
    require_idle,
    unchanged,
)
from ._write_case import WriteCase

TERMINAL, PARTIAL, TOTAL = CancellationType.TERMINAL, CancellationType.PARTIAL, CancellationType.TOTAL


async def _loop(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        for buffers in ([], [memoryview(b"")]):
            probe = case.start_some(stream, buffers)
            found = await probe.result("write_some of no bytes")
            require(found == (None, 0), f"write_some of no bytes ended with {found!r} instead of (None, 0)")
        _, probe = case.start(stream, b"")
        found = await probe.result("async_write of no bytes")
        require(found == (None, 0), f"async_write of no bytes ended with {found!r} instead of (None, 0)")
        await far.expect(b"", "writes of no bytes")


async def _never_inline(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        data = bytearray(b"first")
        first, second = Probe(stream, case.timeout), Probe(stream, case.timeout)
        view = memoryview(data)

        def next_write() -> None:
            view.release()
            data.clear()  # BufferError where the stream still holds the memory
            second.initiate(lambda handler: stream.async_write_some([memoryview(b"2")], handler))

        first.then = next_write
        first.initiate(lambda handler: stream.async_write_some([view], handler))
        error, n = await first.result("write_some")
        require(error is None and 1 <= n <= 5, f"write_some of 5 bytes ended with ({error!r}, {n})")
        await second.result("write_some, started inside the handler of the one before")
        await far.expect(b"first"[:n] + b"2", "two writes, one after the other")
        first.check_called_once("write_some")
        second.check_called_once("write_some")


async def _count(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        expected = b""
        for size in (1, 100, 10_000):
            data = PATTERN[:size]
            probe = case.start_some(stream, [memoryview(data)])
            error, n = await probe.result(f"write_some of {size:,} bytes")
            require(error is None, f"write_some of {size:,} bytes ended with {error!r}")
            require(1 <= n <= size, f"write_some of {size:,} bytes reported {n:,}")
            expected += data[:n]
            await far.expect(expected, f"write_some of {size:,} bytes reported {n:,}")
    async with case.ordinary() as (stream, far):
        pieces = [PATTERN[:3], b"", memoryview(PATTERN[3:70_003]), bytearray(PATTERN[70_003:70_004])]
        pieces += [PATTERN[i : i + 100] for i in range(70_004, len(PATTERN), 100)]
        operation, probe = case.start(stream, pieces)
        await far.pull_until(lambda: probe.ended, "async_write of many buffers did not end")
        error, n = await probe.result("async_write of many buffers")
        require(
            (error, n) == (None, len(PATTERN)), f"async_write of {len(PATTERN):,} bytes ended with ({error!r}, {n:,})"
        )
        require(operation.bytes_transferred == n, "the operation and its handler were given different counts")
        await far.expect(PATTERN, "async_write of many buffers")
    if hasattr(stream, "write_some_nowait"):
        await _count_nowait(case)


async def _count_nowait(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        try:
            n = stream.write_some_nowait([memoryview(PATTERN)])
        except BlockingIOError:
            n = 0
        require(0 <= n <= len(PATTERN), f"write_some_nowait of {len(PATTERN):,} bytes reported {n:,}")
        await far.expect(PATTERN[:n], f"write_some_nowait reported {n:,} bytes")


async def _no_zombies(case: WriteCase) -> None:
    if not case.clogs:
        return
    async with case.clogged() as (stream, far):
        exact = bool(cancellable(stream) & PARTIAL)
        _, probe = await case.start_stuck(stream)
        n = await cancelled(probe, TERMINAL, "async_write, cancelled while it waited")
        what = f"async_write, cancelled, reported {n:,} bytes"
        await far.expect(PATTERN[:n], what, exact=exact)
        await far.expect(PATTERN[:n] if exact else bytes(far.received), f"{what}, and later more went out")
        if exact:
            _, probe = case.start(stream, b"next")
            require(await probe.result("the write after it") == (None, 4), "the write after it did not go through")
            await far.expect(PATTERN[:n] + b"next", "a write after a cancelled one")
    async with case.clogged() as (stream, far):
        what = "write_some, cancelled while it waited"
        taken, probe = await _stuck_some(case, stream)
        n = await cancelled(probe, TERMINAL, what)
        require(n == 0 or not cancellable(stream) & TOTAL, f"{what}: cancelled totally, it reported {n} bytes")
        exact = bool(cancellable(stream) & PARTIAL)
        await far.expect(PATTERN[: taken + n], f"{what} after {taken:,} bytes, reported {n:,}", exact=exact)


async def _stuck_some(case: WriteCase, stream: Any) -> tuple[int, Probe]:
    """A write_some that waits, and how many bytes those before it took: a full stream may take a few after all."""
    taken = 0
    while True:
        probe = case.start_some(stream, [memoryview(PATTERN)[taken:]])
        if not await probe.ends_within(SILENCE_S):
            return taken, probe
        error, n = await probe.result("write_some on a clogged stream")
        require(error is None and n > 0, f"write_some on a clogged stream ended with ({error!r}, {n})")
        taken += n


async def _by_type(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        probe = Probe(stream, case.timeout)
        probe.signal.emit(TERMINAL)  # before the start: it has no listener
        probe.initiate(lambda handler: stream.async_write_some([memoryview(b"x")], handler))
        found = await probe.result("write_some, cancelled before its start")
        require(
            found == (None, 1), f"write_some, cancelled before its start, ended with {found!r}: nothing must come of it"
        )
        probe.signal.emit(TERMINAL)  # after the end
        await far.expect(b"x", "write_some, cancelled before its start and after its end")
        probe.check_called_once("write_some, cancelled after its end")
    if not case.clogs:
        return
    for kind in (TERMINAL, PARTIAL):
        async with case.clogged() as (stream, far):
            supported = cancellable(stream) & (TERMINAL | PARTIAL)
            _, probe = await case.start_stuck(stream)
            probe.signal.emit(TOTAL)
            await asyncio.sleep(SILENCE_S)
            require(not probe.ended, "async_write ended on total cancellation, which it can't give: bytes may be out")
            if not kind & supported:
                probe.signal.emit(kind)
                await asyncio.sleep(SILENCE_S)
                require(not probe.ended, f"async_write ended on {kind.name} cancellation, which cancellable leaves out")
                kind = TERMINAL  # noqa: PLW2901 # it has to end
            n = await cancelled(probe, kind, f"async_write, {kind.name} cancellation")
            await far.expect(PATTERN[:n], f"{kind.name} cancellation, {n:,} bytes", exact=bool(supported & PARTIAL))


async def _task(case: WriteCase) -> None:
    if not case.clogs:
        return
    async with case.clogged() as (stream, far):
        operation = async_write(stream, PATTERN)
        task = asyncio.create_task(operation)
        await asyncio.sleep(0)
        await unchanged(lambda: operation.bytes_transferred)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=case.timeout)
        require(done, f"a cancelled task that awaits async_write did not end within {case.timeout:g} s")
        require(task.cancelled(), "CancelledError was swallowed")
        n = operation.bytes_transferred
        exact = bool(cancellable(stream) & PARTIAL)
        await far.expect(PATTERN[:n], f"the task was cancelled, the operation says {n:,} bytes", exact=exact)


async def _one_at_a_time(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        _, first = case.start(stream, PATTERN)
        expected, probes = PATTERN, [first]
        try:
            _, second = case.start(stream, b"second")
        except StreamBusy:
            pass
        else:  # then it stands in line
            expected, probes = PATTERN + b"second", [first, second]
        await far.pull_until(lambda: all(probe.ended for probe in probes), "two overlapping writes did not end")
        found = await first.result("the first of two overlapping writes")
        require(found == (None, len(PATTERN)), f"the first of two overlapping writes ended with {found!r}")
        await far.expect(expected, "two overlapping writes, of which the second is to be refused, or to follow whole")


async def _waits_idle(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        probe = case.start_some(stream, [memoryview(b"x")])
        await probe.result("write_some")
        await far.expect(b"x", "write_some")
    if not case.clogs:
        return
    async with case.clogged() as (stream, _):
        _, probe = await case.start_stuck(stream)
        await require_idle("a write that waits")
        await cancelled(probe, TERMINAL, "async_write, cancelled while it waited")


async def _fair(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        try:
            for i in range(500):
                n = await async_write(stream, PATTERN[i : i + 1])
                require(n == 1, f"async_write of a byte gave {n}")
                received = far.pull()
                await received
        finally:
            counting.cancel()
        require(turns >= 4, f"500 writes, one after the other, let the event loop turn {turns} times")
        await far.expect(PATTERN[:500], "500 writes of a byte")


async def _closing(case: WriteCase) -> None:
    if not case.clogs:
        return
    async with case.clogged() as (stream, _):
        close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
        if close is None:
            return
        _, probe = await case.start_stuck(stream)
        began = time.monotonic()
        closed = close()
        if inspect.isawaitable(closed):
            await asyncio.wait_for(closed, case.timeout)
        took = time.monotonic() - began
        require(took < case.timeout, f"close() waited {took:.1f} s for a peer that does not read")
        error, n = await probe.result("a write whose stream was closed")
        require(error is not None, f"a write whose stream was closed ended without an error, after {n:,} bytes")


async def _foreign_threads(case: WriteCase) -> None:
    async with case.ordinary() as (stream, far):
        _, first = case.start(stream, b"here, ")  # binds the stream to this loop
        await first.result("async_write")
        probe = Probe(stream, case.timeout)
        await asyncio.to_thread(async_write(stream, b"elsewhere"), probe)
        found = await probe.result("async_write from another thread")
        require(found == (None, 9), f"async_write of 9 bytes from another thread ended with {found!r}")
        probe = Probe(stream, case.timeout)
        await asyncio.to_thread(stream.async_write_some, [memoryview(b"!")], probe)
        found = await probe.result("write_some from another thread")
        require(found == (None, 1), f"write_some of a byte from another thread ended with {found!r}")
        await far.expect(b"here, elsewhere!", "writes from another thread")


WRITE_RULES: dict[int, Rule] = {
    1: ("Asio's loop", _loop),
    2: ("never inline", _never_inline),
    3: ("the count is the truth", _count),
    4: ("no zombies", _no_zombies),
    5: ("cancellation by type", _by_type),
    6: ("task cancellation", _task),
    7: ("one write at a time", _one_at_a_time),
    8: ("nothing spins or blocks", _waits_idle),
    9: ("fair", _fair),
    10: ("closing is bounded", _closing),
    11: ("foreign threads", _foreign_threads),
}

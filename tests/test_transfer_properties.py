"""Properties of the sans-I/O loop, and of the operation that drives it: any buffers, any steps, cancelled anywhere."""

import asyncio
import errno

from hypothesis import given, settings, strategies as st

import serialwrite as sw
from serialwrite._buffers import ConsumingBuffers, remaining, views
from serialwrite._transfer_loop import TransferLoop

PARTS = st.lists(st.binary(max_size=40), max_size=6)
ERRORS = st.sampled_from([None, None, None, errno.EIO, errno.EPIPE, errno.EBADF, errno.ENOSPC])
STEPS = st.lists(st.tuples(ERRORS, st.integers(0, 50), st.booleans()), max_size=30)
CONDITIONS = st.one_of(
    st.just(sw.transfer_all()),
    st.integers(0, 120).map(sw.transfer_at_least),
    st.integers(0, 120).map(sw.transfer_exactly),
    st.integers(0, 120).map(lambda size: lambda error, n: bool(error) or n >= size),
    st.integers(0, 120).map(lambda size: lambda error, n: max(0, size - n)),  # goes on in spite of errors
)


@given(PARTS, STEPS, CONDITIONS)
def test_the_loop_keeps_its_invariants(parts, steps, condition):
    whole = b"".join(parts)
    memory = views(parts)
    loop = TransferLoop(ConsumingBuffers(memory), condition)
    ask = loop.begin()
    written = b""
    over = False
    for number, wanted, cancelled in steps:
        prepared = b"".join(loop.buffers.prepare(ask))
        assert len(prepared) <= ask
        n = min(wanted, len(prepared))
        error = None if number is None else sw.TransferError(number)
        written += prepared[:n]
        ask = loop.step(error, n, cancelled=cancelled)
        # The count is the truth, and nothing is lost or sent twice.
        assert written == whole[: loop.buffers.total_consumed]
        assert written + b"".join(remaining(memory, loop.buffers.total_consumed)) == whole
        if ask:
            assert not cancelled
            assert not loop.buffers.empty
            assert error is not None or n > 0
            continue
        over = True
        if loop.buffers.empty or (error is None and n == 0):
            assert loop.error is error
        elif isinstance(loop.error, sw.OperationAborted):
            assert cancelled
        else:
            assert loop.error is error
        break
    if over and loop.error is None and condition is sw.transfer_all():
        assert loop.buffers.empty or n == 0


class Scripted:
    """A user's stream that does one step after another, each on a later turn of the loop; then takes everything."""

    def __init__(self, steps, *, fast):
        self.executor = sw.EventLoopExecutor()
        self.steps = list(steps)
        self.written = bytearray()
        self.pending = None
        if fast:
            self.write_some_nowait = self._now

    def get_executor(self):
        return self.executor

    def _next(self, buffers):
        number, wanted, wait = self.steps.pop(0) if self.steps else (None, 1 << 30, False)
        data = b"".join(buffers)[:wanted]
        return (None if number is None else OSError(number, "scripted")), data, wait

    def _now(self, buffers):
        if self.steps and (self.steps[0][2] or self.steps[0][0] is not None):
            raise BlockingIOError
        _, data, _ = self._next(buffers)
        self.written += data
        return len(data)

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            error, data, wait = self._next(buffers)
            if wait:  # until it is cancelled
                handler.cancellation_slot.assign(lambda type: self._end(handler, sw.OperationAborted(), 0))
                self.pending = handler
                return
            self.written += data
            self._end(handler, error, len(data))

        return sw.async_initiate(initiation, token, self.executor)

    def _end(self, handler, error, n):
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, n)


@settings(max_examples=150, deadline=None)
@given(PARTS, STEPS, CONDITIONS, st.booleans(), st.integers(0, 12))
def test_an_operation_keeps_them_on_any_stream_cancelled_anywhere(parts, steps, condition, fast, turns):
    async def run():
        whole = b"".join(parts)
        stream = Scripted(steps, fast=fast)
        signal, results = sw.CancellationSignal(), []
        token = sw.bind_cancellation_slot(signal.slot, lambda *result: results.append(result))
        operation = sw.async_write(stream, parts, sw.deferred, completion_condition=condition)
        operation(token)
        assert results == []  # never inline
        for _ in range(turns):
            await asyncio.sleep(0)
        signal.emit(sw.CancellationType.PARTIAL)
        for _ in range(200):
            signal.emit(sw.CancellationType.TOTAL)  # does nothing
            if results:
                break
            await asyncio.sleep(0)
            signal.emit()
        [(error, n)] = results
        after = bytes(stream.written)
        for _ in range(5):
            signal.emit()
            await asyncio.sleep(0)
        assert len(results) == 1
        assert bytes(stream.written) == after == whole[:n]
        assert operation.bytes_transferred == n
        assert after + b"".join(operation.remaining) == whole
        if error is not None:
            assert isinstance(error, sw.TransferError)
            assert (error.bytes_transferred, error.total) == (n, len(whole))
            assert b"".join(error.remaining) == whole[n:]
        stream.steps.clear()
        assert await sw.async_write(stream, b"again") == 5  # the stream is free for the next one

    asyncio.run(run())

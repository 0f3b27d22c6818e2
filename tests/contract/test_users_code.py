"""What code of the user's may do in the middle of a transfer: its conditions, its streams, its subclasses of ours."""

import asyncio
import errno
import gc
import os
import pickle
import socket
import threading
import warnings

import pytest
from scripted import WAIT, stream_of
from waiting import is_written_to, until, waits_to_write

import serialwrite as sw
from serialwrite.testing import ScriptedStream

BOUND = 10


@pytest.fixture
async def pair():
    """A stream that has been used in this loop, so that its next write is tried at once, and its far end."""
    near, far = socket.socketpair()
    with near, far:
        stream = sw.SocketStream(near)
        assert await sw.async_write(stream, b"x") == 1
        far.recv(1)
        yield stream, far


@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise, sw.as_tuple()], ids=repr)
async def test_condition_that_writes_to_its_stream_finds_it_busy(pair, token):
    stream, far = pair
    met = []

    def condition(error, n):
        if n == 2:
            try:
                sw.async_write(stream, b"between", sw.detached)
            except sw.StreamBusy:
                met.append("busy")
        return 2

    await sw.async_write(stream, [b"ab", b"cd"], token, completion_condition=condition)
    assert met == ["busy"]
    assert far.recv(100) == b"abcd"


async def test_condition_that_raises_at_first_leaves_nothing_behind(pair):
    def condition(error, n):
        raise LookupError

    data = bytearray(b"abc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operation = sw.async_write(pair[0], data, completion_condition=condition)
        with pytest.raises(LookupError):
            await operation
        data.append(0)
        del operation
        gc.collect()
    assert await sw.async_write(pair[0], b"next") == 4


@pytest.mark.parametrize("step", [3, 8])
async def test_users_stream_that_keeps_memory_ends_all_the_same(step):
    class Keeping:
        def __init__(self):
            self.executor, self.kept = sw.EventLoopExecutor(), []

        def get_executor(self):
            return self.executor

        def async_write_some(self, buffers, token=sw.deferred, /):
            def initiation(handler):
                self.kept.append(pickle.PickleBuffer(buffers[0]))  # as a numpy array of it would
                self.executor.post(handler, None, min(step, sw.buffer_size(buffers)))

            return sw.async_initiate(initiation, token, self.executor)

    promise = sw.async_write(Keeping(), bytearray(8), sw.use_promise)
    done, _ = await asyncio.wait([promise], timeout=BOUND)
    assert done
    assert promise.result() == 8


def write_until_closed(stream):
    with pytest.raises(sw.StreamClosed):
        sw.write(stream, bytes(8 << 20))


def test_a_blocking_write_that_is_refused_gives_the_memory_back():
    near, far = socket.socketpair()
    with near, far:
        stream, data = sw.SocketStream(near), bytearray(b"abc")
        first = threading.Thread(target=write_until_closed, args=(stream,))
        first.start()
        while not is_written_to(stream):
            pass
        with pytest.raises(sw.StreamBusy):  # the exception is kept, and with it the frames that it came through
            sw.write(stream, data)
        with pytest.raises(sw.StreamBusy) as caught:
            sw.write(stream, data)
        data.append(0)
        assert caught
        stream.close()
        first.join(BOUND)
        assert not first.is_alive()


def subclass_with_a_property():
    class Stream(sw.SocketStream):
        @property
        def default_token(self):
            return sw.as_tuple()

    return Stream


def subclass_that_is_given_one_later():
    class Stream(sw.SocketStream):
        def __init__(self, sock):
            super().__init__(sock)
            type(self).default_token = sw.as_tuple()

    return Stream


@pytest.mark.parametrize("subclass", [subclass_with_a_property, subclass_that_is_given_one_later])
async def test_a_subclass_of_ours_has_its_default_token(subclass):
    near, far = socket.socketpair()
    with near, far:
        assert await sw.async_write(subclass()(near), b"abc") == (None, 3)


async def test_a_mixins_write_some_nowait_sees_every_byte():
    registered = []

    class Counting:
        def __init_subclass__(cls, name, **options):
            super().__init_subclass__(**options)
            registered.append(name)

        def write_some_nowait(self, buffers):
            n = super().write_some_nowait(buffers)
            self.count = getattr(self, "count", 0) + n
            return n

    class Beside(Counting, sw.SocketStream, name="beside"):
        pass

    class Above(sw.SocketStream, Counting, name="above"):
        pass

    near, far = socket.socketpair()
    with near, far:
        stream = Beside(near)
        for i in range(1, 4):
            await sw.async_write(stream, b"abc")
            assert stream.count == 3 * i
    assert registered == ["beside", "above"]


async def test_an_operation_that_is_given_to_a_second_task(pair):
    operation = sw.async_write(pair[0], b"abc")
    assert await asyncio.create_task(operation) == 3
    with pytest.raises(RuntimeError, match="launched before"):
        await asyncio.create_task(operation)


def test_busy_goes_to_another_process_in_the_same_words():
    error = sw.StreamBusy("a stream", "read")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class Failing:
    """A stream whose second step raises, as ``os.write`` does."""

    def __init__(self, error, good=1):
        self.executor, self.error, self.good = sw.EventLoopExecutor(), error, good

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        self.good -= 1
        if self.good < 0:
            raise self.error
        return sw.async_initiate(lambda handler: self.executor.post(handler, None, 3), token, self.executor)


@pytest.mark.parametrize("good", [0, 1, 2])
@pytest.mark.parametrize("number", [errno.EIO, errno.EBADF, errno.ENOSPC])
async def test_oserror_that_a_users_step_raises_has_the_count(good, number):
    kind = {errno.EIO: sw.Disconnected, errno.EBADF: sw.StreamClosed, errno.ENOSPC: sw.TransferError}[number]
    error = OSError(number, os.strerror(number))
    with pytest.raises(kind, match=rf"^{3 * good} of 100 bytes accepted") as info:
        await sw.async_write(Failing(error, good), bytes(100))
    assert (type(info.value), info.value.errno, info.value.__cause__) == (kind, number, error)
    results = asyncio.Queue()
    sw.async_write(Failing(error, good), bytes(100), lambda *args: results.put_nowait(args))
    told, n = await asyncio.wait_for(results.get(), BOUND)
    assert (type(told), n, told.bytes_transferred) == (kind, 3 * good, 3 * good)


@pytest.mark.parametrize("start", ["async_write_some", "async_read_some", "a layer's", "an operation, called"])
def test_what_a_token_refuses_was_not_forgotten(start):
    near, far = socket.socketpair()
    with near, far, warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = sw.SocketStream(near)
        starts = {
            "async_write_some": lambda: stream.async_write_some(b"x", sw.use_promise),
            "async_read_some": lambda: stream.async_read_some(bytearray(1), sw.use_promise),
            "a layer's": lambda: sw.Queued(stream).async_write_some(b"x", sw.use_promise),
            "an operation, called": lambda: sw.async_write(stream, b"x")(sw.use_promise),
        }
        with pytest.raises(RuntimeError, match="event loop"):
            starts[start]()
        gc.collect()


# -- streams that are unusual -----------------------------------------------------------------------------


class Stubborn:
    """A user's stream whose step ends when the test says so, and with what it says; it notes what it is asked."""

    def __init__(self, executor=None):
        self.executor = executor or sw.EventLoopExecutor()
        self.handler = None
        self.asked, self.threads = [], []

    def get_executor(self):
        return self.executor

    def on_cancel(self, type):
        self.asked.append(type)
        self.threads.append(threading.get_ident())

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            self.handler = handler
            handler.cancellation_slot.assign(self.on_cancel)

        return sw.async_initiate(initiation, token, self.executor)

    def end(self, error, n=0):
        handler, self.handler = self.handler, None
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, n)


class Inline(Stubborn):
    """A user's stream that calls its handler where it must not: inside async_write_some."""

    def async_write_some(self, buffers, token=sw.deferred, /):
        return sw.async_initiate(lambda handler: handler(None, 1), token, self.executor)


async def test_a_users_stream_that_calls_its_handler_inline():
    called = []
    sw.async_write(Inline(), b"abc", lambda error, n: called.append((error, n)))
    assert called == []
    await until(lambda: called)
    assert called == [(None, 3)]


async def test_an_error_that_meets_the_timeout_stays_what_it_is():
    stream = Stubborn()
    operation = sw.async_write(stream, b"abc", sw.use_promise, timeout=0.001)
    await until(lambda: stream.asked)
    stream.end(OSError(errno.EIO, "unplugged"))
    with pytest.raises(sw.Disconnected):
        await operation


async def test_a_timer_without_effect_does_not_make_it_a_timeout():
    class Partial(Stubborn):
        cancellable = sw.CancellationType.TERMINAL

    stream, signal = Partial(), sw.CancellationSignal()
    token = sw.cancel_after(0, sw.bind_cancellation_slot(signal.slot, sw.use_promise), sw.CancellationType.TOTAL)
    promise = sw.async_write(stream, b"abc", token)
    await asyncio.sleep(0.02)
    assert stream.asked == []
    signal.emit()
    stream.end(sw.OperationAborted())
    with pytest.raises(sw.OperationAborted) as caught:
        await promise
    assert type(caught.value) is sw.OperationAborted


async def test_a_timer_and_then_an_emit_is_a_timeout():
    stream, signal = Stubborn(), sw.CancellationSignal()
    token = sw.cancel_after(0.001, sw.bind_cancellation_slot(signal.slot, sw.use_promise))
    promise = sw.async_write(stream, b"abc", token)
    await until(lambda: stream.asked)
    signal.emit()
    stream.end(sw.OperationAborted())
    with pytest.raises(sw.TransferTimeout):
        await promise


async def test_a_task_that_is_cancelled_asks_on_the_streams_own_thread():
    with sw.IoThread() as io:
        stream = Stubborn(io.get_executor())
        task = asyncio.create_task(sw.async_write(stream, b"abc"))
        await until(lambda: stream.handler)
        task.cancel()
        await until(lambda: stream.asked)
        stream.end(sw.OperationAborted())
        with pytest.raises(asyncio.CancelledError):
            await task
    assert stream.threads != [threading.get_ident()]


async def test_condition_that_goes_on_after_errors_lets_the_loop_turn():
    class Failing(Stubborn):
        def write_some_nowait(self, buffers):
            raise OSError(errno.EIO, "unplugged")

        def async_write_some(self, buffers, token=sw.deferred, /):
            return sw.async_initiate(
                lambda handler: self.executor.post(handler, OSError(errno.EIO, "unplugged"), 0), token, self.executor
            )

    asked, turned = 0, []

    def condition(error, n):
        nonlocal asked
        asked += 1
        return 0 if turned or asked > 100_000 else 1

    asyncio.get_running_loop().call_later(0.001, turned.append, True)
    with pytest.raises(sw.Disconnected):
        await sw.async_write(Failing(), b"abc", completion_condition=condition)
    assert asked <= 100_000


@pytest.mark.parametrize("goes_on", [False, True], ids=["done", "goes on"])
async def test_a_condition_that_closes_the_stream_ends_it_as_closed(pair, goes_on):
    stream, far = pair

    def condition(error, n):
        if n:
            stream.close()
        return 2 if goes_on or not n else 0

    with pytest.raises(sw.StreamClosed) as caught:
        await sw.async_write(stream, b"abcd", completion_condition=condition)
    assert caught.value.bytes_transferred == 2
    assert far.recv(100) == b"ab"


async def test_a_condition_that_raises_after_a_step_ends_it():
    def condition(error, n):
        return n // (1 - n) or 4  # ZeroDivisionError after the first byte

    operation = sw.async_write(ScriptedStream(1), b"abcd", completion_condition=condition)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(operation, BOUND)
    assert operation.bytes_transferred == 1


@pytest.mark.parametrize("parts", [1, 2])
async def test_a_stream_that_keeps_the_views_keeps_no_memory(parts):
    class Keeping(ScriptedStream):
        kept = ()

        def async_write_some(self, buffers, token=sw.deferred, /):
            self.kept = (*self.kept, *buffers)
            return super().async_write_some(buffers, token)

    stream, data = Keeping(2, 2), [bytearray(b"abcdefgh") for _ in range(parts)]
    assert await sw.async_write(stream, data if parts > 1 else data[0]) == 8 * parts
    assert len(stream.kept) >= 3
    for each in data:
        each.append(0)


async def test_a_short_count_is_not_tried_again_at_once():
    for token in (sw.deferred, sw.use_promise):
        with stream_of("port", 2, WAIT) as stream:
            promise = asyncio.ensure_future(as_future(sw.async_write(stream, bytearray(b"abcd"), token)))
            await until(lambda stream=stream: waits_to_write(stream))
            assert stream.tries == 1
            stream.let_go()
            assert await promise == 4


async def as_future(awaitable):
    return await awaitable


# -- what a handler is associated with ----------------------------------------------------------------------


async def test_the_executor_of_a_handler_is_the_bound_one():
    got, bound = [], sw.EventLoopExecutor()
    here = sw.EventLoopExecutor()
    sw.async_initiate(
        lambda handler: (got.append(handler.executor), here.post(handler, None, 0)),
        sw.bind_executor(bound, lambda error, n: None),
        here,
    )
    assert got == [bound]
    await asyncio.sleep(0)


async def test_slots_bound_one_in_another_end_cleared():
    signals = [sw.CancellationSignal() for _ in range(3)]

    class Handler:
        cancellation_slot = signals[2].slot
        seen = None

        def __call__(self, error, n):
            self.seen = [signal.slot.has_handler for signal in signals]

    stream, handler = Stubborn(), Handler()
    token = sw.bind_cancellation_slot(signals[1].slot, handler)
    sw.async_write(stream, b"abc", sw.bind_cancellation_slot(signals[0].slot, token))
    assert [signal.slot.has_handler for signal in signals] == [True] * 3
    stream.end(None, 3)
    await until(lambda: handler.seen)
    assert handler.seen == [False] * 3


async def test_a_handlers_own_slot_ends_cleared():
    class Handler:
        cancellation_slot = sw.CancellationSignal().slot
        seen = None

        def __call__(self, error, n):
            self.seen = self.cancellation_slot.has_handler

    stream, handler = Stubborn(), Handler()
    sw.async_write(stream, b"abc", handler)
    assert handler.cancellation_slot.has_handler
    stream.end(None, 3)
    await until(lambda: handler.seen is not None)
    assert handler.seen is False


async def test_a_timeout_with_every_byte_counted_stays_one():
    """As on_wire's, whose last bytes are in a FIFO that nothing can empty: they count, and have not gone."""

    class Stuck:
        def __init__(self):
            self.executor = sw.EventLoopExecutor()

        def get_executor(self):
            return self.executor

        def async_write_some(self, buffers, token=sw.deferred, /):
            def initiation(handler):
                n = sw.buffer_size(buffers)
                handler.cancellation_slot.assign(lambda type: self.executor.post(handler, sw.OperationAborted(), n))

            return sw.async_initiate(initiation, token, self.executor)

    with pytest.raises(sw.TransferTimeout) as ended:
        await sw.async_write(Stuck(), b"stuck", timeout=0.01)
    assert ended.value.bytes_transferred == 5


class Untimed:
    """An executor that has no timers."""

    def post(self, function, /, *args):
        asyncio.get_running_loop().call_soon(function, *args)

    def dispatch(self, function, /, *args):
        function(*args)


class UntimedStream:
    def __init__(self):
        self.data, self.executor = b"", Untimed()

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            self.data += b"".join(buffers)
            self.executor.post(handler, None, sw.buffer_size(buffers))

        return sw.async_initiate(initiation, token, self.executor)


async def test_a_timeout_without_timers_is_refused_and_nothing_written():
    stream, data = UntimedStream(), bytearray(b"abc")
    with pytest.raises(TypeError, match="has no call_later"):
        await sw.async_write(stream, data, timeout=1.0)
    data += b"d"  # and the memory is free again, as the stream is
    assert stream.data == b""
    assert await sw.async_write(stream, data) == 4

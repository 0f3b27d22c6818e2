"""What code of the user's may do in the middle of a transfer: its conditions, its streams, its subclasses of ours."""

import asyncio
import gc
import pickle
import socket
import threading
import warnings

import pytest

import serialwrite as sw

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
async def test_a_condition_that_writes_to_the_same_stream_finds_it_busy(pair, token):
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


async def test_a_condition_that_raises_before_the_first_step_leaves_nothing_behind(pair):
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
async def test_a_users_stream_that_keeps_the_memory_it_was_given_ends_all_the_same(step):
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
        while stream.write_side.user is None:
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


async def test_a_write_of_nothing_is_no_success(pair):
    """os.write may say 0: the port may be full."""
    stream, far = pair
    at_once, stream.write_side.write_one = stream.write_side.write_one, lambda data: 0
    assert await sw.async_write(stream, b"abc") == 3
    stream.write_side.write_one = at_once
    assert far.recv(10) == b"abc"


async def test_an_operation_that_is_given_to_a_second_task(pair):
    operation = sw.async_write(pair[0], b"abc")
    assert await asyncio.create_task(operation) == 3
    with pytest.raises(RuntimeError, match="launched before"):
        await asyncio.create_task(operation)


def test_busy_goes_to_another_process_in_the_same_words():
    error = sw.StreamBusy("a stream", "read")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)

"""Where handlers run: on the loop, from any thread, or on the thread of an IoThread."""

import asyncio
import errno
import gc
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from waiting import is_written_to, until, waits_to_write

import serialwrite as sw
from serialwrite import _timers
from serialwrite.testing import PtyPair, receive, receive_available


async def test_post_is_later_and_dispatch_is_now():
    executor, order = sw.EventLoopExecutor(), []
    executor.post(order.append, "posted")
    executor.dispatch(order.append, "dispatched")
    assert order == ["dispatched"]
    await asyncio.sleep(0)
    assert order == ["dispatched", "posted"]


async def test_dispatch_from_another_thread_is_posted():
    executor, threads = sw.EventLoopExecutor(asyncio.get_running_loop()), []
    await asyncio.to_thread(executor.dispatch, lambda: threads.append(threading.get_ident()))
    await until(lambda: threads)
    assert threads == [threading.get_ident()]


def test_an_executor_without_a_loop_takes_the_next_running_one():
    executor = sw.EventLoopExecutor()
    loops = []

    async def main():
        executor.dispatch(lambda: loops.append(executor.loop))
        assert executor.loop is asyncio.get_running_loop()

    asyncio.run(main())
    asyncio.run(main())
    assert len(set(map(id, loops))) == 2
    with pytest.raises(RuntimeError, match="no running event loop"):
        executor.post(print)


def test_a_pinned_executor_does_not_change_its_loop():
    loop = asyncio.new_event_loop()
    executor = sw.EventLoopExecutor(loop)
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        executor.post(print)


async def test_a_timer_is_never_early():
    executor, loop = sw.EventLoopExecutor(), asyncio.get_running_loop()

    for delay in (0.0, 0.0004, 0.0011, 0.0137):
        fired = loop.create_future()
        started = time.monotonic()
        executor.call_later(delay, lambda f=fired: f.set_result(time.monotonic()))
        assert await fired - started >= delay


needs_timerfd = pytest.mark.skipif(not _timers.HAS_TIMERFD, reason="timerfd: Python 3.13 on Linux has it")


@pytest.fixture(
    params=["no timerfd", pytest.param("timerfd", marks=needs_timerfd), pytest.param("none left", marks=needs_timerfd)]
)
def timerfd(request, monkeypatch):
    """The kernel's timers, a system without them, and a process that has no descriptor left for one."""

    def none_left(*args, **options):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if request.param == "none left":
        monkeypatch.setattr(os, "timerfd_create", none_left)
    monkeypatch.setattr(_timers, "HAS_TIMERFD", request.param != "no timerfd")


async def test_timer_fires_once_and_never_early(timerfd):
    fired = []
    for delay in (0.0, 0.0004, 0.0025, 0.0137):
        deadline = time.monotonic() + delay
        _timers.LoopTimer(asyncio.get_running_loop(), delay, lambda d=deadline: fired.append(time.monotonic() - d), ())
    await until(lambda: len(fired) >= 4)
    await asyncio.sleep(0.005)
    assert len(fired) == 4
    assert min(fired) >= 0


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def in_its_last_stretch(loop, fired):
    timer = _timers.LoopTimer(loop, _timers.TIMERFD_STRETCH_S / 2, fired.append, (1,))
    timer._watch(3600)  # as good as for ever: it will not fire by itself
    return timer


@needs_timerfd
async def test_timer_cancelled_in_its_last_stretch_holds_no_descriptor():
    fired, before = [], descriptors()
    timer = in_its_last_stretch(asyncio.get_running_loop(), fired)
    assert descriptors() == before + 1
    timer.cancel()
    assert descriptors() == before
    await asyncio.sleep(0.01)
    assert not fired


@needs_timerfd
def test_timer_of_a_closed_loop_holds_no_descriptor():
    before = descriptors()

    async def main():
        in_its_last_stretch(asyncio.get_running_loop(), [])

    asyncio.run(main())
    gc.collect()
    assert descriptors() == before


def test_io_thread_gives_a_script_a_loop():
    with PtyPair() as rig, rig.open_peer() as peer, sw.IoThread() as io:
        with sw.SerialPort(rig.port, executor=io.get_executor()) as port:
            assert sw.write(port, b"blocking") == 8
            future = sw.async_write(port, b" future", sw.use_future)
            assert future.result(timeout=10) == 7
            done = threading.Event()
            sw.async_write(port, b" callback", lambda error, n: done.set())
            assert done.wait(10)
            assert receive(peer, 24) == b"blocking future callback"


def test_io_thread_stops_what_is_waited_for():
    with PtyPair() as rig, rig.open_peer() as peer:
        io = sw.IoThread()
        port = sw.SerialPort(rig.port, executor=io.get_executor())
        future = sw.async_write(port, bytes(1 << 20), sw.use_future)
        while not future.bytes_transferred:
            pass
        io.close()
        error = future.exception(timeout=10)
        assert type(error) is sw.OperationAborted
        assert len(receive_available(peer)) == error.bytes_transferred == future.bytes_transferred
        assert not any(thread.name == "serialwrite-io" for thread in threading.enumerate())
        port.close("abort")


def test_io_thread_stops_what_was_given_a_function():
    with PtyPair() as rig, rig.open_peer() as peer:
        io, ended = sw.IoThread(), []
        port = sw.SerialPort(rig.port, executor=io.get_executor())
        sw.async_write(port, bytes(1 << 20), lambda error, n: ended.append((type(error), n)))
        while not waits_to_write(port):
            pass
        io.close()
        assert ended == [(sw.OperationAborted, len(receive_available(peer)))]
        port.close("abort")


async def test_io_thread_stops_what_another_loop_awaits():
    with PtyPair() as rig, rig.open_peer() as peer:
        io = sw.IoThread()
        port = sw.SerialPort(rig.port, executor=io.get_executor())
        task = asyncio.create_task(sw.async_write(port, bytes(1 << 20)))
        await until(lambda: waits_to_write(port))
        await asyncio.to_thread(io.close)
        done, _ = await asyncio.wait([task], timeout=10)
        assert done
        error = task.exception()
        assert type(error) is sw.OperationAborted
        assert len(receive_available(peer)) == error.bytes_transferred
        port.close("abort")


def test_future_cancelled_from_another_thread_has_the_count():
    with PtyPair() as rig, rig.open_peer() as peer, sw.IoThread() as io:
        with sw.SerialPort(rig.port, executor=io.get_executor()) as port:
            future = sw.async_write(port, bytes(1 << 20), sw.use_future)
            with pytest.raises(TimeoutError):
                future.result(timeout=0.05)
            assert future.cancel()
            with pytest.raises(sw.OperationAborted) as info:
                future.result(timeout=10)
            assert len(receive_available(peer)) == info.value.bytes_transferred


async def test_another_thread_may_initiate_on_a_running_loop():
    with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:
        await sw.async_write(port, b"bound ")
        threads = []

        def elsewhere():
            handler_ran = threading.Event()

            def handler(error, n):
                threads.append(threading.get_ident())
                handler_ran.set()

            sw.async_write(port, b"from a thread", handler)
            return handler_ran.wait(10)

        assert await asyncio.to_thread(elsewhere)
        assert threads == [threading.get_ident()]
        assert receive(peer, 19) == b"bound from a thread"


async def test_busy_from_another_thread_goes_to_the_handler():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        first = asyncio.ensure_future(sw.async_write(port, bytes(1 << 20)))
        await asyncio.sleep(0.01)
        future = await asyncio.to_thread(sw.async_write, port, b"second", sw.use_future)
        with pytest.raises(sw.StreamBusy):
            await asyncio.wrap_future(future)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


def test_stream_outlives_the_loop_of_a_write_left_waiting():
    with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:

        async def leave():
            sw.async_write(port, bytes(1 << 20), sw.detached)
            await asyncio.sleep(0.01)

        async def again():
            receive_available(peer)
            return await sw.async_write(port, b"again")

        asyncio.run(leave())
        assert asyncio.run(again()) == 5


async def test_stream_first_used_by_a_thread_without_a_loop_runs_there():
    executor, threads = sw.EventLoopExecutor(), []
    await asyncio.to_thread(executor.post, lambda: threads.append(threading.get_ident()))
    await until(lambda: threads)
    assert threads == [threading.get_ident()]


async def test_stream_made_in_a_loop_is_first_used_by_another_thread():
    near, far = socket.socketpair()
    with near, far:
        stream = sw.SocketStream(near)
        assert await asyncio.to_thread(lambda: sw.async_write(stream, b"abc", sw.use_future).result(10)) == 3
        assert far.recv(10) == b"abc"


async def test_blocking_form_in_a_loop_writes_to_a_users_stream():
    threads = []

    class Noting:
        def __init__(self):
            self.executor = sw.EventLoopExecutor()

        def get_executor(self):
            return self.executor

        def async_write_some(self, buffers, token=sw.deferred, /):
            def initiation(handler):
                threads.append(threading.get_ident())
                self.executor.post(handler, None, sw.buffer_size(buffers))

            return sw.async_initiate(initiation, token, self.executor)

    assert await asyncio.to_thread(sw.write, Noting(), b"abc") == 3
    assert threads == [threading.get_ident()]


def test_an_event_loop_executor_of_something_else():
    with pytest.raises(TypeError, match="event loop"):
        sw.EventLoopExecutor(5)


class SlowToEnd:
    """A user's stream that takes a while to stop: what is cancelled ends only later."""

    def __init__(self, executor, seconds):
        self.executor, self.seconds = executor, seconds

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            handler.cancellation_slot.assign(
                lambda type: self.executor.call_later(self.seconds, handler, sw.OperationAborted(), 0)
            )

        return sw.async_initiate(initiation, token, self.executor)


def test_io_thread_waits_for_slow_ends_and_leaves_no_thread():
    io, ended = sw.IoThread("slow"), []
    sw.async_write(SlowToEnd(io.get_executor(), 0.1), b"abc", lambda error, n: ended.append(type(error)))
    io.close()
    assert ended == [sw.OperationAborted]
    assert not any(thread.name == "slow" for thread in threading.enumerate())


def test_ctrl_c_over_an_io_thread_stops_the_write_first():
    near, far = socket.socketpair()
    main = threading.get_ident()
    with near, far, sw.IoThread() as io:
        stream = sw.SocketStream(near, io.get_executor())

        def interrupt():
            while not waits_to_write(stream):
                time.sleep(0.001)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            sw.write(stream, bytes(8 << 20))
        assert not is_written_to(stream)
        thread.join()
        assert 0 < caught.value.bytes_transferred < 8 << 20


@pytest.mark.parametrize("posted", [True, False])
def test_ctrl_c_while_an_io_thread_is_asked_to_start_stops_it(monkeypatch, posted):
    """A signal's handler may raise between any two bytecodes: before the launch is posted, or behind it."""
    dispatch = sw.EventLoopExecutor.dispatch

    def interrupted(self, function, /, *args):
        if posted:
            dispatch(self, function, *args)
        monkeypatch.undo()
        raise KeyboardInterrupt

    near, far = socket.socketpair()
    with near, far, sw.IoThread() as io:
        stream = sw.SocketStream(near, io.get_executor())
        monkeypatch.setattr(sw.EventLoopExecutor, "dispatch", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            sw.write(stream, bytes(8 << 20))
        assert not is_written_to(stream)
        count = caught.value.bytes_transferred
        assert (0 < count < 8 << 20) if posted else count == 0
        far.setblocking(False)
        assert len(receive_available(far)) == count


def test_io_thread_stops_the_future_of_a_users_own_operation():
    io = sw.IoThread()
    executor = io.get_executor()

    def initiation(handler):
        handler.cancellation_slot.assign(lambda type: executor.post(handler, sw.OperationAborted(), 0))

    future = sw.async_initiate(initiation, sw.use_future, executor)
    io.close()
    assert type(future.exception(10)) is sw.OperationAborted


async def test_the_end_on_another_loop_wakes_the_loop_that_awaits_it():
    near, far = socket.socketpair()
    with near, far, sw.IoThread() as io:
        stream = SlowToEnd(io.get_executor(), 0)
        operation = sw.async_write(stream, b"abc", sw.cancel_after(0.05))
        done, _ = await asyncio.wait([asyncio.create_task(operation)], timeout=5)
        assert done, "nothing woke this loop"
        assert isinstance(done.pop().exception(), sw.TransferTimeout)

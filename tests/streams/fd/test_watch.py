"""What reports that a descriptor is ready: one private epoll per event loop; without epoll the loop's own watchers."""

import asyncio
import contextlib
import contextvars
import gc
import os
import select
import socket
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from waiting import BOUND, until
from watched import watched

import serialwrite as sw
from serialwrite.streams.fd import _backoff
from serialwrite.streams.fd._backoff import LIES
from serialwrite.streams.fd._epoll_watch import EpollWatch
from serialwrite.streams.fd._watch import watch_for
from serialwrite.testing._leaks import Held

MUCH = 1 << 20


@pytest.fixture(params=["epoll", "loop"], autouse=True)
def system(request, monkeypatch):
    if request.param == "loop":
        monkeypatch.delattr(select, "epoll")
    return request.param


@contextlib.contextmanager
def pair():
    """A stream over a socket, and the socket at its far end."""
    near, far = socket.socketpair()
    far.setblocking(False)
    with near, far:
        yield sw.SocketStream(near), far


def drain(far):
    n = 0
    with contextlib.suppress(BlockingIOError):
        while data := far.recv(1 << 20):
            n += len(data)
    return n


def descriptors():
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


async def turns(count=10):
    for _ in range(count):
        await asyncio.sleep(0)


async def waiting(direction):
    await until(lambda: direction.waiting)


async def finished(task, far):
    """The bytes that ``far`` gets until ``task`` is done."""
    n = 0
    async with asyncio.timeout(BOUND):
        while not task.done():
            n += drain(far)
            await asyncio.sleep(0)
    return n + drain(far)


async def test_reading_and_writing_wait_at_once():
    with pair() as (stream, far):
        for _ in range(3):
            reading = asyncio.ensure_future(sw.async_read(stream, buffer := bytearray(2)))
            writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
            await waiting(stream._write_direction)
            far.send(b"a")
            await turns()
            assert (reading.done(), writing.done(), buffer[:1]) == (False, False, b"a")
            assert await finished(writing, far) == MUCH
            far.send(b"b")
            assert await asyncio.wait_for(reading, BOUND) == 2
            assert not watched(stream.socket.fileno())


async def test_one_direction_is_not_tried_when_the_other_is_ready():
    class Counting(sw.SocketStream):
        reads = 0

        def read_some_nowait(self, buffers):
            self.reads += 1
            return super().read_some_nowait(buffers)

    with pair() as (other, far), Counting(other.socket) as stream:
        reading = asyncio.ensure_future(sw.async_read(stream, bytearray(1)))
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        assert await finished(writing, far) == MUCH
        assert stream.reads == 1
        reading.cancel()


async def test_an_operation_of_many_steps_arms_twice(monkeypatch, system):
    if system == "loop":
        pytest.skip("its watcher stays always")
    armed, arm = [], EpollWatch.arm
    with pair() as (stream, far):
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(4 * MUCH)))
        monkeypatch.setattr(EpollWatch, "arm", lambda *args, **named: (armed.append(named), arm(*args, **named)))
        assert await finished(writing, far) == 4 * MUCH
        assert armed == [{"stays": False}, {"stays": True}]
        assert not watched(stream.socket.fileno())


async def test_an_entry_that_stays_is_shared_with_a_read():
    with pair() as (stream, far):
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(4 * MUCH)))
        await waiting(stream._write_direction)
        n = drain(far)
        await turns()
        n += drain(far)
        await turns()  # by now the entry stays
        reading = asyncio.ensure_future(sw.async_read(stream, bytearray(1)))
        await turns()
        reading.cancel()
        await turns()
        assert n + await finished(writing, far) == 4 * MUCH
        assert not watched(stream.socket.fileno())


async def test_a_transport_that_closes_itself_for_its_peer_disconnects():
    near, far = socket.socketpair()
    with far:
        _, writer = await asyncio.open_connection(sock=near)
        writing = asyncio.ensure_future(sw.async_write(writer, bytes(MUCH)))
        await waiting(sw.as_stream(writer)._write_direction)
        far.close()
        with pytest.raises(sw.Disconnected):
            await asyncio.wait_for(writing, BOUND)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("cancelled", ["read", "write"])
async def test_one_direction_cancelled_the_other_waits_on(cancelled):
    with pair() as (stream, far):
        reading = asyncio.ensure_future(sw.async_read(stream, bytearray(1)))
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        await waiting(stream._write_direction)
        (reading if cancelled == "read" else writing).cancel()
        await turns()
        assert watched(stream.socket.fileno())
        if cancelled == "read":
            assert await finished(writing, far) == MUCH
        else:
            far.send(b"x")
            assert await asyncio.wait_for(reading, BOUND) == 1
        assert not watched(stream.socket.fileno())


async def test_a_cancelled_wait_leaves_no_entry_and_can_be_repeated():
    with pair() as (stream, far):
        signal, ends = sw.CancellationSignal(), []
        for _ in range(3):
            token = sw.bind_cancellation_slot(signal.slot, lambda error, n: ends.append((type(error), n)))
            sw.async_write(stream, bytes(MUCH), token)
            await turns()  # uvloop's own watchers are set as it turns
            assert watched(stream.socket.fileno())
            signal.emit()
            assert not watched(stream.socket.fileno())
            drain(far)
            await turns()
        assert [error for error, _ in ends] == [sw.OperationAborted] * 3
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        assert await finished(writing, far) == MUCH
        assert not watched(stream.socket.fileno())


async def test_a_hang_up_ends_both_directions():
    with pair() as (stream, far):
        reading = asyncio.ensure_future(sw.async_read(stream, bytearray(1)))
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        await waiting(stream._write_direction)
        far.close()
        with pytest.raises(sw.Disconnected):
            await asyncio.wait_for(writing, BOUND)
        with pytest.raises((sw.Disconnected, sw.EndOfFile)):
            await asyncio.wait_for(reading, BOUND)


async def test_a_hang_up_that_is_not_seen_by_a_try_does_not_spin(monkeypatch):
    class Lying(sw.SocketStream):
        tries = 0

        def write_some_nowait(self, buffers):
            self.tries += 1
            raise BlockingIOError

    long_pauses(monkeypatch)
    near, far = socket.socketpair()
    with near, far, Lying(near) as stream:
        far.close()
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(stream, bytearray(b"x"), timeout=0.5)
        assert 1 < stream.tries <= 1 + LIES  # the first before it waits; then it is left alone
        assert not watched(near.fileno())


def long_pauses(monkeypatch):
    """After a false report, no other is believed before the test is over."""
    monkeypatch.setattr(_backoff, "FIRST_PAUSE_S", 2 * BOUND)
    monkeypatch.setattr(_backoff, "LONGEST_PAUSE_S", 2 * BOUND)


async def test_a_hang_up_ends_a_pause(system, monkeypatch):
    if system == "loop":
        pytest.skip("a watcher of the loop's can't tell a hang-up alone: the pause has to end")

    class Lying(sw.SocketStream):
        tries, lies = 0, True

        def read_some_nowait(self, buffers):
            self.tries += 1
            if self.lies:
                raise BlockingIOError
            return super().read_some_nowait(buffers)

    long_pauses(monkeypatch)
    near, far = socket.socketpair()
    with near, far, Lying(near) as stream:
        far.send(b"x")
        reading = asyncio.ensure_future(sw.async_read(stream, bytearray(1)))
        await until(lambda: stream.tries == 1 + LIES)
        stream.lies = False
        far.close()
        assert await asyncio.wait_for(reading, BOUND) == 1


@pytest.mark.parametrize("direction", ["write", "read"])
async def test_a_number_that_another_file_has_by_now(direction):
    """A duplicate keeps the old file open, and with it its entry, which nothing can remove any more."""
    with pair() as (old, old_far), pair() as (other, far):
        number = old.socket.fileno()
        first = asyncio.ensure_future(sw.async_write(old, bytes(MUCH)))
        second = asyncio.ensure_future(sw.async_read(old, bytearray(1)))
        await waiting(old._write_direction)
        kept = os.dup(number)
        try:
            old.socket.close()
            os.dup2(other.socket.fileno(), number)
            with socket.socket(fileno=number) as reused, sw.SocketStream(reused) as new:
                work = sw.async_write(new, bytes(MUCH)) if direction == "write" else sw.async_read(new, bytearray(1))
                task = asyncio.ensure_future(work)
                await waiting(new._write_direction if direction == "write" else new._read_direction)
                drain(old_far)
                old_far.send(b"x")
                await turns()
                assert not task.done()
                for each in (first, second):
                    with pytest.raises(sw.StreamClosed):
                        await asyncio.wait_for(each, BOUND)
                assert watched(number)
                if direction == "write":
                    assert await finished(task, far) == MUCH
                else:
                    far.send(b"y")
                    assert await asyncio.wait_for(task, BOUND) == 1
        finally:
            os.close(kept)


async def test_a_rest_whose_number_has_changed_leaves_no_entry():
    with pair() as (one, _), pair() as (two, _):
        watch = watch_for(asyncio.get_running_loop(), writing=False)
        watch.arm(one.socket.fileno, print)
        watch.disarm()
        before = descriptors()
        watch.arm(one.socket.fileno, print)
        watch.rest(print)
        watch.arm(two.socket.fileno, print)
        await turns()
        if hasattr(select, "epoll"):  # else a duplicate of the first is kept
            assert (watched(one.socket.fileno()), watched(two.socket.fileno())) == (False, True)
        watch.disarm()
        assert not watched(one.socket.fileno())
        assert not watched(two.socket.fileno())
        assert descriptors() == before


async def test_a_watch_that_the_loop_refuses_keeps_no_descriptor(monkeypatch):
    def refuse(*_):
        raise LookupError

    with pair() as (stream, _):
        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        watch, before = watch_for(asyncio.get_running_loop(), writing=False), descriptors()
        with pytest.raises(LookupError):
            watch.arm(stream.socket.fileno, print)
        assert descriptors() == before


async def test_a_handler_that_raises_takes_no_report_from_others(loop_errors):
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(pair()) for _ in range(5)]
        ends = []

        def handler(error, n):
            ends.append((error, n))
            raise LookupError("a bug of the user's")

        for stream, _ in pairs:
            sw.async_read(stream, bytearray(1), handler)
        await turns()
        for _, far in pairs:
            far.send(b"x")
        await until(lambda: len(ends) == len(pairs))
        assert ends == [(None, 1)] * len(pairs)
        assert len(loop_errors) == len(pairs)
        loop_errors.clear()


async def test_a_report_of_the_wait_before_is_dropped():
    """Both reports are fetched together. The first one's callback replaces the wait that the second one is of."""
    loop, told = asyncio.get_running_loop(), []
    with pair() as (one, one_far), pair() as (two, two_far):
        first, second = (watch_for(loop, writing=False) for _ in range(2))

        def swap(hung_up):
            for watch in (first, second):
                watch.disarm()
            for stream in (one, two):
                stream.socket.recv(1)
            second.arm(two.socket.fileno, told.append)

        first.arm(one.socket.fileno, swap)
        second.arm(two.socket.fileno, swap)
        await turns()
        one_far.send(b"x")
        two_far.send(b"y")
        await turns()
        assert told == []
        two_far.send(b"z")
        await until(lambda: told)
        second.disarm()


async def test_a_handler_runs_in_the_context_that_it_was_given_in():
    name, seen = contextvars.ContextVar("name", default="none"), []
    with pair() as (one, one_far), pair() as (two, two_far):
        for stream, value in ((one, "one"), (two, "two")):
            name.set(value)
            sw.async_read(stream, bytearray(1), lambda *_: seen.append(name.get()))
        name.set("neither")
        await turns()
        for far in (one_far, two_far):
            far.send(b"x")
            await turns()
    assert seen == ["one", "two"]


async def test_what_first_waits_leaves_no_context_behind():
    class Value:
        pass

    name, ends = contextvars.ContextVar("name"), []

    def start(stream):
        name.set(Value())
        sw.async_read(stream, bytearray(1), lambda *args: ends.append(args))
        return weakref.ref(name.get())

    with pair() as (stream, far):
        kept = contextvars.copy_context().run(start, stream)
        await turns()
        assert kept() is not None
        far.send(b"x")
        await until(lambda: ends)
        await turns()
        gc.collect()
        assert kept() is None


@pytest.mark.parametrize("keeps_error", [False, True], ids=["", "with an error kept"])
def test_no_descriptor_outlives_its_loop(keeps_error):
    kept = []

    async def use(stream, far):
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        assert await finished(writing, far) == MUCH
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        await waiting(stream._write_direction)
        far.shutdown(socket.SHUT_RDWR)
        with pytest.raises(sw.Disconnected) as caught:
            await asyncio.wait_for(writing, BOUND)
        if keeps_error:
            kept.append(caught.value)

    for _ in range(2):
        with pair() as (stream, far):
            before = descriptors()
            asyncio.run(use(stream, far))
            assert descriptors() == before


def test_a_wait_in_the_next_loop_of_its_thread():
    """With one that the loop before left waiting, too."""

    async def use(stream, far):
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        assert await finished(writing, far) >= MUCH

    async def leave(stream):
        sw.async_write(stream, bytes(MUCH), sw.detached)
        await waiting(stream._write_direction)

    with pair() as (stream, far):
        before = Held()
        for _ in range(3):
            asyncio.run(use(stream, far))
            asyncio.run(leave(stream))
            assert not watched(stream.socket.fileno())
        stream._write_direction._forget()
        assert Held().since(before) == []


def test_a_loop_is_not_kept_alive_by_what_waited_on_it():
    loop = asyncio.new_event_loop()
    with pair() as (stream, _):
        loop.run_until_complete(sw.async_write(stream, bytes(MUCH), sw.as_tuple(sw.deferred), timeout=0.01))
        loop.close()
        kept = weakref.ref(loop)
        del loop, stream
        gc.collect()
        assert kept() is None


async def test_the_leak_check_knows_what_is_the_loops():
    with pair() as (stream, far):
        before = Held()
        writing = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
        await finished(writing, far)
        assert Held().since(before) == []


FORKED = """
import asyncio, contextlib, os, select, signal, socket, sys
import serialwrite as sw
from serialwrite.streams.fd._epoll_watch import reactor_of

os.register_at_fork(after_in_child=lambda: signal.alarm(60))  # a child that hangs is ended, whatever ends this program

if sys.argv[1] == "loop":
    del select.epoll
if sys.argv[2] == "uvloop":
    import uvloop as runner
else:
    runner = asyncio
near, far = socket.socketpair()
far.setblocking(False)
MUCH = 1 << 20


async def drained(task):
    n = 0
    while not task.done():
        with contextlib.suppress(BlockingIOError):
            n += len(far.recv(1 << 20))
        await asyncio.sleep(0)
    return n


async def again():
    stream = sw.SocketStream(near)
    return await drained(asyncio.ensure_future(sw.async_write(stream, bytes(MUCH))))


async def main():
    stream = sw.SocketStream(near)
    task = asyncio.ensure_future(sw.async_write(stream, bytes(MUCH)))
    while not stream._write_direction.waiting:
        await asyncio.sleep(0)
    n = len(far.recv(1 << 20))
    while True:  # from here on there is something to report
        with contextlib.suppress(BlockingIOError):
            n += len(far.recv(1 << 20))
            continue
        break
    loop = asyncio.get_running_loop()
    child = os.fork()
    if child == 0:
        if sys.argv[3] == "turns":  # as one does that ends its tasks
            for _ in range(5):
                await asyncio.sleep(0)
        elif sys.argv[3] == "closes":
            stream.close()
        elif sys.argv[1] == "epoll":
            made = reactor_of(loop)
            assert made.made_by == os.getpid()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert n + await drained(task) == MUCH


def of_its_own():
    asyncio.run(asyncio.sleep(0))
    assert asyncio.run(again()) <= MUCH
    child = os.fork()
    if child == 0:
        os._exit(0 if asyncio.run(again()) <= MUCH else 1)
    assert os.waitpid(child, 0)[1] == 0


if sys.argv[3] == "own loop":
    of_its_own()
else:
    runner.run(main())
print("over")
"""


NO_TURNS = pytest.mark.skipif(
    sys.version_info >= (3, 15), reason="from Python 3.15 on, no task of a parent's event loop runs in a forked child"
)


@pytest.mark.parametrize("does", [pytest.param("turns", marks=NO_TURNS), "closes", "waits anew", "own loop"])
@pytest.mark.parametrize("runner", ["asyncio", "uvloop"])
def test_a_forked_child_takes_no_report_from_its_parent(system, runner, does):
    """In a program of its own: a process that has threads is not to be forked."""
    if runner == "uvloop":
        pytest.importorskip("uvloop")
    command = [sys.executable, "-c", FORKED, system, runner, does]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.stdout == "over\n", ran.stderr

"""What a stream over a descriptor does when the descriptor lies, or ends."""

import asyncio
import concurrent.futures
import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from waiting import until, waits_to_write

import serialwrite as sw
from serialwrite.streams.fd import _blocked, _descriptor, _stream as _pollable
from serialwrite.streams.fd._backoff import LIES, LONGEST_PAUSE_S, Backoff
from serialwrite.streams.fd._epoll_watch import EpollReactor
from serialwrite.streams.serial import _descriptor_driver
from serialwrite.testing import PtyPair, receive, receive_available


def test_readiness_may_lie_for_ever():
    backoff = Backoff()
    backoff.lies = 100_000  # a day of it: the pause was once computed as a float of 2 ** that
    assert backoff.lied() == LONGEST_PAUSE_S


@pytest.mark.parametrize("opened", ["SerialPort", "descriptor"])
async def test_a_hung_up_terminal_is_disconnected_and_not_at_its_end(opened):
    with PtyPair() as rig, rig.open_port() as raw:
        with sw.SerialPort(rig.port) if opened == "SerialPort" else sw.DescriptorStream(os.dup(raw.fileno())) as port:
            rig.hang_up("port")
            with pytest.raises(sw.Disconnected):
                await sw.async_read(port, bytearray(1), timeout=10)


async def test_a_file_that_ends_is_at_its_end(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"ab")
    os.close(writer)
    with sw.DescriptorStream(reader) as stream:
        with pytest.raises(sw.EndOfFile) as caught:
            await sw.async_read(stream, bytearray(3), timeout=10)
        assert caught.value.bytes_transferred == 2


def test_dev_null_is_at_its_end_at_once():
    with sw.DescriptorStream(os.open("/dev/null", os.O_RDWR)) as stream:
        started = time.monotonic()
        with pytest.raises(sw.EndOfFile):
            sw.read(stream, bytearray(3), timeout=10)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise], ids=repr)
async def test_what_no_event_loop_can_watch_is_ready_always(tmp_path, token):
    """epoll refuses a file on disk: a write that was taken in part, as Linux does past 2 GiB, has nothing to wait for."""

    class Short(sw.DescriptorStream):
        def write_some_nowait(self, buffers, /):
            return super().write_some_nowait([memoryview(buffers[0])[:1000]])

    path = tmp_path / "file"
    with Short(os.open(path, os.O_WRONLY | os.O_CREAT)) as stream:
        assert await sw.async_write(stream, bytes(4500), token) == 4500
    assert path.read_bytes() == bytes(4500)


@pytest.mark.parametrize("opened", ["SerialPort", "descriptor"])
async def test_a_descriptor_that_took_nothing_is_full(monkeypatch, opened):
    """write(2) of something that says 0: no success of no bytes."""
    with PtyPair() as rig, rig.open_peer() as peer, rig.open_port() as raw:
        with sw.SerialPort(rig.port) if opened == "SerialPort" else sw.DescriptorStream(os.dup(raw.fileno())) as port:
            assert await sw.async_write(port, b"a") == 1
            for module in (_descriptor, _descriptor_driver):
                monkeypatch.setattr(module, "write_bytes", lambda fd, data: 0)
            assert await sw.async_write(port, b"bc", timeout=10) == 2
            assert await sw.async_write(port, b"") == 0
            assert receive(peer, 3) == b"abc"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), NotImplementedError("this loop watches none")], ids=repr
)
@pytest.mark.parametrize("waited", [False, True], ids=["at first", "after a wait"])
@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise, sw.use_future], ids=repr)
async def test_a_descriptor_that_the_loop_will_not_watch(monkeypatch, error, waited, token):
    """What was accepted until then is told, and the stream is as it was before."""

    def refuse(*args):
        raise error

    near, far = socket.socketpair()
    far.setblocking(False)
    with near, far, sw.SocketStream(near) as stream:
        loop = asyncio.get_running_loop()
        if not waited:
            monkeypatch.setattr(loop, "add_reader", refuse)  # of the epoll, which is made as a first write waits
        data = bytearray(8 << 20)
        write = asyncio.ensure_future(as_future(sw.async_write(stream, data, token)))
        await asyncio.sleep(0)
        if waited:
            assert waits_to_write(stream)
            monkeypatch.setattr(EpollReactor, "add", refuse)
            stream._write_direction._watch.disarm()  # it is armed anew after a pause
            loop.call_soon(stream._write_direction._arm)
        with pytest.raises(sw.TransferError, match=str(error.args[-1])) as caught:
            await asyncio.wait_for(write, 10)
        assert caught.value.__cause__ is error
        n = caught.value.bytes_transferred
        arrived = bytearray()
        with contextlib.suppress(BlockingIOError):
            while True:
                arrived += far.recv(1 << 20)
        assert 0 < n == len(arrived)
        assert (stream.stall, waits_to_write(stream), stream._write_direction.user) == (None, False, None)
        data.append(0)  # its memory is the caller's again
        monkeypatch.undo()
        next_one = asyncio.ensure_future(sw.async_write(stream, bytes(1 << 20)))
        received = 0
        while received < 1 << 20:
            received += len(await loop.sock_recv(far, 1 << 20))
        assert await next_one == 1 << 20


async def test_port_closed_in_a_pause_as_its_peer_left_is_disconnected():
    """As a transport does, which hears of that first."""

    class Lying(sw.SocketStream):
        def write_some_nowait(self, buffers):
            raise BlockingIOError

    near, far = socket.socketpair()
    with near, far, Lying(near) as stream:
        write = asyncio.ensure_future(sw.async_write(stream, b"hello"))
        await until(lambda: stream._write_direction._pause is not None)
        far.close()
        while not stream._write_direction._hung_up:
            await asyncio.sleep(0)
        near.close()
        with pytest.raises(sw.Disconnected):
            await asyncio.wait_for(write, 10)


async def as_future(started):
    return await (asyncio.wrap_future(started) if isinstance(started, concurrent.futures.Future) else started)


@contextlib.asynccontextmanager
async def a_full(kind):
    """A stream of that kind, and the descriptor at the far end, which nobody reads."""
    if kind == "SerialPort":
        with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:
            yield port, peer
        return
    near, far = socket.socketpair()
    with near, far:
        if kind == "socket":
            yield sw.SocketStream(near), far
        elif kind == "descriptor":
            yield sw.DescriptorStream(near.detach()), far
        else:
            _, writer = await asyncio.open_connection(sock=near)
            yield sw.as_stream(writer), far
            writer.transport.abort()
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["SerialPort", "socket", "descriptor", "transport"])
async def test_close_by_another_thread_removes_the_watcher_on_the_loop(monkeypatch, kind):
    """Event loops' watchers are no business of other threads."""
    threads = []
    discard = EpollReactor.discard

    def noting(*args):
        threads.append(threading.get_ident())
        discard(*args)

    async with a_full(kind) as (stream, far):
        promise = sw.async_write(stream, bytes(8 << 20), sw.as_tuple(sw.use_promise))
        await until(lambda: waits_to_write(stream))
        with monkeypatch.context() as patch:
            patch.setattr(EpollReactor, "discard", noting)
            await asyncio.to_thread(stream.close)
        error, n = await asyncio.wait_for(promise, 10)
        assert (type(error), error.bytes_transferred) == (sw.StreamClosed, n)
        assert threads == [threading.get_ident()]
        assert kind == "transport" or not stream.is_open
        assert len(receive_available(far)) == n or kind == "SerialPort"  # whose driver drops what is queued
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(stream, b"x")


@pytest.mark.parametrize("layer", [lambda stream: stream, sw.Queued])
@pytest.mark.parametrize("kind", ["SocketStream", "SerialPort", "loop://"])
def test_closed_by_another_thread_for_which_the_loop_has_no_time(monkeypatch, kind, layer):
    """Waiting for the thread on the loop's own would be for ever; it is closed when the loop turns."""
    monkeypatch.setattr(_pollable, "CLOSE_TIMEOUT_S", 0.1)

    async def hold(target):
        stream = layer(sw.SocketStream(target) if kind == "SocketStream" else sw.SerialPort(target))
        await sw.async_write(stream, b"x")
        thread = threading.Thread(target=stream.close)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        assert stream.is_open
        async with asyncio.timeout(30):
            await until(lambda: not stream.is_open)
            await until(lambda: kind == "SocketStream" or not getattr(stream, "stream", stream).serial.is_open)

    near, far = socket.socketpair()
    with near, far, PtyPair() as rig:
        asyncio.run(hold({"SocketStream": near, "SerialPort": rig.port}.get(kind, kind)))


def test_closed_by_another_thread_as_the_loop_stops(monkeypatch):
    """The loop will not get round to it: the thread that closes does it."""
    near, far = socket.socketpair()
    loop = asyncio.new_event_loop()
    stream = sw.SocketStream(near)
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda function, *args: loop.call_soon(loop.stop))

    async def use():
        await sw.async_write(stream, b"x")
        thread.start()
        while not loop._stopping:
            await asyncio.sleep(0)

    thread = threading.Thread(target=stream.close)
    with near, far:
        loop.create_task(use())
        loop.run_forever()
        thread.join(10)
        assert (thread.is_alive(), stream.is_open) == (False, False)
    loop.close()


# -- a peer that has gone, in a program that has not got Python's SIGPIPE ---------------------------------

GONE = """
import asyncio, signal, socket, sys
import serialwrite as sw
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
kind, payload = sys.argv[1], eval(sys.argv[2])

async def write(target, near, far):
    stream = await target(near)
    far.close()
    for _ in range(3):  # the first one that TCP takes is answered with a reset
        try:
            await sw.async_write(stream, payload, timeout=30)
        except sw.Disconnected as error:
            print(error.bytes_transferred)
            return
        await asyncio.sleep(0.05)

async def transport(near):
    return (await asyncio.open_connection(sock=near))[1]

async def itself(near):
    return near

async def number(near):
    return near.fileno()

async def port(near):
    return sw.SerialPort(f"socket://127.0.0.1:{near}")

near, far = socket.socketpair()
if kind == "port":
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = server.getsockname()[1]
        class Far:
            def close(self):
                connection, _ = server.accept()
                connection.close()
        asyncio.run(write(port, near, Far()))
elif kind in ("transport", "number"):
    asyncio.run(write(globals()[kind], near, far))
else:
    near.settimeout(eval(kind))
    asyncio.run(write(itself, near, far))
"""


@pytest.mark.parametrize("payload", ["b'x'", "bytearray(b'x')", "[b'x', b'y']"], ids=["bytes", "bytearray", "gathered"])
@pytest.mark.parametrize("kind", ["None", "0", "1.5", "transport", "number", "port"])
def test_a_peer_that_has_gone_raises_no_sigpipe(kind, payload):
    """With SIGPIPE as the system has it, which many command-line programs set."""
    program = [sys.executable, "-c", GONE, kind, payload]
    ran = subprocess.run(program, check=False, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran.stderr


@pytest.mark.parametrize("payload", [b"x", bytearray(b"x"), [b"x", b"y"]], ids=["bytes", "bytearray", "gathered"])
async def test_a_full_socket_with_a_timeout_of_its_own_does_not_block(payload):
    """Python's own send would wait for that timeout, and then raise it."""
    near, far = socket.socketpair()
    near.settimeout(0.3)
    with near, far, sw.SocketStream(near) as stream:
        for data in (bytes(8 << 20), payload):
            with pytest.raises(sw.TransferTimeout) as caught:
                await sw.async_write(stream, data, timeout=0.01)
        assert caught.value.bytes_transferred == 0
        assert near.gettimeout() == 0.3


@pytest.mark.parametrize("reads", [False, True], ids=["write", "read"])
def test_blocking_form_ends_when_another_thread_closes_the_port(reads):
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, concurrent.futures.ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(sw.read if reads else sw.write, port, bytearray(1 << 20))
        side = port._read_direction if reads else port._write_direction
        while side.user is None or (not reads and port.queued == 0 and side.user._transfer.bytes_transferred == 0):
            time.sleep(0.001)
        port.close()
        with pytest.raises(sw.StreamClosed):
            blocked.result(10)


def test_a_file_that_is_appended_to_while_it_is_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"ab")
    with sw.DescriptorStream(os.open(path, os.O_RDONLY)) as stream:
        with pytest.raises(sw.EndOfFile) as caught:
            sw.read(stream, 4, timeout=10)
        assert caught.value.data == b"ab"
        with path.open("ab") as more:
            more.write(b"cdef")
        assert sw.read(stream, 4, timeout=10) == b"cdef"


def test_blocking_reads_that_wait_once_each_are_not_held_back(monkeypatch):
    """Each was woken for a byte that was there: none of them has lied."""
    slept = []
    monkeypatch.setattr(_blocked, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    near, far = socket.socketpair()
    with sw.SocketStream(near) as stream, far:

        def answer():
            while data := far.recv(1):
                time.sleep(0.002)  # so that it is waited for
                far.sendall(data)

        answering = threading.Thread(target=answer)
        answering.start()
        for _ in range(3 * LIES):
            sw.write(stream, b"x", timeout=10)
            assert sw.read(stream, 1, timeout=10) == b"x"
        far.shutdown(socket.SHUT_RDWR)
        answering.join()
    assert slept == []

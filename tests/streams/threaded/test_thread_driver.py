"""SerialPort without a descriptor: ports, on threads of their own; here loop://, socket:// and a slow one."""

import asyncio
import errno
import io
import os
import random
import resource
import socket
import struct
import threading
import time
import tty
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
import serial.rfc2217
import serial.urlhandler.protocol_socket
from rfc2217_server import rfc2217_server
from waiting import until

import serialwrite as sw
from serialwrite.streams.fd._bell import Bell
from serialwrite.streams.serial import _drain
from serialwrite.testing import PtyPair, receive, receive_available

DATA = random.Random(2217).randbytes(20_000)


@pytest.fixture
def peer():
    """A TCP server's end, and the URL that leads to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Peer(server)


class Peer:
    def __init__(self, server):
        self.server = server
        self.url = "socket://{}:{}".format(*server.getsockname())

    def accept(self):
        connection, _ = self.server.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return connection


# -- what raw TCP does not have -------------------------------------------------------------------------


@pytest.mark.parametrize("adapted", [False, True])
async def test_raw_tcp_has_no_line_and_makes_none_up(peer, adapted):
    given = {"parity": "E", "bytesize": 7, "rtscts": True, "dsrdtr": True}  # taken, as programs pass them
    port = sw.SerialPort(serial.serial_for_url(peer.url) if adapted else peer.url, **({} if adapted else given))
    with peer.accept() as far:
        assert (port.modem_lines, port.line_counters, port.in_force) == (None, None, None)
        for name in ("rts", "dtr"):
            with pytest.raises(io.UnsupportedOperation, match=f"^{name}: .*has no modem lines"):
                setattr(port, name, False)
            with pytest.raises(io.UnsupportedOperation, match=f"^{name}: .*has no modem lines"):
                getattr(port, name)
        with pytest.raises(io.UnsupportedOperation, match=r"^break: socket://.* has no serial line; set it on the"):
            await port.async_send_break(0.01)
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)
        assert await sw.async_write(port, b"alive") == 5
        await port.async_close()


LATER = {"baudrate": 300, "bytesize": 5, "parity": "O", "stopbits": 2, "xonxoff": True, "rtscts": True, "dsrdtr": True}


@pytest.mark.parametrize("adapted", [False, True])
def test_raw_tcp_refuses_later_changes_of_its_settings(peer, adapted):
    made = sw.as_stream(serial.serial_for_url(peer.url, 115200)) if adapted else sw.SerialPort(peer.url, 115200)
    with made as port, peer.accept():
        line = port.driver.line
        for name, value in {**LATER, "rts": False, "dtr": False, "break_condition": True}.items():
            before = getattr(line, name)
            with pytest.raises(io.UnsupportedOperation, match=f"^{name.removesuffix('_condition')}: socket://"):
                setattr(line, name, value)
            assert getattr(line, name) == before
        line.baudrate = 115200  # as it is
        line.timeout = 0  # which is pyserial's own
        if adapted:
            with pytest.raises(io.UnsupportedOperation, match=r"^break: "):
                line.send_break()


async def test_a_loop_has_nothing_to_send_a_break_on():
    async with sw.SerialPort("loop://") as port:
        with pytest.raises(io.UnsupportedOperation, match=r"^break: loop:// has no serial line$"):
            await port.async_send_break(0.01)


# -- the end comes behind the data ------------------------------------------------------------------------


@contextmanager
def said_and_gone(kind, words):
    """A stream whose peer has said ``words``, and is gone."""
    if kind == "rfc2217://":
        with rfc2217_server() as server, sw.SerialPort(server.url, 9600) as port:
            with server.serve_no_more() as connection:
                connection.sendall(words)
            yield port
    elif kind == "rfc2217://, pyserial's":
        with rfc2217_server() as server, sw.as_stream(serial.serial_for_url(f"{server.url}?timeout=30")) as port:
            with server.serve_no_more() as connection:
                connection.sendall(words)
            while port.serial._thread.is_alive():
                time.sleep(0.001)
            yield port
    elif kind == "socket://":
        with socket.create_server(("127.0.0.1", 0)) as server:
            with sw.SerialPort("socket://{}:{}".format(*server.getsockname())) as port:
                with server.accept()[0] as connection:
                    connection.sendall(words)
                yield port
    elif kind == "master of a pty":
        master, slave = os.openpty()
        tty.setraw(slave)
        os.write(slave, words)
        with sw.DescriptorStream(master) as stream:
            os.close(slave)
            yield stream
    elif kind == "pipe":
        reader, writer = os.pipe()
        os.write(writer, words)
        os.close(writer)
        with sw.DescriptorStream(reader) as stream:
            yield stream
    else:
        near, far = socket.socketpair()
        with sw.SocketStream(near) as stream:
            with far:
                far.sendall(words)
            yield stream


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
@pytest.mark.parametrize("size", [10, 100])
@pytest.mark.parametrize(
    "kind", ["rfc2217://", "rfc2217://, pyserial's", "socket://", "master of a pty", "pipe", "socket"]
)
async def test_what_had_come_is_read_before_the_end_is_told(kind, size):
    words = DATA[:100].replace(b"\xff", b"")  # Telnet's own, which would have to be doubled
    with said_and_gone(kind, words) as stream:
        for at in range(0, len(words) // size * size, size):
            assert await sw.async_read(stream, piece := bytearray(size), timeout=30) == size
            assert piece == words[at : at + size]
        rest = len(words) % size
        with pytest.raises((sw.Disconnected, sw.EndOfFile)) as caught:
            await sw.async_read(stream, bytearray(200), timeout=30)
        assert caught.value.bytes_transferred == rest
        with pytest.raises((sw.Disconnected, sw.EndOfFile)):
            await sw.async_read(stream, bytearray(1), timeout=30)


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
@pytest.mark.parametrize("kind", ["rfc2217://", "rfc2217://, pyserial's", "socket://"])
async def test_dead_connection_is_closed_at_once_without_a_drain(kind, monkeypatch):
    """Its queue stands still for ever: nothing of it is waited for, and pyserial's own sleep is left out."""
    with ExitStack() as resources:
        if kind.startswith("rfc2217://"):
            server = resources.enter_context(rfc2217_server())
            if "pyserial" in kind:  # which waits for each answer 3 s, where it is not told how long
                made = await asyncio.to_thread(serial.serial_for_url, f"{server.url}?timeout=30")
            else:
                made = await asyncio.to_thread(sw.SerialPort, server.url)
            port = sw.as_stream(made)
            connection = await asyncio.to_thread(server.serve_no_more)
        else:
            server = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = sw.SerialPort("socket://{}:{}".format(*server.getsockname()))
            connection, _ = server.accept()
        while not port.out_waiting:  # the peer's system has room for the first of it
            with pytest.raises(sw.TransferTimeout):
                await sw.async_write(port, bytes(30_000_000), timeout=0.5)
        sleepless = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: pytest.fail("it slept"))
        for module in (serial.rfc2217, serial.urlhandler.protocol_socket, _drain):
            monkeypatch.setattr(module, "time", sleepless)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        with pytest.raises(sw.Disconnected):
            await port.async_drain(timeout=30)
        assert port.close() > 0
        assert not port.is_open


@pytest.mark.parametrize("blocked", [False, True])
async def test_nothing_to_write_is_done_whatever_the_timeout(peer, blocked):
    port = sw.SerialPort(peer.url)
    with peer.accept():
        if blocked:
            with pytest.raises(sw.TransferTimeout):
                await sw.async_write(port, bytes(30_000_000), timeout=0.2)
        assert await asyncio.wait_for(sw.async_write(port, b""), 30) == 0
        for timeout in (0, 1e-9, 1e-4):
            assert await sw.async_write(port, b"", timeout=timeout) == 0
            assert await sw.async_write(port, [b"", b""], sw.cancel_after(timeout)) == 0
            assert await sw.async_read(port, bytearray(), timeout=timeout) == 0
        await port.async_close(policy="abort")


# -- which one ------------------------------------------------------------------------------------------


def test_a_url_picks_the_right_one(peer, tmp_path):
    with sw.SerialPort("loop://") as port:
        assert type(port) is sw.SerialPort
        assert not port.driver.pollable
    with sw.SerialPort(peer.url, 115200) as port, peer.accept():
        assert type(port) is sw.SerialPort
        assert port.driver.pollable
        assert port.serial is None
    with sw.as_stream(serial.serial_for_url(peer.url)) as port, peer.accept():
        assert type(port) is sw.SerialPort
        assert not port.driver.pollable
    with PtyPair() as rig:
        for name in (rig.port, f"alt://{rig.port}?class=Serial", f"spy://{rig.port}?file={tmp_path / 'spy'}"):
            with sw.SerialPort(name) as port:
                assert type(port) is sw.SerialPort
                assert port.driver.pollable
    with pytest.raises(ValueError, match="nonsense"):
        sw.SerialPort("nonsense://")


def test_an_open_one_is_adapted_once():
    with serial.serial_for_url("loop://") as port:
        stream = sw.as_stream(port)
        assert type(stream) is sw.SerialPort
        assert sw.as_stream(port) is stream
        assert sw.write(port, b"hello") == 5
        assert sw.read(port, reply := bytearray(5)) == 5
        assert reply == b"hello"
        stream.close()
    closed = serial.serial_for_url("loop://", do_not_open=True)
    with pytest.raises(sw.StreamClosed, match=r"open\(\) it first"):
        sw.SerialPort(closed)


async def test_spy_shows_what_was_accepted_and_no_more(tmp_path):
    log = tmp_path / "spy"
    with PtyPair() as rig, rig.open_peer() as peer:
        with sw.SerialPort(f"spy://{rig.port}?file={log}") as port:
            with pytest.raises(sw.TransferTimeout) as caught:
                # On a busy machine a pair of ptys takes 80 kB and more before it is full.
                await sw.async_write(port, [DATA] * 50, timeout=0.05)
            n = caught.value.bytes_transferred
            assert receive_available(peer) == (DATA * 50)[:n]
            peer.write(b"hello")
            await sw.async_read(port, bytearray(5), timeout=10)
    shown = [line.split(maxsplit=3) for line in log.read_text().splitlines()]
    sent = b"".join(bytes.fromhex(line[3][:49]) for line in shown if line[1] == "TX")
    assert sent == (DATA * 50)[:n]
    assert any("hello" in line[3] for line in shown if line[1] == "RX")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_spy_log_on_full_disk_leaves_count_and_close(caplog):
    with PtyPair() as rig:
        port = sw.SerialPort(f"spy://{rig.port}?file=/dev/full")
        assert await sw.async_write(port, b"hello") == 5
        assert port.close("discard") in {None, 0}
        assert not port.serial.is_open
    assert "spy:// can't close its log" in caplog.text


async def test_a_spy_that_fails_does_not_spoil_the_count(tmp_path, caplog):
    with PtyPair() as rig, rig.open_peer() as peer:
        with sw.SerialPort(f"spy://{rig.port}?file={tmp_path / 'spy'}&raw") as port:  # broken in pyserial 3.5
            assert await sw.async_write(port, b"hello") == 5
        assert receive_available(peer) == b"hello"
    assert "spy://" in caplog.text


# -- loop:// --------------------------------------------------------------------------------------------


async def test_what_is_written_comes_back():
    async with sw.SerialPort("loop://", 115200) as port:
        writing = sw.async_write(port, DATA, sw.use_promise)
        assert await sw.async_read(port, data := bytearray(len(DATA)), timeout=30) == len(DATA)
        assert await writing == len(DATA)
        assert data == DATA


@pytest.mark.parametrize("how", ["timeout", "task", "partial"])
async def test_stalled_it_ends_exactly_and_goes_on_from_there(how):
    async with sw.SerialPort("loop://", 115200) as port:
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.deferred)
        operation = sw.async_write(port, DATA, token, timeout=1.0 if how == "timeout" else None)
        task = asyncio.ensure_future(operation)
        await until(lambda: operation.bytes_transferred == 4096)
        if how != "timeout":
            await until(lambda: port.stall == "peer not reading")
        if how == "task":
            task.cancel()
        elif how == "partial":
            signal.emit(sw.CancellationType.TOTAL)  # which this stream does not have
            signal.emit(sw.CancellationType.PARTIAL)
        with pytest.raises((sw.OperationAborted, asyncio.CancelledError)) as caught:
            await task
        if how != "task":
            assert caught.value.stall == "peer not reading"
        n = operation.bytes_transferred
        await sw.async_read(port, first := bytearray(n), timeout=10)
        rest = sw.async_write(port, operation.remaining, sw.use_promise)
        await sw.async_read(port, second := bytearray(len(DATA) - n), timeout=10)
        await rest
        assert first + second == DATA


async def test_a_chunk_is_no_larger_than_the_room_there_is():
    async with sw.SerialPort("loop://", 115200) as port:
        operation = sw.async_write(port, DATA)
        task = asyncio.ensure_future(operation)
        await until(lambda: operation.bytes_transferred == 4096)
        await sw.async_read(port, bytearray(10), timeout=10)
        await until(lambda: operation.bytes_transferred == 4106)
        task.cancel()
        await asyncio.wait([task])
        assert operation.bytes_transferred == 4106


async def test_a_read_that_is_cancelled_loses_nothing():
    async with sw.SerialPort("loop://") as port:
        for i in range(20):
            with pytest.raises(sw.TransferTimeout) as caught:
                await sw.async_read(port, got := bytearray(10), timeout=0.002)
            assert caught.value.bytes_transferred == 0
            await sw.async_write(port, bytes([i]) * 10)
            assert await sw.async_read(port, got, timeout=10) == 10
            assert got == bytes([i]) * 10


async def test_one_write_at_a_time():
    async with sw.SerialPort("loop://") as port:
        writing = sw.async_write(port, DATA, sw.as_tuple(sw.use_promise))
        await until(lambda: writing.bytes_transferred == 4096)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(port, b"more")
        with pytest.raises(sw.StreamBusy):
            await port.async_write_some(b"more")
        port.close("abort")
        error, n = await writing
        assert (type(error), n) == (sw.StreamClosed, 4096)


@pytest.mark.parametrize("form", ["close", "async_close", "owner"])
async def test_closing_ends_what_waits_and_the_threads(form):
    before = set(threading.enumerate())
    port = sw.SerialPort("loop://")
    writing = sw.async_write(port, DATA, sw.as_tuple(sw.use_promise))
    await until(lambda: writing.bytes_transferred == 4096)
    reader = sw.SerialPort("loop://")
    reading = sw.async_read(reader, bytearray(1), sw.as_tuple(sw.use_promise))
    await asyncio.sleep(0.01)
    assert len(set(threading.enumerate()) - before) == 2
    started = time.monotonic()
    for each in (port, reader):
        if form == "close":
            each.close()
        elif form == "async_close":
            await each.async_close()
        else:
            each.serial.close()
    assert time.monotonic() - started < 1
    for promise in (writing, reading):
        error, _ = await asyncio.wait_for(promise, 10)
        assert isinstance(error, sw.StreamClosed)
    port.close()
    reader.close()
    assert set(threading.enumerate()) == before


# -- one that is slow, and one that is stuck -------------------------------------------------------------


class SlowPort(serial.SerialBase):
    """As a Windows COM port: its write blocks for as long as the line takes."""

    def __init__(self):
        super().__init__()
        self.is_open, self.portstr, self.sent = True, "COM9", bytearray()
        self.free = threading.Event()
        self.free.set()
        self.in_waiting = 0

    def write(self, data):
        self.free.wait()
        if not self.is_open:
            raise serial.PortNotOpenError
        time.sleep(len(data) * 10 / 9600)
        self.sent += data
        return len(data)

    def read(self, size=1):
        return b""

    def close(self):
        self.is_open = False


async def test_a_chunk_is_short_and_a_cancellation_waits_for_it():
    port = SlowPort()
    stream = sw.SerialPort(port)
    writing = sw.async_write(stream, DATA)
    task = asyncio.ensure_future(writing)
    await until(lambda: writing.bytes_transferred > 100)
    started = time.monotonic()
    task.cancel()
    await asyncio.wait([task])
    assert time.monotonic() - started < 1
    sent = bytes(port.sent)
    assert sent == DATA[: writing.bytes_transferred]
    await asyncio.sleep(0.1)
    assert port.sent == sent, "it went on after it was cancelled"
    stream.close()


@pytest.mark.parametrize("has_cancel", [True, False])
async def test_a_write_that_is_stuck_does_not_hold_up_the_close(has_cancel):
    port = SlowPort()
    port.free.clear()
    stream = sw.SerialPort(port)
    writing = sw.async_write(stream, DATA, sw.as_tuple(sw.use_promise))
    if has_cancel:
        port.cancel_write = port.free.set
    await asyncio.sleep(0.01)
    started = time.monotonic()
    await stream.async_close()
    assert time.monotonic() - started < 5
    error, n = await asyncio.wait_for(writing, 10)
    assert (type(error), n) == (sw.StreamClosed, 0)
    port.free.set()


@pytest.mark.parametrize("when", ["the thread has ended", "the thread is about to end"])
async def test_a_chunk_that_is_taken_during_the_close_is_the_last(when):
    before = set(threading.enumerate())
    port = SlowPort()
    inside, taken = threading.Event(), []
    port.write = lambda data: (inside.set(), port.free.wait(), taken.append(bytes(data))) and len(data)
    port.free.clear()
    port.cancel_write = port.free.set  # its write then succeeds
    stream = sw.SerialPort(port)
    writing = sw.async_write(stream, DATA, sw.as_tuple(sw.use_promise))
    side = stream._write_direction
    await until(inside.is_set)
    if when == "the thread has ended":
        stream.close("abort")
    else:  # as async_close does, on another thread than the loop's
        stream._stop_operations()
        side._jobs.put(None)
        first, post, go_on = side._step, side._post, threading.Event()
        side._post = lambda step: (post(step), threading.current_thread() is side._thread and go_on.wait(10))
        port.free.set()
        await until(lambda: side._step is not first)
        go_on.set()
        stream.close("abort")
    error, n = await asyncio.wait_for(writing, 10)
    assert (type(error), n) == (sw.StreamClosed, len(taken[0]))
    assert len(taken) == 1, "it was written to after it was closed"
    await until(lambda: set(threading.enumerate()) == before)


async def test_operation_after_the_close_has_its_error_and_no_thread():
    before = set(threading.enumerate())
    stream = sw.SerialPort(SlowPort())
    stream.close("abort")
    errors = [(await sw.async_write(stream, DATA[:size], sw.as_tuple(sw.use_promise)))[0] for size in (1, 2)]
    errors.append((await sw.async_read(stream, bytearray(3), sw.as_tuple(sw.use_promise)))[0])
    assert [type(error) for error in errors] == [sw.StreamClosed] * 3
    assert all("was closed" in str(error) for error in errors)
    assert [len(error.remaining[0]) for error in errors] == [1, 2, 3]
    assert set(threading.enumerate()) == before


# -- socket:// ------------------------------------------------------------------------------------------


async def test_over_tcp_it_is_exact_when_the_far_end_stops_reading(peer):
    port = sw.SerialPort(peer.url, 115200)
    with peer.accept() as far:
        payload = random.Random(1).randbytes(20_000_000)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(port, payload, idle_timeout=2.0)  # a loaded machine takes its time to fill the buffers
        error = caught.value
        assert error.stall == "peer not reading"
        assert 0 < error.queued <= error.bytes_transferred < len(payload)
        assert sw.strongest_proof(port) == "acknowledged"
        assert port.queued == error.queued
        started = time.monotonic()
        draining = port.async_close(sw.use_promise, timeout=0.3)
        assert await draining == error.queued
        assert time.monotonic() - started < 3
        got = await asyncio.to_thread(receive_available, far)
        # What had not been acknowledged was dropped; what had been, had arrived, if only as far as its kernel.
        assert got == payload[: len(got)]
        assert len(got) <= error.bytes_transferred


async def test_over_tcp_both_ways_and_the_end(peer):
    async with sw.SerialPort(peer.url) as port:
        with peer.accept() as far:
            assert await sw.async_write(port, DATA, timeout=10) == len(DATA)
            assert await asyncio.to_thread(receive, far, len(DATA)) == DATA
            assert await port.async_drain(timeout=10) >= 0
            far.sendall(DATA)
            assert await sw.async_read(port, got := bytearray(len(DATA)), timeout=10) == len(DATA)
            assert got == DATA
        with pytest.raises((sw.EndOfFile, sw.Disconnected)):
            await sw.async_read(port, bytearray(1), timeout=10)


async def test_a_connection_that_is_reset_is_disconnected(peer):
    async with sw.SerialPort(peer.url) as port:
        far = peer.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
        with pytest.raises(sw.Disconnected):
            await sw.async_write(port, random.Random(1).randbytes(20_000_000), timeout=10)


async def test_layers_over_it():
    async with sw.SerialPort("loop://") as port:
        events = []
        stream = sw.Traced(sw.Queued(sw.Paced(port, chunk_size=500)), events.append)
        writes = [sw.async_write(stream, bytes([i]) * 1000, sw.use_promise) for i in range(4)]
        await sw.async_read(stream, got := bytearray(4000), timeout=10)
        assert await asyncio.gather(*writes) == [1000] * 4
        assert got == b"".join(bytes([i]) * 1000 for i in range(4))
        assert [event.count for event in events if event.direction == "write"] == [500] * 8


def test_with_no_event_loop_at_all():
    with sw.SerialPort("loop://") as port:
        assert sw.write(port, b"hello") == 5
        assert sw.read(port, reply := bytearray(5)) == 5
        assert reply == b"hello"
        with pytest.raises(sw.TransferTimeout) as caught:
            sw.write(port, DATA, timeout=0.1)
        assert caught.value.bytes_transferred == 4096


def test_on_an_io_thread():
    with sw.IoThread() as io, sw.SerialPort("loop://", executor=io.get_executor()) as port:
        future = sw.async_write(port, DATA, sw.use_future)
        assert sw.read(port, got := bytearray(len(DATA)), timeout=30) == len(DATA)
        assert (future.result(10), got) == (len(DATA), DATA)
        assert port.close() is None


async def test_a_break_is_held_on_the_thread():
    async with sw.SerialPort("loop://") as port:
        states = []
        port.driver.device.set_break = lambda on: states.append(
            (on, threading.current_thread() is threading.main_thread())
        )
        assert await port.async_send_break(0.01) == 0
        assert states == [(True, False), (False, False)]
        breaking = asyncio.ensure_future(port.async_send_break(60))
        await until(lambda: len(states) == 3)
        breaking.cancel()
        await asyncio.wait([breaking])
        assert states[3:] == [(False, False)]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own():
    with sw.SerialPort("loop://") as port:
        assert sw.write(port, b"before") == 6
        child = os.fork()
        if child == 0:
            try:
                os._exit(sw.write(port, b"after", timeout=10))
            finally:
                os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        assert sw.write(port, b"still") == 5


async def test_the_errno_behind_an_exception_of_pyserials_is_told():
    def write(data):
        try:
            raise OSError(errno.ENODEV, "no such device")
        except OSError as error:
            raise serial.SerialException("write failed") from error

    async with sw.SerialPort("loop://") as port:
        port.serial.write = write
        with pytest.raises(sw.Disconnected) as caught:
            await sw.async_write(port, b"abc")
        assert (caught.value.errno, caught.value.bytes_transferred) == (errno.ENODEV, 0)


async def test_12_a_read_on_a_thread_is_woken_by_what_comes_alone():
    """loop:// waits for what is put into its queue, however long that takes."""
    waits = []

    class Counting(threading.Condition):
        def wait(self, timeout=None):
            waits.append(timeout)
            return super().wait(timeout)

    with sw.SerialPort("loop://") as port:
        line = port.serial.queue
        line.not_empty = Counting(line.mutex)
        reading = sw.async_read(port, bytearray(1), sw.use_promise)
        await asyncio.sleep(0.3)
        await sw.async_write(port, b"x")
        assert await reading == 1
    assert waits == [None]


@pytest.mark.parametrize("kind", ["socket://", "rfc2217://"])
def test_ports_beyond_the_reach_of_select_are_used(kind):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 1200), limits[1]))
    with ExitStack() as resources:
        resources.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        if kind == "rfc2217://":
            server = resources.enter_context(rfc2217_server())
            url = server.url
        else:
            server = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = "socket://{}:{}".format(*server.getsockname())
        held = [os.open(os.devnull, os.O_RDONLY)]
        while held[-1] < 1030:
            held.append(os.dup(held[0]))
        for fd in held:
            resources.callback(os.close, fd)
        with sw.SerialPort(url) as port:
            assert port.socket.fileno() > 1024
            assert sw.write(port, b"x", timeout=10) == 1
            with pytest.raises(sw.TransferTimeout):
                sw.read(port, bytearray(1), timeout=0.01)
        (server.accept()[0] if kind == "socket://" else server.serve_no_more()).close()


def test_a_bell_that_is_not_heard_holds_no_ringer_up():
    bell = Bell()
    for _ in range(100_000):  # a pipe holds 65,536
        bell.ring()


async def test_wake_up_left_over_from_an_earlier_read_is_not_eof():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with sw.as_stream(serial.serial_for_url(url)) as port:  # on a thread
            with server.accept()[0] as peer:
                port.driver.device.interrupt()  # as a timeout does that comes just when its read has ended
                with pytest.raises(sw.TransferTimeout):
                    await sw.async_read(port, bytearray(1), timeout=0.3)
                peer.sendall(b"x")
                assert await sw.async_read(port, got := bytearray(1), timeout=10) == 1
                assert got == b"x"

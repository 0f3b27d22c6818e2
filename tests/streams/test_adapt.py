"""as_stream: whatever people write to, one stream for each, kept no longer than what it stands on."""

import asyncio
import gc
import os
import socket
import weakref

import pytest
import serial
from lines import LINES

import serialwrite as sw
from serialwrite.testing import PtyPair, UnixPair, receive


@pytest.mark.parametrize("kind", LINES)
async def test_the_same_object_adapted_twice_gives_the_same_stream(kind, need_tool):
    async with LINES[kind](need_tool) as line:
        stream = sw.as_stream(line.target)
        assert sw.as_stream(line.target) is stream
        assert sw.as_stream(stream) is stream
        assert isinstance(stream, sw.AsyncWriteStream)
        assert await sw.async_write(line.target, b"hello") == 5
        assert await asyncio.to_thread(receive, line.peer, 5) == b"hello"


async def test_a_writer_and_its_transport_are_one_stream():
    with UnixPair() as pair:
        _, writer = await asyncio.open_connection(sock=pair.port.dup())
        assert sw.as_stream(writer) is sw.as_stream(writer.transport)
        writer.close()
        await writer.wait_closed()


async def test_busy_however_the_stream_was_named():
    with UnixPair(send_buffer=4096) as pair:
        first = sw.async_write(pair.port, bytes(1 << 20), sw.use_promise)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(sw.as_stream(pair.port), b"second")
        first.cancel()
        await asyncio.wait([first])


async def test_what_was_adapted_and_closed_is_not_kept():
    gone = []
    for _ in range(20):
        with UnixPair() as pair:
            assert await sw.async_write(pair.port, b"x") == 1
            gone.append(weakref.ref(pair.port))
        del pair
    gc.collect()
    assert sum(kept() is not None for kept in gone) <= 1  # the last one goes when the next is adapted
    with UnixPair() as pair:
        assert await sw.async_write(pair.port, b"x") == 1
        gc.collect()
        assert not any(kept() for kept in gone)


def test_a_port_that_was_closed_and_opened_again():
    with PtyPair() as rig, rig.open_peer() as peer, serial.Serial(rig.port) as port:
        sw.as_stream(port).close()
        assert not port.is_open
        port.open()
        assert sw.write(port, b"again", timeout=5) == 5
        assert receive(peer, 5) == b"again"
        sw.as_stream(port).close()
        assert not port.is_open


# -- numbers of descriptors ---------------------------------------------------------------------------


@pytest.fixture
def pipes():
    """Two pipes in blocking mode, as os.pipe makes them: (reader, writer, other reader, other writer)."""
    ends = [*os.pipe(), *os.pipe()]
    yield ends
    for end in ends:
        os.close(end)


def test_a_number_that_another_file_has_now_is_another_stream(pipes):
    _, writer, _, other_writer = pipes
    first = sw.as_stream(writer)
    assert sw.as_stream(writer) is first
    os.dup2(other_writer, writer)
    second = sw.as_stream(writer)
    assert second is not first
    assert not os.get_blocking(writer)


async def test_number_reused_during_a_write_is_not_written_to(pipes):
    reader, writer, other_reader, other_writer = pipes
    operation = sw.async_write(writer, b"x" * (1 << 20))
    task = asyncio.ensure_future(operation)
    await asyncio.sleep(0.01)
    accepted = operation.bytes_transferred
    os.dup2(other_writer, writer)  # closed, and the number given to another at once
    while len(os.read(reader, 1 << 16)) < accepted:  # the first pipe is ready again
        pass
    await asyncio.wait([task], timeout=10)
    assert isinstance(task.exception(), sw.StreamClosed)
    assert task.exception().bytes_transferred == accepted
    os.set_blocking(other_reader, False)
    with pytest.raises(BlockingIOError):
        os.read(other_reader, 1)


async def test_a_file_by_its_object_and_by_its_number(tmp_path):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as peer, os.fdopen(writer, "wb", 0) as file:
        assert await sw.async_write(file, b"object") == 6
        assert await sw.async_write(file.fileno(), b"number") == 6
        assert peer.read(100) == b"objectnumber"


# -- what can't be adapted ----------------------------------------------------------------------------


def unconnected(kind):
    with socket.socket(type=kind) as sock:
        return sw.as_stream(sock)


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("/dev/ttyUSB0", r"SerialPort\('/dev/ttyUSB0'\)"),
        (b"/dev/ttyUSB0", "can't write to bytes"),
        (None, "can't write to NoneType; pass a SerialPort, serial.Serial, socket"),
        (object(), "can't write to object"),
        (1.5, "can't write to float"),
        (True, "can't write to bool"),
        (("reader", "writer"), "of a .reader, writer. pair pass the writer"),
    ],
)
def test_what_is_no_stream_is_told_what_would_be(target, advice):
    with pytest.raises(TypeError, match=f"stream: .*{advice}"):
        sw.as_stream(target)


async def test_a_reader_is_no_writer():
    with pytest.raises(TypeError, match="stream: got a StreamReader; read with its own methods"):
        sw.as_stream(asyncio.StreamReader())


def test_a_buffered_file_is_no_stream(tmp_path):
    with (tmp_path / "file").open("wb") as file, pytest.raises(TypeError, match="buffering=0"):
        sw.as_stream(file)


def test_datagrams_are_no_stream():
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(TypeError, match="SOCK_STREAM"):
        sw.as_stream(sock)


def test_a_descriptor_that_is_not_open():
    with pytest.raises(OSError, match="987654"):
        sw.as_stream(987654)

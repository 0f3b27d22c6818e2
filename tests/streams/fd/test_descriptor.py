"""A number is known by the open file that it stood for: what it stands for later is not touched."""

import asyncio
import gc
import os
import socket
import subprocess
import sys

import pytest

import serialwrite as sw
from serialwrite.testing import PtyPair, receive, receive_available


@pytest.fixture
def pty():
    with PtyPair() as rig, rig.open_peer() as peer:
        yield rig.port, peer


@pytest.fixture
def pipes():
    """Two pipes, as os.pipe makes them: (reader, writer, other reader, other writer)."""
    ends = [*os.pipe(), *os.pipe()]
    yield ends
    for end in ends:
        os.close(end)


def opened(path, flags=0):
    return os.open(path, os.O_RDWR | os.O_NOCTTY | flags)


def opened_again(path, fd, flags=0):
    """The same device under the same number, by another open."""
    os.close(fd)
    again = opened(path, flags)
    if again != fd:
        os.dup2(again, fd, inheritable=False)
        os.close(again)


NONBLOCK = pytest.mark.parametrize("flags", [0, os.O_NONBLOCK], ids=["blocking", "non-blocking"])


# -- another file under the number --------------------------------------------------------------------


@NONBLOCK
async def test_a_terminal_opened_again_by_number_is_written_to(pty, flags):
    path, peer = pty
    fd = opened(path)
    assert await sw.async_write(fd, b"first") == 5
    opened_again(path, fd, flags)
    with pytest.raises(sw.TransferTimeout) as caught:
        await sw.async_write(fd, bytes(1_000_000), timeout=0.2)
    n = caught.value.bytes_transferred
    assert n > 0
    assert await asyncio.to_thread(receive, peer, 5 + n) == b"first" + bytes(n)
    os.close(fd)


@NONBLOCK
def test_a_terminal_opened_again_is_not_the_streams(pty, flags):
    path, peer = pty
    fd = opened(path)
    stream = sw.DescriptorStream(fd)
    assert sw.write(stream, b"first") == 5
    opened_again(path, fd, flags)
    assert not stream.is_open
    for payload in (b"second", bytearray(b"second"), [b"sec", b"ond"]):
        with pytest.raises(sw.StreamClosed, match="make a new stream"):
            sw.write(stream, payload, timeout=5)
    with pytest.raises(sw.StreamClosed, match="make a new stream"):
        sw.read(stream, bytearray(1), timeout=5)
    stream.close()
    assert os.get_blocking(fd) is not bool(flags)
    assert receive(peer, 5) == b"first"
    assert receive_available(peer) == b""
    os.close(fd)


@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise], ids=repr)
@pytest.mark.parametrize("payload", [b"second", bytearray(b"second")], ids=["bytes", "bytearray"])
async def test_a_number_of_another_file_is_not_written_to(pipes, token, payload):
    _, writer, other_reader, other_writer = pipes
    stream = sw.DescriptorStream(writer)
    assert await sw.async_write(stream, b"first", token) == 5
    os.dup2(other_writer, writer)
    with pytest.raises(sw.StreamClosed, match=f"file descriptor {writer} was closed"):
        await sw.async_write(stream, payload, token)
    os.set_blocking(other_reader, False)
    with pytest.raises(BlockingIOError):
        os.read(other_reader, 1)


async def test_a_number_of_another_file_is_not_read_from(pipes):
    reader, _, other_reader, other_writer = pipes
    stream = sw.DescriptorStream(reader)
    os.dup2(other_reader, reader)
    os.write(other_writer, b"other's")
    with pytest.raises(sw.StreamClosed):
        await sw.async_read(stream, bytearray(1))


@pytest.mark.parametrize("forgotten", [False, True], ids=["close", "forgotten"])
def test_a_number_of_another_file_is_left_as_it_is(pipes, forgotten):
    _, writer, _, other_writer = pipes
    stream = sw.DescriptorStream(writer)
    os.dup2(other_writer, writer)
    os.set_blocking(writer, False)
    if forgotten:
        del stream
        gc.collect()
    else:
        assert stream.close() is None
    assert not os.get_blocking(writer)


def test_a_file_on_disk_under_the_number_of_another(tmp_path):
    """epoll takes no file on disk."""
    first = os.open(tmp_path / "first", os.O_RDWR | os.O_CREAT)
    stream = sw.DescriptorStream(first)
    assert sw.write(stream, b"first") == 5
    os.close(first)
    second = os.open(tmp_path / "second", os.O_RDWR | os.O_CREAT)
    assert second == first
    with pytest.raises(sw.StreamClosed):
        sw.write(stream, b"second")
    stream.close()
    assert os.fstat(second).st_size == 0
    os.close(second)


def test_close_of_a_number_closed_beneath_is_quiet(pipes):
    writer = os.dup(pipes[1])
    stream = sw.DescriptorStream(writer)
    os.close(writer)
    assert stream.close() is None
    assert stream.close() is None
    assert stream.fileno() == -1


async def test_a_file_object_is_asked_whether_it_is_open(pipes):
    file = os.fdopen(os.dup(pipes[1]), "wb", 0)
    stream = sw.as_stream(file)
    assert await sw.async_write(stream, b"first") == 5
    file.close()
    with pytest.raises(sw.StreamClosed):
        await sw.async_write(stream, b"second")


# -- blocking mode ------------------------------------------------------------------------------------


async def test_blocking_mode_put_back_beneath_is_seen(pty):
    """By who shares the terminal, as a shell does: the stream goes on, and the loop is not blocked."""
    path, _ = pty
    with sw.DescriptorStream(opened(path)) as stream:
        assert await sw.async_write(stream, b"first") == 5
        os.set_blocking(stream.fileno(), True)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(stream, bytes(1_000_000), timeout=0.2)
        assert caught.value.bytes_transferred > 0


@pytest.mark.parametrize("before", [True, False], ids=["blocking", "non-blocking"])
def test_close_puts_blocking_mode_back(pipes, before):
    writer = pipes[1]
    os.set_blocking(writer, before)
    with sw.DescriptorStream(os.dup(writer)) as stream:
        assert not os.get_blocking(writer)
        assert sw.write(stream, b"x") == 1
    assert os.get_blocking(writer) is before


def test_a_forgotten_stream_puts_blocking_mode_back(pipes):
    writer = pipes[1]
    assert sw.write(writer, b"x") == 1
    assert not os.get_blocking(writer)
    gc.collect()
    assert os.get_blocking(writer)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_last_stream_puts_blocking_mode_back(pipes, order):
    """Of one open file under two numbers, one of them twice; the pipe's other end has the same device and inode."""
    reader, writer, _, _ = pipes
    another, number = sw.DescriptorStream(os.dup(reader)), os.dup(writer)
    streams = [sw.DescriptorStream(number), sw.DescriptorStream(os.dup(writer)), sw.DescriptorStream(writer)]
    kept = os.dup(writer)
    for i in order:
        assert not os.get_blocking(kept)
        streams[i].close()
    assert os.get_blocking(kept)
    assert not os.get_blocking(reader)
    another.close()
    assert os.get_blocking(reader)
    os.dup2(kept, writer)  # which the fixture closes
    os.close(kept)


def test_the_same_number_twice_forgotten_and_closed(pipes):
    """Closing the number ends every stream that has it."""
    writer = os.dup(pipes[1])
    streams = [sw.DescriptorStream(writer) for _ in range(3)]
    streams.pop()
    gc.collect()
    assert not os.get_blocking(pipes[1])
    streams[0].close()
    assert os.get_blocking(pipes[1])
    assert streams[1].close() is None  # which finds its number closed


def test_the_end_of_the_process_puts_blocking_mode_back(pipes):
    """It is the terminal of the shell, or a pipe that other programs write to."""
    program = "import sys, serialwrite as sw; kept = sw.DescriptorStream(1); sw.write(kept, b'x')"
    subprocess.run([sys.executable, "-c", program], stdout=pipes[1], check=True, timeout=60)
    assert os.get_blocking(pipes[1])


def test_a_number_of_another_streams_file_is_not_written_to(pipes):
    _, writer, other_reader, other_writer = pipes
    stream, other = sw.DescriptorStream(writer), sw.DescriptorStream(other_writer)
    os.dup2(other_writer, writer)
    with pytest.raises(sw.StreamClosed):
        sw.write(stream, b"x", timeout=5)
    assert sw.write(other, b"other", timeout=5) == 5
    assert os.read(other_reader, 10) == b"other"


@pytest.mark.parametrize("how", ["close", "forgotten"])
def test_a_socket_whose_number_was_a_stream_stays_open(how):
    near, far = socket.socketpair()
    with near, far:
        number = os.dup(near.fileno()) if how == "close" else near.fileno()
        stream = sw.DescriptorStream(number)
        assert sw.write(stream, b"abc") == 3
        if how == "close":
            stream.close()
        del stream
        gc.collect()
        near.send(b"def")
        assert far.recv(10) == b"abcdef"


def test_blocking_mode_that_came_later_is_put_back(pipes):
    _, writer, _, _ = pipes
    os.set_blocking(writer, False)
    stream = sw.DescriptorStream(writer)
    os.set_blocking(writer, True)
    assert sw.write(stream, b"x") == 1
    assert not os.get_blocking(writer)
    del stream
    gc.collect()
    assert os.get_blocking(writer)


def test_a_number_larger_than_any_descriptors_is_not_open():
    with pytest.raises(sw.StreamClosed, match="is not an open file descriptor"):
        sw.DescriptorStream(10**20)

"""Buffered: lines and exact sizes, the rest kept for the next read, whatever ended the one before."""

import asyncio
import contextlib
import re
import signal
import socket
import threading

import pytest
from waiting import until

import serialwrite as sw
from serialwrite.testing import (
    PtyPair,
    UnixPair,
    check_read_stream,
    check_write_stream,
    clog_by_writing,
    receive_available,
    send,
)

BOUND = 10


class OwnStream:
    """A user's stream: what ``feed`` was given is read, at most ``step`` bytes at a time."""

    def __init__(self, step=5):
        self.executor = sw.EventLoopExecutor()
        self.data, self.step, self.waiting = bytearray(), step, None

    def get_executor(self):
        return self.executor

    def feed(self, data):
        self.data += data
        if self.waiting and self.data:
            waiting, self.waiting = self.waiting, None
            self.complete(*waiting)

    def complete(self, handler, buffers):
        handler.cancellation_slot.clear()
        n = sw.buffer_copy(buffers, self.data, self.step)
        del self.data[:n]
        self.executor.post(handler, None, n)

    def cancel(self, type):
        (handler, _), self.waiting = self.waiting, None
        handler.cancellation_slot.clear()
        self.executor.post(handler, sw.OperationAborted(), 0)

    def async_read_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            if self.data or not sw.buffer_size(buffers):
                self.complete(handler, buffers)
            else:
                self.waiting = handler, buffers
                handler.cancellation_slot.assign(self.cancel)

        return sw.async_initiate(initiation, token, self.executor)


class WriteOnly:
    def __init__(self):
        self.executor, self.data = sw.EventLoopExecutor(), bytearray()

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            self.data += b"".join(buffers)
            self.executor.post(handler, None, sw.buffer_size(buffers))

        return sw.async_initiate(initiation, token, self.executor)


@contextlib.contextmanager
def on_pty():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as far:
        yield port, lambda data: send(far, data)


@contextlib.contextmanager
def on_socket():
    near, far = socket.socketpair()
    with far, sw.SocketStream(near) as stream:
        yield stream, far.sendall


@contextlib.contextmanager
def on_own():
    stream = OwnStream()
    yield stream, stream.feed


@contextlib.contextmanager
def on_layer():
    with on_socket() as (stream, feed):
        yield sw.Queued(sw.Traced(stream, lambda event: None)), feed


STREAMS = {"pty": on_pty, "socket": on_socket, "own": on_own, "layer": on_layer}


@pytest.fixture(params=STREAMS)
def line(request):
    with STREAMS[request.param]() as (stream, feed):
        yield sw.Buffered(stream), feed


@pytest.fixture
def sock():
    with on_socket() as (stream, feed):
        yield sw.Buffered(stream), feed


async def came(lines, size):
    """Wait until a read that waits has got so many bytes."""
    await until(lambda: lines.bytes_transferred >= size)


# -- what a read gives ----------------------------------------------------------------------------------


async def test_two_replies_in_one_burst_are_two_lines(line):
    lines, feed = line
    feed(b"one\r\ntwo\r\nrest")
    assert await lines.async_readline(timeout=BOUND) == b"one\r\n"
    assert await lines.async_read_until(b"\r\n", timeout=BOUND) == b"two\r\n"
    assert await lines.async_read_exactly(4, timeout=BOUND) == b"rest"


async def test_a_delimiter_that_is_cut_in_two_is_found(line):
    lines, feed = line
    reading = lines.async_read_until(b"\r\n", timeout=BOUND)
    task = asyncio.create_task(reading)
    feed(b"line\r")
    await came(reading, 5)
    feed(b"\nnext\r\n")
    assert await task == b"line\r\n"
    assert await lines.async_readline(timeout=BOUND) == b"next\r\n"


async def test_a_line_longer_than_a_chunk_comes_whole(sock):
    lines, feed = sw.Buffered(sock[0].stream, limit=1 << 20), sock[1]
    data = b"x" * 300_000 + b"\n"
    sending = asyncio.create_task(asyncio.to_thread(feed, data + b"y\n"))
    assert await lines.async_readline(timeout=BOUND) == data
    assert await lines.async_readline(timeout=BOUND) == b"y\n"
    await sending


async def test_other_line_ends_are_told_apart(sock):
    lines, feed = sock
    feed(b"a\nb\r\nc>d>e\r\n")
    assert await lines.async_read_until(b"\r\n", timeout=BOUND) == b"a\nb\r\n"
    assert await lines.async_read_until(b">", timeout=BOUND) == b"c>"
    assert await lines.async_read_until(b">", timeout=BOUND) == b"d>"
    assert await lines.async_read_until(b"\r\n", timeout=BOUND) == b"e\r\n"


async def test_a_pattern_ends_as_soon_as_it_matches(line):
    """Its match might grow with what is still to come: that is the next read's."""
    lines, feed = line
    digits = re.compile(rb"\d+")
    feed(b"ab12")
    first = await lines.async_read_until(digits, timeout=BOUND)
    feed(b"34\nOK\n")
    rest = await lines.async_read_until(re.compile(rb"OK|ERROR"), timeout=BOUND)
    assert first + rest == b"ab1234\nOK"
    assert re.fullmatch(rb"ab\d+", first)
    assert await lines.async_readline(timeout=BOUND) == b"\n"


async def test_a_pattern_sees_the_front_of_what_is_left(sock):
    lines, feed = sock
    feed(b"one\n>two\n")
    assert await lines.async_readline(timeout=BOUND) == b"one\n"
    assert await lines.async_read_until(re.compile(rb"^>"), timeout=BOUND) == b">"


async def test_longest_match_holds_for_a_buffered(sock):
    lines, feed = sock
    feed(b"BEGIN" + bytes(6000))
    pattern = re.compile(rb"BEGIN.*END", re.DOTALL)
    with pytest.raises(sw.TransferTimeout):
        await lines.async_read_until(pattern, timeout=0.01, longest_match=8192)
    feed(b"END")
    assert len(await lines.async_read_until(pattern, timeout=BOUND, longest_match=8192)) == 6008


async def test_async_for_gives_every_line_to_the_end_of_file():
    near, far = socket.socketpair()
    with sw.SocketStream(near) as stream:
        far.sendall(b"one\ntwo\nrest")
        far.close()
        assert [line async for line in sw.Buffered(stream)] == [b"one\n", b"two\n", b"rest"]


async def test_end_of_file_with_a_rest_keeps_the_rest():
    near, far = socket.socketpair()
    with sw.SocketStream(near) as stream:
        lines = sw.Buffered(stream)
        far.sendall(b"one\nrest")
        far.close()
        assert await lines.async_readline() == b"one\n"
        for _ in range(2):
            with pytest.raises(sw.EndOfFile, match=r"^4 bytes received; end of file; b'\\n' has not come$") as caught:
                await lines.async_readline()
            assert caught.value.data == b"rest"
        assert await lines.async_read(4) == b"rest"
        with pytest.raises(sw.EndOfFile):
            await lines.async_read(1)


# -- what ends a read early ------------------------------------------------------------------------------


async def test_a_timed_out_read_keeps_what_had_come(line):
    lines, feed = line
    reading = lines.async_readline(timeout=0.05)
    feed(b"half")
    with pytest.raises(
        sw.TransferTimeout, match=r"^4 bytes received in .* s; timed out; b'\\n' has not come$"
    ) as caught:
        await reading
    assert (caught.value.data, reading.data, reading.bytes_transferred) == (b"half", b"half", 4)
    feed(b" a line\n")
    assert await lines.async_readline(timeout=BOUND) == b"half a line\n"
    assert reading.data == b"half"


@pytest.mark.parametrize("read", ["line", "size", "until"])
async def test_a_cancelled_read_keeps_what_had_come(line, read):
    lines, feed = line
    reading = {
        "line": lines.async_readline,
        "size": lambda: sw.async_read(lines, 8),
        "until": lambda: lines.async_read_until(re.compile(rb"\n")),
    }[read]()
    task = asyncio.create_task(reading)
    feed(b"half")
    await came(reading, 4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    feed(b" a line\n")
    assert await lines.async_read_exactly(12, timeout=BOUND) == b"half a line\n"


@pytest.mark.parametrize("token", [sw.deferred, sw.as_tuple(), sw.use_awaitable], ids=repr)
async def test_a_line_that_comes_as_its_task_is_cancelled_is_kept(sock, token):
    """The read has succeeded, and its task is cancelled before it runs again."""
    lines, feed = sock

    async def read():
        return await lines.async_readline(token)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    feed(b"one\ntwo\n")
    direction = lines.stream._read_direction
    await until(lambda: direction.waiting)
    direction.catch_up()  # what the event loop calls
    assert not direction.waiting
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [await lines.async_readline(timeout=BOUND) for _ in range(2)] == [b"one\n", b"two\n"]


async def test_the_limit_says_how_much_came_and_loses_nothing(sock):
    stream, feed = sock[0].stream, sock[1]
    lines = sw.Buffered(stream, limit=100)
    feed(b"x" * 99 + b"\n" + b"y" * 150 + b"\n")
    assert await lines.async_readline(timeout=BOUND) == b"x" * 99 + b"\n"
    for _ in range(2):
        with pytest.raises(
            sw.TransferError, match=r"^100 bytes received; that is the limit of this Buffered; b'\\n' has not"
        ) as caught:
            await lines.async_readline(timeout=BOUND)
    assert (caught.value.bytes_transferred, caught.value.data) == (100, b"y" * 100)
    assert await lines.async_read_exactly(150, timeout=BOUND) == b"y" * 150
    assert await lines.async_readline(timeout=BOUND) == b"\n"


async def test_a_full_buffer_with_lines_in_it_is_not_at_its_limit(sock):
    lines, feed = sw.Buffered(sock[0].stream, limit=8), sock[1]
    feed(b"abc\n" * 100)
    assert [await lines.async_readline(timeout=BOUND) for _ in range(100)] == [b"abc\n"] * 100


async def test_a_second_read_is_refused_and_the_first_unharmed(line):
    lines, feed = line
    task = asyncio.create_task(lines.async_readline(timeout=BOUND))
    await asyncio.sleep(0)
    for second in (lines.async_readline(), sw.async_read(lines, bytearray(1)), lines.async_read_exactly(1)):
        with pytest.raises(sw.StreamBusy, match="another read is in progress"):
            await second
    feed(b"one\n")
    assert await task == b"one\n"


# -- beside lines ----------------------------------------------------------------------------------------


async def test_other_reads_get_the_surplus_first(line):
    lines, feed = line
    feed(b"header\nabcdefghij")
    assert await lines.async_readline(timeout=BOUND) == b"header\n"
    feed(b"kl")  # the stream below has more by now
    into = bytearray(4)
    assert await sw.async_read(lines, into, timeout=BOUND) == 4
    assert (into, await sw.async_read(lines, 2, timeout=BOUND)) == (b"abcd", b"ef")
    n = await lines.async_read_some([memoryview(into)])
    got = bytes(into[:n])
    assert got + await lines.async_read(4 - n, timeout=BOUND) == b"ghij"
    assert await lines.async_read(2, timeout=BOUND) == b"kl"


async def test_a_size_with_a_condition_gives_what_it_wants(sock):
    lines, feed = sock
    feed(b"header\nabcdef")
    assert await lines.async_readline(timeout=BOUND) == b"header\n"
    some = await sw.async_read(lines, 100, completion_condition=sw.transfer_at_least(1), timeout=BOUND)
    assert some == b"abcdef"
    feed(b"ghijkl")
    two = await sw.async_read(lines, 100, completion_condition=sw.transfer_exactly(2), timeout=BOUND)
    asked = []
    four = await sw.async_read(lines, 4, completion_condition=lambda e, n: asked.append(n) or 1, timeout=BOUND)
    assert (two, four, asked) == (b"gh", b"ijkl", [0, 1, 2, 3])


async def test_a_size_may_be_more_than_the_limit(sock):
    lines, feed = sw.Buffered(sock[0].stream, limit=10), sock[1]
    feed(bytes(range(200)))
    assert await lines.async_read_exactly(150, timeout=BOUND) == bytes(range(150))
    assert await lines.async_read_exactly(50, timeout=BOUND) == bytes(range(150, 200))


async def test_reading_and_writing_at_once():
    near, far = socket.socketpair()
    with far, sw.SocketStream(near) as stream:
        lines = sw.Buffered(stream)
        reading = asyncio.create_task(lines.async_readline(timeout=BOUND))
        assert await sw.async_write(lines, b"question\n", timeout=BOUND) == 9
        assert far.recv(100) == b"question\n"
        far.sendall(b"answer\n")
        assert await reading == b"answer\n"


async def test_a_stream_that_is_only_written_to_is_written_through():
    stream = WriteOnly()
    assert await sw.async_write(sw.Buffered(stream), b"hello") == 5
    assert stream.data == b"hello"


async def test_every_token_gives_a_line(sock):
    lines, feed = sock
    feed(b"".join(b"%d\n" % i for i in range(9)))
    done = asyncio.get_running_loop().create_future()
    lines.async_readline(lambda error, data: done.set_result((error, data)))
    assert await done == (None, b"0\n")
    assert await lines.async_readline(sw.use_awaitable) == b"1\n"
    assert await lines.async_readline(sw.use_promise) == b"2\n"
    assert await asyncio.wrap_future(lines.async_readline(sw.use_future)) == b"3\n"
    assert await lines.async_readline(sw.as_tuple()) == (None, b"4\n")
    assert await lines.async_readline(sw.cancel_after(BOUND)) == b"5\n"
    operation = lines.async_readline()
    assert await operation(sw.use_promise) == b"6\n"
    assert await asyncio.create_task(lines.async_readline()) == b"7\n"
    operation = lines.async_readline()
    assert (await operation, operation.data, operation.bytes_transferred) == (b"8\n", b"8\n", 2)
    with pytest.raises(RuntimeError, match="this async_readline was launched before"):
        await operation


async def test_lines_that_are_there_let_the_loop_turn(sock):
    lines, feed = sock
    feed(b"x\n" * 10_000)
    turns, reading = 0, True

    async def count():
        nonlocal turns
        while reading:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async for _ in lines:
        if (await lines.async_readline()) and turns > 10:
            break
    reading = False
    await counting
    assert turns > 10


async def test_a_line_that_is_there_makes_no_system_call(sock, monkeypatch):
    lines, feed = sock
    feed(b"one\ntwo\n")
    assert await lines.async_readline(timeout=BOUND) == b"one\n"
    monkeypatch.setattr(lines.stream, "socket", None)
    assert await lines.async_readline() == b"two\n"


async def test_reset_input_buffer_drops_what_was_not_read(sock):
    lines, feed = sock
    feed(b"one\nhalf")
    assert await lines.async_readline(timeout=BOUND) == b"one\n"
    assert lines.reset_input_buffer() == 4
    feed(b"two\n")
    assert await lines.async_readline(timeout=BOUND) == b"two\n"


async def test_a_closed_stream_ends_a_read_of_a_line(line):
    lines, _ = line
    if not hasattr(lines.stream, "close"):
        pytest.skip("a stream that can't be closed")
    task = asyncio.create_task(lines.async_readline(timeout=BOUND))
    await asyncio.sleep(0)
    lines.close()
    with pytest.raises(sw.StreamClosed):
        await task


# -- without an event loop -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pty", "socket", "layer"])
def test_the_blocking_twins(kind):
    with STREAMS[kind]() as (stream, feed):
        lines = sw.Buffered(stream)
        feed(b"one\ntwo\r\nabcd")
        assert lines.readline(timeout=BOUND) == b"one\n"
        assert lines.read_until(b"\r\n", timeout=BOUND) == b"two\r\n"
        assert lines.read_exactly(3, timeout=BOUND) == b"abc"
        with pytest.raises(sw.TransferTimeout) as caught:
            lines.readline(timeout=0.01)
        assert caught.value.data == b"d"
        feed(b"ef\nx\n")
        assert lines.readline(timeout=BOUND) == b"def\n"
        assert sw.read(lines, 2, timeout=BOUND) == b"x\n"


def test_a_for_loop_gives_every_line_to_the_end_of_file():
    near, far = socket.socketpair()
    with sw.SocketStream(near) as stream:
        far.sendall(b"one\ntwo\nrest")
        far.close()
        assert list(sw.Buffered(stream)) == [b"one\n", b"two\n", b"rest"]


async def test_inside_a_loop_the_blocking_twins_name_the_others(sock):
    lines, feed = sock
    feed(b"one\ntwo\n")
    assert await lines.async_readline(timeout=BOUND) == b"one\n"
    with pytest.raises(RuntimeError, match=r"^readline\(\) would block .*await async_readline\(\.\.\.\)"):
        lines.readline()
    with pytest.raises(RuntimeError, match=r"^a for loop would block .*write async for line in"):
        list(lines)
    assert await lines.async_readline(timeout=BOUND) == b"two\n"


def test_an_interrupted_read_keeps_what_had_come():
    near, far = socket.socketpair()
    with far, sw.SocketStream(near) as stream:
        lines = sw.Buffered(stream)
        far.sendall(b"half")
        timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            lines.readline(timeout=BOUND)
        timer.join()
        assert caught.value.data == b"half"
        far.sendall(b" a line\n")
        assert lines.readline(timeout=BOUND) == b"half a line\n"


# -- what can't be ---------------------------------------------------------------------------------------


async def test_what_is_refused_at_once(sock):
    lines, _ = sock
    for wrong, error, words in (
        (lambda: lines.async_read_until("\n"), TypeError, "delimiter: got text"),
        (lambda: lines.async_read_until(b""), TypeError, "pass bytes, at least one"),
        (lambda: lines.async_read_exactly(-1), ValueError, "pass 0 bytes or more"),
        (lambda: sw.Buffered(WriteOnly()).async_readline().send(None), TypeError, "has no async_read_some"),
        (lambda: lines.async_readline(timeout=-1), ValueError, "timeout"),
        (lambda: lines.async_read_until(b"\n", tiemout=1), TypeError, "tiemout"),
        (lambda: lines.async_read_exactly(1, longest_match=1), TypeError, "longest_match"),
        (lambda: sw.Buffered(lines.stream, limit=0), ValueError, "limit=0: pass a number of bytes, 1 or more"),
        (lambda: sw.Buffered(lines.stream, limit=None), TypeError, "limit=None: pass a number of bytes"),
        (lambda: sw.Buffered("/dev/ttyUSB0"), TypeError, "open it first"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            wrong()


# -- by the rules ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def over_rig(rig_type, for_reading):
    with rig_type() as rig:
        stream = sw.SerialPort(rig.port) if rig_type is PtyPair else sw.SocketStream(rig.open_port())
        with rig.open_peer() as peer:
            try:
                yield sw.Buffered(stream), for_reading(peer)
            finally:
                stream.close()


@pytest.mark.parametrize("rig", [PtyPair, UnixPair])
async def test_a_buffered_keeps_the_rules_of_reading_and_writing(rig):
    await check_read_stream(lambda: over_rig(rig, lambda peer: lambda data: send(peer, data)))
    await check_write_stream(
        lambda: over_rig(rig, lambda peer: lambda: receive_available(peer, 0.02)), clog=clog_by_writing
    )

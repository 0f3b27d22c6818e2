"""Paced: the rate and every gap are kept, what has gone out is counted, and waiting for a prompt is waiting."""

import asyncio
import os
import random
import re
import select
import socket
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from fake_uart import simulated_port
from scripted import STREAMS, stream_of
from waiting import until

import serialwrite as sw
from serialwrite.streams.layers import _paced
from serialwrite.testing import PtyPair, TcpPair, receive_only, send

TIMEOUT = 60.0  # seconds for what takes well under one on an idle machine


class Recorder:
    """A user's stream that notes when each write_some came, and takes all of it."""

    def __init__(self):
        self.executor, self.writes = sw.EventLoopExecutor(), []

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            data = b"".join(buffers)
            self.writes.append((time.monotonic(), data))
            self.executor.post(handler, None, len(data))

        return sw.async_initiate(initiation, token, self.executor)

    @property
    def data(self):
        return b"".join(data for _, data in self.writes)

    @property
    def gaps(self):
        """Between one write and the next: the bytes before it, the seconds."""
        return [(a, after - before) for (before, a), (after, _) in zip(self.writes, self.writes[1:], strict=False)]


def ends(stream):
    """A pipe, a pty or a socket: the stream to write to, and what to read."""
    return {"pipe": Pipe, "pty": Pty, "socket": Socket}[stream]()


class Pipe:
    def __enter__(self):
        self.reader, writer = os.pipe()
        self.stream = sw.DescriptorStream(writer)
        self.peer = os.fdopen(self.reader, "rb", buffering=0)
        return self.stream, self.peer

    def __exit__(self, *_):
        self.stream.close()
        self.peer.close()


class Pty:
    def __enter__(self):
        self.rig = PtyPair().open()
        self.stream, self.peer = sw.SerialPort(self.rig.port), self.rig.open_peer()
        return self.stream, self.peer

    def __exit__(self, *_):
        self.stream.close()
        self.peer.close()
        self.rig.close()


class Socket:
    def __enter__(self):
        self.rig = TcpPair().open()
        self.port, self.peer = self.rig.open_port(), self.rig.open_peer()
        return sw.as_stream(self.port), self.peer

    def __exit__(self, *_):
        self.port.close()
        self.peer.close()
        self.rig.close()


class LateClock:
    """A clock that is moved by sleeping on it, and always a little further than was asked for, as a busy machine does."""

    def __init__(self, monkeypatch):
        self.now, self._dice = 1000.0, random.Random(5)
        monkeypatch.setattr(_paced, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(_paced, "asyncio", SimpleNamespace(sleep=self._sleep))

    async def _sleep(self, seconds):
        self.now += seconds + self._dice.random() * 0.01
        await asyncio.sleep(0)


@pytest.mark.parametrize("rate", [10, 960, 11_520, 100_000])
@pytest.mark.parametrize("kind", ["pipe", "pty", "socket"])
async def test_rate_is_kept_over_ten_seconds_by_a_late_clock(kind, rate, monkeypatch):
    clock = LateClock(monkeypatch)
    data = os.urandom(10 * rate)
    with ends(kind) as (stream, peer):
        reading = asyncio.ensure_future(asyncio.to_thread(receive_only, peer, len(data), TIMEOUT))
        started = clock.now
        assert await sw.async_write(sw.Paced(stream, bytes_per_second=rate), data) == len(data)
        assert 10 * 0.95 <= clock.now - started <= 10 * 1.05
        assert await reading == data


@pytest.mark.parametrize("kind", ["pipe", "pty", "socket"])
async def test_it_is_never_faster_than_the_rate(kind):
    with ends(kind) as (stream, peer):
        data = os.urandom(200)
        started = time.monotonic()
        assert await sw.async_write(sw.Paced(stream, bytes_per_second=1000), data) == len(data)
        assert time.monotonic() - started >= 0.2 - 2 * 0.02  # the last slice's time, and what is made up for
        assert receive_only(peer, len(data)) == data


@pytest.mark.parametrize("kind", ["pipe", "pty", "socket"])
async def test_cancelled_write_counts_what_arrived_and_is_resumed(kind):
    with ends(kind) as (stream, peer):
        data = os.urandom(8000)
        operation = sw.async_write(sw.Paced(stream, bytes_per_second=500), data)  # 16 s
        task = asyncio.ensure_future(operation)
        await until(lambda: operation.bytes_transferred)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        n = operation.bytes_transferred
        assert 0 < n < len(data)
        assert receive_only(peer, n) == data[:n]
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(sw.Paced(stream, bytes_per_second=500), operation.remaining, timeout=0.1)
        m = n + caught.value.bytes_transferred
        assert b"".join(caught.value.remaining) == data[m:]
        assert receive_only(peer, m - n) == data[n:m]
        await sw.async_write(sw.Paced(stream, bytes_per_second=100_000), caught.value.remaining)
        assert receive_only(peer, len(data) - m) == data[m:]


async def test_gaps_after_bytes():
    recorder = Recorder()
    assert await sw.async_write(sw.Paced(recorder, byte_gap=0.01), [b"ab", b"", b"cde"]) == 5
    assert [data for _, data in recorder.writes] == [b"a", b"b", b"c", b"d", b"e"]
    assert all(gap >= 0.01 for _, gap in recorder.gaps)


async def test_gaps_after_chunks_over_several_writes():
    recorder = Recorder()
    paced = sw.Paced(recorder, chunk_size=4, chunk_gap=0.03)
    for data in (b"ab", b"cdefg", b"h", b"ij"):
        await sw.async_write(paced, data)
    assert [data for _, data in recorder.writes] == [b"ab", b"cd", b"efg", b"h", b"ij"]
    assert [gap >= 0.03 for _, gap in recorder.gaps] == [False, True, False, True]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"<end>"])
async def test_gaps_after_lines_wherever_the_buffers_are_cut(line_end):
    text = line_end.join([b"G28", b"", b"G1 X10", b"M84"])
    for cut in range(1, len(text)):
        recorder = Recorder()
        paced = sw.Paced(recorder, line_gap=0.004, line_end=line_end)
        await sw.async_write(paced, [text[:cut], text[cut:]])
        await sw.async_write(paced, b"!")
        assert recorder.data == text + b"!"
        sent = b""
        for data, gap in recorder.gaps:
            sent += data
            assert (gap >= 0.004) == sent.endswith(line_end) or gap >= 0.004  # and late it may always be
            assert line_end not in data[: -len(line_end)]


async def test_the_gap_is_before_the_next_and_not_behind_the_last():
    recorder = Recorder()
    started = time.monotonic()
    await sw.async_write(sw.Paced(recorder, line_gap=60), b"only line\n")
    assert time.monotonic() - started < 30


async def test_no_gap_follows_a_write_of_nothing():
    with stream_of("plain", OSError(5, "unplugged")) as stream:
        paced = sw.Paced(stream, byte_gap=60)
        with pytest.raises(sw.Disconnected):
            await sw.async_write(paced, b"a")
        assert await sw.async_write(paced, b"a", timeout=30) == 1


async def test_waiting_can_be_cancelled_totally():
    recorder = Recorder()
    paced = sw.Paced(recorder, line_gap=60)
    await sw.async_write(paced, b"first\n")
    signal = sw.CancellationSignal()
    token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
    some = paced.async_write_some(b"second\n", token)
    await asyncio.sleep(0.01)
    signal.emit(sw.CancellationType.TOTAL)
    error, n = await some
    assert (type(error), n, recorder.data) == (sw.OperationAborted, 0, b"first\n")


async def test_closing_ends_the_wait_for_a_gap():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        paced = sw.Paced(port, line_gap=60)
        await sw.async_write(paced, b"first\n")
        second = sw.async_write(paced, b"second\n", sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        port.close()
        error, n = await asyncio.wait_for(second, 10)
        assert (type(error), n) == (sw.StreamClosed, 0)


async def test_one_write_at_a_time_through_it_and_past_it():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        paced = sw.Paced(port, byte_gap=60)
        writing = sw.async_write(paced, b"ab", sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        for stream in (paced, port, sw.Paced(port, byte_gap=1)):
            with pytest.raises(sw.StreamBusy):
                await sw.async_write(stream, b"in between")
            with pytest.raises(sw.StreamBusy):
                await stream.async_write_some(b"in between")
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.bytes_transferred == 1
        assert await sw.async_write(port, b"free") == 4


async def test_it_keeps_no_memory():
    data = bytearray(b"abc" * 10)
    await sw.async_write(sw.Paced(Recorder(), chunk_size=7), data)
    data.clear()  # a BufferError, if a view were left


# -- prompts ------------------------------------------------------------------------------------------------


@contextmanager
def talking_to(kind):
    """A stream and its peer."""
    if kind != "socket://":
        with ends(kind) as both:
            yield both
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        with sw.SerialPort(f"socket://127.0.0.1:{server.getsockname()[1]}") as port:
            peer, _ = server.accept()
            with peer:
                yield port, peer


def has_input(stream):
    fd = stream.socket or stream.serial
    return bool(select.select([fd], [], [], 0)[0])


async def device(peer, prompt=b"> ", delay=0.01):
    """A console: it answers each line, and then asks for the next."""
    stream, buffer = sw.as_stream(peer), bytearray()
    lines = []
    while True:
        n = await sw.async_read_until(stream, sw.dynamic_buffer(buffer), b"\n")
        lines.append(bytes(buffer[:n]))
        assert len(buffer) == n, "the next line came before the prompt"
        del buffer[:n]
        await asyncio.sleep(delay)
        await sw.async_write(stream, b"did " + lines[-1] + prompt)


@pytest.mark.parametrize("prompt", [b"> ", re.compile(rb"\d?[>#] ")])
async def test_the_next_line_waits_for_the_prompt(prompt):
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        console, replies = asyncio.ensure_future(device(peer)), []
        paced = sw.Paced(port, prompt=prompt, on_reply=replies.append)
        assert await sw.async_write(paced, b"one\ntwo\nthree\n", timeout=10) == 14
        assert b"".join(replies) == b"did one\n> did two\n> "
        await sw.async_write(paced, b"four\n", timeout=10)
        assert replies[-1].endswith(b"did three\n> ")
        console.cancel()
        await asyncio.wait([console])


async def test_a_prompt_that_does_not_come_is_named():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        paced = sw.Paced(port, prompt=b"> ", prompt_timeout=0.05)
        with pytest.raises(sw.TransferTimeout, match=r"4 of 8 bytes accepted .*; no prompt b'> '") as caught:
            await sw.async_write(paced, b"one\ntwo\n")
        assert caught.value.bytes_transferred == 4
        paced = sw.Paced(port, prompt=b"> ")
        with pytest.raises(sw.TransferTimeout, match=r"no prompt b'> '"):
            await sw.async_write(paced, b"one\ntwo\n", timeout=0.05)
        send(peer, b"half a prompt>")
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(paced, b"two\n", timeout=0.1)
        send(peer, b" ")  # and the other half
        assert await sw.async_write(paced, b"two\n", timeout=10) == 4


async def test_a_prompt_is_waited_for_until_the_port_is_gone():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        paced = sw.Paced(port, prompt=b"> ")
        await sw.async_write(paced, b"one\n")
        waiting = sw.async_write(paced, b"two\n", sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        rig.hang_up("port")
        error, n = await asyncio.wait_for(waiting, 10)
        assert (type(error), n) == (sw.Disconnected, 0)


@pytest.mark.parametrize("kind", ["pty", "socket", "socket://"])
async def test_a_prompt_that_was_there_before_answers_no_line(kind):
    greeting, replies = b"U-Boot 2024\r\n> ", []
    with talking_to(kind) as (stream, peer):
        send(peer, greeting)
        await until(lambda: has_input(stream))
        paced = sw.Paced(stream, prompt=b"> ", on_reply=replies.append)
        console = asyncio.ensure_future(device(peer))  # which asserts that no line comes before its prompt
        await sw.async_write(paced, b"one\ntwo\n", timeout=TIMEOUT)
        assert replies == [greeting, b"did one\n> "]
        await until(lambda: has_input(stream), TIMEOUT)  # the answer to the second line, which the third finds there
        await sw.async_write(paced, b"three\n", timeout=TIMEOUT)
        assert b"".join(replies[2:]) == b"did two\n> "
        console.cancel()
        await asyncio.wait([console])
        assert console.cancelled()


async def test_a_line_goes_out_although_the_device_says_nothing_more():
    with ends("socket") as (stream, peer):
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: has_input(stream))  # the end of file
        assert await sw.async_write(sw.Paced(stream, prompt=b"> "), b"one\n", timeout=TIMEOUT) == 4
        assert receive_only(peer, 4) == b"one\n"


async def test_a_prompt_in_the_echo_of_half_a_line_answers_no_line():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        paced = sw.Paced(port, prompt=b">", chunk_size=3)
        await sw.async_write(paced, b"a>b")
        send(peer, b"a>b")
        await until(lambda: has_input(port), TIMEOUT)
        await sw.async_write(paced, b"c\n")
        with pytest.raises(sw.TransferTimeout, match="no prompt"):
            await sw.async_write(paced, b"next\n", timeout=0.1)


async def test_a_second_prompt_is_waited_for_and_given_with_the_first():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        replies = []
        paced = sw.Paced(port, prompt=b"> ", prompt_settle=2.0, on_reply=replies.append)
        await sw.async_write(paced, b"one\n")
        writing = sw.async_write(paced, b"two\n", sw.use_promise)
        send(peer, b"> ")
        await until(lambda: paced._own_stall() == "no silence behind prompt b'> '")
        send(peer, b"\r\n> ")
        assert await writing == 4
        assert replies == [b"> \r\n> "]


async def test_device_that_is_never_silent_is_not_awaited_for_ever():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        paced = sw.Paced(port, prompt=b"> ", prompt_settle=0.1)
        await sw.async_write(paced, b"one\n")
        writing = sw.async_write(paced, b"two\n", sw.use_promise)
        async with asyncio.timeout(TIMEOUT):
            while not writing.done():
                send(peer, b"> log\r\n")
                await asyncio.sleep(0.002)


async def test_a_prompt_before_the_first_line():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        paced = sw.Paced(port, prompt=b"> ", prompt_first=True)
        with pytest.raises(sw.TransferTimeout, match=r"0 of 4 bytes accepted .*; no prompt b'> '"):
            await sw.async_write(paced, b"one\n", timeout=0.05)
        send(peer, b"booting\r\n> ")
        assert await sw.async_write(paced, b"one\n", timeout=TIMEOUT) == 4
        with pytest.raises(sw.TransferTimeout, match="no prompt"):
            await sw.async_write(paced, b"two\n", timeout=0.05)


# -- on the wire ----------------------------------------------------------------------------------------------


async def test_gaps_on_the_line_itself():
    with simulated_port(baudrate=9600) as port:
        started = time.monotonic()
        await sw.async_write(sw.Paced(port.on_wire, byte_gap=0.01), b"abcde")
        assert time.monotonic() - started >= 5 * 10 / 9600 + 4 * 0.01
        assert port.uart.received == b"abcde"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"bytes_per_second": 0}, ValueError),
        ({"bytes_per_second": float("nan")}, ValueError),
        ({"bytes_per_second": float("inf")}, ValueError),
        ({"bytes_per_second": "9600"}, TypeError),
        ({"byte_gap": -1}, ValueError),
        ({"byte_gap": float("inf")}, ValueError),
        ({"byte_gap": None}, TypeError),
        ({"chunk_size": 0}, ValueError),
        ({"chunk_size": 1.5}, TypeError),
        ({"chunk_size": True}, TypeError),
        ({"bytes_per_second": True}, TypeError),
        ({"chunk_gap": 1}, ValueError),
        ({"chunk_gap": "1", "chunk_size": 1}, TypeError),
        ({"line_gap": float("nan")}, ValueError),
        ({"line_end": b""}, ValueError),
        ({"line_end": "\n"}, TypeError),
        ({"prompt": b""}, ValueError),
        ({"prompt": "> "}, TypeError),
        ({"prompt": re.compile("> ")}, TypeError),
        ({"prompt": b"> ", "prompt_timeout": -1}, ValueError),
        ({"prompt_timeout": 1}, ValueError),
        ({"prompt_settle": 1}, ValueError),
        ({"prompt": b"> ", "prompt_settle": float("nan")}, ValueError),
        ({"prompt_first": True}, ValueError),
        ({"on_reply": print}, ValueError),
    ],
)
def test_settings_that_cannot_be(options, error):
    with pytest.raises(error, match=rf"^{next(iter(options)) if error is TypeError else list(options)[-1]}.*pass "):
        sw.Paced(Recorder(), **options)


@pytest.mark.parametrize("kind", STREAMS)
async def test_without_any_pace_it_is_the_stream_itself(kind):
    with stream_of(kind, 2, 3) as stream:
        assert await sw.async_write(sw.Paced(stream), b"abcdefgh") == 8
        assert await sw.async_write(sw.Paced(stream), b"") == 0
        assert (stream.written, stream.asked) == (b"abcdefgh", [8, 6, 3, 0])


async def test_a_part_taken_beneath_is_a_part_of_the_chunk():
    with stream_of("plain", 2) as stream:
        assert await sw.async_write(sw.Paced(stream, chunk_size=4, chunk_gap=0.001), b"abcdefgh") == 8
        assert stream.asked == [4, 2, 4]


class Console(Recorder):
    """A device whose answer meets the cancellation of the read that waits for it."""

    def __init__(self):
        super().__init__()
        self.answers, self.waits = [], 0

    def async_read_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            self.waits += 1

            def cancelled(type):
                handler.cancellation_slot.clear()
                answer = self.answers.pop() if self.answers else b""
                sw.buffer_copy(buffers, answer)
                self.executor.post(handler, None if answer else sw.OperationAborted(), len(answer))

            handler.cancellation_slot.assign(cancelled)

        return sw.async_initiate(initiation, token, self.executor)


async def test_a_cancel_that_meets_the_reply_stops_the_line():
    device, replies = Console(), []
    paced = sw.Paced(device, prompt=b"> ", prompt_settle=0.0, on_reply=replies.append)
    assert await sw.async_write(paced, b"one\n") == 4
    before = device.waits
    second = sw.async_write(paced, b"two", sw.as_tuple(sw.use_promise))
    await until(lambda: device.waits > before)
    device.answers.append(b"did one\n> ")
    second.cancel()
    await asyncio.wait([second])
    assert (second.bytes_transferred, device.data) == (0, b"one\n")
    assert await sw.async_write(paced, b"three\n", timeout=TIMEOUT) == 6  # what had come counts
    assert (device.data, replies) == (b"one\nthree\n", [b"did one\n> "])


async def test_a_line_end_may_not_reach_back_into_the_line_before():
    with stream_of("plain") as stream:
        assert await sw.async_write(sw.Paced(stream, line_gap=0.001, line_end=b"\n\n"), b"a\n\n\nb\n\n") == 7
        assert stream.asked == [3, 4]


def test_on_reply_is_a_function():
    with pytest.raises(TypeError, match=r"^on_reply=5: pass a function that takes the bytes"):
        with sw.SerialPort("loop://") as port:
            sw.Paced(port, prompt=b">", on_reply=5)

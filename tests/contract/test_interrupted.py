"""What the handler of a signal raises ends a blocking form, and its count is exact, whenever the signal comes."""

import contextlib
import gc
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from telnet_server import telnet_server
from waiting import is_written_to

import serialwrite as sw
from serialwrite.testing import PtyPair, receive, receive_available

PATTERN = random.Random(1).randbytes(1 << 20)
RUNS = 60
BOUND = 60


class Alarm(Exception):
    """What a handler raises."""


class TimeIsUp(TimeoutError):
    """What another one raises: an OSError, as a stream's own may be."""


KINDS = (Alarm, TimeIsUp, KeyboardInterrupt)


@pytest.fixture(autouse=True)
def what_was_caught_goes(no_leaks):
    """Collect what a test has caught: its traceback keeps the test's frame, and that keeps it."""
    yield
    gc.collect()


def in_a_finalizer(frame):
    """Whether Python ignores what is raised here: in a ``__del__``, or the callback of a weak reference."""
    return frame.f_code.co_name == "__del__" or "weakref" in frame.f_code.co_filename


@contextmanager
def alarms():
    """Give a context in which an alarm may raise one of KINDS; outside of it, it does nothing."""

    def handler(number, frame):
        if armed and not in_a_finalizer(frame):
            raise armed.pop()

    armed = []

    @contextmanager
    def alarm(seconds, kind):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        armed.append(kind)
        try:
            yield
        finally:
            armed.clear()
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield alarm
    finally:
        signal.signal(signal.SIGALRM, before)


@contextmanager
def alarm_in(stream):
    """Send the alarm once a blocking form has begun in the context, on ``stream``."""
    directions = stream._write_direction, stream._read_direction
    over = threading.Event()

    def send():
        while all(each.user is None for each in directions) and not over.wait(0.001):
            pass
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGALRM)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        over.set()
        sending.join()


def pipe():
    read, write = os.pipe()
    return sw.DescriptorStream(write), os.fdopen(read, "rb", buffering=0)


def unix():
    near, far = socket.socketpair()
    with far:
        return sw.SocketStream(near), far.makefile("rb", buffering=0)


LINES = {"pipe": pipe, "socket": unix}
FORMS = {
    "bytes": PATTERN,
    "many buffers": [PATTERN[at : at + 512] for at in range(0, len(PATTERN), 512)],
    "dynamic_buffer": None,
}


before_it_began = pytest.mark.filterwarnings("ignore:.* was never launched")


@before_it_began
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("line", LINES)
def test_a_flowing_write(line, form):
    dice = random.Random(f"{line} {form}")
    interrupted = 0
    with alarms() as alarm:
        for _ in range(RUNS):
            stream, far = LINES[line]()
            received = bytearray()
            reading = threading.Thread(target=drain, args=(far, received))
            reading.start()
            memory = bytearray(PATTERN)
            data = sw.dynamic_buffer(memory) if FORMS[form] is None else FORMS[form]
            try:
                with alarm(dice.uniform(0.00005, 0.002), dice.choice(KINDS)):
                    count = sw.write(stream, data, timeout=BOUND)
            except KINDS as error:
                count = getattr(error, "bytes_transferred", None)
                if count is not None:  # else it came after the write, or before it
                    interrupted += 1
                    check_told(error, count, memory if FORMS[form] is None else None)
                del error
            assert not is_written_to(stream)
            stream.close()
            reading.join()
            far.close()
            if count is not None:
                assert len(received) == count
            assert received == PATTERN[: len(received)]
    assert interrupted > RUNS / 4


def drain(far, received):
    while data := far.read(4096):
        received += data


def check_told(error, count, memory):
    (note,) = error.__notes__
    of = f" of {len(PATTERN):,}" if count else "( of .*)?"  # it may not have begun
    assert re.fullmatch(rf"write\(\) was interrupted: {count:,}{of} bytes accepted", note)
    if memory is None:
        assert b"".join(error.remaining) == PATTERN[count:]
    else:
        assert error.remaining == ()
        assert memory == PATTERN[count:]
        if count:  # else it may be interrupted while the memory is taken
            memory.append(0)  # nothing keeps it from being resized


@before_it_began
@pytest.mark.parametrize("dynamic", [False, True], ids=["bytearray", "dynamic_buffer"])
def test_a_flowing_read(dynamic):
    dice = random.Random(5)
    interrupted = 0
    with alarms() as alarm:
        for _ in range(RUNS):
            near, far = socket.socketpair()
            with near, far:
                giving = threading.Thread(target=give, args=(far,))
                giving.start()
                memory = bytearray() if dynamic else bytearray(len(PATTERN))
                buffer = sw.dynamic_buffer(memory, len(PATTERN)) if dynamic else memory
                try:
                    with alarm(dice.uniform(0.00005, 0.002), dice.choice(KINDS)):
                        count = sw.read(near, buffer, timeout=BOUND)
                except KINDS as error:
                    count = getattr(error, "bytes_transferred", None)
                    interrupted += count is not None
                if count is not None:
                    assert memory[:count] == PATTERN[:count]
                    assert not dynamic or len(memory) == count
                    rest = near.recv(512)
                    assert rest == PATTERN[count:][: len(rest)]
                near.close()
                giving.join()
    assert interrupted > RUNS / 4


@before_it_began
@pytest.mark.parametrize(("in_flight", "longest"), [(None, 0.0004), (1000, 0.02)], ids=["no window", "a window"])
def test_a_flowing_write_to_a_remote_port(in_flight, longest):
    """Whatever step of the Telnet machine it comes in, all that is counted is proved served later, and no more."""
    dice = random.Random(in_flight)
    data = dice.randbytes(20_000) + b"\xff" * 2000
    interrupted = 0
    with alarms() as alarm, telnet_server() as server, sw.SerialPort(server.url, in_flight=in_flight) as port:
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sent = b""
        for _ in range(RUNS):
            try:
                with alarm(dice.uniform(0.00002, longest), dice.choice(KINDS)):
                    count = sw.write(port, data, timeout=BOUND)
            except KINDS as error:
                count = getattr(error, "bytes_transferred", None)
                if count is None:  # it came after the write, or before it
                    count = port.accepted - len(sent)
                    assert count in {0, len(data)}
                else:
                    interrupted += 1
                del error
            sent += data[:count]
            deadline = time.monotonic() + BOUND
            while port.served < len(sent):
                assert time.monotonic() < deadline, f"{port.served} of {len(sent)} bytes served"
                time.sleep(0.001)
            assert (port.served, port.accepted) == (len(sent), len(sent))
        assert server.data == sent
    assert interrupted > RUNS / 4


def test_interrupted_a_remote_write_gives_the_memory_back():
    """The traceback of what the handler raised has what was to be sent in it."""

    class Interrupted:
        def sendmsg(self, *sent):
            raise Alarm

    with telnet_server() as server, sw.SerialPort(server.url) as port:
        output, memory = port.driver.connection._output, bytearray(PATTERN)
        output._sock, sock = Interrupted(), output._sock
        with pytest.raises(Alarm) as caught:
            sw.write(port, sw.dynamic_buffer(memory))
        output._sock = sock
        assert caught.value.bytes_transferred == 0
        memory.append(0)


def give(far):
    try:
        for at in range(0, len(PATTERN), 4096):
            far.sendall(PATTERN[at : at + 4096])
        far.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_borrowed_descriptor_is_closed_by_no_interruption():
    """A socket with a timeout lends its descriptor for the sends; here each bytecode of that is interrupted once."""
    done, last = False, 0
    while not done:
        near, far = socket.socketpair()
        near.settimeout(10)
        stream = sw.SocketStream(near)
        last, seen = last + 1, 0

        def trace(frame, event, _, last=last):
            nonlocal seen
            if frame.f_code.co_name in {"_send_at_once", "sender"}:
                frame.f_trace_opcodes = True
                seen += event == "opcode"
                if seen == last and event == "opcode":
                    raise Alarm
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            done = stream.write_some_nowait([memoryview(b"x")]) == 1
        except Alarm:
            pass
        finally:
            sys.settrace(before)
        del stream
        gc.collect(0)
        with near, far:
            assert near.send(b"y") == 1
    assert last > 20


def test_a_blocked_write_to_a_port():
    with alarms() as alarm, PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        with pytest.raises(KeyboardInterrupt) as caught, alarm(BOUND, KeyboardInterrupt), alarm_in(port):
            sw.write(port, PATTERN, timeout=BOUND)
        n = caught.value.bytes_transferred
        assert receive(peer, n) == PATTERN[:n]
        assert receive_available(peer, quiet=0.05) == b""
        assert sw.write(port, b"more") == 4


BUFFERED = {
    "line": lambda lines: lines.readline(timeout=BOUND),
    "until": lambda lines: lines.read_until(b"\n"),
    "size": lambda lines: lines.read_exactly(8, timeout=BOUND),
}


@before_it_began
@pytest.mark.parametrize("read", BUFFERED)
def test_a_buffered_loses_and_doubles_no_line(read):
    want = [b"%07d\n" % i for i in range(30_000)]
    dice, got = random.Random(read), []
    near, far = socket.socketpair()

    def give():
        with far:  # closed then: a line too few is the end of the file
            far.sendall(b"".join(want))

    giving = threading.Thread(target=give)
    giving.start()
    with sw.SocketStream(near) as stream, alarms() as alarm:
        lines = sw.Buffered(stream)
        while len(got) < len(want):
            with contextlib.suppress(*KINDS), alarm(dice.uniform(0.00005, 0.002), dice.choice(KINDS)):
                while len(got) < len(want):
                    got.append(BUFFERED[read](lines))
    giving.join()
    assert got == want


def test_an_interrupted_read_until_is_named():
    mine, far = socket.socketpair()
    stream = sw.SocketStream(mine)
    with alarms() as alarm, mine, far, pytest.raises(Alarm) as caught, alarm(BOUND, Alarm), alarm_in(stream):
        sw.read_until(stream, sw.dynamic_buffer(bytearray()), b"\n", timeout=BOUND)
    assert caught.value.__notes__ == ["read_until() was interrupted: 0 bytes received"]


def test_a_write_inside_a_handler():
    """The transfer that was interrupted keeps its own count."""
    inner, outer = socket.socketpair(), socket.socketpair()
    written = []

    def handler(*_):
        written.append(sw.write(inner[0], bytes(100)))
        raise Alarm

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with inner[0], inner[1], outer[0], outer[1]:
            with pytest.raises(Alarm) as caught, alarm_in(sw.as_stream(outer[0])):
                sw.write(outer[0], PATTERN, timeout=BOUND)
            n = caught.value.bytes_transferred
            outer[0].close()
            received = bytearray()
            with outer[1].makefile("rb", buffering=0) as far:
                drain(far, received)
            assert (written, len(received)) == ([100], n)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("blocking_port", [False, True], ids=["a user's stream", "loop://"])
def test_a_stream_without_a_descriptor(blocking_port):
    """It runs on an event loop of its own: Ctrl-C there ends the task."""
    if blocking_port:
        stream = sw.SerialPort("loop://")
        read = lambda: sw.read(stream, bytearray(4))  # noqa: E731
    else:
        from serialwrite.testing import BLOCKED, ScriptedStream  # noqa: PLC0415

        stream = ScriptedStream(3, BLOCKED)
        read = lambda: sw.write(stream, b"0123456789")  # noqa: E731
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt) as caught:
            read()
    finally:
        signal.signal(signal.SIGALRM, before)
        if blocking_port:
            stream.close()
    assert caught.value.bytes_transferred == (0 if blocking_port else 3)

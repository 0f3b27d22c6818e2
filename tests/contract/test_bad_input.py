"""Bad input gets an error at once that names the argument and says what to do; nothing is written, nothing is lost."""

import asyncio
import datetime as dt
import decimal
import errno
import fractions
import os
import re
import socket
import ssl
import sys
import warnings
from pathlib import Path

import pytest
import serial

import serialwrite as sw
from serialwrite.testing import PtyPair, Step, VirtualTime, receive_available

DYNAMIC = sw.dynamic_buffer(bytearray())


def ignored(error, n):
    pass


TOKENS = [sw.deferred, sw.use_awaitable, sw.use_future, sw.detached, ignored, sw.as_tuple(sw.use_future)]

BUFFERS = {
    "str": ("text", "str; encode"),
    "int": (5, r"bytes\(\[n\]\)"),
    "None": (None, "bytes-like"),
    "list of ints": ([1, 2, 3], r"\[0\].*bytes\(values\)"),
    "list with a str": ([b"ok", "text"], r"\[1\].*encode"),
    "non-contiguous": (memoryview(b"abcdef")[::2], "not contiguous.*copy"),
    "object": (object(), "bytes-like"),
}


@pytest.fixture
def line():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        yield port, peer


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: getattr(token, "__name__", repr(token)))
@pytest.mark.parametrize("case", BUFFERS)
async def test_buffers(line, case, token):
    port, peer = line
    buffers, what_to_do = BUFFERS[case]
    with pytest.raises(TypeError, match=rf"buffers.*{what_to_do}"):
        sw.async_write(port, buffers, token)
    assert receive_available(peer, quiet=0.02) == b""
    assert await sw.async_write(port, b"fine") == 4


COUNTED = [
    sw.transfer_at_least,
    sw.transfer_exactly,
    lambda n: sw.buffer(b"ab", n),
    lambda n: sw.dynamic_buffer(bytearray(), n),
]


@pytest.mark.parametrize(("count", "error"), [(True, TypeError), (1.5, TypeError), ("1", TypeError), (-1, ValueError)])
@pytest.mark.parametrize("counted", COUNTED, ids=["at_least", "exactly", "buffer", "dynamic_buffer"])
def test_a_count_is_a_whole_number(counted, count, error):
    with pytest.raises(error, match=rf"{re.escape(repr(count))}.*: pass a number of bytes, 0 or more"):
        counted(count)


SECONDS = [
    (-1, ValueError),
    (float("nan"), ValueError),
    (decimal.Decimal("sNaN"), ValueError),
    (-(10**400), ValueError),
    ("1 s", TypeError),
    ("1", TypeError),
    (True, TypeError),
    (dt.timedelta(seconds=1), TypeError),
]
TIMED = {
    "async_write": lambda port, seconds: sw.async_write(port, b"x", timeout=seconds),
    "async_write to a function": lambda port, seconds: sw.async_write(port, b"x", ignored, timeout=seconds),
    "idle_timeout of async_write": lambda port, seconds: sw.async_write(port, b"x", idle_timeout=seconds),
    "idle_timeout of async_read": lambda port, seconds: sw.async_read(port, bytearray(1), idle_timeout=seconds),
    "idle_timeout of read_until": lambda port, seconds: sw.read_until(port, DYNAMIC, b"x", idle_timeout=seconds),
    "async_read": lambda port, seconds: sw.async_read(port, bytearray(1), sw.use_promise, timeout=seconds),
    "async_read_until": lambda port, seconds: sw.async_read_until(port, DYNAMIC, b"x", timeout=seconds),
    "write": lambda port, seconds: sw.write(port, b"x", timeout=seconds),
    "read": lambda port, seconds: sw.read(port, bytearray(1), timeout=seconds),
    "read_until": lambda port, seconds: sw.read_until(port, DYNAMIC, b"x", timeout=seconds),
    "cancel_after": lambda port, seconds: sw.cancel_after(seconds),
    "async_drain": lambda port, seconds: port.async_drain(timeout=seconds),
    "async_send_break": lambda port, seconds: port.async_send_break(timeout=seconds),
    "a break": lambda port, seconds: port.async_send_break(seconds),
    "close": lambda port, seconds: port.close(timeout=seconds),
    "async_close": lambda port, seconds: port.async_close(timeout=seconds),
    "a gap": lambda port, seconds: sw.Paced(port, byte_gap=seconds),
    "a prompt": lambda port, seconds: sw.Paced(port, prompt=b"> ", prompt_timeout=seconds),
    "a scripted step": lambda port, seconds: Step(after=seconds),
}


@pytest.mark.parametrize("call", TIMED)
async def test_seconds_that_no_timer_can_have(line, call):
    port, peer = line
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # refused, nothing was forgotten
        for seconds, error in SECONDS:
            with pytest.raises(error, match=rf"^\w+={re.escape(repr(seconds))}: pass seconds, 0 or more"):
                TIMED[call](port, seconds)
    assert receive_available(peer, quiet=0.01) == b""
    assert port.is_open


@pytest.mark.parametrize("seconds", [decimal.Decimal("0.01"), fractions.Fraction(1, 100), 0])
async def test_seconds_of_any_kind_of_number(line, seconds):
    operation = sw.async_read(line[0], bytearray(1), timeout=seconds)
    with pytest.raises(sw.TransferTimeout):
        await operation
    with pytest.raises(sw.TransferTimeout):
        await sw.async_read(line[0], bytearray(1), sw.cancel_after(seconds))


async def test_tokens(line):
    with pytest.raises(TypeError, match=r"token: .*completion token"):
        sw.async_write(line[0], b"x", 42)


@pytest.mark.parametrize(
    ("stream", "what_to_do"),
    [
        ("/dev/ttyUSB0", "SerialPort"),
        (None, "NoneType"),
        (object(), "async_write_some"),
        ((1, 2), "writer"),
    ],
    ids=["a path", "None", "an object", "a tuple"],
)
async def test_streams(stream, what_to_do):
    with pytest.raises(TypeError, match=f"stream: .*{what_to_do}"):
        sw.async_write(stream, b"x")


async def test_a_closed_port():
    with PtyPair() as rig:
        port = serial.Serial(rig.port)
        port.close()
        with pytest.raises(sw.StreamClosed, match=r"closed; open\(\)"):
            sw.async_write(port, b"x")
        stream = sw.SerialPort(rig.port)
        stream.close()
        operation = sw.async_write(stream, b"x")
        with pytest.raises(sw.StreamClosed) as info:
            await operation
        assert (info.value.errno, info.value.bytes_transferred) == (errno.EBADF, 0)
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(stream, b"x", sw.use_awaitable)


async def test_a_closed_socket_and_descriptor():
    sock, other = socket.socketpair()
    other.close()
    sock.close()
    with pytest.raises(sw.StreamClosed, match="closed"):
        sw.async_write(sock, b"x")
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(sw.StreamClosed, match=f"{writer} is not an open"):
        sw.async_write(writer, b"x")
    with Path("/dev/null").open("wb", buffering=0) as file:
        pass
    for stream in (lambda: file, lambda: sw.DescriptorStream(file)):
        with pytest.raises(sw.StreamClosed, match="is closed; open it again"):
            sw.async_write(stream(), b"x")


def test_a_port_that_does_not_exist(tmp_path):
    with pytest.raises(serial.SerialException, match=r"nowhere.* does not exist.*list_ports") as info:
        sw.SerialPort(str(tmp_path / "nowhere"))
    assert info.value.errno == errno.ENOENT


@pytest.mark.parametrize("installed", [True, False])
def test_port_that_does_not_exist_says_how_to_list_ports(tmp_path, monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(serial.SerialException, match=r"list the ports with: .*list_ports$") as info:
        sw.SerialPort(str(tmp_path / "nowhere"))
    assert ("serialwrite ports" in str(info.value)) == installed


def test_a_port_in_use():
    with PtyPair() as rig, sw.SerialPort(rig.port), pytest.raises(serial.SerialException, match=r"in use.*close"):
        sw.SerialPort(rig.port)


def test_settings_beside_an_open_port():
    with PtyPair() as rig, serial.Serial(rig.port) as port, pytest.raises(ValueError, match="baudrate"):
        sw.SerialPort(port, 9600)


async def test_write_inside_a_loop(line):
    with pytest.raises(RuntimeError, match="await async_write"):
        sw.write(line[0], b"x")


def test_no_loop_at_all(line):
    with pytest.raises(RuntimeError, match=r"no running event loop.*IoThread"):
        sw.async_write(line[0], b"x", sw.use_future)


@pytest.mark.parametrize("make", [sw.transfer_exactly, sw.transfer_at_least])
@pytest.mark.parametrize(("n", "error"), [(1.5, TypeError), ("1", TypeError), (None, TypeError), (-1, ValueError)])
def test_conditions_of_what_is_no_number(make, n, error):
    with pytest.raises(error, match="number of bytes"):
        make(n)


@pytest.mark.parametrize("answer", [None, 1.5, "1", b""])
async def test_answers_of_conditions(line, answer):
    port, peer = line
    with pytest.raises(TypeError, match=r"answered .* number of bytes"):
        await sw.async_write(port, b"x", completion_condition=lambda error, n: answer)
    assert receive_available(peer, quiet=0.02) == b""
    assert await sw.async_write(port, b"fine") == 4


def test_cancellation():
    signal = sw.CancellationSignal()
    with pytest.raises(TypeError, match=r"assign: .*function"):
        signal.slot.assign(5)
    for requested in ("x", None, 1.5):
        with pytest.raises(ValueError, match="CancellationType"):
            signal.emit(requested)
    for slot in (signal, None):
        with pytest.raises(TypeError, match=r"bind_cancellation_slot: .*signal\.slot"):
            sw.bind_cancellation_slot(slot, sw.deferred)


@pytest.mark.parametrize("bind", [sw.bind_executor, sw.bind_immediate_executor])
def test_binding_what_is_no_executor(bind):
    with pytest.raises(TypeError, match=f"{bind.__name__}: .*executor"):
        bind(5, sw.deferred)


@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise], ids=repr)
async def test_a_stream_written_as_a_coroutine_function(token):
    class Mistaken:
        def get_executor(self):
            return sw.EventLoopExecutor()

        async def async_write_some(self, buffers, token=None):
            return sw.buffer_size(buffers)

    with pytest.raises(TypeError, match=r"Mistaken\.async_write_some.*returned a coroutine.*async_initiate"):
        await sw.async_write(Mistaken(), b"never", token)


def test_a_stream_on_what_is_no_executor():
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(TypeError, match=r"SocketStream: .*executor"):
            sw.SocketStream(near, 5)
        with sw.IoThread() as io:  # it has one
            assert sw.async_write(sw.SocketStream(near, io), b"abc", sw.use_future).result(10) == 3


@pytest.mark.parametrize("make", [sw.SocketStream, sw.DescriptorStream, sw.TransportStream, sw.BufferedTransportStream])
@pytest.mark.parametrize("executor", [sw.inline_executor, VirtualTime()], ids=lambda one: type(one).__name__)
async def test_a_stream_on_an_executor_that_has_no_event_loop(make, executor):
    near, far = socket.socketpair()
    with near, far:
        target = near
        if make in {sw.TransportStream, sw.BufferedTransportStream}:
            _, writer = await asyncio.open_connection(sock=near)
            target = writer.transport
        with pytest.raises(TypeError, match=rf"{make.__name__}: .*event loop.*EventLoopExecutor\(\)"):
            make(target, executor)
        if target is not near:
            target.abort()
            await asyncio.sleep(0)


def test_a_port_on_an_executor_that_has_no_event_loop():
    with PtyPair() as rig:
        with pytest.raises(TypeError, match=r"SerialPort: .*event loop.*EventLoopExecutor\(\)"):
            sw.SerialPort(rig.port, executor=sw.inline_executor)
        sw.SerialPort(rig.port).close()  # nobody has kept it open, or locked


async def test_a_transports_stream_on_what_has_an_executor(line):
    near, far = socket.socketpair()
    with far, sw.IoThread() as io:
        _, writer = await asyncio.open_connection(sock=near)
        assert sw.BufferedTransportStream(writer.transport, io).get_executor() is io.get_executor()
        writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("when", "error"), [(float("nan"), ValueError), ("1", TypeError), (None, TypeError), (True, TypeError)]
)
def test_a_time_that_no_clock_shows(when, error):
    with pytest.raises(error, match=rf"^cancel_at={when!r}: pass a time of the loop's clock"):
        sw.cancel_at(when)


@pytest.mark.parametrize("token", [sw.cancel_at(1), sw.cancel_after(1)], ids=["cancel_at", "cancel_after"])
async def test_a_timer_on_an_executor_that_has_none(token):
    class Plain:
        def post(self, function, *args):
            asyncio.get_running_loop().call_soon(function, *args)

        dispatch = post

    with pytest.raises(TypeError, match=r"^cancel_(at|after): <.*Plain.*> has no call_later\(\); run the stream on"):
        sw.async_initiate(lambda handler: None, token, Plain())


ADAPTERS = ["as_tuple", "append", "prepend", "consign", "redirect_error", "cancel_after", "cancel_at", "bind_executor"]


@pytest.mark.parametrize(
    "name", [*ADAPTERS, "bind_immediate_executor", "bind_cancellation_slot", "transfer_all", "spawn"]
)
async def test_a_function_of_ours_is_not_a_handler(line, name):
    for wrap in (lambda token: token, sw.as_tuple):
        with pytest.raises(TypeError, match=rf"^token: got the function {name} itself; pass what it returns: {name}\("):
            sw.async_write(line[0], b"x", wrap(getattr(sw, name)))
    assert receive_available(line[1], quiet=0.01) == b""


@pytest.mark.parametrize("condition", [sw.transfer_all(), sw.transfer_at_least(1), sw.transfer_exactly(1)])
async def test_a_condition_is_not_a_token(line, condition):
    with pytest.raises(TypeError, match=r"^token: got a completion condition; pass it as completion_condition="):
        sw.async_write(line[0], b"x", condition)
    assert receive_available(line[1], quiet=0.01) == b""


@pytest.mark.parametrize("cancel_type", ["partial", 2, None])
def test_cancel_type_of_another_type_is_refused(cancel_type):
    for adapter in (sw.cancel_after, sw.cancel_at):
        with pytest.raises(TypeError, match=rf"^cancel_type={cancel_type!r}: pass a CancellationType"):
            adapter(1.0, cancel_type=cancel_type)


@pytest.mark.parametrize("name", ["deferred", "detached", "use_awaitable", "use_future", "use_promise"])
def test_a_token_is_passed_without_parentheses(name):
    with pytest.raises(TypeError, match=rf"^{name} is a completion token already; pass it without \(\)"):
        getattr(sw, name)()


@pytest.mark.parametrize("condition", [2, None, "x", sw.transfer_all, sw.transfer_at_least, sw.transfer_exactly])
@pytest.mark.parametrize("token", TOKENS[:3], ids=repr)
async def test_a_completion_condition_that_is_none(line, condition, token):
    what = "the function transfer_.* itself" if callable(condition) else re.escape(repr(condition))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call, buffers in ((sw.async_write, b"x"), (sw.async_read, bytearray(1)), (sw.async_read, 4)):
            with pytest.raises(TypeError, match=rf"^completion_condition: got {what}; .*transfer_all\(\)"):
                call(line[0], buffers, token, completion_condition=condition)


def test_use_promise_without_a_loop_says_what_else_there_is(line):
    with pytest.raises(RuntimeError, match=r"^use_promise: no event loop runs here.*use_future.*write\(\)"):
        sw.async_write(line[0], b"x", sw.use_promise)


def test_redirect_error_takes_an_instance():
    with pytest.raises(TypeError, match=r"^redirect_error: .*pass an ErrorRef\(\)"):
        sw.redirect_error(sw.deferred, sw.ErrorRef)


URLS = ["loop://", "socket://host:1", "rfc2217://host:1", "spy:///dev/null", "/dev/null"]


@pytest.mark.parametrize("port", URLS)
def test_a_port_that_was_never_opened_says_so(port):
    closed = serial.serial_for_url(port, do_not_open=True)
    for use in (sw.SerialPort, sw.as_stream, lambda one: sw.write(one, b"x"), lambda one: sw.read(one, 4)):
        with pytest.raises(sw.StreamClosed, match=r"; port .* is closed; open\(\) it first$"):
            use(closed)
    with pytest.raises(sw.StreamClosed, match=r"; this serial\.Serial is closed; set its port and open\(\) it first$"):
        sw.write(serial.Serial(), b"x")


async def test_stream_reader_and_writer_do_not_advise_each_other():
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    with far:
        with pytest.raises(
            TypeError, match=r"StreamReader; read with its own methods .*; and write|StreamReader; read with"
        ):
            sw.async_read(reader, 4)
        with pytest.raises(TypeError, match=r"async_read_some.*read by its owner"):
            await sw.async_read(sw.BufferedTransportStream(writer.transport), 4)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_layer_over_a_buffered_transport_can_be_closed(busy):
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    _, writer = await asyncio.open_connection(sock=near)
    stream = sw.BufferedTransportStream(writer.transport)
    with far:
        writing = None
        async with sw.Queued(stream) as queued:
            if busy:
                writing = sw.async_write(queued, bytes(1 << 20), sw.use_promise)
                await asyncio.sleep(0.01)
            queued.close()
            assert writer.transport.is_closing()
        if writing is not None:
            with pytest.raises(sw.TransferError):
                await writing


@pytest.mark.parametrize("answer", [-1, -5])
async def test_answers_of_conditions_below_zero(answer):
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(ValueError, match=f"answered {answer}; it must be a number of bytes"):
            await sw.async_write(near, b"x", completion_condition=lambda error, n: answer)


async def test_a_tls_socket_is_no_stream():
    near, far = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with near, far, context.wrap_socket(near, do_handshake_on_connect=False, server_hostname="x") as wrapped:
        with pytest.raises(TypeError, match="TLS can't be written past; pass the StreamWriter"):
            sw.SocketStream(wrapped)

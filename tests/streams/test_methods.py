"""What a stream's own names are: the free functions as methods, ``is_open``, and nothing that is internal."""

import asyncio
import contextlib
import functools
import inspect
import re
import socket
import threading

import pytest

import serialwrite as sw
from serialwrite.testing import PtyPair, UnixPair, receive

LAYERS = {
    "queued": sw.Queued,
    "paced": lambda stream: sw.Paced(stream, byte_gap=0.0001),
    "traced": lambda stream: sw.Traced(stream, lambda event: None),
    "layers": lambda stream: sw.Queued(sw.Traced(stream, lambda event: None)),
}
STREAMS = ["SerialPort", "DescriptorStream", "SocketStream", *LAYERS]


@contextlib.contextmanager
def line(kind):
    """A stream of that kind, and a file that is the other end."""
    with contextlib.ExitStack() as stack:
        if kind == "SerialPort":
            rig = stack.enter_context(PtyPair())
            stream, peer = sw.SerialPort(rig.port), stack.enter_context(rig.open_peer())
        else:
            near, far = stack.enter_context(UnixPair())
            stream = sw.DescriptorStream(near) if kind == "DescriptorStream" else sw.SocketStream(near)
            peer = stack.enter_context(far.makefile("rwb", 0))
        stack.callback(stream.close)
        yield LAYERS[kind](stream) if kind in LAYERS else stream, peer


@pytest.fixture(params=STREAMS)
def ends(request):
    with line(request.param) as made:
        yield made


async def test_methods_do_what_the_functions_do(ends):
    stream, peer = ends
    assert await stream.async_write(b"one", timeout=5) == 3
    assert await stream.async_write([b"t", b"wo"], sw.use_awaitable) == 3
    assert receive(peer, 6) == b"onetwo"
    peer.write(b"four" + b"into" + b"line\nmore")
    assert await stream.async_read(4, timeout=5) == b"four"
    assert await stream.async_read(into := bytearray(4)) == 4
    assert into == b"into"
    received = sw.dynamic_buffer(bytearray())
    assert await stream.async_read_until(received, b"\n", timeout=5) == 5
    assert bytes(received) == b"line\nmore"


def test_blocking_methods_do_what_the_functions_do(ends):
    stream, peer = ends
    assert stream.write(b"out", timeout=5) == 3
    assert receive(peer, 3) == b"out"
    peer.write(b"four" + b"line\nmore")
    assert stream.read(4, timeout=5) == b"four"
    received = sw.dynamic_buffer(bytearray())
    assert stream.read_until(received, b"\n", timeout=5) == 5
    with pytest.raises(sw.TransferTimeout, match="0 of 1 bytes received"):
        stream.read(1, timeout=0.01)


async def test_what_came_of_a_size_is_on_operation_and_error(ends):
    stream, peer = ends
    peer.write(b"ab")
    operation = stream.async_read(4, timeout=0.2)
    with pytest.raises(sw.TransferTimeout) as info:
        await operation
    assert (info.value.data, operation.data, operation.bytes_transferred) == (b"ab", b"ab", 2)


async def test_a_handler_of_a_size_gets_the_bytes(ends):
    stream, peer = ends
    peer.write(b"abcd")
    told = asyncio.get_running_loop().create_future()
    stream.async_read(4, lambda error, data: told.set_result((error, data)))
    assert await told == (None, b"abcd")


@pytest.mark.parametrize("name", ["write", "read", "read_until"])
async def test_a_blocking_method_in_a_loop_names_the_other(name):
    arguments = {"write": [b"x"], "read": [1], "read_until": [sw.dynamic_buffer(bytearray()), b"x"]}[name]
    words = f"{name}() would block the running event loop: await async_{name}(...) here"
    with line("queued") as (stream, _), pytest.raises(RuntimeError, match=re.escape(words)):
        getattr(stream, name)(*arguments)


@pytest.mark.parametrize("arguments", [[], [b"\n"], [re.compile(rb"\r?\n")], [b"\n", 100]], ids=repr)
@pytest.mark.parametrize("name", ["read_until", "async_read_until"])
def test_read_until_of_a_delimiter_alone_names_buffered(name, arguments):
    with line("queued") as (stream, _):
        for call in (getattr(stream, name), functools.partial(getattr(sw, name), stream)):
            with pytest.raises(TypeError, match=re.escape("lines = Buffered(stream)")):
                call(*arguments)


def test_methods_have_the_signatures_of_the_functions():
    for name in ("write", "async_write", "read", "async_read", "read_until", "async_read_until"):
        stream, *rest = inspect.signature(getattr(sw, name)).parameters.values()
        assert stream.name == "stream"
        with line("SocketStream") as (made, _):
            assert list(inspect.signature(getattr(made, name)).parameters.values()) == rest


# -- is_open, and leaving a block ----------------------------------------------------------------------------


async def test_is_open_is_a_property_and_async_with_closes(ends):
    stream, _ = ends
    assert stream.is_open is True
    async with stream:
        pass
    assert stream.is_open is False


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("method", [True, False])
def test_is_open_of_a_users_stream_may_be_a_method(told, method):
    class Own:
        is_open = (lambda self: told) if method else told

        def get_executor(self):
            return sw.EventLoopExecutor()

        def async_write_some(self, buffers, token, /):
            raise NotImplementedError

    assert sw.Queued(Own()).is_open is told


def test_a_users_stream_that_does_not_tell_counts_as_open():
    class Own:
        def async_write_some(self, buffers, token, /):
            raise NotImplementedError

    assert sw.Queued(Own()).is_open is True


async def test_is_open_of_a_transport_over_tls_or_none():
    near, far = socket.socketpair()
    with far:
        _, writer = await asyncio.open_connection(sock=near)
        stream = sw.BufferedTransportStream(writer.transport)
        assert stream.is_open is True
        stream.close()
        assert stream.is_open is False


async def test_leaving_a_block_waits_for_the_streams_own_loop():
    """Its loop is another one, and busy: this one goes on turning meanwhile."""
    near, far = socket.socketpair()
    with far, sw.IoThread() as thread:
        stream = sw.SocketStream(near, thread.get_executor())
        await asyncio.to_thread(stream.async_write(b"x", sw.use_future).result)
        turned, go_on = asyncio.Event(), threading.Event()

        def turn():
            turned.set()
            go_on.set()

        async with stream:
            thread.get_executor().post(go_on.wait, 10)
            asyncio.get_running_loop().call_later(0.05, turn)
        assert turned.is_set()
        assert not stream.is_open


# -- tab completion ------------------------------------------------------------------------------------------

ALL = {"get_executor", "default_token", "is_open", "close", "stall", "write", "async_write", "async_write_some"}
BOTH = ALL | {"read", "async_read", "read_until", "async_read_until", "async_read_some", "queued", "proof_levels"}
POLLABLE = BOTH | {"write_some_nowait", "read_some_nowait"}
PORT = POLLABLE | {
    *(
        "accepted",
        "served",
        "on_server",
        "serial",
        "socket",
        "driver",
        "on_wire",
        "in_force",
        "modem_lines",
        "line_counters",
        "rts",
        "dtr",
        "unsent",
    ),
    *("async_close", "async_drain", "async_send_break", "discard_output", "async_configure", "async_wait_for_lines"),
    *("port", "baudrate", "bytesize", "parity", "stopbits", "rtscts", "xonxoff", "dsrdtr", "timeout", "write_timeout"),
    *("in_waiting", "out_waiting", "cts", "dsr", "ri", "cd", "break_condition"),
    *("reset_input_buffer", "reset_output_buffer"),
}
LAYER = BOTH | {"stream"}
NAMES = {
    sw.SerialPort: PORT,
    sw.SocketStream: POLLABLE | {"socket"},
    sw.DescriptorStream: POLLABLE | {"fileno"},
    sw.TransportStream: POLLABLE | {"transport"},
    sw.BufferedTransportStream: ALL | {"transport", "cancellable"},
    sw.Queued: LAYER | {"waiting"},
    sw.Paced: LAYER,
    sw.Traced: LAYER | {"close_trace"},
    sw.RS485: LAYER | {"hidden"},
}


@pytest.mark.parametrize("kind", NAMES, ids=lambda kind: kind.__name__)
def test_tab_completion_shows_a_users_names_alone(kind):
    own = {name for name in dir(kind) if not name.startswith("_") and hasattr(kind, name)}  # else: advice on it
    assert own - NAMES[kind] == set()


@pytest.mark.parametrize("kind", ["SerialPort", "SocketStream", "DescriptorStream", "queued", "paced", "traced"])
def test_tab_completion_on_an_object_shows_no_more(kind):
    with line(kind) as (stream, _):
        shown = {name for name in dir(stream) if not name.startswith("_")}
        assert shown == NAMES[type(stream)]

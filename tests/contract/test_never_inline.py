"""No handler ever runs inside the function that initiated its operation, except where inline_executor was asked for."""

import asyncio
import errno
import re
import socket
import sys
from contextlib import contextmanager

import pytest
from every_token import ADAPTERS, BOUND, TOKENS, Collecting, ended
from scripted import ScriptedPort
from waiting import until

import serialwrite as sw
from serialwrite._operation import resolve
from serialwrite.testing import ScriptedNowaitStream, ScriptedStream


class Watched(sw.CompletionToken):
    """Another token, whose handler notes whether it runs inside the call that started its operation."""

    def __init__(self, token):
        self.token = token
        self.ran_inline = []

    def initiate(self, operation, /):
        def wrap(outer):
            def complete(*args):
                self.ran_inline.append(is_inside(sw.Operation.launch))
                outer(*args)

            return outer.replaced(complete)

        return resolve(self.token).initiate(operation.with_handler(wrap))


def is_inside(function):
    """Whether a call of ``function`` is on the stack."""
    frame = sys._getframe()
    while frame:
        if frame.f_code is function.__code__:
            return True
        frame = frame.f_back
    return False


# -- operations that complete at once: nothing but the rule keeps their handlers back ------------------

GONE = OSError(errno.EIO, "unplugged")


@contextmanager
def own_port(*steps):
    with ScriptedPort(*steps) as port:
        yield port


@contextmanager
def users(kind, *steps):
    yield kind(*steps)


@contextmanager
def with_input():
    near, far = socket.socketpair()
    with near, far:
        far.send(b"line\nmore")
        yield sw.SocketStream(near)


def read_until(delimiter, held=b""):
    return lambda stream, token: sw.async_read_until(stream, sw.dynamic_buffer(bytearray(held)), delimiter, token)


OPERATIONS = {
    "async_write": (own_port, lambda stream, token: sw.async_write(stream, b"data", token)),
    "async_write, no bytes": (own_port, lambda stream, token: sw.async_write(stream, b"", token)),
    "async_write, many steps": (lambda: own_port(1, 1), lambda stream, token: sw.async_write(stream, b"data", token)),
    "async_write, an error": (lambda: own_port(GONE), lambda stream, token: sw.async_write(stream, b"data", token)),
    "async_write, a timeout of 0": (own_port, lambda stream, token: sw.async_write(stream, b"data", token, timeout=0)),
    "async_write, user's stream": (
        lambda: users(ScriptedStream),
        lambda stream, token: sw.async_write(stream, b"data", token),
    ),
    "async_write, user's stream that tries": (
        lambda: users(ScriptedNowaitStream),
        lambda stream, token: sw.async_write(stream, b"data", token),
    ),
    "write_some": (own_port, lambda stream, token: stream.async_write_some([b"data"], token)),
    "write_some, user's stream": (
        lambda: users(ScriptedStream),
        lambda stream, token: stream.async_write_some([b"data"], token),
    ),
    "async_read": (with_input, lambda stream, token: sw.async_read(stream, bytearray(4), token)),
    "async_read_until": (with_input, read_until(b"\n")),
    "async_read_until, held already": (with_input, read_until(re.compile(rb"x|y"), b"xyz")),
    "read_some": (with_input, lambda stream, token: stream.async_read_some([bytearray(4)], token)),
    "spawn": (
        own_port,
        lambda stream, token: sw.spawn(stream, lambda yield_: sw.async_write(stream, b"data", yield_), token),
    ),
    "spawn of what returns at once": (own_port, lambda stream, token: sw.spawn(stream, lambda yield_: 0, token)),
}


@pytest.fixture(params=OPERATIONS)
def operation(request):
    return OPERATIONS[request.param]


@pytest.mark.parametrize("run", TOKENS.values(), ids=TOKENS)
async def test_a_handler_never_runs_inside_the_initiating_function(run, operation):
    make, start = operation
    with make() as stream:
        watched = []

        def watch(token):
            watched.append(Watched(token))
            return watched[-1]

        await run(lambda token: start(stream, token), watch)
        assert watched[0].ran_inline == [False]


POSTING = {name: run for name, run in ADAPTERS.items() if name != "bind_immediate_executor"}


@pytest.mark.asyncio(loop_factories=["asyncio"])  # an adapter is above the loop; the tokens meet both
@pytest.mark.parametrize("run", POSTING.values(), ids=POSTING)
async def test_nor_does_one_that_is_adapted(run, operation):
    make, start = operation
    with make() as stream:
        watched = []

        def watch(token):
            watched.append(Watched(token))
            return watched[-1]

        await run(lambda token: start(stream, watch(token)))
        assert watched[0].ran_inline == [False]


async def test_nor_does_that_of_detached(operation):
    make, start = operation
    with make() as stream:
        watched = Watched(sw.detached)
        assert start(stream, watched) is None
        assert watched.ran_inline == []
        await until(lambda: watched.ran_inline)
        assert watched.ran_inline == [False]


async def test_what_is_returned_is_not_yet_complete(operation):
    make, start = operation
    for token in (sw.use_future, sw.use_promise, Collecting()):
        with make() as stream:
            result = start(stream, token)
            done = bool(result) if isinstance(result, list) else result.done()
            assert not done
            await until(lambda r=result: bool(r) if isinstance(r, list) else r.done())
            if not isinstance(result, list):
                result.exception()  # one of them ends with an error, which is known here


# -- except where it was asked for --------------------------------------------------------------------

INLINE = ["async_write", "async_write, no bytes", "async_write, an error", "write_some"]


@pytest.mark.parametrize("name", [*INLINE, "async_read", "async_read_until", "read_some"])
async def test_it_does_where_the_immediate_executor_is_the_inline_one(name):
    make, start = OPERATIONS[name]
    with make() as stream:
        events = []
        start(stream, sw.bind_immediate_executor(sw.inline_executor, lambda error, n: events.append("handler")))
        events.append("returned")
        assert events == ["handler", "returned"]


async def test_a_handlers_own_immediate_executor_does_the_same():
    class Handler:
        immediate_executor = sw.inline_executor
        calls = ()

        def __call__(self, error, n):
            self.calls = error, n

    with own_port() as stream:
        handler = Handler()
        sw.async_write(stream, b"data", handler)
        assert handler.calls == (None, 4)


async def test_it_does_not_where_the_operation_had_to_wait():
    near, far = socket.socketpair()
    with near, far:
        stream = sw.SocketStream(near)
        future, handler = ended()
        watched = Watched(handler)
        sw.async_read(stream, bytearray(4), sw.bind_immediate_executor(sw.inline_executor, watched))
        assert watched.ran_inline == []
        far.send(b"data")
        assert await asyncio.wait_for(future, BOUND) == (None, 4)
        assert watched.ran_inline == [False]


async def test_a_busy_stream_stays_the_callers_until_its_handler_runs():
    with own_port() as stream:
        first, handler = ended()
        sw.async_write(stream, b"first", handler)
        with pytest.raises(sw.StreamBusy):
            sw.async_write(stream, b"second", sw.detached)
        assert await asyncio.wait_for(first, BOUND) == (None, 5)

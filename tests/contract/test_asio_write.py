"""What Asio's own unit tests of async_write, cancel_after and cancel_at check, over a user-defined stream."""

import array
import asyncio
import errno
import gc
import mmap
import weakref
from collections import deque

import pytest
from every_token import ADAPTERS, BOUND, TOKENS
from pairwise import pairwise
from waiting import until

import serialwrite as sw

ONE_LOOP = pytest.mark.asyncio(loop_factories=["asyncio"])  # the tokens alone meet both, in test_never_inline.py

# -- async_write --------------------------------------------------------------------------------------

DATA = bytes(range(1, 201))


class Stream:
    """A user's own: every write_some takes at most ``most`` bytes."""

    def __init__(self, most):
        self.most = most
        self.written = bytearray()
        self.executor = sw.EventLoopExecutor()

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            taken = b"".join(buffers)[: self.most]
            self.written += taken
            self.executor.post(handler, None, len(taken))

        return sw.async_initiate(initiation, token, self.executor)


class StreamThatTries(Stream):
    """The same, with the optional fast path."""

    def write_some_nowait(self, buffers, /):
        taken = b"".join(buffers)[: self.most]
        self.written += taken
        return len(taken)


def mapped():
    memory = mmap.mmap(-1, len(DATA))
    memory[:] = DATA
    return memory


BUFFERS = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "memoryview of 4-byte items": lambda: memoryview(DATA).cast("I"),
    "array of 2-byte items": lambda: array.array("H", DATA),
    "mmap": mapped,
    "list of one": lambda: [DATA],
    "list of two": lambda: [DATA[:55], bytearray(DATA[55:])],
    "tuple with empty ones": lambda: (b"", DATA[:1], b"", DATA[1:], b""),
    "generator of single bytes": lambda: (DATA[i : i + 1] for i in range(len(DATA))),
    "list of mixed kinds": lambda: [array.array("I", DATA[:80]), memoryview(DATA)[80:90], bytearray(DATA[90:])],
    "dynamic_buffer": lambda: sw.dynamic_buffer(bytearray(DATA)),
}


def three_at_a_time(error, n):
    return 0 if error else 3


ALL = len(DATA)
CONDITIONS = {
    # condition: bytes written where write_some takes everything, 1 and 10 bytes at most
    "transfer_all": (sw.transfer_all(), (ALL, ALL, ALL)),
    "transfer_at_least(1)": (sw.transfer_at_least(1), (ALL, 1, 10)),
    "transfer_at_least(10)": (sw.transfer_at_least(10), (ALL, 10, 10)),
    "transfer_at_least(42)": (sw.transfer_at_least(42), (ALL, 42, 50)),
    "transfer_exactly(1)": (sw.transfer_exactly(1), (1, 1, 1)),
    "transfer_exactly(10)": (sw.transfer_exactly(10), (10, 10, 10)),
    "transfer_exactly(42)": (sw.transfer_exactly(42), (42, 42, 42)),
    "a function, at most 3 a step": (three_at_a_time, (ALL, ALL, ALL)),
    "a function, done or not": (lambda error, n: bool(error) or n >= 15, (ALL, 15, 20)),
}
TABLE = {
    (name, most): (condition, most, n)
    for name, (condition, counts) in CONDITIONS.items()
    for most, n in zip((1 << 20, 1, 10), counts, strict=True)
}
EXPECTED = {row: (None, n, DATA[:n]) for row, (_, _, n) in TABLE.items()}


KINDS = {"a stream": Stream, "one that tries": StreamThatTries}


@ONE_LOOP
@pairwise(run=TOKENS | ADAPTERS, buffers=BUFFERS, kind=KINDS)
async def test_async_write(run, buffers, kind):
    found = {}
    for row, (condition, most, _) in TABLE.items():
        stream = kind(most)
        error, n = await run(
            lambda token, stream=stream, condition=condition: sw.async_write(
                stream, buffers(), token, completion_condition=condition
            )
        )
        found[row] = error, n, stream.written
    assert found == EXPECTED


@ONE_LOOP
@pytest.mark.parametrize("buffers", BUFFERS.values(), ids=BUFFERS)
async def test_async_write_detached(buffers):
    for condition, most, n in TABLE.values():
        stream = Stream(most)
        assert sw.async_write(stream, buffers(), sw.detached, completion_condition=condition) is None
        await until(lambda stream=stream, n=n: len(stream.written) >= n)
        assert stream.written == DATA[:n]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("buffers", BUFFERS.values(), ids=BUFFERS)
def test_write(buffers, kind):
    found = {}
    for row, (condition, most, _) in TABLE.items():
        stream = kind(most)
        n = sw.write(stream, buffers(), completion_condition=condition)
        found[row] = None, n, stream.written
    assert found == EXPECTED


@ONE_LOOP
@pytest.mark.parametrize("run", (TOKENS | ADAPTERS).values(), ids=TOKENS | ADAPTERS)
async def test_a_dynamic_buffer_is_consumed_by_what_was_written(run):
    for condition, most, n in TABLE.values():
        data = bytearray(DATA)
        await run(
            lambda token, most=most, data=data, condition=condition: sw.async_write(
                Stream(most), sw.dynamic_buffer(data), token, completion_condition=condition
            )
        )
        assert data == DATA[n:]


class FailingStream(Stream):
    """Takes 10 bytes at a time, 30 in all; then it is gone."""

    def __init__(self):
        super().__init__(10)
        self.steps = 0

    def async_write_some(self, buffers, token=sw.deferred, /):
        self.steps += 1
        if self.steps <= 3:
            return super().async_write_some(buffers, token)

        def initiation(handler):
            self.executor.post(handler, OSError(errno.EIO, "unplugged"), 0)

        return sw.async_initiate(initiation, token, self.executor)


@pytest.mark.parametrize(
    ("condition", "n"),
    [
        (sw.transfer_all(), 30),
        (sw.transfer_at_least(42), 30),
        (sw.transfer_exactly(42), 30),
        (sw.transfer_at_least(30), None),
        (sw.transfer_exactly(25), None),
    ],
    ids=[
        "transfer_all",
        "transfer_at_least(42)",
        "transfer_exactly(42)",
        "transfer_at_least(30)",
        "transfer_exactly(25)",
    ],
)
@ONE_LOOP
@pytest.mark.parametrize("run", (TOKENS | ADAPTERS).values(), ids=TOKENS | ADAPTERS)
async def test_an_error_ends_it_with_the_count(run, condition, n):
    stream = FailingStream()
    error, count = await run(lambda token: sw.async_write(stream, DATA, token, completion_condition=condition))
    if n is None:
        assert error is None
        assert count == len(stream.written)
    else:
        assert type(error) is sw.Disconnected
        assert (error.errno, error.bytes_transferred, count) == (errno.EIO, n, n)
        assert b"".join(error.remaining) == DATA[n:]
        assert stream.written == DATA[:n]
        assert stream.steps == 4


# -- cancel_after and cancel_at -----------------------------------------------------------------------

SHORT, LONG, LONGER = 0.002, BOUND * 2, BOUND * 4


class Waiting:
    """A stream whose write_some ends when it is let go, or cancelled, with any type of cancellation."""

    def __init__(self):
        self.executor = sw.EventLoopExecutor()
        self.started = asyncio.Event()
        self.handlers = deque()
        self.requests = []

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            handler.cancellation_slot.assign(lambda type: (self.requests.append(type), self.end(sw.OperationAborted())))
            self.handlers.append((handler, sw.buffer_size(buffers)))
            self.started.set()

        return sw.async_initiate(initiation, token, self.executor)

    def end(self, error=None):
        handler, size = self.handlers.popleft()
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, 0 if error else size)

    def let_go(self):
        if self.handlers:
            self.end()


def after(seconds, token, cancel_type):
    return sw.cancel_after(seconds, token, cancel_type)


def at(seconds, token, cancel_type):
    return sw.cancel_at(asyncio.get_running_loop().time() + seconds, token, cancel_type)


TIMERS = {
    # timers, the outermost first: whether one of them fires
    "long": ((LONG,), False),
    "short": ((SHORT,), True),
    "long(longer)": ((LONG, LONGER), False),
    "short(longer)": ((SHORT, LONGER), True),
    "longer(short)": ((LONGER, SHORT), True),
}
OPERATIONS = {
    # operation: the types of cancellation that end it
    "write_some": (lambda stream, token: stream.async_write_some([b"data"], token), sw.CancellationType.ALL),
    "async_write": (
        lambda stream, token: sw.async_write(stream, b"data", token),
        sw.CancellationType.TERMINAL | sw.CancellationType.PARTIAL,
    ),
}
TYPES = [sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, sw.CancellationType.TOTAL]


@pairwise(
    timer={"cancel_after": after, "cancel_at": at},
    operation=OPERATIONS,
    cancel_type={one.name: one for one in TYPES},
    timers=TIMERS,
    run=TOKENS,
)
async def test_cancel(timer, operation, cancel_type, timers, run):
    stream = Waiting()
    (start, supported), (seconds_of_each, fires) = operation, timers

    def wrap(token):
        for seconds in reversed(seconds_of_each):
            token = timer(seconds, token, cancel_type)
        return token

    running = asyncio.create_task(run(lambda token: start(stream, token), wrap))
    await asyncio.wait_for(stream.started.wait(), BOUND)
    if not fires or not cancel_type & supported:
        if fires:  # a timer that is set now, later, fires after it
            await asyncio.sleep(SHORT * 3)
        assert not running.done()
        stream.let_go()
        assert await running == (None, 4)
        assert stream.requests == []
    else:
        error, n = await running
        assert type(error) is sw.TransferTimeout
        assert (error.bytes_transferred, n) == (0, 0)
        assert stream.requests == [cancel_type]


@pytest.mark.parametrize("run", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("timer", [after, at], ids=["cancel_after", "cancel_at"])
async def test_a_timer_that_did_not_fire_is_gone(timer, run):
    stream = Stream(1 << 20)
    gone = weakref.ref(stream)
    await run(
        lambda token, stream=stream: sw.async_write(stream, DATA, token), lambda token: timer(LONG, token, TYPES[0])
    )
    del stream
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None  # a timer would hold on to the operation, and that to its stream

"""The rules of the design, one by one, on every kind of stream and however the result is asked for.

The streams: a user's own (``plain``), one with the optional fast path (``nowait``), one of the library's kind (``port``).
"""

import asyncio
import contextlib
import errno
import itertools
import os
import random
import socket
import threading
import time

import pytest
from every_token import ADAPTERS, TOKENS as EVERY_TOKEN
from pairwise import pairwise
from scripted import STREAMS, WAIT, ScriptedPort, goes_on, stream_of
from waiting import until, waits_to_write
from watched import watched

import serialwrite as sw
from serialwrite.streams.fd._pollable_direction import FAIR_BUDGET_BYTES
from serialwrite.testing import ScriptedStream, Step, TcpPair, UnixPair, receive, receive_available

TERMINAL, PARTIAL, TOTAL = sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, sw.CancellationType.TOTAL
EIO = OSError(errno.EIO, "unplugged")


def writing_by(run):
    """``await write(stream, data, **options)`` gives ``(error, n)``, by a token or an adapter."""
    return lambda stream, data, **options: run(lambda token: sw.async_write(stream, data, token, **options))


# One token of each way to be given a result.
TOKENS = {
    "as_tuple": writing_by(ADAPTERS["as_tuple"]),
    **{
        name: writing_by(EVERY_TOKEN[name])
        for name in ("function", "deferred", "use_awaitable", "use_promise", "use_future")
    },
}


# Every token, and every kind of stream with two of them. In rules 1 and 3 each kind meets each token.
WAYS = {f"{kind}-{token}": (kind, TOKENS[token]) for kind, token in zip(itertools.cycle(STREAMS), TOKENS)}
ONE_LOOP = pytest.mark.asyncio(loop_factories=["asyncio"])  # the other rules meet both


@pytest.fixture(params=STREAMS)
def kind(request):
    return request.param


@pytest.fixture(params=WAYS)
def way(request):
    """A kind of stream, and a way to write to it as of ``write``."""
    return WAYS[request.param]


@pytest.fixture(params=TOKENS)
def write(request):
    """``await write(stream, data, **options)`` gives ``(error, n)``, by one token or another."""
    return TOKENS[request.param]


async def turns(count=200):
    """Let the loop turn, readiness and timers included."""
    for _ in range(count):
        await asyncio.sleep(0)
    await asyncio.sleep(0.06)  # longer than the longest pause of a stream that backs off


async def received_until(ended, far):
    """How many bytes come to ``far`` until ``ended`` has something in it, and afterwards."""
    received = 0
    while not ended:
        with contextlib.suppress(BlockingIOError):
            received += len(far.recv(1 << 16))
        await asyncio.sleep(0)
    await turns()
    with contextlib.suppress(BlockingIOError):
        while data := far.recv(1 << 20):
            received += len(data)
    return received


# -- 1 ------------------------------------------------------------------------------------------------

LOOPS = {
    "all at once": ((), b"abcdef", {}, [6], None, 6),
    "nothing to write": ((), b"", {}, [0], None, 0),
    "no buffers": ((), [], {}, [0], None, 0),
    "only empty buffers": ((), [b"", b""], {}, [0], None, 0),
    "in pieces": ((1, 2), b"abcdef", {}, [6, 5, 3], None, 6),
    "over several buffers": ((1, 2), [b"ab", b"", b"cd", b"ef"], {}, [6, 5, 3], None, 6),
    "0 bytes without an error": ((2, 0), b"abcdef", {}, [6, 4], None, 2),
    "0 bytes at first": ((0,), b"abcdef", {}, [6], None, 0),
    "an error": ((2, EIO), b"abcdef", {}, [6, 4], sw.Disconnected, 2),
    "an error at first": ((EIO,), b"abcdef", {}, [6], sw.Disconnected, 0),
    "exactly": ((3,), b"abcdef", {"completion_condition": sw.transfer_exactly(4)}, [4, 1], None, 4),
    "at least": ((3, 2), b"abcdef", {"completion_condition": sw.transfer_at_least(4)}, [6, 3], None, 5),
    "the condition says 0 at first": ((), b"abcdef", {"completion_condition": lambda error, n: 0}, [0], None, 0),
    "the condition says done": ((2,), b"abcdef", {"completion_condition": lambda error, n: n == 2}, [6], None, 2),
    "the condition says how much": (
        (),
        b"abcdef",
        {"completion_condition": lambda error, n: 0 if error or n == 4 else 2},
        [2, 2],
        None,
        4,
    ),
    "the condition goes on after an error": (
        (2, EIO, 1),
        b"abcdef",
        {"completion_condition": lambda error, n: 6},
        [6, 4, 4, 3],
        None,
        6,
    ),
}


@ONE_LOOP
@pairwise(kind=dict(zip(STREAMS, STREAMS, strict=True)), write=TOKENS, case=LOOPS)
async def test_rule_1_asios_loop_exactly(kind, write, case):
    steps, data, options, asked, error, n = case
    with stream_of(kind, *steps) as stream:
        ended, count = await write(stream, data, **options)
        assert stream.asked == asked
        assert (type(ended), count) == (type(None) if error is None else error, n)
        assert stream.written == b"".join([data] if isinstance(data, bytes) else data)[:n]


async def test_rule_1_condition_is_asked_first_and_while_any_is_left(way):
    (kind, write), calls = way, []

    def condition(error, n):
        calls.append((error, n))
        return 6 - n

    with stream_of(kind, 1, 2) as stream:
        assert await write(stream, b"abcdef", completion_condition=condition) == (None, 6)
    assert calls == [(None, 0), (None, 1), (None, 3)]


async def test_rule_1_an_error_may_come_with_bytes(write):
    stream = ScriptedStream(1, Step(2, EIO))
    error, n = await write(stream, b"abcdef")
    assert (type(error), n, bytes(stream.written)) == (sw.Disconnected, 3, b"abc")


@pytest.mark.parametrize(
    ("takes", "condition", "error"),
    [
        (2, sw.transfer_all(), sw.OperationAborted),
        (6, sw.transfer_all(), None),  # nothing is left: it was cancelled too late
        (2, sw.transfer_at_least(2), None),  # the condition is asked first
        (0, sw.transfer_all(), None),  # and so are 0 bytes without an error
    ],
)
async def test_rule_1_cancellation_is_looked_at_last(takes, condition, error):
    class Deaf(ScriptedStream):
        """Its write_some can't be cancelled: it takes bytes in spite of it."""

        def async_write_some(self, buffers, token=sw.deferred, /):
            def initiation(handler):
                self.complete = lambda: handler(None, self.take(Step(takes), buffers))

            return sw.async_initiate(initiation, token, self.get_executor())

    stream, signal = Deaf(), sw.CancellationSignal()
    token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
    promise = sw.async_write(stream, b"abcdef", token, completion_condition=condition)
    signal.emit()
    assert not promise.done()
    stream.complete()
    ended, n = await promise
    assert (type(ended), n) == (type(None) if error is None else error, takes)
    assert len(stream.asked) == 1


# -- 2 ------------------------------------------------------------------------------------------------

ENDINGS = {"at once": (), "after a wait": (2, WAIT), "error": (EIO,), "error after a wait": (2, WAIT, EIO)}


@pytest.mark.parametrize("stream", ["ours", "a user's"])
@pytest.mark.parametrize("token", [sw.deferred, sw.use_promise], ids=repr)
@pytest.mark.parametrize("at", [0, 2])
async def test_rule_1_a_condition_that_cancels_is_heard_at_once(stream, token, at):
    near, far = socket.socketpair()
    with near, far:
        signal, target = sw.CancellationSignal(), sw.SocketStream(near) if stream == "ours" else ScriptedStream()

        def condition(error, n):
            if n == at:
                signal.emit()
            return 1

        write = sw.async_write(
            target, b"abcdef", sw.bind_cancellation_slot(signal.slot, token), completion_condition=condition
        )
        with pytest.raises(sw.OperationAborted) as caught:
            await write
        await turns()
        assert caught.value.bytes_transferred == max(at, 1)  # the first step is taken even so
        assert len(far.recv(10) if stream == "ours" else target.written) == max(at, 1)
        assert await sw.async_write(target, b"next") == 4


async def test_rule_2_a_condition_that_closes_the_stream_ends_it_once():
    near, far = socket.socketpair()
    far.setblocking(False)
    with near, far:
        stream, ended = sw.SocketStream(near), []

        def condition(error, n):
            if n >= 1 << 20:
                stream.close()
            return 1 << 16

        sw.async_write(
            stream, bytes(1 << 22), lambda error, n: ended.append((error, n)), completion_condition=condition
        )
        received = await received_until(ended, far)
        [(error, n)] = ended
        assert type(error) is sw.StreamClosed
        assert n == error.bytes_transferred == received


async def test_rule_5_an_emit_in_a_condition_ends_a_blocked_write_once():
    near, far = socket.socketpair()
    far.setblocking(False)
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    with near, far:
        signal, ended = sw.CancellationSignal(), []

        def condition(error, n):
            if n >= 1 << 20:
                signal.emit()
            return 1 << 16

        token = sw.bind_cancellation_slot(signal.slot, lambda error, n: ended.append((error, n)))
        sw.async_write(sw.SocketStream(near), bytes(1 << 22), token, completion_condition=condition)
        received = await received_until(ended, far)
        [(error, n)] = ended
        assert type(error) is sw.OperationAborted
        assert n == error.bytes_transferred == received
    assert failures == []


class Timers(sw.EventLoopExecutor):
    """An executor that knows which of its timers are still to come."""

    def __init__(self):
        super().__init__(asyncio.get_running_loop())
        self.pending = set()

    def call_later(self, seconds, function, /, *args):
        def fire():
            self.pending.discard(timer)
            function(*args)

        timer = super().call_later(seconds, fire)
        self.pending.add(timer)
        cancel = timer.cancel

        class Noted:
            def cancel(_):  # noqa: N805 # self is the executor here
                self.pending.discard(timer)
                cancel()

        return Noted()


@pytest.mark.parametrize("ending", [*ENDINGS, "cancelled", "timed out"])
async def test_rule_2_never_inline_once_and_after_release(kind, ending):
    timers, signal, data = Timers(), sw.CancellationSignal(), bytearray(b"abcdef")
    steps = ENDINGS.get(ending, (2, WAIT))
    loop = asyncio.get_running_loop()
    calls, second = [], loop.create_future()

    def handler(error, n):
        calls.append((type(error), n))
        assert not signal.slot.has_handler
        assert not timers.pending
        if kind == "port":
            assert not watched(stream._wait_fd())
        data.extend(b"the memory is the caller's again")
        goes_on(stream)
        sw.async_write(stream, b"next", lambda error, n: second.set_result((error, n)))

    with stream_of(kind, *steps, executor=timers) as stream:
        timeout = 0.01 if ending == "timed out" else 60
        sw.async_write(stream, data, sw.bind_cancellation_slot(signal.slot, handler), timeout=timeout)
        assert not calls
        with pytest.raises(BufferError):
            data.append(0)
        if ending.endswith("after a wait"):
            await until(lambda: stream.watching)
            assert not calls
            stream.let_go()
        elif ending == "cancelled":
            await until(lambda: stream.watching)
            signal.emit()
            assert not calls  # emit is an initiating function of sorts: the handler runs later here too
        assert await asyncio.wait_for(second, 10) == (None, 4)
        await turns()
        assert len(calls) == 1


@pytest.mark.parametrize("steps", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("token", [sw.use_future, sw.use_promise], ids=repr)
async def test_rule_2_no_future_is_done_when_it_is_returned(kind, token, steps):
    with stream_of(kind, *steps) as stream:
        future = sw.async_write(stream, b"abcdef", sw.as_tuple(token))
        assert not future.done()
        if WAIT in steps:
            await until(lambda: stream.watching)
            stream.let_go()
        await until(future.done)


async def test_rule_2_inline_where_an_immediate_executor_asks_for_it(kind):
    calls = []
    token = sw.bind_immediate_executor(sw.inline_executor, lambda error, n: calls.append((error, n)))
    with stream_of(kind) as stream:
        sw.async_write(stream, b"abc", token)
        if kind == "plain":  # its write_some never completes at once
            await until(lambda: calls)
        assert calls == [(None, 3)]


# -- 3 ------------------------------------------------------------------------------------------------


@pairwise(
    kind=dict(zip(STREAMS, STREAMS, strict=True)),
    write=TOKENS,
    ending={name: name for name in ("at once", "after a wait", "error after a wait", "timed out")},
)
async def test_rule_3_the_count_is_what_the_stream_took(kind, write, ending):
    steps = {**ENDINGS, "timed out": (1, 2, WAIT)}[ending]
    with stream_of(kind, *steps) as stream:
        writing = asyncio.ensure_future(write(stream, b"abcdefgh", timeout=0.05 if ending == "timed out" else None))
        if "after" in ending:
            await until(lambda: stream.watching)
            stream.let_go()
        _, n = await writing
        assert n == len(stream.written)
        assert stream.written == b"abcdefgh"[:n]


@pytest.mark.parametrize("rig", [UnixPair, TcpPair])
async def test_rule_3_reported_is_accepted_is_received(write, rig):
    """Timeouts wherever they fall, against a peer that reads by fits and starts; resumed until all is there."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    payload = dice.randbytes(1 << 18)
    received = bytearray()
    with rig(send_buffer=4096) as pair:
        done = 0
        for _ in range(1000):
            sent = asyncio.ensure_future(write(pair.port, payload[done:], timeout=dice.choice([0, 0.001, 0.003])))
            while not sent.done():
                if dice.random() < 0.5:
                    received += receive_now(pair.peer, dice.randrange(1, 30_000))
                await asyncio.sleep(0)
            error, n = sent.result()
            assert error is None or type(error) is sw.TransferTimeout
            done += n
            received += receive(pair.peer, done - len(received))
            assert receive_available(pair.peer, 0) == b"", f"seed {seed}: more arrived than was reported"
            if error is None:
                break
    assert done == len(payload)
    assert received == payload, f"seed {seed}"


def receive_now(sock, size):
    try:
        return sock.recv(size)
    except BlockingIOError:
        return b""


# -- 4 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["signal", "task", "timeout", "future"])
async def test_rule_4_no_zombies(kind, ending):
    signal = sw.CancellationSignal()
    with stream_of(kind, 2, WAIT) as stream:
        if ending == "future":
            future = sw.async_write(stream, b"abcdef", sw.use_future)
            sent = asyncio.gather(asyncio.wrap_future(future), return_exceptions=True)
        else:
            timeout = 0.01 if ending == "timeout" else None
            operation = sw.async_write(
                stream, b"abcdef", sw.bind_cancellation_slot(signal.slot, sw.deferred), timeout=timeout
            )
            sent = asyncio.ensure_future(operation)
        await until(lambda: stream.asked)
        if ending == "signal":
            signal.emit()
        elif ending == "task":
            sent.cancel()
        elif ending == "future":
            future.cancel()
        await asyncio.wait([sent], timeout=10)
        assert sent.cancelled() or sent.exception() or sent.result()
        asked = list(stream.asked)
        if kind == "port":
            assert not watched(stream._wait_fd())
            assert stream.stall is None
        goes_on(stream)  # from now on it would take everything
        await turns()
        assert stream.asked == asked
        assert stream.written == b"ab"


async def test_rule_4_nothing_goes_out_after_a_cancellation_was_seen(write):
    with UnixPair(send_buffer=4096) as pair:
        error, n = await write(pair.port, bytes(1 << 20), timeout=0.05)
        assert isinstance(error, sw.TransferTimeout)
        assert len(await asyncio.to_thread(receive, pair.peer, n)) == n
        assert not watched(pair.port.fileno())
        await turns()
        assert receive_available(pair.peer, 0) == b""


# -- 5 ------------------------------------------------------------------------------------------------


async def test_rule_5_partial_and_terminal_not_total(kind):
    for requested, stops in [(TOTAL, False), (PARTIAL, True), (TERMINAL, True), (TOTAL | PARTIAL, True)]:
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
        with stream_of(kind, 2, WAIT) as stream:
            promise = sw.async_write(stream, b"abcdef", token)
            await until(lambda: stream.watching)
            signal.emit(requested)
            await turns()
            assert promise.done() == stops, requested
            if stops:
                error, n = await promise
                assert (error.__class__, n, error.bytes_transferred) == (sw.OperationAborted, 2, 2)
            else:
                stream.let_go()
                assert await promise == (None, 6)


async def test_rule_5_only_terminal_where_the_stream_has_only_that(kind):
    signal = sw.CancellationSignal()
    token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
    with stream_of(kind, 2, WAIT) as stream:
        getattr(stream, "_write_direction", stream).cancellable = TERMINAL
        promise = sw.async_write(stream, b"abcdef", token)
        await until(lambda: stream.watching)
        for requested in (TOTAL, PARTIAL):
            signal.emit(requested)
            await turns()
            assert not promise.done()
        signal.emit(TERMINAL)
        error, n = await promise
        assert (error.__class__, n) == (sw.OperationAborted, 2)


async def test_rule_5_nothing_before_the_start_and_after_the_end(kind):
    signal = sw.CancellationSignal()
    with stream_of(kind) as stream:
        operation = sw.async_write(stream, b"abc", sw.bind_cancellation_slot(signal.slot, sw.deferred))
        signal.emit()
        assert await operation == 3
        signal.emit()
        assert operation.bytes_transferred == 3
        assert await sw.async_write(stream, b"abc") == 3


# -- 6 ------------------------------------------------------------------------------------------------


async def test_rule_6_task_cancellation_is_partial_cancellation(kind):
    with stream_of(kind, 2, WAIT) as stream:
        operation = sw.async_write(stream, b"abcdef")
        task = asyncio.ensure_future(operation)
        await until(lambda: stream.watching)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert task.cancelled()
        assert operation.bytes_transferred == 2
        assert b"".join(operation.remaining) == b"cdef"
        goes_on(stream)
        assert await sw.async_write(stream, operation.remaining) == 4
        assert stream.written == b"abcdef"


@pytest.mark.parametrize("how", ["asyncio.timeout", "wait_for", "task group"])
async def test_rule_6_the_ways_of_asyncio_to_cancel(kind, how):
    with stream_of(kind, 2, WAIT) as stream:
        operation = sw.async_write(stream, b"abcdef")
        if how == "asyncio.timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await operation
            assert not asyncio.current_task().cancelling()
        elif how == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(operation, 0.02)
            assert not asyncio.current_task().cancelling()
        else:

            async def fail():
                await until(lambda: stream.watching)
                raise KeyError

            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(operation)
                    group.create_task(fail())
        assert operation.bytes_transferred == 2
        assert b"".join(operation.remaining) == b"cdef"


async def test_rule_6_cancelled_again_and_again(kind):
    """A second cancel, while the first is still being carried out, neither hangs nor loses the count."""
    with stream_of(kind, 2, WAIT) as stream:
        operation = sw.async_write(stream, b"abcdef")
        task = asyncio.ensure_future(operation)
        await until(lambda: stream.watching)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()
        assert operation.bytes_transferred == 2


async def test_rule_6_a_cancel_that_meets_the_end_is_not_swallowed(kind):
    """Cancelled in the very turn of the loop in which the last bytes go out."""
    loop = asyncio.get_running_loop()

    class Cancelling(STREAMS[kind]):
        def take(self, step, buffers):
            taken = super().take(step, buffers)
            if len(self.written) == 6:
                loop.call_soon(task.cancel)
            return taken

    with stream_of(Cancelling, 2, WAIT) as stream:
        operation = sw.async_write(stream, b"abcdef")
        task = asyncio.ensure_future(operation)
        await until(lambda: stream.watching)
        stream.let_go()
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()
        assert operation.bytes_transferred == 6 == len(stream.written)
        assert operation.remaining == ()


# -- 7 ------------------------------------------------------------------------------------------------


async def test_rule_7_one_write_at_a_time(way):
    kind, write = way
    with stream_of(kind, 2, WAIT) as stream:
        first = asyncio.ensure_future(sw.async_write(stream, b"abcdef"))
        await until(lambda: stream.watching)
        with pytest.raises(sw.StreamBusy):
            await asyncio.wait_for(_raising(write(stream, b"second")), 10)
        stream.let_go()
        assert await first == 6
        assert b"second" not in stream.written
        assert await write(stream, b"third") == (None, 5)


async def _raising(pending):
    """as_tuple and friends give errors of the transfer; StreamBusy is raised all the same, or is what they give."""
    error, _ = await pending
    if error is not None:
        raise error


@pytest.mark.parametrize(
    "token",
    [sw.use_future, sw.use_promise, sw.detached, lambda error, n: None],
    ids=["use_future", "use_promise", "detached", "a function"],
)
async def test_rule_7_busy_is_raised_at_once(kind, token):
    with stream_of(kind, 2, WAIT) as stream:
        first = sw.async_write(stream, b"abcdef", sw.use_promise)
        with pytest.raises(sw.StreamBusy, match="another write is in progress"):
            sw.async_write(stream, b"second", token)
        await until(lambda: stream.watching)
        stream.let_go()
        assert await first == 6


async def test_rule_7_the_fast_path_is_kept_for_one_writer_too():
    """The turn that the budget of rule 9 takes is a part of the write."""
    with stream_of("port") as stream:
        stream._write_direction.spend(FAIR_BUDGET_BYTES)
        first = asyncio.ensure_future(sw.async_write(stream, b"first"))
        await asyncio.sleep(0)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(stream, b"second")
        assert await first == 5
        assert stream.written == b"first"
        assert await sw.async_write(stream, b"third") == 5


# -- 8 ------------------------------------------------------------------------------------------------


async def test_rule_8_nothing_spins_nothing_blocks_the_loop(way):
    """Full for half a second: the one that is always ready and never takes anything is hardly asked."""
    (kind, write), ticks = way, itertools.count()

    async def tick():
        while True:
            await asyncio.sleep(0.001)
            next(ticks)

    with stream_of(kind, 2, WAIT) as stream:
        others = asyncio.create_task(tick())
        await asyncio.sleep(0.01)
        cpu = time.thread_time()
        started = time.monotonic()
        error, n = await write(stream, b"abcdef", timeout=0.5)
        cpu, wall = time.thread_time() - cpu, time.monotonic() - started
        others.cancel()
        assert (type(error), n) == (sw.TransferTimeout, 2)
        assert wall < 5
        assert next(ticks) > 20  # 500 on an idle machine
        assert cpu < 0.5 * wall  # the ticking itself is most of it
        if kind == "port":
            assert 3 < stream.tries < 60


async def test_rule_8_readiness_that_lies_backs_off_and_comes_back():
    with stream_of("port", WAIT) as stream:
        task = asyncio.ensure_future(sw.async_write(stream, b"abcdef"))
        await asyncio.sleep(0.3)
        assert stream.tries < 40
        stream.let_go()
        assert await asyncio.wait_for(task, 10) == 6


# -- 9 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100_000])
async def test_rule_9_fair(way, size):
    """A task that writes in a loop, always completing at once, lets the others have their turns."""
    (kind, write), data = way, bytes(size)
    between = itertools.count()
    longest = 0

    async def other():
        nonlocal longest, between
        while True:
            await asyncio.sleep(0)
            longest, between = max(longest, next(between)), itertools.count()

    with stream_of(kind) as stream:
        others = asyncio.create_task(other())
        await asyncio.sleep(0)
        for _ in range(500):
            assert await write(stream, data) == (None, size)
            next(between)
        others.cancel()
    assert 0 < longest <= 100
    assert longest * size < 4 << 20


async def test_rule_9_one_long_operation_is_fair_too(way):
    (kind, write), turns_of_others = way, itertools.count()

    async def other():
        while True:
            await asyncio.sleep(0)
            next(turns_of_others)

    with stream_of(kind) as stream:
        others = asyncio.create_task(other())
        size = 16 << 20
        condition = lambda error, n: 0 if error else 1 << 16  # noqa: E731
        assert await write(stream, bytes(size), completion_condition=condition) == (None, size)
        others.cancel()
    assert next(turns_of_others) >= 8


# -- 10 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rig", [UnixPair, TcpPair])
async def test_rule_10_closing_is_bounded_and_says_what_was_unsent(rig):
    with rig(send_buffer=4096) as pair:
        stream = sw.as_stream(pair.port)
        payload = random.Random(10).randbytes(1 << 20)
        promise = sw.async_write(stream, payload, sw.use_promise)
        await until(lambda: waits_to_write(stream))
        started = time.monotonic()
        stream.close()
        with pytest.raises(sw.StreamClosed) as caught:
            await promise
        assert time.monotonic() - started < 2
        n = caught.value.bytes_transferred
        assert b"".join(caught.value.remaining) == payload[n:]
        assert receive_available(pair.peer) == payload[:n]


async def test_rule_10_close_returns_what_the_driver_still_had(write):
    class Queueing(ScriptedPort):
        queued = 4095

    stream = Queueing(2, WAIT)
    pending = asyncio.ensure_future(write(stream, b"abcdef"))
    await turns(3)
    assert stream.close() == 4095
    error, n = await pending
    assert (type(error), n, error.queued) == (sw.StreamClosed, 2, 4095)
    assert stream.close() is None
    error, n = await write(stream, b"abcdef", timeout=5)
    assert (type(error), n) == (sw.StreamClosed, 0)


# -- 11 -----------------------------------------------------------------------------------------------


async def test_rule_11_foreign_threads_may_initiate(kind):
    """The work is done on the stream's loop, and so is the handler."""
    loop, main = asyncio.get_running_loop(), threading.get_ident()
    threads = []

    class Noting(STREAMS[kind]):
        def async_write_some(self, *args):
            threads.append(threading.get_ident())
            return super().async_write_some(*args)

        def write_some_nowait(self, buffers):
            threads.append(threading.get_ident())
            return super().write_some_nowait(buffers)

    if kind == "plain":
        del Noting.write_some_nowait
    stream = Noting(2, executor=sw.EventLoopExecutor(loop))

    def foreign():
        assert sw.async_write(stream, b"by future", sw.use_future).result(10) == 9
        done = threading.Event()

        def handler(error, n):
            threads.append(threading.get_ident())
            assert (error, n) == (None, 10)
            done.set()

        sw.async_write(stream, b"by handler", handler)
        assert done.wait(10)
        assert sw.write(stream, b"by blocking") == 11

    await asyncio.to_thread(foreign)
    assert set(threads) == {main}
    assert len(threads) >= 4
    assert stream.written == b"by futureby handlerby blocking"
    if kind == "port":
        stream.close()


async def test_rule_11_a_foreign_thread_meets_the_same_rules(kind):
    """StreamBusy and cancellation reach it too, through its future."""
    with stream_of(kind, 2, WAIT, executor=sw.EventLoopExecutor(asyncio.get_running_loop())) as stream:

        def foreign():
            first = sw.async_write(stream, b"abcdef", sw.use_future)
            second = sw.async_write(stream, b"abcdef", sw.use_future)
            assert isinstance(second.exception(10), sw.StreamBusy)
            first.cancel()
            error = first.exception(10)
            assert (type(error), error.bytes_transferred, first.bytes_transferred) == (sw.OperationAborted, 2, 2)

        await asyncio.to_thread(foreign)


def test_rule_11_with_no_loop_at_all_an_io_thread_owns_one(kind):
    with sw.IoThread() as io, stream_of(kind, 2, WAIT, executor=io.get_executor()) as stream:
        future = sw.async_write(stream, b"abcdef", sw.use_future, timeout=0.05)
        error = future.exception(10)
        assert (type(error), error.bytes_transferred) == (sw.TransferTimeout, 2)
        goes_on(stream)
        assert sw.write(stream, error.remaining) == 4
        assert stream.written == b"abcdef"


# -- a stream that keeps giving ----------------------------------------------------------------------------


def one_at_a_time(error, n):
    return 1


ENDLESS = {
    "write": lambda stream, **how: sw.write(stream, bytes(1 << 24), completion_condition=one_at_a_time, **how),
    "read": lambda stream, **how: sw.read(stream, bytearray(1 << 24), completion_condition=one_at_a_time, **how),
    "read_until": lambda stream, **how: sw.read_until(stream, sw.dynamic_buffer(bytearray(), 1 << 32), b"\n", **how),
}


@pytest.mark.parametrize("form", ENDLESS)
def test_a_blocking_form_times_out_while_bytes_move(form):
    with sw.DescriptorStream(os.open("/dev/null" if form == "write" else "/dev/zero", os.O_RDWR)) as stream:
        with pytest.raises(sw.TransferTimeout) as caught:
            ENDLESS[form](stream, timeout=0.1)
        assert caught.value.bytes_transferred > 0


async def test_9_small_steps_let_the_loop_turn():
    with sw.DescriptorStream(os.open("/dev/zero", os.O_RDWR)) as stream:
        reading = asyncio.ensure_future(
            sw.async_read(stream, memory := bytearray(1 << 14), completion_condition=one_at_a_time)
        )
        turns = 0
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > len(memory) / 256

"""spawn and yield_context: code that reads as blocking, and blocks nobody."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from waiting import until, waits_to_write

import serialwrite as sw
from serialwrite.testing import ScriptedStream, receive_available

BIG = bytes(range(256)) * 16384  # 4 MiB: more than a socketpair takes
BOUND = 30  # seconds that a test may wait for what must come


@contextmanager
def line(executor=None):
    """A stream, and the socket at its far end."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield sw.SocketStream(near, executor), far


async def drain(far, n):
    """The next ``n`` bytes at the far end."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < n:
        data += await asyncio.wait_for(loop.sock_recv(far, 1 << 20), BOUND)
    return bytes(data)


pending = partial(receive_available, quiet=0)  # what lies at the far end and was not read


async def blocked(stream):
    """Returns once a write waits on ``stream``."""
    await until(lambda: stream.stall is not None)


def here():
    return sw.EventLoopExecutor()


# -- what it is for -----------------------------------------------------------------------------------


async def test_reads_as_blocking_code_and_blocks_nobody():
    with line() as (stream, far):
        turns = []

        def session(yield_):
            n = sw.async_write(stream, BIG, yield_)
            return n, len(turns)

        async def bystander():
            await blocked(stream)
            turns.append("while it waited")
            return await drain(far, len(BIG))

        (n, turned), data = await asyncio.gather(sw.spawn(here(), session), bystander())
        assert (n, turned) == (len(BIG), 1)
        assert data == BIG


async def test_its_result_is_what_the_function_returned():
    assert await sw.spawn(here(), lambda yield_: {"any": "thing"}) == {"any": "thing"}
    assert await sw.spawn(here(), lambda yield_: None) is None


async def test_its_error_is_what_the_function_raised():
    def session(yield_):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await sw.spawn(here(), session)


async def test_an_error_raises_where_the_write_is():
    with line() as (stream, far):

        def session(yield_):
            try:
                sw.async_write(stream, BIG, yield_)
            except sw.Disconnected as gone:
                return gone.bytes_transferred
            raise AssertionError("the write must fail")

        task = asyncio.create_task(sw.spawn(here(), session))
        await blocked(stream)
        taken = len(pending(far))
        far.close()
        assert await task >= taken > 0


async def test_refusal_raises_at_the_write_and_the_coroutine_goes_on():
    with line() as (stream, far):
        first = asyncio.create_task(sw.async_write(stream, BIG))
        await blocked(stream)

        def session(yield_):
            with pytest.raises(sw.StreamBusy):
                sw.async_write(stream, b"second", yield_)
            with line() as (other, _):
                return sw.async_write(other, b"elsewhere", yield_)

        assert await sw.spawn(here(), session) == 9
        await drain(far, len(BIG))
        assert await first == len(BIG)


async def test_an_operation_made_before_takes_it_as_its_token():
    with line() as (stream, _):

        def session(yield_):
            operation = sw.async_write(stream, b"later")
            return operation(yield_)

        assert await sw.spawn(here(), session) == 5


async def test_a_write_that_need_not_wait_does_not_suspend():
    with line() as (stream, far):
        await sw.async_write(stream, b"bound to this loop")

        def session(yield_):
            turned = []
            asyncio.get_running_loop().call_soon(turned.append, "the loop")
            for i in range(3):
                sw.async_write(stream, bytes([i]), yield_)
            return turned[:]

        assert await sw.spawn(here(), session) == []
        assert pending(far) == b"bound to this loop\0\1\2"


async def test_coroutine_that_writes_at_once_lets_the_loop_turn():
    with line() as (stream, far):
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        def session(yield_):
            for _ in range(1000):
                sw.async_write(stream, b"x", yield_)
                far.recv(10)

        counting = asyncio.create_task(count())
        await sw.spawn(here(), session)
        counting.cancel()
        assert turns >= 5


async def test_function_sees_the_context_variables_of_its_spawner():
    number = contextvars.ContextVar("number", default=0)
    number.set(42)

    def session(yield_):
        before = number.get()
        number.set(1)
        return before

    assert await sw.spawn(here(), session) == 42
    assert number.get() == 42


async def test_the_stream_may_live_on_another_loop():
    with sw.IoThread() as io, line(io.get_executor()) as (stream, far):
        threads = []

        def session(yield_):
            threads.append(threading.get_ident())
            n = sw.async_write(stream, BIG, yield_)
            threads.append(threading.get_ident())
            return n

        n, data = await asyncio.gather(sw.spawn(here(), session), drain(far, len(BIG)))
        assert n == len(BIG)
        assert data == BIG
        assert threads == [threading.get_ident()] * 2


# -- adapters over yield_ -----------------------------------------------------------------------------

SLOT = sw.CancellationSignal().slot
ADAPTED = {
    "as_tuple": (sw.as_tuple, (None, 4)),
    "as_tuple(cancel_after)": (lambda y: sw.as_tuple(sw.cancel_after(BOUND, y)), (None, 4)),
    "cancel_after(as_tuple)": (lambda y: sw.cancel_after(BOUND, sw.as_tuple(y)), (None, 4)),
    "redirect_error": (lambda y: sw.redirect_error(y, sw.ErrorRef()), 4),
    "append": (lambda y: sw.append(y, "a", "b"), (4, "a", "b")),
    "as_tuple(append)": (lambda y: sw.as_tuple(sw.append(y, "a")), ((None, 4), "a")),
    "append(as_tuple)": (lambda y: sw.append(sw.as_tuple(y), "a"), (None, 4, "a")),
    "prepend": (lambda y: sw.prepend(y, "a"), ("a", None, 4)),
    "consign": (lambda y: sw.consign(y, object()), 4),
    "bind_executor": (lambda y: sw.bind_executor(here(), y), 4),
    "bind_immediate_executor": (lambda y: sw.bind_immediate_executor(sw.inline_executor, y), 4),
    "bind_cancellation_slot": (lambda y: sw.bind_cancellation_slot(SLOT, y), 4),
    "cancel_at": (lambda y: sw.cancel_at(asyncio.get_running_loop().time() + BOUND, y), 4),
}


@pytest.mark.parametrize(("adapt", "expected"), ADAPTED.values(), ids=ADAPTED)
async def test_adapters_nest_over_it(adapt, expected):
    with line() as (stream, far):
        assert await sw.spawn(here(), lambda yield_: sw.async_write(stream, b"data", adapt(yield_))) == expected
        assert pending(far) == b"data"


async def test_a_timeout_inside_ends_that_write_only():
    with line() as (stream, far):
        received = bytearray()
        timed_out = asyncio.Event()

        def session(yield_):
            error, n = sw.async_write(stream, BIG, sw.cancel_after(0.02, sw.as_tuple(yield_)))
            assert type(error) is sw.TransferTimeout
            received.extend(pending(far))
            assert n == error.bytes_transferred == len(received)
            timed_out.set()
            return n + sw.async_write(stream, error.remaining, yield_)

        task = asyncio.create_task(sw.spawn(here(), session))
        await asyncio.wait_for(timed_out.wait(), BOUND)
        received += await drain(far, len(BIG) - len(received))
        assert await task == len(BIG)
        assert received == BIG


# -- tokens over spawn --------------------------------------------------------------------------------


def four(yield_):
    """Waits for a turn of the loop."""
    return sw.async_write(ScriptedStream(), b"data", yield_)


async def test_every_awaiting_token_works_on_it():
    assert await sw.spawn(here(), four) == 4
    assert await sw.spawn(here(), four, sw.deferred) == 4
    assert await sw.spawn(here(), four, sw.use_awaitable) == 4
    assert await sw.spawn(here(), four, sw.use_promise) == 4
    assert await asyncio.wrap_future(sw.spawn(here(), four, sw.use_future)) == 4
    assert await sw.spawn(here(), four, sw.as_tuple(sw.deferred)) == (None, 4)
    assert await sw.spawn(here(), four, sw.append(sw.use_promise, "x")) == (4, "x")
    assert await sw.spawn(here(), four, sw.cancel_after(BOUND, sw.use_awaitable)) == 4


async def test_a_function_as_token_gets_error_and_value():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    assert sw.spawn(here(), four, lambda error, value: ended.set_result((error, value))) is None
    assert await asyncio.wait_for(ended, BOUND) == (None, 4)


async def test_detached_runs_to_its_end():
    ended = asyncio.Event()

    def session(yield_):
        four(yield_)
        ended.set()

    assert sw.spawn(here(), session, sw.detached) is None
    assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), BOUND)


async def test_one_coroutine_waits_for_another():
    with line() as (stream, far):

        def inner(yield_):
            return sw.async_write(stream, BIG, yield_) + 1

        def outer(yield_):
            return sw.spawn(yield_, inner, yield_) + 1

        n, data = await asyncio.gather(sw.spawn(here(), outer), drain(far, len(BIG)))
        assert n == len(BIG) + 2
        assert data == BIG


async def test_coroutines_spawned_inside_one_run_beside_it():
    def outer(yield_):
        with line() as (one, far_one), line() as (two, far_two):
            ended = []
            for stream in (one, two):
                sw.spawn(
                    yield_,
                    lambda inner_yield, stream=stream: sw.async_write(stream, BIG, inner_yield),
                    lambda error, n: ended.append((error, n)),
                )
            assert ended == []  # both wait, this one goes on
            while len(ended) < 2:
                pending(far_one)
                pending(far_two)
                four(yield_)
            return ended

    assert await sw.spawn(here(), outer) == [(None, len(BIG))] * 2


def test_other_threads_wait_for_it():
    with sw.IoThread() as io:
        assert sw.spawn(io.get_executor(), four, sw.use_future).result(BOUND) == 4
        assert sw.spawn(io, four, sw.use_future).result(BOUND) == 4  # what has an executor will do
        threads = sw.spawn(io, lambda yield_: (four(yield_), threading.get_ident()), sw.use_future).result(BOUND)
        assert threads[1] != threading.get_ident()


async def test_a_thousand_run_at_once():
    running = most = 0

    def session(yield_, stream):
        nonlocal running, most
        running += 1
        most = max(most, running)
        n = sum(sw.async_write(stream, b"y" * 10, yield_) for _ in range(3))
        running -= 1
        return n

    streams = [ScriptedStream() for _ in range(1000)]
    counts = await asyncio.gather(
        *(sw.spawn(here(), lambda yield_, stream=stream: session(yield_, stream)) for stream in streams)
    )
    assert counts == [30] * 1000
    assert most == 1000
    assert all(stream.written == b"y" * 30 for stream in streams)


async def test_a_hundred_blocked_writes_wait_at_once():
    with ExitStack() as stack:
        lines = [stack.enter_context(line()) for _ in range(100)]
        spawned = [
            sw.spawn(here(), lambda yield_, stream=stream: sw.async_write(stream, BIG, yield_), sw.use_promise)
            for stream, _ in lines
        ]
        assert all(waits_to_write(stream) for stream, _ in lines)
        for (stream, far), promise in zip(lines, spawned, strict=True):
            promise.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(promise, BOUND)
            assert promise.done()
            assert stream.stall is None
            assert len(pending(far)) > 0


# -- never inline -------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda yield_: 1, four], ids=["returns at once", "waits"])
async def test_its_handler_never_runs_inside_spawn(function):
    events = []
    ended = asyncio.Event()

    def handler(error, value):
        events.append("handler")
        ended.set()

    sw.spawn(here(), function, handler)
    events.append("returned")
    await asyncio.wait_for(ended.wait(), BOUND)
    assert events == ["returned", "handler"]


# -- cancellation -------------------------------------------------------------------------------------


class Interrupted:
    """A session that writes too much, and remembers how its write ended."""

    def __init__(self, stream):
        self.stream = stream
        self.error = None

    def __call__(self, yield_):
        try:
            return sw.async_write(self.stream, BIG, yield_)
        except sw.TransferError as error:
            self.error = error
            raise


async def check_cancelled(session, far):
    assert type(session.error) is sw.OperationAborted
    assert session.error.bytes_transferred == len(pending(far)) > 0
    for _ in range(3):
        await asyncio.sleep(0)
    assert pending(far) == b""  # and nothing more goes out


async def test_cancelling_the_task_cancels_the_write():
    with line() as (stream, far):
        session = Interrupted(stream)
        task = asyncio.create_task(sw.spawn(here(), session))
        await blocked(stream)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, BOUND)
        await check_cancelled(session, far)


async def test_cancelling_the_promise_cancels_the_write():
    with line() as (stream, far):
        session = Interrupted(stream)
        promise = sw.spawn(here(), session, sw.use_promise)
        await blocked(stream)
        promise.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(promise, BOUND)
        await check_cancelled(session, far)


def test_cancelling_the_future_cancels_the_write():
    with sw.IoThread() as io, line() as (stream, far):
        session = Interrupted(stream)
        future = sw.spawn(io, session, sw.use_future)
        while stream.stall is None:
            assert not future.done()
        future.cancel()
        error = future.exception(BOUND)
        assert error is session.error
        assert type(error) is sw.OperationAborted
        assert error.bytes_transferred == len(pending(far)) > 0


async def test_a_bound_slot_cancels_the_write():
    with line() as (stream, far):
        session = Interrupted(stream)
        signal = sw.CancellationSignal()
        spawned = sw.spawn(here(), session, sw.bind_cancellation_slot(signal.slot, sw.use_promise))
        await blocked(stream)
        signal.emit()
        with pytest.raises(sw.OperationAborted):
            await asyncio.wait_for(spawned, BOUND)
        await check_cancelled(session, far)
        assert not signal.slot.has_handler


async def test_cancel_after_on_spawn_is_a_timeout_of_the_whole():
    with line() as (stream, far):
        session = Interrupted(stream)
        with pytest.raises(sw.TransferTimeout):
            await asyncio.wait_for(sw.spawn(here(), session, sw.cancel_after(0.02)), BOUND)
        await check_cancelled(session, far)


async def test_only_terminal_cancellation_passes_before_a_reset():
    with line() as (stream, far):
        signal = sw.CancellationSignal()

        def session(yield_):
            yield_.reset_cancellation_state(sw.enable_partial_cancellation)
            Interrupted(stream)(yield_)

        plain = sw.spawn(here(), Interrupted(stream), sw.bind_cancellation_slot(signal.slot, sw.use_promise))
        await blocked(stream)
        signal.emit(sw.CancellationType.PARTIAL)
        assert stream.stall
        signal.emit(sw.CancellationType.TERMINAL)
        with pytest.raises(sw.OperationAborted):
            await asyncio.wait_for(plain, BOUND)
        pending(far)

        reset = sw.spawn(here(), session, sw.bind_cancellation_slot(signal.slot, sw.use_promise))
        await blocked(stream)
        signal.emit(sw.CancellationType.PARTIAL)
        with pytest.raises(sw.OperationAborted):
            await asyncio.wait_for(reset, BOUND)


async def test_cancelled_coroutine_cleans_up_and_starts_no_write():
    with line() as (stream, _), line() as (other, far_other):
        seen = []

        def session(yield_):
            with pytest.raises(sw.OperationAborted):
                sw.async_write(stream, BIG, yield_)
            seen.append(yield_.cancelled)
            with pytest.raises(sw.OperationAborted) as refused:
                sw.async_write(other, b"not sent", yield_)
            seen.append(b"".join(refused.value.remaining))
            yield_.reset_cancellation_state()
            seen.append(yield_.cancelled)
            sw.async_write(other, b"good", yield_)
            yield_.throw_if_cancelled = False
            return sw.async_write(other, b"bye", yield_)

        promise = sw.spawn(here(), session, sw.use_promise)
        await blocked(stream)
        promise.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(promise, BOUND)
        assert seen == [sw.CancellationType.TERMINAL, b"not sent", sw.CancellationType.NONE]
        assert pending(far_other) == b"goodbye"


async def test_cancelling_the_outer_coroutine_cancels_the_inner_write():
    with line() as (stream, far):
        session = Interrupted(stream)
        task = asyncio.create_task(sw.spawn(here(), lambda yield_: sw.spawn(yield_, session, yield_)))
        await blocked(stream)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, BOUND)
        await check_cancelled(session, far)


async def test_cancellation_reaches_a_stream_on_another_loop():
    with sw.IoThread() as io, line(io.get_executor()) as (stream, far):
        session = Interrupted(stream)
        task = asyncio.create_task(sw.spawn(here(), session))
        await blocked(stream)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, BOUND)
        await check_cancelled(session, far)


async def test_a_stream_on_another_loop_is_cancelled_on_its_own_thread():
    with sw.IoThread() as io:
        threads = []
        started = threading.Event()

        def never(token):
            def initiation(handler):
                def cancel(type):
                    threads.append(threading.get_ident())
                    io.get_executor().post(handler, sw.OperationAborted(), 0)

                threads.append(threading.get_ident())
                handler.cancellation_slot.assign(cancel)
                started.set()

            return sw.async_initiate(initiation, token, io.get_executor())

        promise = sw.spawn(here(), never, sw.use_promise)
        assert await asyncio.to_thread(started.wait, BOUND)
        promise.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(promise, BOUND)
        assert threads[0] == threads[1] != threading.get_ident()


async def test_the_slot_is_free_when_the_handler_runs():
    class Ended:
        def __init__(self):
            self.cancellation_slot = sw.CancellationSignal().slot
            self.seen = asyncio.get_running_loop().create_future()

        def __call__(self, error, value):
            self.seen.set_result(self.cancellation_slot.has_handler)

    ended = Ended()
    sw.spawn(here(), four, ended)
    assert ended.cancellation_slot.has_handler
    assert await asyncio.wait_for(ended.seen, BOUND) is False


# -- shorter forms ------------------------------------------------------------------------------------


async def test_spawn_without_an_executor_runs_on_the_running_loop():
    assert await sw.spawn(four) == 4
    assert await sw.spawn(four, sw.use_promise) == 4
    assert await asyncio.wrap_future(sw.spawn(four, sw.use_future)) == 4
    ended = asyncio.get_running_loop().create_future()
    assert sw.spawn(four, lambda error, value: ended.set_result((error, value))) is None
    assert await ended == (None, 4)


async def test_class_stands_for_the_context_of_the_running_coroutine():
    with line() as (stream, far):

        def deeper():
            return sw.async_write(stream, b"hello", sw.as_tuple(sw.yield_context))

        def session(yield_):
            return sw.async_write(stream, b"hi", sw.yield_context), deeper()

        assert await sw.spawn(session) == (2, (None, 5))
        assert pending(far) == b"hihello"
        with pytest.raises(RuntimeError, match="only inside the function that spawn runs"):
            sw.async_write(stream, b"nobody waits", sw.yield_context)
        assert await sw.async_write(stream, b"fine") == 4


@pytest.mark.parametrize("args", [(5,), (5, four), (None, four)])
async def test_spawn_of_something_else(args):
    with pytest.raises(TypeError, match="spawn: got"):
        sw.spawn(*args)


async def test_spawn_without_a_function():
    with pytest.raises(TypeError, match="function that takes the yield_context"):
        sw.spawn(here())


# -- misuse and accidents -----------------------------------------------------------------------------


async def test_the_token_works_in_its_own_coroutine_only():
    with line() as (stream, far):
        kept = []
        await sw.spawn(here(), kept.append)
        with pytest.raises(RuntimeError, match="only inside the function that spawn runs"):
            sw.async_write(stream, b"after the end", kept[0])

        def outer(yield_):
            def inner(_):
                sw.async_write(stream, b"not mine", yield_)

            with pytest.raises(RuntimeError, match="only inside the function that spawn runs"):
                sw.spawn(yield_, inner, yield_)
            return sw.spawn(yield_, lambda mine: sw.async_write(stream, b"fine", mine), yield_)

        assert await sw.spawn(here(), outer) == 4
        assert pending(far) == b"fine"


async def test_a_cancelled_error_of_the_function_is_its_error():
    def session(yield_):
        raise asyncio.CancelledError

    with pytest.raises(sw.OperationAborted):
        await sw.spawn(here(), session)
    with pytest.raises(sw.OperationAborted):
        await asyncio.wrap_future(sw.spawn(here(), session, sw.use_future))


def test_an_exit_ends_the_loop_and_leaves_nobody_waiting():
    def session(yield_):
        four(yield_)
        raise SystemExit(3)

    async def main():
        await sw.spawn(here(), session)

    with pytest.raises(SystemExit):
        asyncio.run(main())


def test_greenlet_is_imported_by_spawn_only_or_explained():
    code = """
import sys
sys.modules["greenlet"] = None
import serialwrite
try:
    serialwrite.spawn(serialwrite.EventLoopExecutor(), lambda yield_: None)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=BOUND, check=True)
    assert done.stdout.strip() == "spawn needs greenlet, which is not installed: pip install greenlet"
    code = "import sys, serialwrite; print(sorted({'greenlet', 'numpy', 'typer', 'rich', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=BOUND, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_slot_is_free_once_an_operation_has_ended():
    def run(yield_):
        sw.async_write(ScriptedStream(1), b"abc", yield_)
        return yield_.get_cancellation_slot().has_handler

    promise = sw.spawn(
        sw.EventLoopExecutor(), run, sw.bind_cancellation_slot(sw.CancellationSignal().slot, sw.use_promise)
    )
    assert await promise is False

"""Any buffers, any sequence of steps, cancelled at any point: what holds of every transfer (rules 1 to 5)."""

import asyncio
import errno
import heapq
from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scripted import ScriptedPort
from waiting import is_written_to
from watched import watched

import serialwrite as sw
from serialwrite._given_buffers import written
from serialwrite._transfer import Transfer

TYPES = [sw.CancellationType.TERMINAL, sw.CancellationType.PARTIAL, sw.CancellationType.TOTAL]

# Bytes that tell their place, in pieces of any size, empty ones too.
payloads = st.integers(0, 60).map(lambda size: bytes(range(size)))
errors = st.sampled_from([errno.EIO, errno.EPIPE, errno.EBADF, errno.ENOMEM]).map(lambda number: OSError(number, "no"))


@st.composite
def pieces(draw):
    payload = draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=6)))
    return payload, [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]


class Answers:
    """A condition of the user's: gives the answers of a list, then says done."""

    def __init__(self, answers):
        self._answers = answers
        self.asked = 0

    def __call__(self, error, n):
        self.asked += 1
        return self._answers[self.asked - 1] if self.asked <= len(self._answers) else 0

    def __repr__(self):
        return f"Answers({self._answers})"


# Functions that make a condition: one made anew has not been asked yet.
conditions = st.one_of(
    st.just(sw.transfer_all),
    st.integers(0, 70).map(lambda n: lambda: sw.transfer_at_least(n)),
    st.integers(0, 70).map(lambda n: lambda: sw.transfer_exactly(n)),
    st.lists(st.one_of(st.integers(0, 30), st.booleans()), max_size=12).map(lambda given: lambda: Answers(given)),
)


def most(answer):
    """What a condition's answer lets the next step ask for."""
    return 0 if answer is True else 10**9 if answer is False else answer


# -- the loop itself ----------------------------------------------------------------------------------


@given(pieces(), conditions, st.data())
def test_the_loop(pieces, make_condition, data):
    payload, buffers = pieces
    cursor = written(buffers)
    transfer, mine = Transfer(cursor, make_condition()), make_condition()
    allowed, count = most(mine(None, 0)), 0
    while not transfer.over:
        asked_for = b"".join(transfer.prepare())
        assert asked_for == payload[count:][:allowed]
        error = data.draw(st.none() | st.just(sw.Disconnected(errno.EIO)), "error")
        n = data.draw(st.integers(0, len(asked_for)), "n")
        transfer.cancelled = data.draw(st.booleans(), "cancelled")
        transfer.feed(error, n)
        count += n
        assert transfer.bytes_transferred == count
        assert b"".join(transfer.remaining) == payload[count:]
        over = count == len(payload) or (error is None and n == 0)
        allowed = 0 if over else most(mine(error, count))
        if allowed and transfer.cancelled:
            assert type(transfer.error) is sw.OperationAborted
            assert transfer.over
        else:
            assert transfer.over == (allowed == 0)
            assert not transfer.over or transfer.error is error


@given(pieces(), st.integers(1, 5))
def test_the_loop_refuses_a_stream_that_counts_wrong(pieces, excess):
    payload, buffers = pieces
    for n in (len(payload) + excess, -excess):
        transfer = Transfer(written(buffers), sw.transfer_all())
        transfer.prepare()
        transfer.feed(None, n)
        assert str(transfer.error) == f"the stream reported {n} bytes, of {len(payload)} that were left"
        assert transfer.bytes_transferred == 0


# -- the whole operation, on a user's stream and without an event loop --------------------------------


class Steps:
    """An executor that runs what was posted only when it is told to, and whose clock goes only then."""

    def __init__(self):
        self.posted = deque()
        self.timers = []
        self.now = 0.0

    def post(self, function, /, *args):
        self.posted.append((function, args))

    dispatch = post

    def call_later(self, seconds, function, /, *args):
        timer = Timer(self.now + seconds, function, args)
        heapq.heappush(self.timers, timer)
        return timer

    def run_one(self):
        function, args = self.posted.popleft()
        function(*args)

    def pass_time(self, seconds):
        self.now += seconds
        while self.timers and self.timers[0].due <= self.now:
            heapq.heappop(self.timers).fire()


class Timer:
    def __init__(self, due, function, args):
        self.due, self._function, self._args = due, function, args

    def __lt__(self, other):
        return self.due < other.due

    @property
    def pending(self):
        return self._function is not None

    def cancel(self):
        self._function = None

    def fire(self):
        function, self._function = self._function, None
        if function is not None:
            function(*self._args)


class Held:
    """A user's stream whose steps end when, and as, the test says; some can be cancelled and some can't."""

    def __init__(self, executor, cancellable):
        self.executor = executor
        self.honours = cancellable
        self.step = None  # (handler, bytes asked for) while one is pending
        self.accepted = bytearray()
        self.steps = 0

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            assert self.step is None
            self.steps += 1
            self.step = handler, b"".join(buffers)
            if self.honours:
                handler.cancellation_slot.assign(lambda type: self.end(sw.OperationAborted(), 0))

        return sw.async_initiate(initiation, token, self.executor)

    def end(self, error, n):
        if self.step is not None:
            (handler, data), self.step = self.step, None
            handler.cancellation_slot.clear()
            self.accepted += data[:n]
            self.executor.post(handler, error, n)


class Eager(Held):
    """The same with the optional fast path, which takes what the test says."""

    draw = None

    def write_some_nowait(self, buffers):
        data = b"".join(buffers)
        taken = self.draw(st.none() | errors | st.integers(0, len(data)), "taken at once")
        if taken is None:
            raise BlockingIOError
        if isinstance(taken, OSError):
            raise taken
        self.steps += 1
        self.accepted += data[:taken]
        return taken


@pytest.mark.parametrize("kind", [Held, Eager])
@given(given=pieces(), make_condition=conditions, honours=st.booleans(), data=st.data())
def test_the_operation(kind, given, make_condition, honours, data):
    payload, buffers = given
    executor = Steps()
    stream, condition = kind(executor, honours), make_condition()
    stream.draw = data.draw
    signal, calls = sw.CancellationSignal(), []
    timeout = data.draw(st.none() | st.integers(0, 5), "timeout")

    def handler(error, n):
        calls.append((error, n))
        assert last_step in {None, stream.steps}, "another step after the cancellation"
        assert not signal.slot.has_handler
        assert not any(timer.pending for timer in executor.timers)
        if kind is Held:  # the memory and the stream are free: this may start at once
            sw.async_write(stream, b"", sw.detached)
            stream.end(None, 0)

    memory = [bytearray(one) for one in buffers]
    if data.draw(st.booleans(), "bound"):
        token = sw.bind_cancellation_slot(signal.slot, handler)
    else:
        token = sw.Handler(handler, executor, signal.slot)
    sw.async_write(stream, memory, token, completion_condition=condition, timeout=timeout)
    requested = expired = False
    last_step = None  # the number of the step that was cancelled
    for _ in range(100):
        assert not calls
        step = data.draw(st.sampled_from(["run", "complete", "emit", "time"]), "next")
        if step == "run" and executor.posted:
            executor.run_one()
        elif step == "complete" and stream.step is not None:
            stream.end(data.draw(st.none() | errors), data.draw(st.integers(0, len(stream.step[1]))))
        elif step == "emit":
            requested_type = data.draw(st.sampled_from(TYPES))
            requested = True
            if stream.step is not None and requested_type is not sw.CancellationType.TOTAL and last_step is None:
                last_step = stream.steps
            signal.emit(requested_type)
        else:
            executor.pass_time(1)
            expired = True
        if calls:
            break
    else:  # every step has to end in the end
        while not calls:
            stream.end(OSError(errno.EIO, "the end"), 0)
            executor.run_one()
    accepted = bytes(stream.accepted)
    while executor.posted:
        executor.run_one()
    executor.pass_time(100)
    for requested_type in TYPES:
        signal.emit(requested_type)
    while executor.posted:
        executor.run_one()

    assert len(calls) == 1
    error, n = calls[0]
    assert stream.accepted == accepted == payload[:n], "the count is not what the stream took"
    assert not signal.slot.has_handler
    for one in memory:
        one.append(0)  # nobody holds the memory any more
        one.pop()
    if error is not None:
        assert isinstance(error, sw.TransferError)
        assert error.bytes_transferred == n
        assert error.total == len(payload)
        assert b"".join(error.remaining) == payload[n:]
    if type(error) is sw.OperationAborted:
        assert requested
    if type(error) is sw.TransferTimeout:
        assert timeout is not None
        assert expired or timeout == 0  # which waits for nothing
    if error is None and isinstance(condition, sw.transfer_exactly(0).__class__):
        assert n <= condition.size


# -- the same on the library's own streams, on real event loops ---------------------------------------

FULL = st.builds(BlockingIOError)  # said once: a readiness that lied


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given=pieces(),
    make_condition=conditions,
    steps=st.lists(st.one_of(st.integers(0, 20), errors, FULL), max_size=8),
    turns=st.none() | st.integers(0, 6),
    how=st.sampled_from(["task", "signal", "timeout"]),
    one=st.booleans(),
)
async def test_on_a_port(given, make_condition, steps, turns, how, one):
    """Awaited, and cancelled after so many turns of the loop; ``one`` buffer of bytes takes the shortest way."""
    payload, buffers = given
    loop = asyncio.get_running_loop()
    signal = sw.CancellationSignal()
    with ScriptedPort(*steps, executor=sw.EventLoopExecutor(loop)) as port:
        port._write_direction.release()
        operation = sw.async_write(
            port,
            payload if one else buffers,
            completion_condition=make_condition(),
            timeout=0 if how == "timeout" and turns is not None else None,
        )
        token = sw.bind_cancellation_slot(signal.slot, sw.deferred) if how == "signal" else sw.deferred
        task = asyncio.ensure_future(operation(token))
        for _ in range(turns or 0):
            await asyncio.sleep(0)
        if turns is not None and how == "task":
            task.cancel()
        elif turns is not None and how == "signal":
            signal.emit()
        await asyncio.wait([task])
        n = operation.bytes_transferred
        assert port.written == payload[:n]
        assert b"".join(operation.remaining) == payload[n:]
        assert not signal.slot.has_handler
        assert not is_written_to(port)
        assert port.stall is None
        assert not watched(port._wait_fd())
        if task.cancelled():
            assert how == "task"
        elif task.exception() is not None:
            assert task.exception().bytes_transferred == n
        else:
            assert task.result() == n
        tries = port.tries
        await asyncio.sleep(0)
        assert port.tries == tries

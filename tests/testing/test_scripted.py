"""ScriptedStream and VirtualTime: what a script says happens, when it says, and no time passes."""

import errno
import math
import time

import pytest

import serialwrite as sw
from serialwrite.testing import BLOCKED, ScriptedNowaitStream, ScriptedStream, Step, VirtualTime

EIO = OSError(errno.EIO, "unplugged")
DATA = b"0123456789"


@pytest.fixture
def clock():
    return VirtualTime()


@pytest.fixture(params=[ScriptedStream, ScriptedNowaitStream])
def make(request, clock):
    return lambda *script: request.param(*script, executor=clock)


def done(future):
    """``(error, n)`` of a future that has to be done."""
    error = future.exception(0)
    return error, future.result(0) if error is None else error.bytes_transferred


def test_each_write_some_takes_what_its_step_says(make, clock):
    stream = make(3, Step(2), Step())
    future = sw.async_write(stream, DATA, sw.use_future)
    clock.run()
    assert done(future) == (None, 10)
    assert stream.asked == [10, 7, 5]
    assert stream.written == DATA
    assert stream.script == ()


def test_an_error_comes_with_the_bytes_taken_before_it(make, clock):
    stream = make(3, Step(2, EIO))
    future = sw.async_write(stream, DATA, sw.use_future)
    clock.run()
    error, n = done(future)
    assert isinstance(error, sw.Disconnected)
    assert n == 5
    assert stream.written == DATA[:5]
    assert stream.asked[:2] == [10, 7]


def test_what_ends_with_an_error_was_asked_too(make, clock):
    stream = make(3, EIO)
    sw.async_write(stream, DATA, sw.use_future)
    clock.run()
    assert stream.asked == [10, 7]


def test_a_try_takes_the_bytes_of_a_step_before_its_error():
    stream = ScriptedNowaitStream(Step(2, EIO))
    assert stream.write_some_nowait([memoryview(DATA)]) == 2
    with pytest.raises(OSError, match="unplugged") as caught:
        stream.write_some_nowait([memoryview(DATA[2:])])
    assert caught.value is EIO
    assert (stream.asked, stream.written) == ([10, 8], DATA[:2])


def test_a_step_that_is_cancelled_twice_ends_once(make, clock):
    signal, ended, stream = sw.CancellationSignal(), [], make(BLOCKED)
    handler = sw.bind_cancellation_slot(signal.slot, lambda error, n: ended.append((type(error), n)))
    stream.async_write_some([memoryview(DATA)], handler)
    signal.emit()
    signal.emit()
    clock.run()
    assert ended == [(sw.OperationAborted, 0)]


def test_a_step_takes_its_time_and_none_passes(make, clock):
    stream = make(Step(4, after=3600.0), Step(after=0.5))
    before = time.monotonic()
    ends = []
    sw.async_write(stream, DATA, lambda error, n: ends.append((clock.time(), error, n)))
    assert ends == []
    clock.run(until=3600.25)
    assert (stream.written, stream.watching, clock.time()) == (DATA[:4], True, 3600.25)
    clock.run()
    assert ends == [(3600.5, None, 10)]
    assert time.monotonic() - before < 60


def test_a_timeout_ends_it_on_the_virtual_clock(make, clock):
    stream = make(4, BLOCKED)
    future = sw.async_write(stream, DATA, sw.use_future, timeout=2.0)
    clock.run()
    error, n = done(future)
    assert isinstance(error, sw.TransferTimeout)
    assert (n, clock.time(), clock.timers, stream.watching) == (4, 2.0, 0, False)
    assert stream.written == DATA[:4]
    assert error.elapsed == 2.0


def test_an_error_says_how_much_virtual_time_it_took(make, clock):
    clock.run(until=1000.0)
    future = sw.async_write(make(4, Step(after=3600.0, error=OSError(errno.EIO, "gone"))), DATA, sw.use_future)
    clock.run()
    error, _ = done(future)
    assert error.elapsed == 3600.0
    assert "in 3600.00 s" in str(error)


def test_cancelling_takes_the_step_away_and_its_timer(make, clock):
    stream = make(Step(4, after=1.0))
    future = sw.async_write(stream, DATA, sw.use_future)
    clock.run(until=0.5)
    future.cancel()
    clock.run()
    error, n = done(future)
    assert type(error) is sw.OperationAborted
    assert (n, clock.time(), stream.written, stream.watching) == (0, 0.5, b"", False)


def test_a_blocked_step_goes_on_when_it_is_let_go(make, clock):
    stream = make(BLOCKED)
    future = sw.async_write(stream, DATA, sw.use_future)
    clock.run()
    assert not future.done()
    stream.let_go()
    clock.run()
    assert done(future) == (None, 10)
    with pytest.raises(RuntimeError, match="no write_some is waiting"):
        stream.let_go()


def test_overlapping_writes_are_refused_and_queued_ones_wait(make, clock):
    stream = make(Step(after=1.0))
    first = sw.async_write(stream, b"first", sw.use_future)
    with pytest.raises(sw.StreamBusy):
        sw.async_write(stream, b"second", sw.use_future)
    clock.run()
    queued = sw.Queued(stream)
    others = [sw.async_write(queued, data, sw.use_future) for data in (b"third", b"fourth")]
    clock.run()
    assert [done(future) for future in (first, *others)] == [(None, 5), (None, 5), (None, 6)]
    assert stream.written == b"firstthirdfourth"


async def test_it_keeps_to_the_rules_of_streams_on_an_event_loop():
    for kind in (ScriptedStream, ScriptedNowaitStream):
        stream = kind(2, Step(3, after=0.001))
        assert await sw.async_write(stream, DATA) == 10
        assert stream.written == DATA


@pytest.mark.parametrize(
    "words", [{"take": -1}, {"take": 2.0}, {"after": -0.1}, {"after": math.nan}, {"error": "broken"}]
)
def test_a_step_that_can_not_be_is_refused(words):
    (name,) = words
    with pytest.raises((TypeError, ValueError), match=f"^{name}[:=]"):
        Step(**words)


@pytest.mark.parametrize("step", ["3", -1, True, None, 1.5])
def test_a_step_that_says_nothing_is_refused(step):
    with pytest.raises(TypeError, match="is not a step; pass a number of bytes, an exception or a Step"):
        ScriptedStream(step)


def test_order_is_by_time_then_by_turn():
    clock, ran = VirtualTime(start=100.0), []
    clock.call_later(1.0, ran.append, "second")
    clock.call_later(1.0, ran.append, "third")
    clock.call_later(0.0, ran.append, "first").cancel()
    clock.call_later(0.5, ran.append, "first")
    clock.post(ran.append, "now")
    assert (ran, clock.timers) == ([], 3)
    assert clock.run() == 4
    assert ran == ["now", "first", "second", "third"]
    assert clock.time() == 101.0
    assert clock.run() == 0


def test_what_never_ends_is_said_so():
    clock = VirtualTime()

    def again():
        clock.post(again)

    again()
    with pytest.raises(RuntimeError, match=r"1,000 functions ran by 0 s, and more are to come"):
        clock.run(limit=1000)

"""close: within bounds on a port that goes nowhere, the tail of an ordinary write not lost, the unsent count right."""

import asyncio
import gc
import itertools
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import ExitStack

import pytest
import serial
from fake_uart import FakeUart, SimulatedPort, simulated_port
from waiting import until, waits_to_write

import serialwrite as sw
from serialwrite.streams.serial import _close as _closing
from serialwrite.streams.serial._close import close_forgotten
from serialwrite.streams.serial._interrupted import InterruptibleCall, call_interrupted
from serialwrite.streams.serial._tty import Tty
from serialwrite.testing import PtyPair, receive_available

DATA = bytes(range(256)) * 8
BIG = bytes(10_000)

# How a stalled port is made: settings of the port, quirks of the driver, state of the line.
STALLS = {
    "CTS low": ({"rtscts": True}, {}, {"cts": False}),
    "XOFF": ({"xonxoff": True}, {}, {"xoff": True}),
    "a driver that ignores a flush": ({}, {"flush_works": False}, {"stuck": True}),
    "and a user who may not change closing_wait": ({}, {"flush_works": False, "privileged": False}, {"stuck": True}),
}


@pytest.fixture(params=STALLS)
def stalled_port(request):
    settings, quirks, state = STALLS[request.param]
    with simulated_port(settings, **quirks) as port:
        for name, value in state.items():
            setattr(port.uart, name, value)
        yield port


@pytest.fixture(params=["close", "async_close"])
def close(request):
    """``await close(port, policy)`` by one form or the other."""
    if request.param == "async_close":
        return lambda port, policy, **options: port.async_close(policy=policy, **options)

    async def blocking(port, policy, **options):
        return port.close(policy, **options)

    return blocking


@pytest.mark.parametrize("policy", ["discard", "abort"])
async def test_a_stalled_port_is_closed_at_once(stalled_port, close, policy):
    port, uart = stalled_port, stalled_port.uart
    accepted = await sw.async_write(port, DATA)
    queued = port.queued
    started = time.monotonic()
    assert await close(port, policy) == queued == port.unsent
    assert time.monotonic() - started < 1.0
    assert not port.is_open
    assert uart.closing_wait == 3000, "which outlives the descriptor"
    assert uart.hupcl
    assert uart.received == DATA[: accepted - queued - len(uart.fifo)]
    assert uart.flushes == (policy == "discard")


async def test_a_stalled_port_is_drained_for_its_timeout_and_no_longer(stalled_port, close):
    await sw.async_write(stalled_port, DATA)
    queued = stalled_port.queued
    started = time.monotonic()
    assert await close(stalled_port, "drain", timeout=0.3) == queued
    assert 0.29 < time.monotonic() - started < 1.5


async def test_the_bound_of_a_drain_comes_from_the_baud_rate(close):
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        await sw.async_write(port, DATA)  # 0.18 s at 115200
        started = time.monotonic()
        assert await close(port, "drain") == len(DATA)
        assert 0.5 < time.monotonic() - started < 2.5


@pytest.fixture
def slow_port():
    """A port whose queue moves, far more slowly than its baud rate says: 1.1 s where that predicts 0.02."""
    with simulated_port(baudrate=19200) as port:
        port.serial._baudrate = 921_600
        yield port


async def test_a_queue_that_moves_slowly_is_not_dropped(slow_port, close):
    await sw.async_write(slow_port, DATA)
    assert await close(slow_port, "drain") == 0
    assert slow_port.uart.received == DATA


@pytest.mark.parametrize(("longest", "timeout"), [(0.3, None), (30, 0.3)], ids=["in all", "timeout"])
async def test_a_queue_that_moves_slowly_is_waited_for_within_bounds(slow_port, close, monkeypatch, longest, timeout):
    monkeypatch.setattr(_closing, "LONGEST_DRAIN", longest)
    await sw.async_write(slow_port, DATA)
    unsent = await close(slow_port, "drain", timeout=timeout)
    assert unsent > 0
    assert len(slow_port.uart.received) == len(DATA) - unsent - len(slow_port.uart.fifo)


async def test_a_queue_that_moved_and_stands_still_is_given_up(slow_port):
    uart = slow_port.uart
    await sw.async_write(slow_port, DATA)
    closing = slow_port.async_close(sw.use_promise)
    await until(lambda: len(uart.received) >= len(DATA) / 2)
    uart.stuck = True
    left = slow_port.driver.device.output_queue()
    started = time.monotonic()
    assert await closing == left
    assert time.monotonic() - started < 2.5


async def test_what_a_slow_chip_holds_is_waited_for(close):
    with simulated_port(baudrate=1200, fifo=128) as port:
        await sw.async_write(port, DATA[:100])  # 0.83 s
        assert port.queued == 0
        assert await close(port, "drain") == 0
        assert port.uart.received == DATA[:100]


async def test_an_ordinary_tail_is_not_lost(close):
    with simulated_port(baudrate=57600) as port:
        await sw.async_write(port, DATA)
        assert await close(port, "drain") == 0
        assert port.uart.received == DATA


async def test_with_blocks_keep_the_tail_and_warn_of_what_they_lose():
    with simulated_port(baudrate=57600) as port:
        with port:
            await sw.async_write(port, DATA)
        assert (port.uart.received, port.unsent) == (DATA, 0)
    with simulated_port(baudrate=57600) as port:
        async with port:
            await sw.async_write(port, DATA)
        assert port.uart.received == DATA
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        with pytest.warns(RuntimeWarning, match="2,048 accepted bytes unsent"):
            async with port:
                await sw.async_write(port, DATA)
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        with pytest.raises(ZeroDivisionError), port:  # no warning on top of an error
            raise ZeroDivisionError(await sw.async_write(port, DATA))
        assert port.unsent == len(DATA)


async def test_what_waits_ends_with_its_count(stalled_port, close):
    port = stalled_port
    writing = sw.async_write(port, BIG, sw.as_tuple(sw.use_promise))
    reading = sw.async_read(port, bytearray(1), sw.as_tuple(sw.use_promise))
    draining = port.async_drain(sw.as_tuple(sw.use_promise))
    breaking = port.async_send_break(1, sw.as_tuple(sw.deferred))
    await asyncio.sleep(0.01)
    unsent = await close(port, "discard")
    results = await asyncio.gather(writing, reading, draining)
    assert [type(error) for error, _ in results] == [sw.StreamClosed] * 3
    assert results[0][1] == unsent + len(port.uart.fifo)
    with pytest.raises(sw.StreamClosed):
        await breaking
    with pytest.raises(sw.StreamClosed, match="was closed"):
        await sw.async_write(port, b"more")


async def test_nothing_more_is_accepted_while_a_close_drains():
    with simulated_port(baudrate=57600) as port:
        await sw.async_write(port, DATA)
        closing = port.async_close(sw.use_promise)
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(sw.StreamClosed):
                await sw.async_write(port, b"late")
            await asyncio.sleep(0.01)
        assert await closing == 0
        assert port.uart.received == DATA


async def test_the_event_loop_turns_while_async_close_drains():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        closing = port.async_close(sw.use_promise, timeout=60)
        for _ in range(50):
            await asyncio.sleep(0.001)
            assert not closing.done()
        port.uart.stuck = False
        assert await closing == 0
        assert port.uart.received == DATA


async def test_a_close_that_is_cancelled_closes_all_the_same(stalled_port):
    port = stalled_port
    await sw.async_write(port, DATA)
    task = asyncio.ensure_future(port.async_close(timeout=60))
    for turns in range(5):
        await asyncio.sleep(0.001 * turns)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not port.serial.is_open
    assert port.unsent == len(DATA) - len(port.uart.fifo)


async def test_a_close_cancelled_before_it_began_closes_all_the_same():
    with simulated_port() as port:
        signal = sw.CancellationSignal()
        closing = port.async_close(sw.bind_cancellation_slot(signal.slot, sw.use_promise))
        signal.emit()
        assert await closing == 0
        assert not port.serial.is_open


async def test_an_abort_overtakes_a_close_that_drains():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        await sw.async_write(port, DATA)
        closing = port.async_close(sw.use_promise, timeout=60)
        await asyncio.sleep(0.01)
        assert port.close("abort") == len(DATA)
        assert await asyncio.wait_for(closing, 10) == len(DATA)


async def test_closing_twice_is_closing_once(close):
    with simulated_port() as port:
        assert await close(port, "drain") == 0
        assert await close(port, "abort") == 0
        assert port.close() == 0


async def test_closing_what_was_unplugged(close):
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        port.uart.unplugged = True
        started = time.monotonic()
        assert await close(port, "drain", timeout=30) is None
        assert time.monotonic() - started < 5
        assert not port.serial.is_open


def test_closing_from_another_thread_than_the_loops():
    with sw.IoThread() as io, simulated_port({"rtscts": True}) as port:
        port._executor = io.get_executor()
        port.uart.cts = False
        future = sw.async_write(port, BIG, sw.use_future)
        while not waits_to_write(port):
            time.sleep(0.001)
        assert port.close("discard") > 4000
        assert isinstance(future.exception(10), sw.StreamClosed)


def test_a_policy_that_is_none():
    with simulated_port() as port:
        with pytest.raises(ValueError, match="'drain', 'discard', 'abort'"):
            port.close("flush")
        with pytest.raises(ValueError, match="'drain', 'discard', 'abort'"):
            port.async_close(policy="flush")
        for timeout in (-1, float("nan")):
            with pytest.raises(ValueError, match=r"timeout=.*0 or more"):
                port.close(timeout=timeout)
            with pytest.raises(ValueError, match=r"timeout=.*0 or more"):
                port.async_close(timeout=timeout)
        assert port.is_open


def test_a_drain_leaves_time_for_the_close_itself(monkeypatch):
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        sw.write(port, DATA)
        monkeypatch.setattr(port.driver.device, "closing_time", 60)
        assert port.close(timeout=61) == len(DATA)


# -- a user who may not change closing_wait ------------------------------------------------------------------


@pytest.fixture
def ordinary_port():
    """A stuck port whose driver ignores a flush, and the settings of which are root's."""
    with simulated_port(flush_works=False, privileged=False) as port:
        port.uart.stuck = True
        yield port


@pytest.mark.parametrize("policy", ["discard", "abort"])
async def test_what_is_said_to_be_unsent_never_goes_out(ordinary_port, close, policy):
    port, uart = ordinary_port, ordinary_port.uart
    await sw.async_write(port, DATA)
    assert await close(port, policy) == len(DATA) - len(uart.fifo)
    assert not port.serial.is_open, "the kernel is at it still, and would send it"
    assert (uart.reopened, uart.hupcl) == (1, True)
    uart.stuck = False
    await asyncio.sleep(0.1)
    assert uart.received == DATA[: uart.fifo_size]


async def test_close_that_no_signal_ends_is_left_and_claims_nothing(close):
    with simulated_port(flush_works=False, privileged=False, interruptible=False) as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        started = time.monotonic()
        assert await close(port, "discard") is None is port.unsent
        assert time.monotonic() - started < 10  # the kernel's own is 30
        assert port.serial.is_open
        port.serial.let_go.set()


def test_a_machine_that_is_short_of_time_is_no_reason_to_give_up(monkeypatch):
    leaps = itertools.count(step=10)  # as after a pause of this whole process, or between two turns of it
    with monkeypatch.context() as starved:
        starved.setattr(time, "monotonic", lambda: next(leaps))
        assert call_interrupted(lambda: threading.Event().wait(0.1), "a slow close", 0.5)


@pytest.fixture
def sigurg():
    """How often the program's own handler of the signal that we use was called."""
    calls = []
    before = signal.signal(signal.SIGURG, lambda *_: calls.append(1))
    yield calls
    signal.signal(signal.SIGURG, before)


@pytest.mark.parametrize("blocked", [False, True])
async def test_the_programs_own_signals_are_left_alone(ordinary_port, sigurg, blocked):
    await sw.async_write(ordinary_port, DATA)
    if blocked:  # as threads that are started inherit it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
    try:
        assert await ordinary_port.async_close(policy="discard") > 0
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})
    assert not sigurg
    signal.raise_signal(signal.SIGURG)
    assert sigurg == [1]


async def test_several_ports_at_once(sigurg):
    with ExitStack() as resources:
        ports = [resources.enter_context(simulated_port(flush_works=False, privileged=False)) for _ in range(4)]
        for port in ports:
            port.uart.stuck = True
            await sw.async_write(port, DATA)
        unsent = await asyncio.gather(*(port.async_close(policy="abort") for port in ports))
    assert unsent == [len(DATA) - 16] * 4
    signal.raise_signal(signal.SIGURG)
    assert sigurg == [1]


def test_a_signal_that_comes_late_is_not_the_programs(sigurg, monkeypatch):
    """It is sent when the call has just ended, so that its thread takes it some time later."""
    kill = signal.pthread_kill
    for _ in range(50):
        ends = threading.Event()
        call = InterruptibleCall(ends.wait, "late")

        def end_and_kill(thread, number, call=call, ends=ends):
            ends.set()
            call.done.wait()
            kill(thread, number)

        monkeypatch.setattr(signal, "pthread_kill", end_and_kill)
        call.start()
        assert call.interrupt(30)
        call.dismiss()
    assert sigurg == []


@pytest.mark.parametrize("thread", [True, False], ids=["on another thread", "on the main thread"])
def test_an_interpreter_that_ends_and_starts_no_threads(ordinary_port, monkeypatch, thread):
    def refuse(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    sw.write(ordinary_port, DATA)
    handled, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    if thread:  # where a signal can't be sent from
        ordinary_port.uart.closing_wait = 10
    closing = threading.Thread(target=ordinary_port.close, args=("discard",))
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refuse)
    if thread:
        start(closing)
        closing.join()
    else:
        ordinary_port.close("discard")
    assert ordinary_port.unsent == len(DATA) - 16
    assert not ordinary_port.serial.is_open
    assert signal.getsignal(signal.SIGALRM) is handled
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == (timer[0] > 0)


# -- on a pty ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["drain", "discard", "abort"])
async def test_a_stalled_pty_is_closed_at_once(close, policy):
    with PtyPair() as rig, rig.open_peer() as peer:
        port = sw.SerialPort(rig.port)
        promise = sw.async_write(port, bytes(200_000), sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        assert await close(port, policy) is None  # a pty can't tell
        assert time.monotonic() - started < 1
        error, n = await promise
        assert isinstance(error, sw.StreamClosed)
        if policy != "discard":  # which drops some of what it has accepted, and can't say how much
            assert len(receive_available(peer)) == n


def test_a_forgotten_port_is_closed_with_a_warning():
    with PtyPair() as rig:
        port = sw.SerialPort(rig.port)
        closed = port.serial
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del port
            gc.collect()
        assert [str(each.message).split(":")[0] for each in caught] == [
            f"<SerialPort '{rig.port}' at 9600> was never closed"
        ]
        assert not closed.is_open


def test_a_program_that_ends_with_a_port_open_is_not_held_up():
    with PtyPair() as rig, rig.open_peer():
        program = f"import serialwrite as sw; port = sw.SerialPort({rig.port!r}); print(sw.write(port, b'x' * 1000))"
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert (done.stdout, done.stderr) == ("1000\n", "")
        assert time.monotonic() - started < 30


def test_a_forgotten_port_is_closed_whatever_goes_wrong_before(monkeypatch):
    def fail(*_):
        raise LookupError("unknown encoding")  # as in a program that finds its modules no more

    monkeypatch.setattr(_closing, "ClosingDrain", fail)
    with PtyPair() as rig:
        port = serial.Serial(rig.port)
        with pytest.raises(LookupError):
            close_forgotten(Tty(lambda: port.fd), port, "the port")
        assert not port.is_open


def test_adapted_serial_stays_open_when_its_stream_is_forgotten():
    uart = FakeUart()
    port = SimulatedPort(uart)
    serial = port.serial
    del port
    gc.collect()
    assert serial.is_open
    serial.close()
    uart.end()

"""idle_timeout: a transfer ends once nothing has moved for so long, never before; each byte starts it anew."""

import asyncio
import contextlib
import math
import socket
import threading
import time

import pytest
from fake_uart import simulated_port
from waiting import until, waits_to_write

import serialwrite as sw
from serialwrite.testing import BLOCKED, PtyPair, ScriptedStream, SimulatedUart, Step, VirtualTime, receive


class CountingClock(VirtualTime):
    """Counts the timers that are made."""

    made = 0

    def call_later(self, seconds, function, /, *args):
        self.made += 1
        return super().call_later(seconds, function, *args)


class Source:
    """A stream that gives a byte at each of its times, then nothing."""

    def __init__(self, clock, *times):
        self.clock = clock
        self.times = list(times)

    def get_executor(self):
        return self.clock

    def async_read_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            if self.times:
                self.clock.call_later(self.times.pop(0) - self.clock.time(), self.give, buffers, handler)
            else:
                handler.cancellation_slot.assign(lambda type: self.clock.post(handler, sw.OperationAborted(), 0))

        return sw.async_initiate(initiation, token, self.clock)

    def give(self, buffers, handler):
        buffers[0][:1] = b"."
        handler(None, 1)


class Driver(ScriptedStream):
    """A scripted stream with a driver's queue: what it holds at each time."""

    def __init__(self, *script, executor, queue):
        super().__init__(*script, executor=executor)
        self.looks = 0
        self.queue = queue

    @property
    def queued(self):
        self.looks += 1
        return self.queue(self.get_executor().time())


def test_a_slow_stream_that_moves_never_trips_it():
    clock = VirtualTime()
    stream = ScriptedStream(*[Step(1, after=0.99)] * 20, executor=clock)
    future = sw.async_write(stream, bytes(20), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert future.result() == 20
    assert clock.time() == pytest.approx(20 * 0.99)


def test_it_ends_so_long_after_the_last_byte():
    clock = VirtualTime()
    stream = ScriptedStream(Step(2, after=0.7), Step(3, after=0.7), BLOCKED, executor=clock)
    future = sw.async_write(stream, b"0123456789", sw.use_future, idle_timeout=1.0)
    clock.run()
    error = future.exception()
    assert type(error) is sw.TransferTimeout
    assert clock.time() == error.elapsed == pytest.approx(0.7 + 0.7 + 1.0)
    assert (error.bytes_transferred, b"".join(error.remaining), error.idle_timeout) == (5, b"56789", 1.0)
    assert str(error) == "5 of 10 bytes accepted in 2.40 s; idle for 1 s (idle_timeout)"


@pytest.mark.parametrize(("limits", "idle"), [((0.5, 1.0), None), ((2.0, 1.0), 1.0)], ids=["the whole", "idle"])
def test_of_two_limits_the_error_names_the_one_reached(limits, idle):
    clock = VirtualTime()
    stream = ScriptedStream(BLOCKED, executor=clock)
    future = sw.async_write(stream, b"x", sw.use_future, timeout=limits[0], idle_timeout=limits[1])
    clock.run()
    error = future.exception()
    assert (clock.time(), error.idle_timeout) == (min(limits), idle)
    assert ("idle_timeout" in str(error)) == (idle is not None)
    assert clock.timers == 0


def test_bytes_arm_no_timers():
    clock = CountingClock()
    stream = ScriptedStream(*[1] * 1000, executor=clock)
    future = sw.async_write(stream, bytes(1000), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert (future.result(), clock.made, clock.timers) == (1000, 1, 0)


@pytest.mark.parametrize("until", [False, True], ids=["async_read", "async_read_until"])
def test_a_read_ends_so_long_after_the_last_byte(until):
    clock = VirtualTime()
    stream = Source(clock, 0.9, 1.8)
    if until:
        future = sw.async_read_until(stream, sw.dynamic_buffer(bytearray()), b"\n", sw.use_future, idle_timeout=1.0)
    else:
        future = sw.async_read(stream, bytearray(4), sw.use_future, idle_timeout=1.0)
    clock.run()
    error = future.exception()
    assert type(error) is sw.TransferTimeout
    assert (error.bytes_transferred, clock.time()) == (2, pytest.approx(2.8))
    assert "received in 2.80 s; idle for 1 s (idle_timeout)" in str(error)


# -- the driver's queue -------------------------------------------------------------------------------------


def test_a_queue_that_shrinks_is_not_idle():
    """At 9600 Bd a tty takes nothing for 4 s while its queue shrinks."""
    clock = VirtualTime()
    stream = Driver(4095, Step(after=4), executor=clock, queue=lambda time: 4095 - round(960 * time))
    future = sw.async_write(stream, bytes(8000), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert (future.result(), clock.time()) == (8000, 4)


def test_a_queue_that_stands_still_is_idle():
    clock = VirtualTime()
    stream = Driver(100, BLOCKED, executor=clock, queue=lambda time: 100 - round(10 * min(time, 2.5)))
    future = sw.async_write(stream, bytes(200), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert future.exception().bytes_transferred == 100
    assert 3.5 <= clock.time() <= 4.5  # it is looked at once a second


@pytest.mark.parametrize("last", [0.1, 0.9])
def test_bytes_whose_queue_may_have_shrunk_end_not_early(last):
    """When a byte is accepted the queue is not asked, so what it does until the next look counts as moved."""
    clock = VirtualTime()
    stream = Driver(Step(1, after=last), BLOCKED, executor=clock, queue=lambda time: 50 - round(20 * min(time, 0.95)))
    future = sw.async_write(stream, bytes(2), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert future.exception().bytes_transferred == 1
    assert 1.95 <= clock.time() <= 2.95


def test_the_queue_is_asked_only_when_the_timer_fires():
    clock = VirtualTime()
    stream = Driver(*[Step(1, after=0.01)] * 500, executor=clock, queue=lambda time: 7)
    future = sw.async_write(stream, bytes(500), sw.use_future, idle_timeout=1.0)
    clock.run()
    assert future.result() == 500
    assert stream.looks <= 1 + 5


def test_a_read_does_not_wait_for_the_output_queue():
    clock = VirtualTime()
    stream = Source(clock)
    stream.queued = math.inf  # it only has to be asked
    type(stream).queued = property(lambda self: round(1000 - clock.time()), lambda self, value: None)
    try:
        future = sw.async_read(stream, bytearray(4), sw.use_future, idle_timeout=1.0)
        clock.run()
    finally:
        del type(stream).queued
    assert (future.exception().idle_timeout, clock.time()) == (1.0, 1.0)


FORMS = ["async", "blocking", "Traced", "on_wire"]


async def write(form, port, data, **limits):
    if form == "blocking":
        return await asyncio.to_thread(sw.write, port, data, **limits)
    if form == "Traced":
        port = sw.Traced(port, lambda event: None)
    elif form == "on_wire":
        port = port.on_wire
    return await sw.async_write(port, data, **limits)


@pytest.mark.parametrize("form", FORMS)
async def test_a_slow_uart_never_trips_it(form):
    with simulated_port(baudrate=4800, ring=700) as port:  # 1 s from full to ready again
        assert await write(form, port, bytes(1000), idle_timeout=0.25) == 1000


@pytest.mark.parametrize("form", FORMS)
async def test_a_stuck_uart_trips_it(form):
    with simulated_port(ring=700) as port:
        port.uart.stuck = True
        with pytest.raises(sw.TransferTimeout, match="idle_timeout") as caught:
            await write(form, port, bytes(1000), idle_timeout=0.1)
        assert 0.1 <= caught.value.elapsed < 5


# -- real streams ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
async def test_a_port_that_nobody_reads_trips_it(blocking):
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        with pytest.raises(sw.TransferTimeout) as caught:
            await write("blocking" if blocking else "async", port, bytes(1 << 20), idle_timeout=0.1)
        error = caught.value
        assert error.elapsed >= 0.1
        assert str(error).endswith("; idle for 0.1 s (idle_timeout); peer not reading")
        assert len(receive(peer, error.bytes_transferred)) == error.bytes_transferred


@pytest.mark.parametrize("until", [False, True], ids=["read", "read_until"])
def test_a_blocking_read_trips_it(until):
    near, far = socket.socketpair()
    with near, far:
        far.send(b"abc")
        memory = bytearray()
        with pytest.raises(sw.TransferTimeout, match="idle_timeout") as caught:
            if until:
                sw.read_until(near, sw.dynamic_buffer(memory), b"\n", idle_timeout=0.1)
            else:
                sw.read(near, sw.dynamic_buffer(memory), idle_timeout=0.1)
        assert (caught.value.bytes_transferred, memory) == (3, b"abc")


def test_a_blocking_read_that_gets_bytes_goes_on():
    near, far = socket.socketpair()
    stop = threading.Event()

    def give():
        for _ in range(10):
            stop.wait(0.1)
            far.send(b".")

    giver = threading.Thread(target=give)
    with near, far:
        giver.start()
        assert sw.read(near, bytearray(10), idle_timeout=30) == 10
        giver.join()


async def test_a_healthy_device_never_trips_it():
    """It takes 3 s, and between two lumps that its pty takes 0.4 s."""
    firmware = bytes(range(256)) * 512
    with SimulatedUart(baud=460800) as rig, sw.SerialPort(rig.port, 460800) as port, rig.open_peer() as device:
        receiving = asyncio.create_task(asyncio.to_thread(receive, device, len(firmware), timeout=60))
        assert await sw.async_write(port, firmware, idle_timeout=2.0) == len(firmware)
        assert await receiving == firmware


def test_of_a_loopback_port():
    """A stream without a descriptor."""
    with sw.SerialPort("loop://") as port, pytest.raises(sw.TransferTimeout, match="idle_timeout"):
        sw.read(port, bytearray(1), idle_timeout=0.1)


async def test_a_loop_that_is_late_is_no_idle_stream():
    near, far = socket.socketpair()
    other, held_up = socket.socketpair()
    far.setblocking(False)
    loop, late = asyncio.get_running_loop(), asyncio.Event()

    def be_late():  # uvloop looks at its timers next, and only then at what is ready
        loop.remove_reader(held_up)
        far.recv(1 << 20)  # from here on there is room
        time.sleep(0.4)
        late.set()

    with near, far, other, held_up, sw.SocketStream(near) as stream:
        promise = sw.async_write(stream, bytes(4 << 20), sw.as_tuple(sw.use_promise), idle_timeout=0.3)
        await until(lambda: waits_to_write(stream))
        loop.add_reader(held_up, be_late)
        other.send(b"x")
        await late.wait()
        while not promise.done():
            with contextlib.suppress(BlockingIOError):
                far.recv(1 << 20)
            await asyncio.sleep(0)
        assert await promise == (None, 4 << 20)


async def test_a_timer_that_is_early_ends_nothing():
    class Early(sw.EventLoopExecutor):
        def call_later(self, seconds, function, /, *args):
            return super().call_later(seconds / 2, function, *args)

    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(sw.SocketStream(near, Early()), bytes(8 << 20), timeout=0.05)
        assert caught.value.elapsed >= 0.05


# -- no time at all -------------------------------------------------------------------------------------


async def test_no_time_at_all_waits_for_nothing():
    """What the stream takes at once is written; what was asked for in another way is waited for."""
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.SerialPort(rig.port) as port:
            assert await sw.async_write(port, b"room", timeout=0) == 4
            data = bytes(1 << 17)
            operation = sw.async_write(port, data, timeout=0)
            with pytest.raises(sw.TransferTimeout) as info:
                await operation
            n = info.value.bytes_transferred
            assert (0 < n < len(data), operation.bytes_transferred, sum(map(len, info.value.remaining))) == (
                True,
                n,
                len(data) - n,
            )
            rest = asyncio.ensure_future(
                sw.async_write(port, info.value.remaining, sw.cancel_after(0, cancel_type=sw.CancellationType.TOTAL))
            )
            got = await asyncio.to_thread(receive, peer, 4 + len(data))
            assert (len(got), await rest) == (4 + len(data), len(data) - n)

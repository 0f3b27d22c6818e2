"""on_wire and RS485: the count is of what has left the port, and the line is turned around behind its last bit."""

import asyncio
import io
import random
from contextlib import ExitStack

import pytest
import serial.rs485
from fake_uart import FakeDriver, FakeSerial, simulated_port
from waiting import until

import serialwrite as sw
from serialwrite.streams.layers import _rs485
from serialwrite.testing import PtyPair, ScriptedStream, receive, receive_available, send

DATA = random.Random(485).randbytes(6000)


async def settled(port):
    """Everything that will ever come out of ``port`` has."""
    await port.async_drain(timeout=10)
    return port.uart.received


# -- on_wire --------------------------------------------------------------------------------------------


async def test_it_completes_when_everything_has_left():
    with simulated_port(baudrate=460800) as port:
        assert await sw.async_write(port.on_wire, DATA) == len(DATA)
        assert port.uart.received == DATA
        assert (port.queued, port.on_wire.hidden) == (0, 0)


async def test_what_the_driver_hides_is_stated():
    with simulated_port(has_lsr=False) as port:
        assert await sw.async_write(port.on_wire, DATA[:1000]) == 1000
        assert port.on_wire.hidden == 16
        assert len(port.uart.received) >= 1000 - 16


@pytest.mark.parametrize("after", [0, 0.003, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("how", ["timeout", "task"])
async def test_cancelled_it_counts_what_the_far_end_gets(after, how):
    with simulated_port(baudrate=9600) as port:
        operation = sw.async_write(port.on_wire, DATA, timeout=after if how == "timeout" else None)
        task = asyncio.ensure_future(operation)
        if how == "task":
            await asyncio.sleep(after)
            task.cancel()
        with pytest.raises((sw.TransferTimeout, asyncio.CancelledError)) as caught:
            await task
        n = operation.bytes_transferred
        port.uart.byte_time = 1e-6
        assert await settled(port) == DATA[:n]
        if how == "timeout":
            assert str(caught.value).startswith(f"{n:,} of 6,000 bytes transmitted")
        assert await sw.async_write(port.on_wire, operation.remaining) == len(DATA) - n
        assert port.uart.received == DATA


async def test_a_driver_that_ignores_a_discard_is_not_made_to_lie():
    with simulated_port(flush_works=False) as port:
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(port.on_wire, DATA, timeout=0.05)
        n = caught.value.bytes_transferred
        assert caught.value.queued > 0  # still to go, and counted
        assert await settled(port) == DATA[:n]


async def test_what_was_queued_before_is_not_discarded_with_it():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        assert await sw.async_write(port, DATA[:1000]) == 1000
        with pytest.raises(sw.TransferTimeout, match="CTS low") as caught:
            await sw.async_write(port.on_wire, b"later", timeout=0.05)
        assert (caught.value.bytes_transferred, caught.value.queued) == (0, 1000)
        port.uart.cts = True
        assert await settled(port) == DATA[:1000]


async def test_total_cancellation_only_before_anything_is_handed_over():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
        accept = port.uart.write

        def write(buffers):
            n = accept(buffers)
            signal.emit(sw.CancellationType.TOTAL)  # when its fate is sealed, though nobody has been told
            return n

        port.uart.write = write
        some = port.on_wire.async_write_some(DATA[:100], token)
        await until(lambda: port.queued == 100)
        for _ in range(3):
            await asyncio.sleep(0.01)
            signal.emit(sw.CancellationType.TOTAL)
        assert not some.done()
        signal.emit(sw.CancellationType.PARTIAL)
        error, n = await some
        assert (type(error), n, await settled(port)) == (sw.OperationAborted, 0, b"")


async def test_unplugged_it_counts_no_more_than_had_left():
    with simulated_port() as port:
        writing = sw.async_write(port.on_wire, DATA, sw.as_tuple(sw.use_promise))
        await until(lambda: len(port.uart.received) > 100)
        with port.uart.lock:
            port.uart.unplugged, gone = True, len(port.uart.received)
        error, n = await writing
        assert isinstance(error, sw.Disconnected)
        assert n <= gone + 16


async def test_closing_the_port_leaves_the_queue_to_the_close():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        writing = sw.async_write(port.on_wire, DATA[:1000], sw.as_tuple(sw.use_promise))
        await until(lambda: port.queued == 1000)
        assert await port.async_close(timeout=0.05) == 1000
        error, n = await writing
        assert (type(error), n) == (sw.StreamClosed, 0)


async def test_it_is_one_write_at_a_time_with_the_port():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        writing = sw.async_write(port.on_wire, DATA[:100], sw.use_promise)
        await asyncio.sleep(0.01)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(port, b"in between")
        port.uart.cts = True
        assert await writing == 100


def test_a_closed_port_has_no_wire():
    with simulated_port() as port:
        port.close()
        with pytest.raises(sw.StreamClosed):
            _ = port.on_wire
        with pytest.raises(sw.StreamClosed):
            sw.RS485(port)


def test_what_can_not_be_is_said_by_its_own_name():
    with simulated_port(has_queue=False) as port:
        with pytest.raises(io.UnsupportedOperation, match=r"^on_wire: the driver of"):
            _ = port.on_wire
        with pytest.raises(io.UnsupportedOperation, match=r"^RS485: the driver of"):
            sw.RS485(port)


@pytest.mark.parametrize("port", [ScriptedStream(), sw.Queued(ScriptedStream())], ids=["another stream", "a layer"])
def test_rs485_over_what_is_no_port(port):
    with pytest.raises(TypeError, match=r"^RS485: .* pass a SerialPort"):
        sw.RS485(port)


def test_rs485_settings_that_are_none():
    with simulated_port() as port, pytest.raises(TypeError, match=r"^settings: .* pass a serial.rs485.RS485Settings"):
        sw.RS485(port, 5)


# -- RS-485 ---------------------------------------------------------------------------------------------


SETTINGS = serial.rs485.RS485Settings(delay_before_tx=0.002, delay_before_rx=0.002)


async def test_transmitter_is_on_until_the_last_bit_has_left():
    with simulated_port(baudrate=460800) as port:
        bus = sw.RS485(port, SETTINGS)
        assert await sw.async_write(bus, DATA[:300]) == 300
        assert port.uart.rts_log == [(False, 0), (True, 0), (False, 300)]
        assert await sw.async_write(bus, DATA) == len(DATA)  # in more than one step: the line stays ours in between
        assert port.uart.rts_log[3:] == [(True, 300), (False, 300 + len(DATA))]


async def test_the_line_is_turned_around_however_it_ends():
    with simulated_port() as port:
        bus = sw.RS485(port, SETTINGS)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(bus, DATA, timeout=0.05)
        n = caught.value.bytes_transferred
        assert port.uart.rts_log[-1] == (False, n)
        assert await settled(port) == DATA[:n]


@pytest.mark.parametrize("layer", [lambda bus: bus, sw.Queued, sw.Paced, lambda bus: sw.Queued(sw.Queued(bus))])
async def test_write_content_with_a_part_ends_once_the_line_turned(layer):
    with simulated_port(baudrate=460800) as port:
        bus = layer(sw.RS485(port, SETTINGS))
        n = await sw.async_write(bus, DATA, completion_condition=sw.transfer_at_least(1))
        assert 0 < n < len(DATA)
        assert port.uart.rts_log == [(False, 0), (True, 0), (False, n)]
        assert await sw.async_write(bus, DATA) == len(DATA)
        assert port.uart.rts_log[3:] == [(True, n), (False, n + len(DATA))]


@pytest.mark.parametrize("size", [100, 6000])
@pytest.mark.parametrize("layer", [lambda bus: bus, sw.Queued, sw.Paced])
async def test_cancelled_while_the_line_is_turned_it_ends_behind_that(layer, size):
    with simulated_port(baudrate=460800) as port:
        bus = layer(sw.RS485(port, serial.rs485.RS485Settings(delay_before_rx=0.2)))
        writing = sw.async_write(bus, DATA[:size], completion_condition=sw.transfer_at_least(1))
        task = asyncio.ensure_future(writing)
        await until(lambda: any(task.get_name().startswith("turning") for task in asyncio.all_tasks()))
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(port, b"into the turn-around")
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        n = writing.bytes_transferred
        assert port.uart.rts_log == [(False, 0), (True, 0), (False, n)]
        assert await sw.async_write(bus, DATA) == len(DATA)
        assert port.uart.rts_log[3:] == [(True, n), (False, n + len(DATA))]


@pytest.mark.parametrize("size", [100, 6000])
def test_a_loop_that_ends_leaves_no_line_with_the_transmitter_on(size):
    with simulated_port(baudrate=460800) as port:
        bus = sw.RS485(port, serial.rs485.RS485Settings(delay_before_rx=60.0))

        async def begin():
            sw.async_write(bus, DATA[:size], lambda *_: None, completion_condition=sw.transfer_at_least(1))
            await until(lambda: any(task.get_name().startswith("turning") for task in asyncio.all_tasks()))

        asyncio.run(begin())
        assert port.uart.rts_log[-1][0] is False


async def test_line_is_turned_though_the_driver_keeps_stuck_bytes():
    with simulated_port(flush_works=False) as port:
        port.uart.stuck = True
        with pytest.raises(sw.TransferTimeout):
            await asyncio.wait_for(sw.async_write(sw.RS485(port), DATA, timeout=0.05), 30)
        assert [on for on, _ in port.uart.rts_log] == [False, True, False]


async def test_levels_may_be_the_other_way_round():
    with simulated_port(baudrate=460800) as port:
        bus = sw.RS485(port, serial.rs485.RS485Settings(rts_level_for_tx=False, rts_level_for_rx=True))
        await sw.async_write(bus, b"abc")
        assert [on for on, _ in port.uart.rts_log] == [True, False, True]


async def test_without_a_shift_register_the_fifo_is_given_its_time():
    with simulated_port(has_lsr=False, baudrate=9600) as port:
        await sw.async_write(sw.RS485(port), b"abcdefgh")
        on, sent = port.uart.rts_log[-1]
        assert (on, sent) == (False, 8)


@pytest.mark.parametrize(
    "layer",
    [
        lambda port: port.on_wire,
        sw.RS485,
        lambda port: sw.Paced(port, prompt=b"> ", prompt_first=True),
        lambda port: sw.Queued(sw.RS485(port)),
    ],
)
async def test_nothing_to_write_waits_for_nothing(layer):
    with simulated_port() as port:
        stream = layer(port)
        port.uart.stuck = True
        await sw.async_write(port, DATA[:100])  # which never leaves
        before = list(port.uart.rts_log)
        assert await sw.async_write(stream, b"", timeout=30) == 0
        assert await sw.async_write(stream, [b"", b""], timeout=1e-9) == 0
        assert port.uart.rts_log == before


# -- pyserial's own RS485 objects --------------------------------------------------------------------------


class Bus(FakeSerial, serial.rs485.RS485):
    """A ``serial.rs485.RS485`` on a fake UART."""


class PinBus(Bus):
    """Its transmitter hangs on another pin."""

    def setRTS(self, value=1):  # noqa: N802 # pyserial's name
        self.uart.pin_log.append((value, len(self.uart.received)))


@pytest.fixture
def make_bus(monkeypatch):
    with ExitStack() as resources:

        def make(kind):
            port = resources.enter_context(simulated_port(baudrate=460800))
            monkeypatch.setattr(_rs485, "DescriptorDriver", FakeDriver)
            port.uart.pin_log = []
            port.serial.__class__ = kind  # it is open already
            port.serial.rs485_mode = None
            return port.serial

        yield make


@pytest.mark.parametrize("stream", [lambda bus: bus, sw.as_stream, sw.RS485, lambda bus: sw.Queued(sw.Paced(bus))])
@pytest.mark.parametrize("kind", [Bus, PinBus])
async def test_an_open_rs485_object_has_its_transmitter_switched(make_bus, stream, kind):
    bus = make_bus(kind)
    bus.rs485_mode = serial.rs485.RS485Settings(rts_level_for_tx=False, rts_level_for_rx=True)
    log = bus.uart.rts_log if kind is Bus else bus.uart.pin_log
    assert await sw.async_write(stream(bus), DATA[:300]) == 300
    assert log == [(False, 0), (True, 300)]
    assert await sw.async_write(stream(bus), DATA) == len(DATA)
    assert log[2:] == [(False, 300), (True, 300 + len(DATA))]
    bus.rs485_mode = None  # as with pyserial: it is then switched by its driver, or not at all
    assert await sw.async_write(stream(bus), DATA[:300]) == 300
    assert len(log) == 4
    assert len(bus.uart.rts_log) == (4 if kind is Bus else 0)
    assert type(sw.as_stream(bus).stream) is sw.SerialPort


async def test_an_open_rs485_object_is_one_stream(make_bus):
    bus = make_bus(Bus)
    assert sw.as_stream(bus) is sw.as_stream(bus)
    sw.as_stream(bus).close("abort")
    with pytest.raises(sw.StreamClosed):
        await sw.async_write(bus, b"closed")


def test_an_open_rs485_object_brings_its_settings(make_bus):
    with pytest.raises(ValueError, match=r"settings: .* has its own; set its rs485_mode"):
        sw.RS485(make_bus(Bus), SETTINGS)


async def test_rs485_on_a_pty_can_be_read_and_is_not_written_past():
    with PtyPair() as rig, rig.open_peer() as peer, serial.rs485.RS485(rig.port) as bus:
        assert await sw.async_write(bus, b"plain") == 5  # no mode is set: pyserial would just write, too
        assert receive(peer, 5) == b"plain"
        bus.rs485_mode = SETTINGS
        with pytest.raises(io.UnsupportedOperation, match=r"RS485: the driver of .* does not report"):
            await sw.async_write(bus, b"past it")
        send(peer, b"reply")
        reply = bytearray(5)
        assert await sw.async_read(bus, reply, timeout=10) == 5
        assert receive_available(peer) == b""


class Logged(serial.Serial):
    def write(self, data):
        raise AssertionError("called")


class LoggedBus(serial.rs485.RS485):
    def write(self, data):
        raise AssertionError("called")


def patched(path):
    port = serial.Serial(path)
    port.write = len
    return port


@pytest.mark.parametrize(
    ("make", "use", "words"),
    [
        (Logged, sw.as_stream, "port: Logged.write does more than serial.Serial.write.*pass a plain serial.Serial"),
        (Logged, sw.SerialPort, "port: Logged.write does more"),
        (LoggedBus, sw.as_stream, "port: LoggedBus.write does more"),
        (LoggedBus, sw.RS485, "port: LoggedBus.write does more"),
        (patched, sw.as_stream, "port: Serial.write does more"),
        (serial.rs485.RS485, sw.SerialPort, r"port: SerialPort would write past RS485.write.*pass it to RS485\(...\)"),
    ],
)
def test_a_write_of_its_own_is_not_written_past(make, use, words):
    with PtyPair() as rig, make(rig.port) as port:
        with pytest.raises(TypeError, match=words):
            use(port)
        assert port.is_open


class OneTransport(asyncio.WriteTransport):
    """A transport over a serial port, as pyserial-asyncio's: it calls the port's own write."""

    def __init__(self, port):
        super().__init__({"serial": port})
        self.written = b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return 0


async def test_a_transport_over_one_is_written_through():
    with PtyPair() as rig, serial.rs485.RS485(rig.port) as port:
        transport = OneTransport(port)
        assert await sw.async_write(transport, b"through") == 7
        assert transport.written == b"through"
        with pytest.raises(TypeError, match="as_stream"):
            sw.TransportStream(transport)


async def test_cancelled_on_a_port_that_is_gone_it_is_aborted():
    with simulated_port() as port:
        signal = sw.CancellationSignal()
        token = sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise))
        writing = sw.async_write(port.on_wire, DATA, token)
        await until(lambda: len(port.uart.received) > 100)
        with port.uart.lock:
            port.uart.unplugged = True
        signal.emit()
        error, _ = await writing
        assert type(error) is sw.OperationAborted

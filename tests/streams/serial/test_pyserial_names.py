"""SerialPort answers to pyserial's names: what is set is set on the port and read back, and no other name can be set."""

import asyncio
import errno
import io
import os
import threading
import time

import pytest
import serial
from fake_uart import simulated_port
from waiting import until

import serialwrite as sw
from serialwrite.streams.serial._tty import Tty
from serialwrite.testing import PtyPair, receive

SETTINGS = {
    "baudrate": 19200,
    "bytesize": 7,
    "parity": "E",
    "stopbits": 2,
    "rtscts": True,
    "xonxoff": True,
    "dsrdtr": True,
}


@pytest.fixture
def rig():
    with PtyPair() as rig:
        yield rig


@pytest.fixture
def port(rig):
    with sw.SerialPort(rig.port, 115200) as port:
        yield port


@pytest.fixture
def device(monkeypatch, port):
    """A pty that is taken for a device: one whose driver refuses parity and 7 data bits."""
    monkeypatch.setattr(Tty, "is_pty", lambda _: False)
    return port


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_set_on_the_port_and_read_back(port, name):
    before = getattr(port, name)
    assert before == getattr(port.serial, name) != SETTINGS[name]
    setattr(port, name, SETTINGS[name])
    assert getattr(port, name) == getattr(port.serial, name) == SETTINGS[name]


def test_what_is_in_force_is_what_was_set(port):
    port.baudrate = 9600
    port.stopbits = 2
    port.rtscts = True
    assert port.in_force == sw.Settings(9600, 8, "N", 2, xonxoff=False, rtscts=True, dsrdtr=False)


@pytest.mark.parametrize(("name", "value"), [("parity", "E"), ("bytesize", 7), ("stopbits", 1.5), ("dsrdtr", True)])
def test_what_the_driver_did_not_take_is_named_and_undone(device, name, value):
    before = getattr(device, name)
    with pytest.raises(ValueError, match=f"^{name}={value!r}: the driver of .* has set .* instead"):
        setattr(device, name, value)
    assert getattr(device, name) == before
    device.baudrate = 9600  # it can be set still
    assert device.in_force.baudrate == 9600


async def test_async_configure_sets_all_or_none(device):
    assert await device.async_configure(baudrate=19200, stopbits=2) is None
    assert device.in_force == sw.Settings(19200, 8, "N", 2, xonxoff=False, rtscts=False, dsrdtr=False)
    with pytest.raises(ValueError, match=r"^parity='E': the driver"):
        await device.async_configure(baudrate=9600, parity="E")
    assert (device.baudrate, device.parity, device.in_force.baudrate) == (19200, "N", 19200)


async def test_async_configure_takes_any_token(port):
    told = asyncio.get_running_loop().create_future()
    port.async_configure(lambda error, nothing: told.set_result((error, nothing)), baudrate=9600)
    assert await told == (None, None)
    assert await port.async_configure(sw.as_tuple(), baudrate=300) == (None, None)
    assert port.baudrate == 300


async def test_async_configure_lets_the_loop_turn_while_a_driver_waits(port, monkeypatch):
    turned, genuine = threading.Event(), port.serial._reconfigure_port
    monkeypatch.setattr(port.serial, "_reconfigure_port", lambda: turned.wait(10) and genuine())
    asyncio.get_running_loop().call_later(0.01, turned.set)
    await port.async_configure(baudrate=9600)
    assert turned.is_set()
    assert port.baudrate == 9600


async def test_a_cancelled_async_configure_ends_with_its_change(port, monkeypatch):
    go_on, genuine = threading.Event(), port.serial._reconfigure_port
    monkeypatch.setattr(port.serial, "_reconfigure_port", lambda: go_on.wait(10) and genuine())
    task = asyncio.ensure_future(port.async_configure(baudrate=9600))
    await asyncio.sleep(0)
    task.cancel()
    asyncio.get_running_loop().call_later(0.02, go_on.set)
    await asyncio.wait([task])
    assert task.cancelled()
    assert (go_on.is_set(), port.in_force.baudrate) == (True, 9600)


def test_a_port_without_a_line_refuses_a_change():
    with sw.SerialPort("loop://") as port:
        port.baudrate = 300  # pyserial's loop has one
        assert port.baudrate == 300


# -- lines ---------------------------------------------------------------------------------------------------


def test_modem_lines_are_those_of_the_driver():
    with simulated_port() as port:
        lines = port.modem_lines
        assert (port.cts, port.dsr, port.ri, port.cd) == (lines.cts, lines.dsr, lines.ri, lines.cd)
        port.rts = False
        assert port.rts is port.serial.rts is False


@pytest.mark.parametrize("name", ["cts", "dsr", "ri", "cd"])
def test_a_line_of_the_other_end_is_not_made_up_or_set(port, name):
    with pytest.raises(io.UnsupportedOperation, match=f"{name}: .*has no modem lines"):
        getattr(port, name)
    with pytest.raises(AttributeError, match=f"{name}: the other end drives this line"):
        setattr(port, name, True)


def test_a_break_is_refused_where_there_is_no_line(port):
    assert port.break_condition is False
    with pytest.raises(io.UnsupportedOperation, match="break"):
        port.break_condition = True
    assert port.break_condition is False


# -- buffers -------------------------------------------------------------------------------------------------


def test_in_waiting_and_reset_input_buffer(rig, port):
    with rig.open_peer() as peer:
        peer.write(b"12345")
        deadline = time.monotonic() + 10
        while port.in_waiting < 5:
            assert time.monotonic() < deadline
        port.reset_input_buffer()
        assert port.in_waiting == 0
        peer.write(b"new")
        assert port.read(3, timeout=10) == b"new"


def test_out_waiting_and_reset_output_buffer_count_the_queue():
    with simulated_port(baudrate=300) as port:
        assert port.write(bytes(500)) == 500
        assert port.out_waiting == port.queued > 0
        gone = port.reset_output_buffer()
        assert 400 < gone <= 500


# -- timeouts ------------------------------------------------------------------------------------------------


def test_the_ports_timeouts_are_those_of_the_blocking_forms(rig):
    with sw.SerialPort(rig.port, timeout=0.01, write_timeout=0.02) as port:
        assert (port.timeout, port.write_timeout) == (0.01, 0.02)
        for read in (lambda: port.read(1), lambda: sw.read(port, 1), lambda: sw.Queued(port).read(bytearray(1))):
            with pytest.raises(sw.TransferTimeout, match="0 of 1 bytes received"):
                read()
        with pytest.raises(sw.TransferTimeout):
            port.read_until(sw.dynamic_buffer(bytearray()), b"x")
        with pytest.raises(sw.TransferTimeout):
            sw.Buffered(port).readline()
        with pytest.raises(sw.TransferTimeout, match="of 1,000,000 bytes accepted"):
            port.write(bytes(1_000_000))


def test_none_in_the_call_is_no_limit(rig):
    with sw.SerialPort(rig.port, timeout=0.01) as port, rig.open_peer() as peer:
        timer = threading.Timer(0.2, peer.write, [b"x"])
        timer.start()
        assert port.read(1, timeout=None) == b"x"
        timer.join()


def test_a_timeout_that_is_set_later_counts(rig):
    """On the port, or on the object that it was adapted from."""
    with serial.Serial(rig.port) as given:
        given.timeout = 0.01
        with pytest.raises(sw.TransferTimeout):
            sw.read(given, 1)
        port = sw.as_stream(given)
        port.timeout = 0.02
        assert given.timeout == 0.02


async def test_the_async_forms_have_no_default(rig):
    async with sw.SerialPort(rig.port, timeout=0.01, write_timeout=0.01) as port:
        reading = asyncio.ensure_future(port.async_read(1))
        _, pending = await asyncio.wait([reading], timeout=0.2)
        assert pending
        reading.cancel()
        await asyncio.wait([reading])


def test_a_timeout_of_0_is_no_limit(rig):
    with sw.SerialPort(rig.port, timeout=0, write_timeout=0) as port, rig.open_peer() as peer:
        timer = threading.Timer(0.1, peer.write, [b"x"])
        timer.start()
        assert port.read(1) == b"x"
        assert port.write(b"x") == 1
        timer.join()


def test_a_port_on_threads_keeps_its_own_timeouts():
    with sw.SerialPort("loop://", timeout=0.01) as port:
        assert port.timeout == 0.01
        with pytest.raises(sw.TransferTimeout):
            port.read(1)
        port.timeout = None
        assert port.timeout is None


# -- no other name -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["baudrat", "databits", "speed", "on_done", "writeTimeout", "flow_control"])
def test_a_name_that_is_none_can_not_be_set(port, name):
    with pytest.raises(AttributeError, match=name) as info:
        setattr(port, name, 1)
    assert (info.value.name, info.value.obj) == (name, port)  # by which Python says "Did you mean"
    assert not hasattr(port, name)


@pytest.mark.parametrize("name", ["port", "is_open", "in_waiting", "out_waiting", "modem_lines", "queued", "stall"])
def test_what_can_only_be_read_can_not_be_set(port, name):
    with pytest.raises(AttributeError, match=f"^{name}: it can only be read"):
        setattr(port, name, 1)


def test_a_users_subclass_may_have_names_of_its_own(rig):
    class Modem(sw.SerialPort):
        def __init__(self, path):
            super().__init__(path)
            self.operator = "none"

    with Modem(rig.port) as modem:
        modem.operator = "some"
        assert modem.operator == "some"


def test_a_setting_of_the_port_is_not_set_on_a_layer(port):
    layer = sw.Queued(sw.Traced(port, print))
    for use in (lambda: layer.baudrate, lambda: setattr(layer, "baudrate", 9600)):
        with pytest.raises(AttributeError, match=r"Queued has no baudrate: .*layer\.stream\.stream\.baudrate"):
            use()
    assert port.baudrate == 115200


# -- a port that is closed, or gone --------------------------------------------------------------------------


def test_a_closed_port_is_neither_asked_nor_set(port):
    port.close()
    for use in (
        lambda: setattr(port, "baudrate", 9600),
        lambda: setattr(port, "rts", True),
        lambda: setattr(port, "break_condition", True),
        lambda: port.in_waiting,
        lambda: port.out_waiting,
        port.reset_input_buffer,
        port.reset_output_buffer,
    ):
        with pytest.raises(sw.StreamClosed):
            use()
    assert (port.is_open, port.port, port.baudrate) == (False, port.serial.port, 115200)


def test_a_port_that_is_gone_is_disconnected(rig, port):
    rig.hang_up("port")
    for use in (lambda: setattr(port, "baudrate", 9600), port.reset_input_buffer):
        with pytest.raises(sw.TransferError) as info:
            use()
        assert info.value.errno in {errno.EIO, errno.ENOTTY}
    assert port.baudrate == 115200


# -- async_open ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [((), {"baudrate": 19200}), ((19200,), {}), ((None,), {"baudrate": 19200})])
async def test_async_open_gives_an_open_port(rig, arguments):
    positional, named = arguments
    async with await sw.async_open(rig.port, *positional, stopbits=2, timeout=10, **named) as port:
        assert (type(port), port.is_open, port.baudrate, port.stopbits) == (sw.SerialPort, True, 19200, 2)
        with rig.open_peer() as peer:
            assert await port.async_write(b"out") == 3
            assert receive(peer, 3) == b"out"
    assert not port.is_open


async def test_async_open_takes_any_token(rig):
    told = asyncio.get_running_loop().create_future()
    assert sw.async_open(rig.port, 9600, lambda error, port: told.set_result((error, port))) is None
    error, port = await told
    assert (error, port.is_open) == (None, True)
    await port.async_close()
    error, port = await sw.async_open("/dev/no-such-port", 9600, sw.as_tuple())
    assert (type(error), port) == (serial.SerialException, None)


def test_async_open_from_another_thread_and_its_loop(rig):
    with sw.IoThread() as thread:
        port = sw.async_open(rig.port, 9600, sw.use_future, executor=thread.get_executor()).result()
        assert port.async_write(b"x", sw.use_future).result() == 1
        port.close()


async def test_async_open_raises_what_serial_port_raises(rig):
    with pytest.raises(serial.SerialException, match="does not exist"):
        await sw.async_open("/dev/no-such-port")
    with pytest.raises(ValueError, match="baudrat: SerialPort has no such setting"):
        await sw.async_open(rig.port, baudrat=9600)
    with pytest.raises(ValueError, match="bytesize=9"):
        await sw.async_open(rig.port, bytesize=9)


@pytest.fixture
def slow_opening(monkeypatch):
    """Opening waits for the event ``go_on``, and what was opened is in ``opened``."""
    go_on, opened, genuine = threading.Event(), [], serial.Serial.open

    def slowly(port):
        assert go_on.wait(30)
        genuine(port)
        opened.append(port)

    monkeypatch.setattr(serial.Serial, "open", slowly)
    yield go_on, opened
    go_on.set()


async def closed_again(opened):
    await until(lambda: opened and not opened[0].is_open)


async def test_async_open_times_out_while_the_loop_turns(rig, slow_opening):
    go_on, opened = slow_opening
    with pytest.raises(sw.TransferTimeout, match=f"^waited 0.* s for port '{rig.port}' to open; timed out$"):
        await sw.async_open(rig.port, 9600, timeout=0.05)
    go_on.set()
    await closed_again(opened)


async def test_a_cancelled_async_open_leaves_no_port_open(rig, slow_opening):
    go_on, opened = slow_opening
    task = asyncio.ensure_future(sw.async_open(rig.port, 9600))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not opened
    go_on.set()
    await closed_again(opened)
    os.close(os.open(rig.port, os.O_RDWR | os.O_NOCTTY))


# -- a port that is gone ---------------------------------------------------------------------------------------

USES = {
    "baudrate=": lambda port: setattr(port, "baudrate", 1200),
    "rts=": lambda port: setattr(port, "rts", False),
    "in_waiting": lambda port: port.in_waiting,
    "reset_input_buffer": lambda port: port.reset_input_buffer(),
    "discard_output": lambda port: port.discard_output(),
    "modem_lines": lambda port: port.modem_lines,
    "cts": lambda port: port.cts,
    "in_force": lambda port: port.in_force,
    "line_counters": lambda port: port.line_counters,
}


@pytest.mark.parametrize("use", USES)
def test_a_hung_up_port_is_disconnected_in_all_its_uses(use, rig, port):
    rig.hang_up("port")
    with pytest.raises(sw.Disconnected) as caught:
        USES[use](port)
    assert str(caught.value) == "disconnected (Input/output error)"
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("use", [*USES, "out_waiting"])
def test_a_closed_port_says_so_in_all_its_uses(use, port):
    port.close()
    with pytest.raises(sw.StreamClosed) as caught:
        USES.get(use, lambda port: port.out_waiting)(port)
    assert str(caught.value) == f"{port!r} is closed"

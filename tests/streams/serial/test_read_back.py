"""Settings: what is asked is read back from the driver; a pty has no line, and takes whatever it is asked for."""

import array
import fcntl
import termios

import pytest
import serial
import serial.rs485
from fake_uart import FakeSerial, FakeTty, FakeUart

import serialwrite as sw
from serialwrite.streams.serial import _read_back
from serialwrite.streams.serial._settings import CMSPAR, decoded
from serialwrite.streams.serial._tty import Tty
from serialwrite.testing import PtyPair

# What a pty of Linux keeps its own way: 8 data bits without parity.
REFUSED_BY_PTYS = [
    {"parity": "E"},
    {"parity": "O"},
    {"parity": "M"},
    {"bytesize": 7},
    {"bytesize": 5},
    {"bytesize": 7, "parity": "E"},
    {"bytesize": 7, "parity": "E", "stopbits": 2, "rtscts": True, "xonxoff": True},
]
PLAIN = sw.Settings(115200, 8, "N", 1, xonxoff=False, rtscts=False, dsrdtr=False)


@pytest.fixture
def pty():
    with PtyPair() as rig:
        yield rig.port


@pytest.fixture
def device(pty, monkeypatch):
    """A pty that is taken for a device: one whose driver refuses parity and 7 data bits."""
    monkeypatch.setattr(Tty, "is_pty", lambda _: False)
    return pty


@pytest.mark.parametrize("asked", REFUSED_BY_PTYS, ids=str)
def test_a_pty_opens_with_any_settings_each_time(pty, asked):
    for _ in range(2):
        with sw.SerialPort(pty, 115200, **asked) as port:
            assert port.in_force == PLAIN._replace(**asked | {"bytesize": 8, "parity": "N"})
            assert {name: getattr(port.serial, name) for name in asked} == asked


@pytest.mark.parametrize("adapted", [False, True])
def test_a_pty_takes_later_changes_of_anything(pty, adapted):
    with sw.SerialPort(serial.Serial(pty, 9600) if adapted else pty) as port:
        port.serial.parity = "E"
        port.serial.bytesize = 7
        port.serial.timeout = 1  # pyserial sets everything again
        port.serial.baudrate = 57600
        assert port.in_force == PLAIN._replace(baudrate=57600)
        port.serial.baudrate = 12345  # which takes a second ioctl
        assert port.in_force == PLAIN._replace(baudrate=12345)
        assert (port.serial.parity, port.serial.bytesize, port.serial.baudrate) == ("E", 7, 12345)
        assert sw.write(port, b"alive") == 5
        port.serial.close()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"parity": "E"}, r"^parity='E': the driver of \S+ has set 'N' instead; pass one it can make$"),
        ({"bytesize": 7}, "^bytesize=7: the driver of .* has set 8 instead"),
        ({"bytesize": 6, "parity": "O"}, "^bytesize=6, parity='O': the driver of .* has set 8, 'N' instead"),
        ({"stopbits": 1.5}, r"^stopbits=1\.5: the driver of .* has set 2 instead"),
        ({"dsrdtr": True}, "^dsrdtr=True: the driver of .* has set False instead"),
    ],
)
def test_a_device_that_refuses_a_setting_is_a_value_error(device, asked, says):
    for _ in range(2):  # the C library reports an error of its own the second time
        with pytest.raises(ValueError, match=says) as caught:
            sw.SerialPort(device, 115200, **asked)
        assert caught.value.__cause__ is None
    with sw.SerialPort(device, 115200) as port:  # it was closed again
        assert port.in_force == PLAIN


@pytest.mark.parametrize("adapted", [False, True])
def test_a_change_that_a_device_refuses_leaves_it_as_it_was(device, adapted):
    with sw.SerialPort(serial.Serial(device, 115200) if adapted else sw.SerialPort(device, 115200).serial) as port:
        port.serial.baudrate = 9600
        for name, value in [("parity", "E"), ("parity", "E"), ("stopbits", 1.5)]:
            with pytest.raises(ValueError, match=f"{name}={value!r}: the driver"):
                setattr(port.serial, name, value)
            assert (port.serial.parity, port.serial.stopbits, port.serial.baudrate) == ("N", 1, 9600)
            assert port.in_force == PLAIN._replace(baudrate=9600)
        port.serial.close()


@pytest.fixture
def fake():
    """A fake UART at 115200 Bd: what pyserial would have opened, and its driver's side."""
    uart = FakeUart(baudrate=115200)
    made = FakeSerial(uart)
    yield made, FakeTty(uart)
    made.close()
    uart.end()


def test_a_baud_rate_that_the_driver_replaced(fake):
    """An 8250 that can't have 4 MBd silently takes 115200."""
    made, tty = fake
    made.baudrate = "4000000"
    with pytest.raises(ValueError, match="baudrate=4000000: the driver of /dev/ttyFAKE0 has set 115200"):
        _read_back.check_in_force(made, tty)


def test_a_device_that_has_set_any_other_value_is_named(fake):
    made, tty = fake
    made._baudrate = 117_000
    _read_back.check_in_force(made, tty)  # as near as its clock comes
    for name, value in {"stopbits": 2, "xonxoff": True, "rtscts": True, "parity": "M"}.items():
        tty.uart.refused = {name: value}
        with pytest.raises(ValueError, match=f"^{name}=.* has set {value!r} instead"):
            _read_back.check_in_force(made, tty)
    tty.uart.refused = {"baudrate": None}  # it can't tell
    _read_back.check_in_force(made, tty)


@pytest.mark.parametrize(
    ("iflag", "cflag", "settings"),
    [
        (0, termios.CS8, PLAIN),
        (0, termios.CS7 | termios.PARENB, PLAIN._replace(bytesize=7, parity="E")),
        (0, termios.CS8 | termios.PARENB | termios.PARODD, PLAIN._replace(parity="O")),
        (0, termios.CS8 | termios.PARENB | CMSPAR, PLAIN._replace(parity="S")),
        (0, termios.CS8 | termios.PARENB | termios.PARODD | CMSPAR, PLAIN._replace(parity="M")),
        (0, termios.CS8 | termios.PARODD, PLAIN),  # without PARENB it says nothing
        (0, termios.CS6 | termios.CSTOPB, PLAIN._replace(bytesize=6, stopbits=2)),
        (0, termios.CS5 | termios.CSTOPB, PLAIN._replace(bytesize=5, stopbits=1.5)),
        (0, termios.CS8 | termios.CRTSCTS, PLAIN._replace(rtscts=True)),
        (termios.IXON | termios.IXOFF, termios.CS8, PLAIN._replace(xonxoff=True)),
        (termios.IXON, termios.CS8, PLAIN),  # one way only is not what was asked for
    ],
)
def test_the_flags_of_a_tty_as_settings(iflag, cflag, settings):
    assert decoded([iflag, 0, cflag, 0, 0, 0, []], 115200) == settings


@pytest.mark.parametrize("baudrate", [0, -1, 115200.5, True, False, float("nan"), float("inf"), "fast", "0", [], 0.0])
def test_a_baud_rate_that_is_none_is_refused(pty, baudrate):
    with pytest.raises(ValueError, match=r"^baudrate=.*: pass bits per second, a whole number above 0$"):
        sw.SerialPort(pty, baudrate)
    sw.SerialPort(pty).close()


@pytest.mark.parametrize("baudrate", [57600, 57600.0, "57600"])
def test_a_baud_rate_in_other_words_is_taken(pty, baudrate):
    with sw.SerialPort(pty, baudrate) as port:
        assert port.in_force.baudrate == port.serial.baudrate == 57600


@pytest.mark.parametrize("lost", [0, 0x01, 0x02, 0x04, 0x10])
def test_an_rs485_mode_is_read_back_too(pty, monkeypatch, lost):
    names = {0x01: "it", 0x02: "rts_level_for_tx", 0x04: "rts_level_for_rx", 0x10: "loopback"}
    genuine, flags = fcntl.ioctl, array.array("i", [0])

    def driver(fd, request, buffer=0, *rest):
        """Has the mode that it was given, without the flag that is lost."""
        if request == 0x542F:
            flags[0] = buffer[0] & ~lost
        elif request == 0x542E:
            buffer[0] = flags[0]
        else:
            return genuine(fd, request, buffer, *rest)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", driver)
    mode = serial.rs485.RS485Settings(rts_level_for_tx=True, rts_level_for_rx=True, loopback=True)
    if not lost:
        sw.SerialPort(pty, rs485_mode=mode).close()
    else:
        with pytest.raises(ValueError, match=rf"has not taken {names[lost]}; wrap the port in RS485\(port\)"):
            sw.SerialPort(pty, rs485_mode=mode)


def test_an_error_of_termios_is_one_of_pyserials(pty, monkeypatch):
    def fail(*_):
        raise termios.error(5, "Input/output error")

    for name in ("tcflush", "tcsetattr"):
        with monkeypatch.context() as patched, pytest.raises(serial.SerialException, match="can't be opened") as caught:
            patched.setattr(termios, name, fail)
            sw.SerialPort(pty)
        assert caught.value.errno == 5
    with sw.SerialPort(pty) as port, monkeypatch.context() as patched:
        patched.setattr(termios, "tcsetattr", fail)
        with pytest.raises(OSError, match="Input/output error"):
            port.serial.baudrate = 57600


def test_the_settings_of_a_port_that_is_gone():
    with PtyPair() as rig:
        port = sw.SerialPort(rig.port)
        rig.hang_up("port")
        with pytest.raises(sw.Disconnected):
            _ = port.in_force
        port.close()
        with pytest.raises(sw.StreamClosed):
            _ = port.in_force


def test_a_port_without_a_line_has_no_settings_in_force():
    with sw.SerialPort("loop://", 115200) as port:
        assert port.in_force is None

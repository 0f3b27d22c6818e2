"""Opening a serial port: its settings, who else may have it, and what is said when it can't be had."""

import errno
import io
import os
import socket
import termios
import traceback

import pytest
import serial
import serial.rs485

import serialwrite as sw
from serialwrite.streams.serial._tty import Tty
from serialwrite.testing import PtyPair, ScriptedStream, TcpPair, UnixPair


def test_every_setting_of_pyserials():
    settings = {
        "bytesize": serial.SEVENBITS,
        "parity": serial.PARITY_EVEN,
        "stopbits": serial.STOPBITS_TWO,
        "timeout": 1.5,
        "xonxoff": True,
        "rtscts": True,
        "write_timeout": 2.5,
        "dsrdtr": True,
        "inter_byte_timeout": None,
        "exclusive": False,
    }
    with PtyPair() as rig, sw.SerialPort(rig.port, 57600, **settings) as port:
        assert port.serial.baudrate == 57600
        assert {name: getattr(port.serial, name) for name in settings} == settings
        assert repr(port) == f"<SerialPort {rig.port!r} at 57600>"
        iflag, _, cflag, *_ = termios.tcgetattr(port._wait_fd())
        assert cflag & termios.CRTSCTS
        assert iflag & termios.IXON
    with PtyPair() as rig:
        with pytest.raises(ValueError, match="baudrate"):
            sw.SerialPort(rig.port, -1)
        with pytest.raises(ValueError, match="colour"):
            sw.SerialPort(rig.port, colour="blue")
        with pytest.raises(ValueError, match="no such setting; inter_byte_timeout: pass idle_timeout= to each read"):
            sw.SerialPort(rig.port, inter_byte_timeout=0.5)


def test_rts_and_dtr_from_the_start():
    with PtyPair() as rig, sw.SerialPort(rig.port, rts=False, dtr=False) as port:
        assert (port.rts, port.dtr) == (False, False)


async def test_a_pty_has_no_lines_to_set_and_no_break():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        for name in ("rts", "dtr"):
            with pytest.raises(io.UnsupportedOperation, match=f"^{name}: .* has no modem lines"):
                setattr(port, name, False)
            assert getattr(port, name) is True  # as it was
        with pytest.raises(io.UnsupportedOperation, match=r"^break: a pty has no serial line$"):
            await port.async_send_break(0.01)
        assert await sw.async_write(port, b"alive") == 5


def test_an_rs485_mode_that_the_driver_does_not_have():
    with PtyPair() as rig:
        with pytest.raises(ValueError, match=r"wrap the port in RS485\(port\)"):
            sw.SerialPort(rig.port, rs485_mode=serial.rs485.RS485Settings())
        with pytest.raises(ValueError, match="low_latency"):
            sw.SerialPort(rig.port, low_latency=True)
        sw.SerialPort(rig.port).close()  # both were closed again


def test_settings_with_an_open_port():
    with PtyPair() as rig, serial.Serial(rig.port) as port:
        with pytest.raises(ValueError, match=r"baudrate, rtscts: the open serial\.Serial has"):
            sw.SerialPort(port, 9600, rtscts=True)
        assert sw.SerialPort(port).serial is port


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOENT, "does not exist"),
        (errno.EACCES, "dialout"),
        (errno.EBUSY, "in use"),
        (errno.EIO, "can't be opened"),
    ],
)
def test_what_is_said_when_it_cannot_be_opened(number, says, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    with pytest.raises(serial.SerialException, match=says) as caught:
        sw.SerialPort("/dev/ttyNONE")
    assert caught.value.errno == number


@pytest.mark.parametrize(
    ("port", "says"),
    [
        (None, "port: got NoneType"),
        (3, r"port: got int; .* DescriptorStream\(3\)"),
        (b"/dev/ttyUSB0", "port: got bytes; .* str"),
        (object(), "port: got object"),
        (ScriptedStream(), "port: got ScriptedStream, which is a stream already"),
    ],
)
def test_what_is_no_port(port, says):
    with pytest.raises(TypeError, match=says):
        sw.SerialPort(port)


def test_a_port_and_a_baud_rate_in_the_wrong_order():
    with pytest.raises(TypeError, match=r"^port: got 9600; the port comes first: SerialPort\('/dev/ttyUSB0', 9600\)$"):
        sw.SerialPort(9600, "/dev/ttyUSB0")


@pytest.mark.parametrize("baudrate", [None, 115200])
def test_a_socket_is_sent_to_its_own_stream(baudrate):
    with UnixPair() as rig, pytest.raises(TypeError, match=r"^port: got socket, which has no .* SocketStream"):
        sw.SerialPort(rig.port, baudrate)


def test_a_wrong_name_is_told_in_one_traceback():
    for name in ("/dev/ttyNONE", "/dev/null", "socket://127.0.0.1:1", "rfc2217://nonsense"):
        with pytest.raises(serial.SerialException) as caught:
            sw.SerialPort(name)
        shown = "".join(traceback.format_exception(caught.value))
        assert shown.count("Traceback") == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/etc/hostname", "^port '/etc/hostname' is not a serial port"),
        ("/dev/null", "^port '/dev/null' is not a serial port"),
        ("socket://nonsense", "^port 'socket://nonsense' .*: write it socket://HOST:PORT"),
        ("rfc2217://nonsense", "^port 'rfc2217://nonsense' .*: write it rfc2217://HOST:PORT"),
        ("socket://127.0.0.1:1", "^port 'socket://127.0.0.1:1' can't be opened: .*Connection refused"),
    ],
)
def test_names_of_what_is_none(name, says):
    with pytest.raises(serial.SerialException, match=says) as caught:
        sw.SerialPort(name)
    assert "None" not in str(caught.value)


def test_settings_that_no_driver_can_have():
    with PtyPair() as rig:
        with pytest.raises(ValueError, match=r"baudrate=12345678901234: .* pass "):
            sw.SerialPort(rig.port, 12345678901234)
        sw.SerialPort(rig.port).close()  # it was closed again
    with pytest.raises(ValueError, match=r"rs485_mode: .* wrap the port in RS485\(port\)"):
        sw.SerialPort("loop://", rs485_mode=serial.rs485.RS485Settings())


def test_two_cannot_have_it_at_once():
    with PtyPair() as rig:
        with sw.SerialPort(rig.port), pytest.raises(serial.SerialException, match="in use by another program, or open"):
            sw.SerialPort(rig.port)
        with sw.SerialPort(rig.port, exclusive=False), sw.SerialPort(rig.port, exclusive=False):
            pass
        with sw.SerialPort(rig.port) as port:
            port.close()
            sw.SerialPort(rig.port).close()  # free again


def test_the_ioctls_on_a_pty_which_has_few_of_them():
    """The seam itself, against a kernel: what a pty has not is None, and what is gone is an OSError."""
    with PtyPair() as rig:
        fd = os.open(rig.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty = Tty(lambda: fd)
        assert tty.is_pty()
        asked = [
            tty.output_queue,
            tty.transmitter_empty,
            tty.modem_lines,
            tty.counters,
            tty.fifo_size,
            tty.closing_wait,
        ]
        assert [ask() for ask in asked] == [None] * len(asked)
        settings = termios.tcgetattr(fd)
        settings[4] = settings[5] = termios.B57600
        termios.tcsetattr(fd, termios.TCSANOW, settings)
        assert tty.output_speed() == 57600
        before = tty.hang_up_on_close(False)
        assert tty.hang_up_on_close(before) is False
        assert tty.hang_up_on_close(before) is before
        tty.hold_output()
        tty.let_output()
        tty.flush_output()
        with pytest.raises(OSError, match="ioctl"):
            tty.set_closing_wait(0)
        with tty.opened_anew(rig.port) as anew:
            assert anew.is_pty()
            assert anew.fileno() != fd
        rig.hang_up("port")
        os.close(fd)
        for ask in (tty.modem_lines, tty.hold_output):
            with pytest.raises(OSError):
                ask()


@pytest.mark.parametrize(
    ("stream", "strongest"),
    [(TcpPair, "acknowledged"), (UnixPair, "accepted"), (PtyPair, "accepted")],
)
async def test_each_stream_says_what_it_can_prove(stream, strongest):
    with stream() as rig:
        port = sw.SerialPort(rig.port) if stream is PtyPair else sw.as_stream(rig.port)
        assert sw.strongest_proof(port) == strongest
        assert sw.strongest_proof(sw.Queued(sw.Traced(port, print))) == strongest
        assert set(port.proof_levels.values()) >= {"unknown"}
        port.close()
    assert sw.strongest_proof(object()) == "accepted"
    assert list(sw.ProofLevel) == ["accepted", "acknowledged", "served", "drained", "transmitted", "confirmed"]


async def test_a_socket_tells_what_its_peer_has_not_acknowledged():
    with TcpPair() as rig:
        rig.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stream = sw.as_stream(rig.port)
        assert stream.queued == 0
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(stream, bytes(20_000_000), timeout=0.2)
        assert 0 < caught.value.queued < caught.value.bytes_transferred
        assert stream.close() is None
        assert stream.queued is None


@pytest.mark.parametrize(
    "setting",
    [{"rs485_mode": serial.rs485.RS485Settings()}, {"low_latency": True}],
    ids=lambda setting: next(iter(setting)),
)
def test_a_port_that_is_refused_at_opening_is_closed_again(monkeypatch, setting):
    made, genuine = [], serial.Serial.open

    def keep(port):
        made.append(port)
        genuine(port)

    monkeypatch.setattr(serial.Serial, "open", keep)
    with PtyPair() as rig:
        with pytest.raises(ValueError, match=next(iter(setting))):
            sw.SerialPort(rig.port, **setting)
    assert [port.is_open for port in made] == [False]


def test_a_folder_is_refused_with_its_reason_once(tmp_path):
    with pytest.raises(serial.SerialException) as caught:
        sw.SerialPort(tmp_path)
    assert str(caught.value).endswith(f"port {str(tmp_path)!r} can't be opened: Is a directory")


def test_a_name_with_a_nul_byte_is_refused():
    with pytest.raises(ValueError, match=r"^port: .* has a NUL byte in it; pass a device's path"):
        sw.SerialPort("/dev/tty\0")


def test_a_later_baud_rate_of_0_is_refused_on_a_pty():
    with PtyPair() as line, sw.SerialPort(line.port) as port:
        with pytest.raises(ValueError, match=r"^baudrate=0: pass bits per second"):
            port.serial.baudrate = 0
        assert port.serial.baudrate == 9600

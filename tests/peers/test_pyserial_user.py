"""A plain `serial.Serial` on either end of a pty rig sees a normal port: settings, timeouts, in_waiting."""

import contextlib
import os
import shutil
import termios
import time

import pytest
import serial
from waiting import wait_until

from serialwrite.testing import PtyPair, SimulatedUart, SocatPair, receive

needs_socat = pytest.mark.skipif(
    shutil.which("socat") is None and not os.environ.get("CI"), reason="socat is not installed"
)


@pytest.fixture(params=["pty", "uart", pytest.param("socat", marks=needs_socat)])
def rig(request):
    with {"pty": PtyPair, "uart": SimulatedUart, "socat": SocatPair}[request.param]() as rig:
        yield rig


@pytest.fixture(params=["port", "peer"])
def ends(rig, request):
    """One end as a pyserial user has it, the other raw."""
    path, open_other = (rig.port, rig.open_peer) if request.param == "port" else (rig.peer, rig.open_port)
    with serial.Serial(path, 115200, timeout=5) as port, open_other() as other:
        yield port, other


def test_write_and_read(ends):
    port, other = ends
    assert port.write(b"to the other") == 12
    assert receive(other, 12) == b"to the other"
    os.write(other.fileno(), b"a line\nand more")
    assert port.readline() == b"a line\n"
    assert port.read(8) == b"and more"


def test_in_waiting_and_reset_input_buffer(ends):
    port, other = ends
    os.write(other.fileno(), b"12345")
    wait_until(lambda: port.in_waiting >= 5)
    assert port.in_waiting == 5
    port.reset_input_buffer()
    assert port.in_waiting == 0
    os.write(other.fileno(), b"fresh")
    assert port.read(5) == b"fresh"


def test_a_read_times_out_with_what_came(ends):
    port, other = ends
    port.timeout = 0.1
    os.write(other.fileno(), b"abc")
    wait_until(lambda: port.in_waiting >= 3)
    started = time.monotonic()
    assert port.read(10) == b"abc"
    assert 0.05 < time.monotonic() - started < 5


def test_a_write_times_out_on_a_peer_that_does_not_read(ends):
    port, _ = ends
    port.write_timeout = 0.2
    with pytest.raises(serial.SerialTimeoutException):
        port.write(bytes(1 << 20))


@pytest.mark.parametrize("baudrate", [300, 9600, 115200, 921600, 4_000_000])
def test_baud_rates_are_taken(ends, baudrate):
    port, other = ends
    port.baudrate = baudrate
    port.write(b"ok")
    assert receive(other, 2) == b"ok"


def test_settings_are_saved_and_applied_with_flow_control(ends):
    port, other = ends
    settings = port.get_settings()
    port.apply_settings({**settings, "baudrate": 9600, "stopbits": 2, "rtscts": True})
    port.write(b"8n2")
    assert receive(other, 3) == b"8n2"
    port.apply_settings(settings)
    assert port.get_settings() == settings


def test_other_character_formats_are_the_quirk(rig):
    """The kernel forces 8 bits without parity on every pty; libc says so in some cases only."""
    assert "no-character-format" in rig.quirks
    with serial.Serial(rig.port) as port:
        for setting in ({"bytesize": 7}, {"parity": "E"}):
            with contextlib.suppress(termios.error):
                port.apply_settings(setting)
            control = termios.tcgetattr(port.fd)[2]
            assert control & termios.CSIZE == termios.CS8
            assert not control & termios.PARENB


def test_flush_and_out_waiting(ends):
    port, other = ends
    port.write(b"x" * 100)
    port.flush()
    assert port.out_waiting == 0
    assert len(receive(other, 100)) == 100


def test_exclusive_access_is_refused_to_a_second_user(rig):
    with (
        serial.Serial(rig.port, exclusive=True),
        pytest.raises(serial.SerialException, match="exclusively lock"),
    ):
        serial.Serial(rig.port, exclusive=True)


def test_two_pyserial_users_talk(rig):
    with serial.Serial(rig.port, timeout=5) as port, serial.Serial(rig.peer, timeout=5) as peer:
        port.write(b"ping\n")
        assert peer.readline() == b"ping\n"
        peer.write(b"pong\n")
        assert port.readline() == b"pong\n"


def test_a_port_can_be_closed_and_opened_again(rig):
    with rig.open_peer() as peer:
        for text in (b"first", b"again"):
            with serial.Serial(rig.port, timeout=5) as port:
                port.write(text)
                assert receive(peer, 5) == text

"""Device code, tested with pytest and no hardware: the fixtures come with the package."""

import pytest

import serialwrite as sw
from serialwrite.testing import receive


class Display:
    """The code under test: it writes a text to a display, and says how much of it was taken."""

    def __init__(self, path):
        self.port = sw.SerialPort(path, 115200)

    def show(self, text, timeout=1.0):
        return sw.write(self.port, text.encode() + b"\n", timeout=timeout)

    def close(self):
        self.port.close()


def test_what_is_shown_arrives(serial_pair):
    display = Display(serial_pair.port)
    with serial_pair.open_peer() as device:
        assert display.show("hello") == 6
        assert receive(device, 6) == b"hello\n"
    display.close()


def test_a_display_that_hangs_is_reported(serial_pair):
    display = Display(serial_pair.port)
    with serial_pair.open_peer() as device:  # which never reads
        with pytest.raises(sw.TransferTimeout) as caught:
            display.show("x" * 100_000, timeout=0.2)
        assert receive(device, caught.value.bytes_transferred) == b"x" * caught.value.bytes_transferred
    display.close()


def test_a_display_behind_a_bad_cable(simulated_uart):
    line = simulated_uart(baud=None, faults="at byte 2: drop")
    display = Display(line.port)
    with line.open_peer() as device:
        assert display.show("hello") == 6  # accepted; what the cable does with it is another matter
        assert receive(device, 5) == b"helo\n"
    display.close()

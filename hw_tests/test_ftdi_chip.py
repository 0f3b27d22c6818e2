"""The emulated FT232R itself, over pipes in place of USB: what it must do for the tests on ftdi_sio to mean anything."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from hw_tests.rig.guest import ftdi
from hw_tests.rig.guest.functionfs import PACKET, Endpoints


class NoPlug:
    """Nothing happens on the bus when the device comes and goes."""

    def plug(self) -> None:
        """Put in."""

    def unplug(self) -> None:
        """Pulled out."""


@pytest.fixture
def bus():
    """The bulk pipe from the host: where the chip reads, and where the host writes."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def line():
    """The wire: the chip's end and the far end."""
    chip, far = socket.socketpair()
    far.settimeout(20)
    with chip, far:
        yield chip, far


@pytest.fixture
def chip(bus, line):
    """A chip that is plugged in; the test itself runs its parts."""
    chip = ftdi.Ft232r(line[0], NoPlug(), Endpoints(-1, -1, bus[0]))
    chip.set(plugged=True)
    return chip


@pytest.fixture
def between(monkeypatch):
    """What happens when a packet has left the host and the chip has not taken it in."""
    events = []
    read = os.read

    def slow(fd, count):
        data = read(fd, count)
        while events:
            events.pop(0)()
        return data

    monkeypatch.setattr(ftdi.os, "read", slow)
    return events


def carried(chip, bus, line, packet):
    """Send one packet; what arrives at the far end, as much as one packet."""
    os.write(bus[1], packet)
    chip.take_from_host()
    arrived = b""
    while len(arrived) < PACKET:
        chip.shift_out()
        arrived += line[1].recv(PACKET)
    return arrived


def test_a_packet_is_shifted_out(chip, bus, line):
    packet = os.urandom(PACKET)
    assert carried(chip, bus, line, packet) == packet


def test_an_unplugged_chip_sends_nothing_more(chip, bus, line, between):
    """A packet that it had already read, and sent after what it held was gone, would be a byte that follows a gap."""
    os.write(bus[1], b"gone" * 16)
    between.append(lambda: chip.set(plugged=False))
    chip.take_from_host()
    chip.set(plugged=True)
    packet = os.urandom(PACKET)
    assert carried(chip, bus, line, packet) == packet


def test_a_new_life_begins_when_nothing_is_left_of_the_old_one(chip, bus, line, between):
    plugging = threading.Thread(target=lambda: chip.set(plugged=True))

    def replug():
        chip.set(plugged=False)
        plugging.start()
        plugging.join(0.1)  # so long a chance to begin too early

    os.write(bus[1], b"gone" * 16)
    between.append(replug)
    chip.take_from_host()
    plugging.join(20)
    assert not plugging.is_alive()
    packet = os.urandom(PACKET)
    assert carried(chip, bus, line, packet) == packet

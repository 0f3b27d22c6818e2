"""Each driver quirk proved, both that it is there and that it isn't, by os and termios calls alone: no serialwrite here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time

import pytest

from hw_tests import raw
from hw_tests.device import Device

BLOCK = bytes(range(256)) * 8  # fits into any queue
FEW = b"stuck"  # fits into any FIFO


def until(condition, seconds=10):
    """Whether the condition comes true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Drain(threading.Thread):
    """tcdrain() on a thread: it may block for as long as the port is stuck."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.outcome = None
        self._fd = fd
        self.start()

    def run(self):
        try:
            termios.tcdrain(self._fd)
            self.outcome = "success"
        except termios.error as error:
            self.outcome = error.args[1]

    def outcome_within(self, seconds):
        """What it came to; None while it is still blocked."""
        self.join(seconds)
        return self.outcome


def test_tcflush(device: Device):
    """tcflush-is-noop, tcflush-spares-fifo: what arrives of a stuck queue that was flushed."""
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        taken = raw.fill(port, BLOCK)
        before = raw.queued(port)
        assert before > 0
        termios.tcflush(port, termios.TCOFLUSH)
        until(lambda: raw.queued(port) != before, 0.3)  # cdc_acm drops its buffers a moment later
        device.resume()
        assert until(lambda: raw.queued(port) == 0)
        os.write(port, b"<end>")
        arrived = len(device.peer_read_until(b"<end>")) - len(b"<end>")
    assert (arrived == taken) == ("tcflush-is-noop" in device.quirks), (taken, arrived)
    if "tcflush-is-noop" not in device.quirks:
        device.without("stall-spares-fifo")  # then the FIFO is empty before it could be flushed
        assert (arrived > 0) == ("tcflush-spares-fifo" in device.quirks), arrived


def test_outq_of_a_few_bytes(device: Device):
    """outq-excludes-fifo: a few bytes that can't leave, and whether TIOCOUTQ says that they have."""
    device.without("stall-spares-fifo")
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        os.write(port, FEW)
        assert until(lambda: raw.queued(port) == 0, 1) == ("outq-excludes-fifo" in device.quirks)
        assert device.far.received == b""


def test_outq_of_a_transfer_under_way(device: Device):
    """outq-counts-transfers: whether more comes out of a port that is closed when full than TIOCOUTQ said had left."""
    device.without("outq-overcounts", "own-far-end")
    if os.geteuid():
        pytest.skip("only root can close a port that is full")
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        left = raw.fill(port, BLOCK) - raw.queued(port)
    device.resume()
    more = until(lambda: len(device.far.received) > left, 0.5)
    assert more == ("outq-counts-transfers" in device.quirks), (len(device.far.received), left)


def test_outq_of_a_full_port(device: Device):
    """outq-overcounts: what TIOCOUTQ says of a stuck port, against what was written."""
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        taken = raw.fill(port, FEW)  # a buffer for each
        assert (raw.queued(port) > taken) == ("outq-overcounts" in device.quirks), (raw.queued(port), taken)


def test_lsr(device: Device):
    """no-lsr: and where it is there, it is 0 while bytes are stuck, and 1 once the last has left."""
    with raw.opened(device.path, **device.settings) as port:
        assert (raw.shift_register_empty(port) is None) == ("no-lsr" in device.quirks)
        device.without("no-lsr")
        assert until(lambda: raw.shift_register_empty(port))
        device.stall()
        os.write(port, BLOCK)
        assert until(lambda: not raw.shift_register_empty(port) or "stall-spares-fifo" in device.quirks)
        device.resume()
        device.peer_read(len(BLOCK))
        assert until(lambda: raw.shift_register_empty(port))


def test_tcdrain_with_the_fifo_stuck(device: Device):
    """tcdrain-early: a few bytes that can't leave, and whether tcdrain() says that they have."""
    device.without("stall-spares-fifo")
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        os.write(port, FEW)
        drain = Drain(port)
        early = drain.outcome_within(1) == "success"
        assert device.far.received == b""
        device.resume()
        assert drain.outcome_within(30) == "success"
        assert device.peer_read(len(FEW)) == FEW
    assert early == ("tcdrain-early" in device.quirks)


def test_tcdrain_during_unplug(device: Device):
    """tcdrain-blind-to-unplug: bytes that will never leave, and whether tcdrain() says that they have."""
    device.without("no-unplug")
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        raw.fill(port, BLOCK)
        drain = Drain(port)
        assert drain.outcome_within(0.3) is None
        device.unplug()
        outcome = drain.outcome_within(30)
    assert (outcome == "success") == ("tcdrain-blind-to-unplug" in device.quirks), outcome


def test_baudrate_read_back(device: Device):
    """baud-clamped: 3 Mbit/s asked of a port that can't."""
    with raw.opened(device.path) as port:
        raw.set_up(port, 3000000)
        assert (raw.baudrate(port) != 3000000) == ("baud-clamped" in device.quirks), raw.baudrate(port)


def test_cts(device: Device):
    """no-modem-lines: whether CTS is seen to fall, holds the port, and lets it go again."""
    if "no-modem-lines" in device.quirks:
        with raw.opened(device.path) as port:
            before = raw.modem_line(port, termios.TIOCM_CTS)
            with contextlib.suppress(OSError):  # the far end has none either
                raw.set_modem_line(device.far.fd, termios.TIOCM_RTS, not before)
            assert not until(lambda: raw.modem_line(port, termios.TIOCM_CTS) != before, 0.3)
        return
    with raw.opened(device.path, device.baudrate, rtscts=True) as port:
        assert until(lambda: raw.modem_line(port, termios.TIOCM_CTS))
        device.drop_cts()
        assert until(lambda: not raw.modem_line(port, termios.TIOCM_CTS))
        taken = raw.fill(port, BLOCK)
        device.resume()
        assert device.peer_read(taken) == (BLOCK * (taken // len(BLOCK) + 1))[:taken]


def test_xoff(device: Device):
    """no-xoff: whether an XOFF from the far end holds the port, and an XON lets it go again."""
    device.without("own-far-end")
    with raw.opened(device.path, device.baudrate, xonxoff=True) as port:
        device.peer_write(b"\x13!")
        assert select.select([port], [], [], 10)[0]  # the "!" is there, so the XOFF before it has been heard
        os.write(port, BLOCK)
        held = not until(lambda: len(device.far.received) >= len(BLOCK) // 2, 0.4)
        device.peer_write(b"\x11")
        device.peer_read(len(BLOCK))
    assert held == ("no-xoff" not in device.quirks)


def test_rs485(device: Device):
    """no-rs485: whether the driver takes TIOCSRS485."""
    enabled = struct.pack("8I", 1, *[0] * 7)
    with raw.opened(device.path) as port:
        try:
            fcntl.ioctl(port, raw.TIOCSRS485, enabled)
            fcntl.ioctl(port, raw.TIOCSRS485, bytes(32))
            taken = True
        except OSError:
            taken = False
    assert taken == ("no-rs485" not in device.quirks)


def test_close_waits_for_closing_wait(device: Device):
    """No quirk but every driver's way: close() with bytes queued sleeps closing_wait out, O_NONBLOCK or not."""
    device.without("own-far-end")
    if os.geteuid():
        pytest.skip("only root may set closing_wait, and 30 s would have to be waited")
    port = raw.open_port(device.path, **device.settings)
    device.stall()
    raw.fill(port, BLOCK)
    raw.set_closing_wait(port, 20)
    started = time.monotonic()
    os.close(port)
    assert time.monotonic() - started >= 0.18


def test_pace(device: Device):
    """The far end gets bytes no faster than pace() says."""
    device.without("no-pace")
    device.pace(960)
    with raw.opened(device.path, **device.settings) as port:
        started = time.monotonic()
        os.write(port, BLOCK[:240])
        assert device.peer_read(240) == BLOCK[:240]
        assert time.monotonic() - started >= 0.2


def test_replug(device: Device):
    """After unplug() and replug() the port is there again, under the same name."""
    device.without("no-unplug")
    with raw.opened(device.path) as port:
        device.unplug()
        assert until(lambda: select.select([port], [], [], 0)[0])
        with pytest.raises(OSError):
            fcntl.ioctl(port, termios.TIOCMGET, bytes(4))
    device.replug()
    with raw.opened(device.path, device.baudrate) as port:
        os.write(port, FEW)
        assert device.peer_read(len(FEW)) == FEW


def test_closing_wait_is_roots_alone(device: Device):
    """No quirk but every driver's way: an ordinary user can't shorten the 30 s that close() waits."""
    if os.geteuid():
        pytest.skip("run by an ordinary user already")
    with raw.opened(device.path) as port:
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                raw.set_closing_wait(port, 1)
        finally:
            os.seteuid(0)


def test_a_signal_ends_close(device: Device):
    """No quirk but every driver's way: close() stops waiting when its thread gets a signal; any user can do that."""
    device.without("own-far-end")
    handled = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        port = raw.open_port(device.path, **device.settings)
        device.stall()
        raw.fill(port, BLOCK)
        closing = threading.Thread(target=os.close, args=(port,))
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
        signal.pthread_kill(closing.ident, signal.SIGUSR1)
        closing.join(10)
        assert not closing.is_alive()
    finally:
        signal.signal(signal.SIGUSR1, handled)


def test_transceiver(device: Device):
    """What bytes_cut() counts: bytes that were sent with RTS low, none with RTS high."""
    device.use_transceiver()
    with raw.opened(device.path, device.baudrate) as port:
        os.write(port, FEW)
        assert device.peer_read(len(FEW)) == FEW
        assert device.bytes_cut() == 0
        raw.set_modem_line(port, termios.TIOCM_RTS, high=False)
        os.write(port, FEW)
        assert until(lambda: device.bytes_cut() == len(FEW))
        assert device.far.received == b""


def test_rs485_turns_the_bus_around(device: Device):
    """The driver's own RS-485: RTS is high for each byte, and low once the last has left."""
    device.without("no-rs485")
    device.use_transceiver()
    device.pace(11520)
    enabled_and_rts_on_send = struct.pack("8I", 3, *[0] * 7)
    with raw.opened(device.path, device.baudrate) as port:
        fcntl.ioctl(port, raw.TIOCSRS485, enabled_and_rts_on_send)
        try:
            assert until(lambda: not raw.modem_line(device.far.fd, termios.TIOCM_CTS))
            os.write(port, BLOCK)
            assert until(lambda: raw.modem_line(device.far.fd, termios.TIOCM_CTS))
            assert device.peer_read(len(BLOCK)) == BLOCK
            assert until(lambda: not raw.modem_line(device.far.fd, termios.TIOCM_CTS))
        finally:
            fcntl.ioctl(port, raw.TIOCSRS485, bytes(32))
    assert device.bytes_cut() == 0


def test_twenty_ports_at_once(device: Device):
    """no-twenty: where there are twenty ports, they all carry at once."""
    with device.twenty() as devices, contextlib.ExitStack() as closing:
        ports = [closing.enter_context(raw.opened(each.path, each.baudrate)) for each in devices]
        for port in ports:
            os.write(port, BLOCK)
        for each in devices:
            assert each.peer_read(len(BLOCK)) == BLOCK

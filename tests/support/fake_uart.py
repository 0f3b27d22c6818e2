"""A UART with the kernel's side of it, in this process: queue, FIFO, shift register, modem lines, and a paced line.

A pty has none of these. What real drivers do differently is a switch here, named as in hw_tests.
"""

import ctypes
import errno
import os
import threading
import time
from contextlib import contextmanager

import serial

import serialwrite as sw
from serialwrite.streams.serial._descriptor_driver import DescriptorDriver
from serialwrite.streams.serial._device import CLOSING_WAIT_NONE, LineCounters, ModemLines
from serialwrite.streams.serial._settings import asked_of
from serialwrite.streams.serial._tty import Tty

FULL = 0xFFFFFFFFFFFFFFFE  # an eventfd that holds this much is not ready for writing


class FakeUart:
    """The hardware and its driver.

    Switches: ``cts``, ``dsr``, ``ri``, ``xoff`` (the peer's), ``stuck`` (nothing leaves, and nothing tells why), ``unplugged``.
    Quirks: ``has_lsr`` false: no TIOCSERGETLSR; ``flush_works`` false: TCOFLUSH does nothing; ``has_queue`` false:
    as a pty; ``queue_unit``: bytes of a buffer, of which its queue counts whole ones; ``status_lag``: seconds for which
    the shift register seems to be empty after a write; ``privileged`` false: closing_wait can't be changed;
    ``interruptible`` false: no signal ends a close; ``tells_changes`` true: it has
    TIOCMIWAIT, and counts changes of CTS and RI.
    """

    def __init__(self, baudrate=115200, ring=4095, fifo=16, **quirks):
        self.byte_time = 10 / baudrate
        self.ring, self.fifo_size = ring, fifo
        self.queue, self.fifo, self.wire = bytearray(), bytearray(), bytearray()
        self.cts, self.xoff, self.stuck, self.unplugged, self.stopped = True, False, False, False, False
        self.has_lsr = self.flush_works = self.has_queue = self.privileged = self.interruptible = True
        self.queue_unit, self.status_lag, self.written_at = 1, 0.0, 0.0
        self.tells_changes, self.ri, self.changes, self.waits_for_changes = False, False, [0, 0], 0
        self.closing_wait, self.exclusive, self.hupcl, self.rts, self.dtr = 3000, False, True, True, True
        self.refused = {}  # settings that the driver has set otherwise
        self.dsr, self.dtr_log = True, []
        self.breaks, self.rts_log, self.flushes, self.reopened = [], [], 0, 0
        for name, value in quirks.items():
            assert hasattr(self, name)
            setattr(self, name, value)
        self.sent_at = time.monotonic()
        self.lock = threading.RLock()
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run, name="fake uart")

    def start(self, port):
        self.port = port
        self.thread.start()

    def _run(self):
        while not self.done.wait(0.002):
            self.advance()

    def held(self, port):
        return self.stopped or (port.rtscts and not self.cts) or (port.xonxoff and self.xoff)

    def advance(self):
        """Let the line have what its time has come for."""
        with self.lock:
            now = time.monotonic()
            if self.unplugged:
                self._set_ready(True)
                return
            while True:
                if not self.fifo and not self.held(self.port):
                    self.fifo += self.queue[: self.fifo_size]
                    del self.queue[: self.fifo_size]
                if not self.fifo or self.stuck:
                    self.sent_at = now
                    break
                if self.sent_at + self.byte_time > now:
                    break
                self.wire.append(self.fifo.pop(0))
                self.sent_at += self.byte_time
            self._set_ready(len(self.queue) < min(256, self.ring))

    def _set_ready(self, ready):
        if self.done.is_set():
            return
        try:
            if ready:
                os.eventfd_read(self.fd)
            else:
                os.eventfd_write(self.fd, FULL)
        except BlockingIOError:  # it is so already
            pass

    def set_line(self, line, on):
        """Change CTS or RI: what waits is told, and it is counted as real UARTs do: of RI, when it ends."""
        if getattr(self, line) is not on:
            setattr(self, line, on)
            if line == "cts" or not on:
                self.changes[line == "ri"] += 1

    def check(self):
        if self.unplugged:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def write(self, buffers):
        with self.lock:
            self.check()
            self.advance()
            data = b"".join(buffers)[: self.ring - len(self.queue)]
            if not data and any(map(len, buffers)):
                raise BlockingIOError
            self.queue += data
            self.written_at = time.monotonic()
            self.advance()
            return len(data)

    @property
    def received(self):
        """What the far end has got."""
        with self.lock:
            self.advance()
            return bytes(self.wire)

    def end(self):
        self.done.set()
        self.thread.join()
        with self.lock:  # a close that was left alone may still be at work
            os.close(self.fd)


class FakeTty(Tty):
    def __init__(self, uart):
        super().__init__(lambda: uart.fd)
        self.uart = uart

    def is_pty(self):
        return not self.uart.has_queue

    def output_queue(self):
        with self.uart.lock:
            self.uart.check()
            self.uart.advance()
            unit = self.uart.queue_unit
            return -(-len(self.uart.queue) // unit) * unit if self.uart.has_queue else None

    def transmitter_empty(self):
        with self.uart.lock:
            self.uart.check()
            self.uart.advance()
            if not self.uart.has_lsr:
                return None
            late = self.uart.status_lag and time.monotonic() < self.uart.written_at + self.uart.status_lag / 2
            return bool(late) or not self.uart.fifo

    def status_lag(self):
        return self.uart.status_lag

    def fifo_size(self):
        return self.uart.fifo_size

    def hold_output(self):
        self.uart.check()
        self.uart.stopped = True

    def let_output(self):
        self.uart.check()
        self.uart.stopped = False

    def flush_output(self):
        self.uart.check()
        self.uart.flushes += 1
        if self.uart.flush_works:
            with self.uart.lock:
                self.uart.queue.clear()

    def modem_lines(self):
        self.uart.check()
        return ModemLines(self.uart.cts, self.uart.dsr, False, self.uart.ri, self.uart.rts, self.uart.dtr)

    def await_line_change(self, lines):
        if not self.uart.tells_changes:
            super().await_line_change(lines)  # the descriptor is not a tty's
        before = list(self.uart.changes)
        self.uart.waits_for_changes += 1
        try:
            while self.uart.changes == before:  # as on 8250s, not ended by an unplug
                if ctypes.CDLL(None).poll(None, 0, 1) < 0:
                    raise InterruptedError
        finally:
            self.uart.waits_for_changes -= 1

    def counters(self):
        cts, ri = self.uart.changes
        return LineCounters(cts, 0, ri, 0, 0, len(self.uart.wire), 0, 0, 0, len(self.uart.breaks), 0)

    def set_break(self, on):
        self.uart.check()
        assert not on or not self.uart.queue, "the kernel would wait here, on the event loop"
        self.uart.breaks.append((on, len(self.uart.wire)))

    def settings(self):
        taken = {"baudrate": self.output_speed(), "dsrdtr": False}
        return asked_of(self.uart.port)._replace(**taken | self.uart.refused)

    def output_speed(self):
        return round(10 / self.uart.byte_time)

    def set_exclusive(self, on):
        self.uart.check()
        self.uart.exclusive = on

    def closing_wait(self):
        self.uart.check()
        return self.uart.closing_wait

    def set_closing_wait(self, value):
        self.uart.check()
        if not self.uart.privileged:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self.uart.closing_wait = value

    def hang_up_on_close(self, on):
        before, self.uart.hupcl = self.uart.hupcl, on
        return before

    @contextmanager
    def opened_anew(self, path):
        assert not self.uart.port.is_open, "the descriptor that is closing is open still"
        self.uart.reopened += 1
        yield self


class FakeSerial(serial.SerialBase):
    """What pyserial would have opened. Its close does as the kernel's: it waits for the queue, if it is let."""

    def __init__(self, uart, **settings):
        super().__init__()
        self.uart = uart
        self.portstr = self.name = self._port = "/dev/ttyFAKE0"
        self._baudrate = round(10 / uart.byte_time)
        self.fd, self.is_open = uart.fd, True
        self._rtscts, self._xonxoff = settings.pop("rtscts", False), settings.pop("xonxoff", False)
        self.let_go = threading.Event()  # ends a close that waits, for the end of a test
        assert not settings
        uart.start(self)

    def _reconfigure_port(self, force_update=False):
        pass

    def _update_rts_state(self):
        self.uart.rts = self._rts_state
        self.uart.rts_log.append((self._rts_state, len(self.uart.received)))

    def _update_dtr_state(self):
        self.uart.dtr = self._dtr_state
        self.uart.dtr_log.append(self._dtr_state)

    def close(self):
        if self.fd is None:
            return
        uart = self.uart
        deadline = time.monotonic() + uart.closing_wait / 100
        while uart.closing_wait != CLOSING_WAIT_NONE and uart.queue and not uart.unplugged:
            uart.advance()
            # As in the kernel, a signal to this thread ends the wait; Python's own waits would go on.
            interrupted = ctypes.CDLL(None).poll(None, 0, 2) < 0
            if (interrupted and uart.interruptible) or time.monotonic() > deadline or self.let_go.is_set():
                break
        with uart.lock:
            self.dropped = len(uart.queue)
            uart.queue.clear()
        self.fd, self.is_open = None, False


class FakeDriver(DescriptorDriver):
    """What a SerialPort on a fake UART has: there is nothing to read."""

    def __init__(self, port):
        super().__init__(port, FakeTty(port.uart))
        self.uart = port.uart

    def write_some_nowait(self, buffers):
        self.wait_fd()
        return self.uart.write(buffers)

    def write_one(self, data):
        return self.write_some_nowait([data])

    def read_some_nowait(self, buffers):
        self.wait_fd()
        raise BlockingIOError


class SimulatedPort(sw.SerialPort):
    """A SerialPort on a fake UART."""

    def __init__(self, uart, **settings):
        super().__init__(FakeDriver(FakeSerial(uart, **settings)))
        self.uart = uart


@contextmanager
def simulated_port(settings=None, **uart):
    """``with simulated_port(baudrate=..., has_lsr=False) as port``: ``port.uart`` is the other side."""
    uart = FakeUart(**uart)
    port = SimulatedPort(uart, **(settings or {}))
    try:
        yield port
    finally:
        port.close("abort")
        port.serial.let_go.set()
        uart.end()

"""The measured part of a port's card: the depth of its queue, drain and discard, and the errors of an unplug."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import serialwrite as sw
from serialwrite._posix import termios
from serialwrite.loopback._result import Fact
from serialwrite.streams.serial._drain import discard

# Bytes that a measurement of the queue writes; a port that takes them all has a peer that reads.
FILL_MAX_SIZE: Final = 1 << 20
FILL_TIMEOUT_S: Final = 2.0  # seconds for that
FULL_AFTER_S: Final = 0.1  # seconds without a byte taken, after which the port is full
FILL_PIECE: Final = b"U" * 4096  # 0x55: an even square wave, which no device takes for a command
TCDRAIN_TIMEOUT_S: Final = 0.3  # seconds after which a tcdrain that has not returned is taken to be waiting
UNPLUG_POLL_S: Final = 0.25  # seconds of one read while an unplug is waited for


def is_remote(port: sw.SerialPort) -> bool:
    """Return whether no driver of this machine stands behind the port."""
    return not port.driver.pollable or port.socket is not None


def measured(port: sw.SerialPort, advice: list[str]) -> list[Fact]:
    """Fill the port with its output held, and check what the driver reports of that."""
    tty: Any = port.driver.device
    if is_remote(port):
        return [Fact("queue, discard, drain", "not measured: no driver of this machine stands behind this port")]
    holds = not tty.is_pty()  # a pty that is held takes nothing at all
    if holds:
        tty.hold_output()
    try:
        taken = _fill(port)
        queue, empty = tty.output_queue(), tty.transmitter_empty()
        full = taken < FILL_MAX_SIZE
        depth = f"{taken:,} bytes taken before EAGAIN" if full else f"{taken:,} bytes taken, and never full"
        facts = [Fact("queue depth", depth, "measured")]
        if full:
            facts.append(_drain(port, queue, advice))
        if queue is None:
            return facts
        facts.append(Fact("output queue when full", f"{queue:,} of {taken:,}", "TIOCOUTQ, measured"))
        if queue > taken:
            advice.append("TIOCOUTQ counts more than there is: take it for `not empty`, not for a number")
        if holds and not queue:
            facts.append(Fact("holding the output", "ignored: it was all sent", "TCOOFF, measured"))
            return facts
        if empty:
            facts.append(Fact("transmitter when full", "says empty, as it is held", "TIOCSERGETLSR, measured"))
        gone = discard(tty, hold=False)
        left = tty.output_queue()
        obeyed = f"{gone:,} bytes dropped" if gone else f"ignored: {left:,} bytes are still there"
        facts.append(Fact("discard", obeyed, "TCOFLUSH, measured"))
        if not gone:
            advice.append("discard is ignored: what the driver has accepted goes out, whatever a program asks for")
        return facts
    finally:
        if holds:
            tty.let_output()


def _fill(port: sw.SerialPort) -> int:
    taken, began = 0, time.monotonic()
    moved = began
    while taken < FILL_MAX_SIZE and (now := time.monotonic()) - moved < FULL_AFTER_S and now - began < FILL_TIMEOUT_S:
        try:
            taken += port.write_some_nowait((FILL_PIECE,))
        except BlockingIOError:
            time.sleep(0.005)  # not poll(): it says ready where a write then takes nothing
        else:
            moved = now
    return taken


def _drain(port: sw.SerialPort, queue: int | None, advice: list[str]) -> Fact:
    """Return whether tcdrain waits while nothing can leave; it does so on a thread, as it may wait for ever."""
    answers: list[str] = []

    def drain(fd: int) -> None:
        try:
            termios.tcdrain(fd)
        except (OSError, termios.error) as error:
            answers.append(f"unknown: {error}")
        else:
            answers.append("")

    thread = threading.Thread(target=drain, args=(port.driver.wait_fd(),), daemon=True)
    thread.start()
    thread.join(TCDRAIN_TIMEOUT_S)
    if not answers:
        return Fact("drain", "waits, as it should: nothing can leave", "tcdrain, measured")
    if answers[0]:
        return Fact("drain", answers[0], "tcdrain, measured")
    advice.append("tcdrain says that all is sent where nothing was: wait with async_drain, and see its proof")
    left = "a full queue" if queue is None else f"{queue:,} bytes queued"
    return Fact("drain", f"untrue: it said that all is sent, with {left}", "tcdrain, measured")


def await_unplug(port: sw.SerialPort, seconds: float) -> str:
    """Wait until the port is gone; return the error numbers of a read, two writes and the modem lines after that."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            sw.read(
                port, bytearray(4096), completion_condition=sw.transfer_at_least(1), timeout=min(left, UNPLUG_POLL_S)
            )
        except sw.TransferTimeout:
            continue
        except sw.TransferError as error:
            return f"read {_name(error)}" if is_remote(port) else _answers(port)
    return f"unknown: it was not unplugged within {seconds:g} s"


def _answers(port: sw.SerialPort) -> str:
    """Return what the system itself answers on a port that is gone: our read calls an end-of-file of a tty EIO."""
    fd = port.driver.wait_fd()
    told = [f"read {_outcome(lambda: os.read(fd, 1) or 'end-of-file')}"]
    told += [f"write {_outcome(lambda: os.write(fd, b'U'))}" for _ in range(2)]
    told.append(f"modem lines {_outcome(lambda: port.modem_lines)}")
    return ", ".join(told)


def _outcome(work: Callable[[], object]) -> str:
    try:
        done = work()
    except OSError as error:
        return _name(error)
    return done if isinstance(done, str) else "without an error"


def _name(error: OSError) -> str:
    number = error.errno
    return errno.errorcode.get(number, os.strerror(number)) if number is not None else str(error)

"""Owns the checks of what can be trusted: the count of a write that was cut off, flow control, the baud rate."""

from __future__ import annotations

import contextlib
import time
from typing import Final

import serialwrite as sw
from serialwrite.loopback._line import Line
from serialwrite.loopback._patterns import Pattern
from serialwrite.loopback._result import Check, Direction, Outcome, Settings
from serialwrite.testing._rig import NO_PACING

STALL: Final = 0.5  # seconds that the peer doesn't read
PAYLOAD: Final = 1 << 23  # more than any port holds, and most sockets
QUEUE: Final = 1 << 14  # bytes on their way at the most, which is more than a UART's driver queues
LATE: Final = 0.3  # seconds listened for bytes that went out behind the count's back

TOLERANCE: Final = 0.015  # of the baud rate: what one end may be off if the other one is allowed the same
STARVED: Final = 0.003  # of a busy line's time; more would blur its rate by a share of TOLERANCE that matters
SURE_AFTER: Final = 1.0  # seconds of a busy line, before its rate can be told


async def check_accounting(line: Line, settings: Settings, pattern: Pattern, patience: float) -> list[Check]:
    """Stall the peer, let a write time out, and compare its count with what arrives then.

    This is the promise of the library on the user's own adapter; what stopped the sender tells of the flow control.
    """
    name = "accounting on this line" + (f", flow {settings.flow}" if settings.flow != "none" else "")
    payload = pattern.block(0, PAYLOAD)
    stopped: sw.TransferError | None = None
    try:
        count = await sw.async_write(line.port, payload, timeout=STALL)
    except sw.TransferTimeout as error:
        stopped, count = error, error.bytes_transferred
    except sw.TransferError as error:
        return [Check(name, Outcome.FAIL, f"the write ended otherwise than by its timeout: {error}")]
    if not count:
        return [Check(name, Outcome.UNKNOWN, "the port took no byte, so nothing is proved")]
    slack = patience + 64 / settings.line_rate
    wrong_for = slack + min(count, QUEUE) / settings.line_rate
    came, right = await _all_that_comes(line.peer, payload, count, slack, wrong_for)
    detail = f"the write {'was cut off' if stopped else 'ended'} at {count:,} bytes; {came:,} arrived"
    held = (stopped.stall if stopped else None) or "nothing that the driver tells"
    if right and came == count:
        checks = [Check(name, Outcome.PASS, f"{detail}, all right, and none came later; stall: {held}")]
        if settings.flow != "none":
            checks.append(_flow(stopped, settings))
        return checks
    if right and came > count:
        return [Check(name, Outcome.FAIL, f"{detail}: {came - count:,} went out uncounted")]
    if settings.flow == "none":
        why = "without flow control that may be the receiver's overrun: try again with flow control"
        return [Check(name, Outcome.UNKNOWN, f"{detail}, not the same bytes; {why}")]
    return [Check(name, Outcome.FAIL, f"{detail}, not the same bytes")]


def _flow(stopped: sw.TransferError | None, settings: Settings) -> Check:
    name = "flow control stops the sender"
    if stopped is None:
        return Check(name, Outcome.UNKNOWN, "everything was taken before the receiver was full")
    if stopped.queued is None:
        return Check(name, Outcome.UNKNOWN, "nothing was lost; but the driver can't tell a sender that was stopped")
    if stopped.stall is None:
        return Check(name, Outcome.UNKNOWN, "nothing was lost; but the sender was still sending when its time was up")
    return Check(name, Outcome.PASS, f"{settings.flow}: {stopped.stall}; nothing was lost")


async def _all_that_comes(
    port: sw.SerialPort, payload: bytes, count: int, slack: float, wrong_for: float
) -> tuple[int, bool]:
    """Read until `count` bytes are there and nothing more comes, or nothing has come for `slack` seconds.

    Return how many came, and whether they are what `payload` begins with.  None is kept, as somebody may never stop
    talking: then it ends `slack` seconds after `count` bytes, or `wrong_for` seconds after the first wrong one,
    because what is right is finite, and what is wrong may trickle in for ever.
    """
    came, right, piece = 0, True, bytearray(1 << 16)
    deadline: float | None = None
    while deadline is None or time.monotonic() < deadline:
        quiet = LATE if came >= count else slack
        try:
            n = await sw.async_read(port, piece, completion_condition=sw.transfer_at_least(1), timeout=quiet)
        except sw.TransferError:
            break
        right = right and payload.startswith(piece[:n], came)
        came += n
        if deadline is None and (came >= count or not right):
            deadline = time.monotonic() + (slack if right else wrong_for)
    return came, right


def check_baud(direction: Direction, settings: Settings, quirks: frozenset[str], kept_waiting: float = 0.0) -> Check:
    """Return whether the line really runs at the baud rate that was set, by when the bytes arrived.

    `kept_waiting`: the seconds by which this machine was late; where they matter, nothing can be told of the line.
    """
    name = f"real baud rate, {direction.name}"
    if NO_PACING in quirks:
        return Check(name, Outcome.SKIPPED, "nothing paces this line: it is no UART")
    if direction.baud is None and direction.bytes_per_second > settings.line_rate:
        return Check(
            name, Outcome.SKIPPED, "nothing paces this line: bytes arrived faster than its baud rate lets them"
        )
    busy = sum(rate.seconds for rate in direction.throughput) - (direction.gaps.total if direction.gaps else 0.0)
    if direction.baud is None or busy < SURE_AFTER:
        return Check(name, Outcome.UNKNOWN, f"the line was busy for {busy:.2f} s: {SURE_AFTER:g} s are needed to tell")
    off = direction.baud / settings.baudrate - 1
    words = (
        f"{direction.baud:,.0f} bit/s, {abs(off):.1%} {'above' if off > 0 else 'below'} the {settings.baudrate:,} set"
    )
    if kept_waiting > STARVED * busy:  # its pass would be worth as little as its failure
        late = f"this machine was too busy to tell, {kept_waiting:.2f} s late in {busy:.2f} s"
        return Check(name, Outcome.UNKNOWN, f"{words}: but {late}")
    if abs(off) <= TOLERANCE:
        return Check(name, Outcome.PASS, words)
    if off < -0.1:  # two ends that differ by this much carry nothing right
        return Check(name, Outcome.UNKNOWN, f"{words}: the sender or the receiver starved, or flow control held it up")
    if off < 0 and direction.writes is not None and not (direction.writes.short or direction.writes.blocked):
        return Check(name, Outcome.UNKNOWN, f"{words}: but the port was never full, so the sender may have starved it")
    return Check(name, Outcome.FAIL, words)


def check_speed(port: sw.SerialPort, name: str, settings: Settings) -> list[Check]:
    """Return whether the driver set the baud rate: one beyond its reach it may replace without a word."""
    with contextlib.suppress(OSError):
        speed = port._tty.output_speed()
        if speed is not None:
            right = abs(speed / settings.baudrate - 1) <= TOLERANCE
            words = f"{speed:,} bit/s by the driver's word (TCGETS2), {settings.baudrate:,} asked for"
            return [Check(f"baud rate set, {name}", Outcome.PASS if right else Outcome.FAIL, words)]
    return []


async def let_settle(*ports: sw.SerialPort, quiet: float = 0.02) -> int:
    """Throw away what is still coming in, until nothing has come for `quiet` seconds or for a second; return how much.

    Before a test and between its parts: what a port sent earlier is none of what is counted.
    """
    thrown = 0
    for port in dict.fromkeys(ports):
        piece = bytearray(4096)
        deadline = time.monotonic() + 1.0
        with contextlib.suppress(sw.TransferError):
            while time.monotonic() < deadline:
                at_least_one = sw.transfer_at_least(1)
                thrown += await sw.async_read(port, piece, completion_condition=at_least_one, timeout=quiet)
    return thrown

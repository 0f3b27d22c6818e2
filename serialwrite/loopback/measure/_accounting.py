"""The accounting checks: the count of a write that was cut off, flow control, the baud rate."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

import serialwrite as sw
from serialwrite.loopback._line_ends import OpenLine
from serialwrite.loopback._result import Check, Direction, Outcome, Settings
from serialwrite.loopback.measure._budget import HELD_LINE_S, LATE_BYTES_S, PEER_STALL_S, SETTLE_TIMEOUT_S, slack
from serialwrite.loopback.patterns._patterns import Pattern
from serialwrite.streams.serial._stall import CTS_LOW, XOFF
from serialwrite.testing.rigs._rig import NO_PACING

PAYLOAD_MAX_SIZE: Final = 1 << 23  # bytes written to a line that is faster than all UARTs: more than any port holds
DRIVER_QUEUE_MAX_SIZE: Final = 1 << 14  # bytes on their way at the most, which is more than a UART's driver queues

STALL_OF_FLOW: Final = {"rtscts": CTS_LOW, "xonxoff": XOFF}  # the stall that each kind of flow control shows as
BAUD_TOLERANCE_RATIO: Final = 0.015  # of the baud rate: what one end may be off if the other one is allowed the same
STARVED_RATIO_MAX: Final = (
    0.003  # of a busy line's time; more would blur its rate by a share of BAUD_TOLERANCE_RATIO that matters
)
BUSY_MIN_S: Final = 1.0  # seconds of a busy line, before its rate is measured
# Bytes of one, before that: a byte's arrival is known to a byte's time, which must be small beside what is measured.
BUSY_MIN_BYTES: Final = 200


async def check_accounting(
    line: OpenLine, settings: Settings, pattern: Pattern, patience: float, found: list[Check], line_rate: float
) -> None:
    """Stall the peer, let a write time out, and compare its count with what arrives then; add the checks to ``found``.

    Checks the library's main guarantee on this adapter, and reports which flow control stopped the sender.
    What is written is HELD_LINE_S of a line that carries ``line_rate`` bytes a second.
    A driver or a network that holds all of that gets more, at the line's own pace, until the time is up.
    """
    name = accounting_name(settings)
    most = min(max(round(HELD_LINE_S * line_rate), 1), PAYLOAD_MAX_SIZE)
    paced = min(max(round(2 * PEER_STALL_S * line_rate), 2), PAYLOAD_MAX_SIZE)
    payload = pattern.block(0, most + paced)
    stopped: sw.TransferError | None = None
    try:
        count = await _write_for(PEER_STALL_S, line.port, payload[:most])
        if isinstance(count, sw.TransferTimeout):
            stopped, count = count, count.bytes_transferred
        else:
            slowly = sw.Paced(line.port, bytes_per_second=line_rate)
            cut = await _write_for(PEER_STALL_S, slowly, payload[most:])
            if not isinstance(cut, sw.TransferTimeout):
                found.append(Check(name, Outcome.UNKNOWN, "every byte was taken, so no write was cut off"))
                return
            count += cut.bytes_transferred
    except sw.TransferError as error:
        found.append(Check(name, Outcome.FAIL, f"the write ended otherwise than by its timeout: {error}"))
        return
    if not count:
        found.append(Check(name, Outcome.UNKNOWN, "the port took no byte, so nothing is proved"))
        return
    silence = slack(settings, patience)
    wrong_for = silence + min(count, DRIVER_QUEUE_MAX_SIZE) / settings.line_rate
    came, right = await _all_that_comes(line.peer, payload, count, silence, wrong_for)
    detail = f"the write was cut off at {count:,} bytes; {came:,} arrived"
    held = "" if stopped is None else f"; stall: {stopped.stall or 'nothing that the driver reports'}"
    if right and came == count:
        found.append(Check(name, Outcome.PASS, f"{detail}, all right, and none came later{held}"))
        if settings.flow != "none":
            found.append(_flow(stopped, settings))
    elif right and came > count:
        found.append(Check(name, Outcome.FAIL, f"{detail}: {came - count:,} went out uncounted"))
    elif settings.flow == "none":
        why = "without flow control that may be the receiver's overrun: try again with flow control"
        found.append(Check(name, Outcome.UNKNOWN, f"{detail}, not the same bytes; {why}"))
    else:
        found.append(Check(name, Outcome.FAIL, f"{detail}, not the same bytes"))


def accounting_name(settings: Settings) -> str:
    return "accounting on this line" + (f", flow {settings.flow}" if settings.flow != "none" else "")


async def _write_for(seconds: float, stream: Any, data: bytes) -> int | sw.TransferTimeout:
    try:
        return await sw.async_write(stream, data, timeout=seconds)
    except sw.TransferTimeout as error:
        return error


def _flow(stopped: sw.TransferError | None, settings: Settings) -> Check:
    name = "flow control stops the sender"
    if stopped is None:
        return Check(name, Outcome.UNKNOWN, "everything was taken before the receiver was full")
    if stopped.queued is None:
        return Check(name, Outcome.UNKNOWN, "nothing was lost; but the driver can't tell a sender that was stopped")
    if stopped.stall is None:
        return Check(name, Outcome.UNKNOWN, "nothing was lost; but the sender was still sending when its time was up")
    if stopped.stall != STALL_OF_FLOW.get(settings.flow):
        return Check(name, Outcome.UNKNOWN, f"nothing was lost; but what held the sender is: {stopped.stall}")
    return Check(name, Outcome.PASS, f"{settings.flow}: {stopped.stall}; nothing was lost")


async def _all_that_comes(
    port: sw.SerialPort, payload: bytes, count: int, silence: float, wrong_for: float
) -> tuple[int, bool]:
    """Read until ``count`` bytes are there and nothing more comes, or nothing has come for ``silence`` seconds.

    Return how many came, and whether they are what ``payload`` begins with.  No byte is kept, because the expected data
    is finite, but a device may send unrelated data forever. So it ends ``silence`` seconds after ``count`` bytes, or
    ``wrong_for`` seconds after the first wrong one.
    """
    came, right, piece = 0, True, bytearray(1 << 16)
    deadline: float | None = None
    while deadline is None or time.monotonic() < deadline:
        quiet = LATE_BYTES_S if came >= count else silence
        try:
            n = await sw.async_read(port, piece, completion_condition=sw.transfer_at_least(1), timeout=quiet)
        except sw.TransferError:
            break
        right = right and bytes(piece[:n]) == payload[came : came + n]
        came += n
        if deadline is None and (came >= count or not right):
            deadline = time.monotonic() + (silence if right else wrong_for)
    return came, right


def check_baud(
    direction: Direction,
    settings: Settings,
    quirks: frozenset[str],
    kept_waiting: float = 0.0,
    *,
    fed: bool = False,
) -> Check:
    """Return whether the line really runs at the baud rate that was set, by when the bytes arrived.

    ``kept_waiting``: scheduling delay of this machine in seconds. If it is too large the check is inconclusive.
    ``fed``: whether the sender gave the line all that it could carry, also where no write met a full port.
    """
    name = f"real baud rate, {direction.name}"
    if NO_PACING in quirks:
        return Check(name, Outcome.NOT_TESTED, "nothing paces this line: it is no UART")
    if direction.baud is None and direction.bytes_per_second > settings.line_rate:
        return Check(
            name, Outcome.NOT_TESTED, "nothing paces this line: bytes arrived faster than its baud rate lets them"
        )
    busy = sum(rate.seconds for rate in direction.throughput) - (direction.gaps.total if direction.gaps else 0.0)
    needed = max(BUSY_MIN_S, BUSY_MIN_BYTES / settings.line_rate)
    if direction.baud is None or busy < needed:
        return Check(name, Outcome.UNKNOWN, f"the line was busy for {busy:.2f} s: {needed:.3g} s are needed to tell")
    off = direction.baud / settings.baudrate - 1
    side = "above" if off > 0 else "below"
    apart = f"{abs(off):.1%} {side} the {settings.baudrate:,} set" if round(off, 3) else "as set"
    words = f"{direction.baud:,.0f} bit/s, {apart}"
    if kept_waiting > STARVED_RATIO_MAX * busy:  # its pass would be worth as little as its failure
        late = f"this machine was too busy to tell, {kept_waiting:.2f} s late in {busy:.2f} s"
        return Check(name, Outcome.UNKNOWN, f"{words}: but {late}")
    if abs(off) <= BAUD_TOLERANCE_RATIO:
        return Check(name, Outcome.PASS, words)
    if off < -0.1:  # two ends that differ by this much carry nothing right
        return Check(name, Outcome.UNKNOWN, f"{words}: the sender or the receiver starved, or flow control held it up")
    writes = direction.writes
    if off < 0 and not fed and writes is not None and not (writes.short or writes.blocked):
        return Check(name, Outcome.UNKNOWN, f"{words}: but the port was never full, so the sender may have starved it")
    return Check(name, Outcome.FAIL, words)


def check_speed(port: sw.SerialPort, name: str, settings: Settings) -> list[Check]:
    """Return whether the driver set the baud rate: one beyond its reach it may replace without a word."""
    with contextlib.suppress(OSError):
        speed = port.driver.device.output_speed()
        if speed is not None:
            right = abs(speed / settings.baudrate - 1) <= BAUD_TOLERANCE_RATIO
            words = f"{speed:,} bit/s by the driver's word (TCGETS2), {settings.baudrate:,} asked for"
            return [Check(f"baud rate set, {name}", Outcome.PASS if right else Outcome.FAIL, words)]
    return []


async def let_settle(*ports: sw.SerialPort, quiet: float = 0.02) -> int:
    """Drop what still comes in, until nothing has come for ``quiet`` seconds or for a second; return how much.

    Before a test and between its parts: what a port sent earlier is none of what is counted.
    """
    thrown = 0
    for port in dict.fromkeys(ports):
        piece = bytearray(4096)
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        with contextlib.suppress(sw.TransferError):
            while time.monotonic() < deadline:
                at_least_one = sw.transfer_at_least(1)
                thrown += await sw.async_read(port, piece, completion_condition=at_least_one, timeout=quiet)
    return thrown

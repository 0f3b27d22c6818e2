"""The wiring checks: RTS to CTS, DTR to DSR and DCD, a break; and round-trip times."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final, Literal

import serialwrite as sw
from serialwrite.loopback._line_ends import OpenLine
from serialwrite.loopback._result import Check, Outcome, Settings
from serialwrite.loopback.measure._budget import BREAK_S, LINE_FOLLOW_S, PING

LINE_POLL_S: Final = 0.005
INPUT_LABELS: Final = {"cts": "CTS", "dsr": "DSR", "cd": "DCD"}

OutputLine = Literal["rts", "dtr"]


async def check_wiring(line: OpenLine, settings: Settings, checks: list[Check], *, required: bool) -> None:
    """Add the checks of the lines beside the data; ``required``: a line that isn't wired fails, else it is unknown."""
    for name, sender, receiver in line.ways(both=True):
        checks.append(await _check_line(f"RTS → CTS, {name}", sender, receiver, "rts", ("cts",), settings, required))
        checks.append(
            await _check_line(f"DTR → DSR, DCD, {name}", sender, receiver, "dtr", ("dsr", "cd"), settings, required)
        )
        checks.append(await _check_break(f"break, {name}", sender, receiver))


async def _check_line(
    name: str,
    sender: sw.SerialPort,
    receiver: sw.SerialPort,
    output: OutputLine,
    inputs: tuple[str, ...],
    settings: Settings,
    required: bool,
) -> Check:
    if settings.flow == {"rts": "rtscts", "dtr": "dsrdtr"}[output]:
        return Check(name, Outcome.NOT_TESTED, f"{output.upper()} belongs to the flow control {settings.flow}")
    try:
        if sender.modem_lines is None or receiver.modem_lines is None:
            return Check(name, Outcome.NOT_TESTED, "the driver has no modem lines (TIOCMGET)")
        before = bool(getattr(sender, output))
        followed: dict[str, list[bool]] = {each: [] for each in inputs}
        slowest = 0.0
        try:
            for level in (True, False, True, False):
                setattr(sender, output, level)
                began = time.monotonic()
                for each in inputs:
                    right = await _becomes(receiver, each, wanted=level)
                    followed[each].append(right)
                    slowest = max(slowest, time.monotonic() - began) if right else slowest
        finally:
            setattr(sender, output, before)
    except (OSError, ValueError) as error:
        return Check(name, Outcome.NOT_TESTED, f"the modem lines can't be read or set: {error}")
    good = [each for each in inputs if all(followed[each])]
    bad = [each for each in inputs if each not in good]
    words = (
        f"{' and '.join(INPUT_LABELS[each] for each in good)} followed within {slowest * 1000:.0f} ms" if good else ""
    )
    if not bad:
        return Check(name, Outcome.PASS, words)
    lacking = (
        f"{' and '.join(INPUT_LABELS[each] for each in bad)} did not follow: not wired, or wired to something else"
    )
    return Check(name, Outcome.FAIL if required else Outcome.UNKNOWN, "; ".join(filter(None, (words, lacking))))


async def _becomes(port: sw.SerialPort, line: str, *, wanted: bool) -> bool:
    deadline = time.monotonic() + LINE_FOLLOW_S
    while bool(getattr(port.modem_lines, line)) is not wanted:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LINE_POLL_S)
    return True


async def _check_break(name: str, sender: sw.SerialPort, receiver: sw.SerialPort) -> Check:
    try:
        before = receiver.line_counters
        if before is None:
            return Check(name, Outcome.NOT_TESTED, "the receiving driver counts no breaks (TIOCGICOUNT)")
        await sender.async_send_break(BREAK_S, timeout=2)
        deadline = time.monotonic() + LINE_FOLLOW_S
        while True:
            after = receiver.line_counters
            if after is None:
                return Check(name, Outcome.NOT_TESTED, "the receiving driver counts no breaks any more")
            if after.brk > before.brk:
                return Check(name, Outcome.PASS, "counted by the receiving driver")
            if time.monotonic() > deadline:
                if after.frame > before.frame:  # some drivers report a break as a character without a stop bit
                    return Check(name, Outcome.PASS, "seen as a framing error")
                return Check(name, Outcome.UNKNOWN, "no break was counted: not all drivers pass it on")
            await asyncio.sleep(LINE_POLL_S)
    except (OSError, ValueError) as error:
        return Check(name, Outcome.NOT_TESTED, f"no break can be sent: {error}")


async def measure_round_trips(
    line: OpenLine, settings: Settings, count: int, seconds: float, patience: float, times: list[float]
) -> str | None:
    """Send a few bytes and wait for them to come back, over and over; add to ``times``, and return what went wrong.

    Over two ports the far end answers each byte it gets, so a round trip is both ways.
    """
    ping = bytes(byte & ((1 << settings.data_bits) - 1) for byte in PING)
    bound = patience + 4 * len(ping) / settings.line_rate
    deadline = time.monotonic() + seconds
    async with _echoing(line):
        while len(times) < count and time.monotonic() < deadline:
            answer = bytearray(len(ping))
            began = time.monotonic()
            try:
                await sw.async_write(line.port, ping, timeout=bound)
                await sw.async_read(line.port, answer, timeout=bound)
            except sw.TransferError as error:
                return f"round trip {len(times) + 1} did not come back: {error}"
            if bytes(answer) != ping:
                return f"round trip {len(times) + 1}: sent {ping.hex(' ')}, got {answer.hex(' ')}"
            times.append(time.monotonic() - began)
    return None


@contextlib.asynccontextmanager
async def _echoing(line: OpenLine) -> AsyncGenerator[None]:
    """Let the far end answer with what it gets; a plug does that by itself."""
    if line.plugged:
        yield
        return

    async def echo() -> None:
        buffer = bytearray(64)
        with contextlib.suppress(sw.TransferError):
            while True:
                n = await sw.async_read(line.peer, buffer, completion_condition=sw.transfer_at_least(1))
                await sw.async_write(line.peer, bytes(buffer[:n]))

    task = asyncio.create_task(echo())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""The seconds that each phase of a test takes: expected, and at most, by the line's rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from serialwrite.loopback._result import Settings

SETTLED_AFTER_S: Final = 0.05  # seconds of silence before a test begins: a USB adapter holds bytes back for up to 16 ms
SETTLE_TIMEOUT_S: Final = 1.0  # seconds for which a port may go on talking before that
TAIL_SILENCE_S: Final = 0.15  # seconds listened for bytes beyond the total, once the total is there
SLOWNESS_MAX: Final = 3  # times the expected time of a number of bytes, after which a line is too slow to be waited for
ROUND_TRIPS_S: Final = 2.0  # seconds of round trips
PING: Final = b"ping\x55\xaa\r\n"
PEER_STALL_S: Final = 0.5  # seconds that the peer doesn't read
HELD_LINE_S: Final = 2.0  # seconds of line that are written to a port whose peer doesn't read
LATE_BYTES_S: Final = 0.3  # seconds listened for bytes that went out behind the count's back
LINE_FOLLOW_S: Final = (
    0.3  # seconds that a line at the far end is given to follow; a USB adapter reports within some 20 ms
)
BREAK_S: Final = 0.1  # seconds that a break lasts
LEVEL_COUNT: Final = 12  # one each of RTS → CTS, DTR → DSR and DTR → DCD, high and low, twice


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that a phase, or a whole test, takes."""

    expected: float | None
    """None where nothing paces the line: then it takes what this machine takes."""
    most: float
    """It is ended then, with what was found by that time."""


def total(budgets: Iterable[Budget]) -> Budget:
    """Return the sum."""
    every = list(budgets)
    expected = [each.expected for each in every]
    known = [seconds for seconds in expected if seconds is not None]
    return Budget(sum(known) if len(known) == len(every) else None, sum(each.most for each in every))


def slack(settings: Settings, patience: float) -> float:
    """Return the seconds of silence that are normal: what was asked for, and the time of a lump of bytes."""
    return patience + 64 / settings.line_rate


def settling(settings: Settings) -> Budget:
    """Both ports are listened to, one after the other, until they are quiet."""
    silence = SETTLED_AFTER_S + 16 / settings.line_rate
    return Budget(2 * silence, 2 * (SETTLE_TIMEOUT_S + silence))


def data(settings: Settings, patience: float, *, paced: bool) -> Budget:
    """The pattern, at the line's rate or for the seconds given, and then its tail."""
    tail = TAIL_SILENCE_S + 16 / settings.line_rate
    around = 2 * slack(settings, patience) + tail
    if settings.bytes_to_send is None:
        seconds = settings.seconds or 0.0
        return Budget(seconds + tail, seconds + around)
    seconds = settings.bytes_to_send / settings.line_rate
    return Budget(seconds + tail if paced else None, SLOWNESS_MAX * seconds + around)


def round_trips(settings: Settings, patience: float, count: int) -> Budget:
    """At least one; as many as were asked for, until their time is up."""
    one = 2 * len(PING) / settings.line_rate
    return Budget(
        max(one, min(ROUND_TRIPS_S, count * one)),
        SETTLE_TIMEOUT_S + ROUND_TRIPS_S + 2 * (patience + 4 * len(PING) / settings.line_rate),
    )


def accounting(settings: Settings, patience: float) -> Budget:
    """What a port takes while its peer doesn't read is received, at the line's rate."""
    held = HELD_LINE_S + PEER_STALL_S
    around = 2 * PEER_STALL_S + LATE_BYTES_S
    return Budget(around + held, SETTLE_TIMEOUT_S + around + SLOWNESS_MAX * held + 2 * slack(settings, patience))


def wiring(ways: int) -> Budget:
    """Each line is given its time to follow; those that are wired follow at once."""
    one = LEVEL_COUNT * LINE_FOLLOW_S + BREAK_S + LINE_FOLLOW_S
    return Budget(ways * (BREAK_S + LINE_FOLLOW_S), 2 * ways * one)

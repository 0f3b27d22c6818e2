"""Backoff: how long to leave alone a descriptor that says it is ready, and is not (rule 8)."""

from __future__ import annotations

# Lies in a row before there is a pause, in seconds, which doubles with each more.
LIES, FIRST_PAUSE_S, LONGEST_PAUSE_S = 3, 0.001, 0.05
DOUBLINGS_MAX = 10  # times at the most: lies may go on for days


class Backoff:
    """Counts how often in a row readiness was reported that a try then did not find."""

    __slots__ = ("lies",)

    def __init__(self) -> None:
        self.lies = 0

    def lied(self) -> float:
        """It did once more. Returns the seconds to wait before the next report is believed."""
        self.lies += 1
        return self.pause

    @property
    def pause(self) -> float:
        """Seconds; 0.0 for the first few lies."""
        if self.lies < LIES:
            return 0.0
        return float(min(FIRST_PAUSE_S * 2 ** min(self.lies - LIES, DOUBLINGS_MAX), LONGEST_PAUSE_S))

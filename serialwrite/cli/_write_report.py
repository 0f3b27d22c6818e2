"""How a write ended: the counts, in words for people and in JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import serialwrite as sw

from ._console import seconds_in_words, size_in_words
from ._endings import Ending, Outcome
from ._sending import Sending
from ._source import Source


@dataclass
class Report:
    """All that is known about one write."""

    port: str
    file: str
    resume_from: int
    timeout: float | None = None  # the limit of the whole, in seconds
    size: int | None = None  # of the whole input, where that is known
    ending: Ending = field(default_factory=Ending)
    accepted: int = 0  # by the operating system, in this run
    unsent: int | None = None  # of these, how many were in the driver's queue when the port was closed
    timeouts: int = 0
    seconds: float = 0.0
    error: str | None = None
    stall: str | None = None
    resume: str | None = None

    def ended(self, ending: Ending) -> None:
        """Take in how the write ended."""
        self.ending = ending
        error = ending.error
        if not isinstance(error, sw.TransferError):
            self.error = None if error is None else str(error)
            return
        self.stall = error.stall
        if not isinstance(error, sw.TransferTimeout):
            self.error = error.stall or str(error.strerror)
        elif self.timeout is not None and error.idle_timeout is None:
            self.error = "; ".join(filter(None, (f"--timeout {self.timeout:g} s", error.stall)))
        else:
            self.error = error.stall or "nothing moved"

    def count(self, sending: Sending, source: Source, unsent: int | None) -> None:
        """Take in what was done."""
        self.accepted, self.timeouts, self.seconds = sending.accepted, sending.timeouts, sending.seconds
        self.size, self.unsent = source.size, unsent

    @property
    def outcome(self) -> Outcome:
        """A write whose input can't be read from the start has not started."""
        bad = self.ending.outcome is Outcome.BAD_INPUT and not self.accepted
        return Outcome.NOT_STARTED if bad else self.ending.outcome

    @property
    def offset(self) -> int:
        """Where a resume begins: behind the last byte that was accepted and not thrown away by closing the port."""
        return self.resume_from + self.accepted - (self.unsent or 0)

    @property
    def resumable(self) -> bool:
        return self.outcome not in {Outcome.COMPLETE, Outcome.NOT_STARTED}

    def as_json(self) -> str:
        """One JSON object, on one line."""
        fields: dict[str, Any] = {
            "outcome": self.outcome.label,
            "exit_code": self.ending.exit_code,
            "port": self.port,
            "file": self.file,
            "size": self.size,
            "resume_from": self.resume_from,
            "accepted": self.accepted,
            "unsent": self.unsent,
            "offset": self.offset,
            "remaining": None if self.size is None else self.size - self.offset,
            "timeouts": self.timeouts,
            "seconds": round(self.seconds, 3),
            "bytes_per_second": round(self.accepted / self.seconds) if self.seconds else None,
            "error": self.error,
            "stall": self.stall,
            "resume": self.resume,
        }
        return json.dumps(fields)

    def summary(self) -> str:
        """One line for a write that is complete."""
        line = f"{self.accepted:,} bytes accepted in {seconds_in_words(self.seconds)}"
        if self.seconds and self.accepted:
            line += f" ({size_in_words(self.accepted / self.seconds)}/s)"
        if self.resume_from:
            line += f", from byte {self.resume_from:,} on"
        return f"{line}: all written"

    def complaint(self) -> list[str]:
        """Lines for any other ending: what happened, how many bytes, what to do."""
        if self.outcome is Outcome.NOT_STARTED:
            return [f"serialwrite: nothing was written: {self.error}"]
        reason = f" ({self.error})" if self.error else ""
        lines = [f"serialwrite: {self.outcome.label}{reason}: {self._how_far()} in {seconds_in_words(self.seconds)}"]
        if self.unsent:
            lines.append(f"{self.unsent:,} of these were still in the driver's queue when the port was closed")
        if self.file == "-":
            lines.append(
                f"to write the rest, give the same input again: its first {self.offset:,} bytes will be skipped"
            )
        else:
            lines.append("to write the rest:")
        return [*lines, f"  {self.resume}"]

    def _how_far(self) -> str:
        of = "" if self.size is None else f" of {self.size - self.resume_from:,}"
        rest = f" from byte {self.resume_from:,} on" if self.resume_from else ""
        return f"{self.accepted:,}{of} bytes{rest} accepted"

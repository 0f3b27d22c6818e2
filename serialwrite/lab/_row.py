"""The lines of a place, and the row with the test result of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What became of one line. The first four are the verdicts of a loopback that ran."""

    PASS = "pass"  # noqa: S105 # a verdict
    FAIL = "fail"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"
    NOT_TESTED = "not tested"
    NOT_RUN = "could not run"
    BUSY = "busy"


FAILED = frozenset({State.FAIL, State.DISCONNECTED})
# The states of the exit codes of ``serialwrite loopback``; 2 is a port that can't be opened.
OF_EXIT_CODE: dict[int | None, State] = {
    0: State.PASS,
    1: State.FAIL,
    3: State.NOT_TESTED,
    4: State.DISCONNECTED,
    130: State.STOPPED,
}


@dataclass(frozen=True)
class Line:
    """What one loopback proves: one port with a loopback plug, or two that are wired together.

    Attributes:
        name: the names of its ports in the place.
        urls: one URL or two.
        baudrate: bits per second, as the exporter gives it.
        resources: the exported resources, as ``exporter/group/name``.
    """

    name: str
    urls: tuple[str, ...]
    baudrate: int
    resources: tuple[str, ...]


def wired(ports: dict[str, Line]) -> list[Line]:
    """The lines that ``ports`` make: those named ``port`` and ``peer`` are a pair, each other has a loopback plug."""
    port, peer = ports.get("port"), ports.get("peer")
    if port is None or peer is None:
        return list(ports.values())
    urls = (*port.urls, *peer.urls) if port.urls and peer.urls else ()
    pair = Line("port ↔ peer", urls, port.baudrate, port.resources + peer.resources)
    return [pair, *(line for name, line in ports.items() if name not in {"port", "peer"})]


class NotAcquired(Exception):
    """A place could not be acquired: ``holder`` names its user, or is None if that is not the reason."""

    def __init__(self, reason: str, holder: str | None = None) -> None:
        super().__init__(reason)
        self.holder = holder


@dataclass(frozen=True)
class Row:
    """What became of one line; or of a place none of whose lines could be tried, which has the line None.

    Attributes:
        reason: one sentence.
        seconds: how long the test took.
        result: what ``serialwrite loopback --json`` gave; None if it gave nothing.
    """

    place: str
    line: Line | None
    state: State
    reason: str
    seconds: float = 0.0
    result: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The place and the line, in words."""
        return self.place if self.line is None else f"{self.place}: {self.line.name}"


def exit_code(rows: Iterable[Row], *, stopped: bool = False) -> int:
    """0 all passed; 1 a line failed; 3 one could not be proved; 130 it was stopped."""
    states = {row.state for row in rows}
    if states & FAILED:
        return 1
    if stopped or State.STOPPED in states:
        return 130
    return 3 if states - {State.PASS} else 0

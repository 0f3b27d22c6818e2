"""The typed result of a loopback test, which JSON and the report are made from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import serialwrite as sw
from serialwrite.loopback.measure._confidence import ErrorRate, bit_error_rate

if TYPE_CHECKING:
    from serialwrite.loopback._faults import Account
    from serialwrite.loopback.measure._statistics import Gaps, Latency, Rate


class Verdict(StrEnum):
    """How a test ended; ``exit_code`` is what the command line returns for it."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    FAIL = "fail"
    NOT_RUN = "could not run"
    STOPPED = "stopped"
    """Ended on request, with nothing wrong until then."""
    TIMED_OUT = "timed out"
    """Ended at its bound in seconds, with nothing wrong until then: the line is slower than was said."""
    NOT_TESTED = "not tested"
    """The settings are not in force: a pass would say something of other ones."""

    @property
    def exit_code(self) -> int:
        """Return 0, 1, 2 (no port), 3 (timed out, not tested), or 130, as for Ctrl-C everywhere."""
        codes = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.NOT_RUN: 2, Verdict.STOPPED: 130}
        return codes.get(self, 3)


class Outcome(StrEnum):
    """How a check of the wiring ended."""

    PASS = "pass"  # noqa: S105  # an outcome, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The hardware or its driver doesn't say."""
    NOT_TESTED = "not tested"
    """The check can't be made on this line, or was not reached."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was asked to do: with these it can be done again."""

    ports: tuple[str, ...]
    """One port with a plug, or two that are wired together; devices or URLs."""
    pattern: str
    baudrate: int
    data_bits: int = 8
    parity: str = "N"
    stop_bits: float = 1
    flow: str = "none"
    bytes_to_send: int | None = None
    seconds: float | None = None
    """How long to send, where no number of bytes was given."""
    block_size: int = 4096
    """Bytes given to one write."""
    dtr: bool | None = None
    """DTR from the start; None: on, as pyserial sets it."""
    rts: bool | None = None

    @property
    def frame_bits(self) -> float:
        """Bits on the line for one byte: start, data, parity, stop."""
        return 1 + self.data_bits + (self.parity != "N") + self.stop_bits

    @property
    def line_rate(self) -> float:
        """The most bytes per second that the line can carry."""
        return self.baudrate / self.frame_bits

    @property
    def mode(self) -> str:
        """Return the settings as people write them: 115200 8N1."""
        return f"{self.baudrate} {self.data_bits}{self.parity}{self.stop_bits:g}"


@dataclass(frozen=True, slots=True)
class KernelCounters:
    """What the receiving driver counted during the run (TIOCGICOUNT, after minus before)."""

    frame: int
    overrun: int
    parity: int
    breaks: int
    buffer_overrun: int


@dataclass(frozen=True, slots=True)
class Writes:
    """How the operating system took the data."""

    calls: int
    short: int
    """Calls that took less than they were given."""
    blocked: int
    """Calls that took nothing, because the port was full."""
    smallest: int | None
    """The fewest bytes that a short call took."""


@dataclass(frozen=True, slots=True)
class Direction:
    """One way through the line: what was sent, what arrived, and how fast."""

    name: str
    account: Account
    seconds: float
    """From the first byte given to the port until the last one arrived."""
    throughput: tuple[Rate, ...] = ()
    """In one stretch of the run after another."""
    gaps: Gaps | None = None
    """Times without a byte; None where nothing came that could have gaps."""
    baud: float | None = None
    """Bits per second while the line was busy; None where too little arrived to measure it."""
    writes: Writes | None = None
    """How the operating system took the data."""
    kernel: KernelCounters | None = None
    """None where the driver has no counters."""
    on_its_way: int = 0
    """Bytes sent that were not waited for, as the run was ended before they came; the account leaves them out."""

    @property
    def error_rate(self) -> ErrorRate:
        """Return the bit error ratio of the bytes that arrived in some place of theirs."""
        return bit_error_rate(self.account.flipped_bits, self.account.compared_bits)

    @property
    def bytes_per_second(self) -> float:
        """Return the mean throughput."""
        return self.account.received / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the wiring or of the driver, such as RTS to CTS."""

    name: str
    outcome: Outcome
    detail: str
    """What was seen, in words."""


@dataclass(frozen=True, slots=True)
class Run:
    """One transfer with one group of settings."""

    settings: Settings
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Why it is not a pass, in words."""
    directions: tuple[Direction, ...] = ()
    """One, or both ways."""
    latency: Latency | None = None
    """Of the round trips; None where none were made."""
    cpu_seconds: float | None = None
    """What the run took of this machine."""
    seconds: float = 0.0
    kept_waiting: float = 0.0
    """Seconds by which this machine ran the test late, in lumps of more than 10 ms: gaps may be its own doing."""
    in_force: tuple[sw.Settings | None, ...] = ()
    """What each port is really set to, by its driver's word; None of a port that has no line settings."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting that a sweep varied."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the machine that a reader needs to reproduce the result."""

    name: str
    value: str
    source: str = ""
    """Where it was read: a file, an ioctl, a command."""


@dataclass(frozen=True, slots=True)
class Result:
    """A whole loopback test: one run, or the runs of a sweep in the order of its axes, last axis fastest."""

    runs: tuple[Run, ...]
    """One for each combination of settings."""
    checks: tuple[Check, ...] = ()
    """Of the wiring and the driver."""
    axes: tuple[Axis, ...] = ()
    """What a sweep varied."""
    facts: tuple[Fact, ...] = ()
    """About this machine and the port, for who repeats the test."""
    command: str = ""
    """What the user typed."""
    started: str = ""
    """ISO 8601, with the offset from UTC."""
    reasons: tuple[str, ...] = ()
    """Why it could not run, if the cause is not a single run."""
    disconnected: bool = False
    """Whether a port was unplugged, hung up, or left by its server during the test."""

    @property
    def verdict(self) -> Verdict:
        """Return FAIL if anything failed; else what any run has of STOPPED, NOT_RUN, TIMED_OUT, NOT_TESTED; or PASS."""
        verdicts = {run.verdict for run in self.runs}
        if Verdict.FAIL in verdicts or any(check.outcome is Outcome.FAIL for check in self.checks):
            return Verdict.FAIL
        for verdict in (Verdict.STOPPED, Verdict.NOT_RUN, Verdict.TIMED_OUT, Verdict.NOT_TESTED):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS if self.runs and not self.reasons else Verdict.NOT_RUN

    @property
    def exit_code(self) -> int:
        """Return what the command line ends with: 4 where a port went, else that of the verdict."""
        return 4 if self.disconnected and self.verdict is not Verdict.STOPPED else self.verdict.exit_code


def to_json(value: object) -> Any:
    """Return a result, or any part of it, as what the json module can write; bytes become hex text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, Result | Run):
            plain["verdict"] = str(value.verdict)
        if isinstance(value, Direction):
            plain["error_rate"] = to_json(value.error_rate)
        return plain
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, sw.Settings):
        return value._asdict()
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, tuple):
        return [to_json(item) for item in cast("tuple[object, ...]", value)]
    return str(value) if isinstance(value, StrEnum) else value

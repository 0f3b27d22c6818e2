"""Owns the measured run: settings in, a typed result out; one run, or those of a sweep."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from serialwrite.loopback._direction import Way
from serialwrite.loopback._line import FLOWS, RIG_NAMES, Line, LineUnavailable, RigName, open_line, open_rig
from serialwrite.loopback._machine import machine_facts, port_facts
from serialwrite.loopback._patterns import Pattern, for_line, make_pattern
from serialwrite.loopback._proofs import check_accounting, check_baud, let_settle
from serialwrite.loopback._result import Axis, Check, Direction, Fact, Outcome, Result, Run, Settings, Verdict
from serialwrite.loopback._statistics import Latency
from serialwrite.loopback._wiring import check_wiring, round_trips
from serialwrite.loopback._words import damage
from serialwrite.testing import PathRig
from serialwrite.testing._rig import NO_PACING

DEFAULT_SECONDS: Final = 2.0
LOOK: Final = 0.1  # seconds between two calls of `progress`
AXES: Final = {
    "baud": "baudrate",
    "databits": "data_bits",
    "parity": "parity",
    "stopbits": "stop_bits",
    "flow": "flow",
    "pattern": "pattern",
}
_NUMBERS: Final[dict[str, Callable[[str], Any]]] = {"baud": int, "databits": int, "stopbits": float}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a test is; given to `progress` some ten times a second."""

    run: int
    """Which run, from 1 on."""
    runs: int
    settings: Settings
    phase: str
    """What is going on: the data, the round trips, a check."""
    elapsed: float
    sent: int
    received: int
    faults: int


async def async_run(
    port: str | PathRig | None = None,
    peer: str | None = None,
    *,
    rig: RigName = "pty",
    pattern: str = "prbs31",
    seed: int = 0,
    baudrate: int = 115200,
    data_bits: int = 8,
    parity: str = "N",
    stop_bits: float = 1,
    flow: str = "none",
    bytes_to_send: int | None = None,
    seconds: float | None = None,
    block_size: int = 4096,
    both_ways: bool = True,
    trips: int = 200,
    checks: bool = True,
    require_lines: bool = False,
    max_gap: float | None = None,
    patience: float = 2.0,
    sweep: Mapping[str, Iterable[object]] | None = None,
    stop_early: bool = False,
    progress: Callable[[Progress], object] | None = None,
    command: str = "",
) -> Result:
    """Send a pattern through a line, account for every byte that arrives, and return the typed result.

    Args:
        port: a device or a pyserial URL, whose output is wired to its own input if there is no `peer`;
            a rig of ``serialwrite.testing``, open or not; None for the `rig` of that name.
        peer: the other end, a device or URL of this machine.
        rig: "pty", "socat" or "uart": a line without hardware, where no port is given.
        pattern: one of PATTERN_NAMES; with `seed` for "random".
        baudrate: bits per second.
        data_bits: 5 to 8, of a character.
        parity: "N", "E", "O", "M" or "S".
        stop_bits: 1, 1.5 or 2.
        flow: "none", "rtscts", "xonxoff" (whose two characters are then left out of the pattern) or "dsrdtr".
        bytes_to_send: each way; else it sends for `seconds` (2 by default); not both.
        block_size: bytes given to one write.
        both_ways: over two ports, send in both directions at once.
        trips: round trips to be measured afterwards, for 2 s at the most; 0 for none.
        checks: check the wiring and the accounting, in the first run.
        require_lines: modem lines that are not wired are a failure, and not just unknown.
        max_gap: seconds without a byte that are a failure; None: gaps are told, and no failure.
        patience: seconds of silence after which what is missing is lost, and a write that goes nowhere has stalled.
        sweep: values to be tried for "baud", "databits", "parity", "stopbits", "flow" or "pattern", in all
            combinations; each is a run.
        stop_early: end a sweep with the first run that did not pass.
        progress: called with a Progress while it runs.
        command: what the user typed, for the report.

    Returns:
        The result; a line that could not be had is one, too, with the verdict "could not run".

    Raises:
        ValueError: an argument that can't be used, before anything is opened.
        OSError: the file of a pattern can't be read.

    Cancellation: the ports and a rig that was opened here are closed; there is no result.
    """
    if bytes_to_send is not None and seconds is not None:
        raise ValueError("bytes_to_send or seconds: give one of them")
    base = Settings(
        ports=_names(port, peer, rig),
        pattern=pattern,
        baudrate=baudrate,
        data_bits=data_bits,
        parity=parity,
        stop_bits=stop_bits,
        flow=flow,
        bytes_to_send=bytes_to_send,
        seconds=None if bytes_to_send is not None else DEFAULT_SECONDS if seconds is None else seconds,
        block_size=block_size,
    )
    axes, steps = _steps(base, sweep or {})
    patterns = [_pattern(step, seed) for step in steps]
    if peer is not None and not isinstance(port, str):
        raise ValueError("peer: a second port needs a first one")
    started = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    runs: list[Run] = []
    found: list[Check] = []
    facts: list[Fact] = []
    for number, (settings, sent) in enumerate(zip(steps, patterns, strict=True), 1):
        target: PathRig | tuple[str, ...]
        target = port if isinstance(port, PathRig) else open_rig(rig, settings) if port is None else settings.ports
        watch = _Watch(progress, number, len(steps), settings)
        try:
            with open_line(target, settings) as line:
                test = _Test(line, settings, sent, watch, patience)
                run = await test.transfer(both_ways=both_ways, trips=trips, max_gap=max_gap)
                if number == 1:
                    facts += [*line.facts, *port_facts(line.port, "port")]
                    facts += () if line.plugged else port_facts(line.peer, "peer")
                found += [check for check in test.baud_checks(run) if number == 1 or check.outcome is Outcome.FAIL]
                if checks and number == 1:
                    found += await test.checks(require_lines=require_lines)
        except LineUnavailable as error:
            run = Run(settings, Verdict.NOT_RUN, (str(error),))
        runs.append(run)
        if stop_early and run.verdict is not Verdict.PASS:
            break
    reasons = runs[0].reasons if len(steps) == 1 and runs[0].verdict is Verdict.NOT_RUN else ()
    return Result(
        runs=tuple(runs),
        checks=tuple(found),
        axes=axes,
        facts=(*facts, *machine_facts()),
        command=command,
        started=started,
        reasons=reasons,
    )


def run(port: str | PathRig | None = None, peer: str | None = None, **options: Any) -> Result:
    """Do what `async_run` does, with the same arguments, and wait for the result: for programs without a loop.

    Raises RuntimeError inside a running event loop, and what `async_run` raises.
    """
    return asyncio.run(async_run(port, peer, **options))


class _Test:
    """One line with one group of settings, and all that is done to it."""

    def __init__(self, line: Line, settings: Settings, pattern: Pattern, watch: _Watch, patience: float) -> None:
        self._line, self._settings, self._pattern = line, settings, pattern
        self._watch, self._patience = watch, patience

    async def transfer(self, *, both_ways: bool, trips: int, max_gap: float | None) -> Run:
        line, settings = self._line, self._settings
        for port in {line.port, line.peer}:
            with contextlib.suppress(OSError, ValueError):  # what came before the test is none of it
                port.serial.reset_input_buffer()
        ways = [
            Way(name, sender, receiver, self._pattern, settings, self._patience, NO_PACING not in line.quirks)
            for name, sender, receiver in line.ways(both=both_ways)
        ]
        began, spent = time.monotonic(), time.process_time()
        async with self._watch.on("data", ways):
            directions = await asyncio.gather(*(way.run() for way in ways))
        seconds, cpu = time.monotonic() - began, time.process_time() - spent
        reasons = [problem for way in ways for problem in way.problems]
        figures: Latency | None = None
        if trips and not reasons:
            await let_settle(line.port, line.peer)
            async with self._watch.on("round trips", ways):
                figures, problem = await round_trips(line, settings, trips, 2.0, self._patience)
            reasons += [problem] if problem else []
        for direction in directions:
            reasons += _complaints(direction, max_gap)
        return Run(
            settings=settings,
            verdict=Verdict.FAIL if reasons else Verdict.PASS,
            reasons=tuple(reasons),
            directions=tuple(directions),
            latency=figures,
            cpu_seconds=cpu,
            seconds=seconds,
        )

    def baud_checks(self, run: Run) -> list[Check]:
        return [check_baud(direction, self._settings, self._line.quirks) for direction in run.directions]

    async def checks(self, *, require_lines: bool) -> list[Check]:
        line, settings = self._line, self._settings
        async with self._watch.on("accounting", []):
            await let_settle(line.port, line.peer)
            done = await check_accounting(line, settings, self._pattern, self._patience)
        async with self._watch.on("wiring", []):
            done += await check_wiring(line, settings, required=require_lines)
        return done


class _Watch:
    """Tells `progress` how it goes."""

    def __init__(self, tell: Callable[[Progress], object] | None, run: int, runs: int, settings: Settings) -> None:
        self._tell, self._run, self._runs, self._settings = tell, run, runs, settings
        self._began = time.monotonic()

    @contextlib.asynccontextmanager
    async def on(self, phase: str, ways: list[Way]) -> AsyncGenerator[None]:
        telling = asyncio.create_task(self._keep_telling(phase, ways))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _keep_telling(self, phase: str, ways: list[Way]) -> None:
        while self._tell is not None:
            sent, received = sum(way.sent for way in ways), sum(way.checker.received for way in ways)
            faults = sum(way.checker.faults for way in ways)
            elapsed = time.monotonic() - self._began
            self._tell(Progress(self._run, self._runs, self._settings, phase, elapsed, sent, received, faults))
            await asyncio.sleep(LOOK)


def _complaints(direction: Direction, max_gap: float | None) -> list[str]:
    """Return why one direction is not a pass, in words: first how much, then what, where, and its cause."""
    account, found = direction.account, list[str]()
    if not account.clean:
        words = f"{direction.name}: {damage(direction)}"
        if account.diagnoses:
            words += f" ({'; '.join(f'{cause.name}: {cause.text}' for cause in account.diagnoses)})"
        elif account.faults:
            words += f" (the first: {account.faults[0]})"
        found.append(words)
    if not account.sent:
        found.append(f"{direction.name}: nothing was sent, so nothing is proved")
    kernel = direction.kernel
    if kernel is not None:
        counts = {"framing": kernel.frame, "overrun": kernel.overrun, "parity": kernel.parity}
        counts["buffer overrun"] = kernel.buffer_overrun
        told = [f"{n:,} {kind}" for kind, n in counts.items() if n]
        if told:
            found.append(f"{direction.name}: the driver counted errors: {', '.join(told)}")
    longest = direction.gaps.longest[0] if direction.gaps and direction.gaps.longest else None
    if max_gap is not None and longest is not None and longest.seconds > max_gap:
        found.append(
            f"{direction.name}: nothing arrived for {longest.seconds:.3f} s after byte {longest.offset:,}; "
            f"{max_gap:g} s are allowed"
        )
    return found


def _names(port: str | PathRig | None, peer: str | None, rig: str) -> tuple[str, ...]:
    if port is None:
        return (f"rig:{rig}",)
    if isinstance(port, PathRig):
        return (f"rig:{port.name}",)
    return (port,) if peer is None or peer == port else (port, peer)


def _steps(base: Settings, sweep: Mapping[str, Iterable[object]]) -> tuple[tuple[Axis, ...], list[Settings]]:
    """Return the axes and the settings of all runs, last axis fastest."""
    unknown = [name for name in sweep if name not in AXES]
    if unknown:
        raise ValueError(f"there is no {unknown[0]!r} to sweep; there are {', '.join(AXES)}")
    values: dict[str, list[Any]] = {}
    for name, given in sweep.items():
        try:
            values[name] = [_NUMBERS.get(name, str)(str(value)) for value in given]
        except ValueError:
            raise ValueError(f"sweep of {name}: every value must be a number") from None
        if not values[name]:
            raise ValueError(f"sweep of {name}: give at least one value")
    steps = [
        replace(base, **{AXES[name]: value for name, value in zip(values, combination, strict=True)})
        for combination in itertools.product(*values.values())
    ]
    for step in steps:
        _check(step)
    axes = tuple(
        Axis(name, tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in tried))
        for name, tried in values.items()
    )
    return axes, steps


def _check(settings: Settings) -> None:
    if settings.baudrate < 1:
        raise ValueError(f"baudrate is {settings.baudrate}: give bits per second, 1 or more")
    if settings.parity not in set("NEOMS") or settings.parity == "":
        raise ValueError(f"parity is {settings.parity!r}: give N, E, O, M or S")
    if settings.stop_bits not in {1, 1.5, 2}:
        raise ValueError(f"stop_bits is {settings.stop_bits:g}: give 1, 1.5 or 2")
    if settings.flow not in FLOWS:
        raise ValueError(f"flow is {settings.flow!r}: give {', '.join(FLOWS)}")
    if settings.bytes_to_send is not None and settings.bytes_to_send < 1:
        raise ValueError(f"bytes_to_send is {settings.bytes_to_send}: give at least 1")
    if settings.seconds is not None and not (settings.seconds > 0 and math.isfinite(settings.seconds)):
        raise ValueError(f"seconds is {settings.seconds:g}: give more than 0")
    if settings.block_size < 1:
        raise ValueError(f"block_size is {settings.block_size}: give at least 1 byte")
    if settings.ports[0].startswith("rig:") and settings.ports[0][4:] not in {*RIG_NAMES, "tcp", "unix", "hardware"}:
        raise ValueError(f"no rig is called {settings.ports[0][4:]!r}; there are {', '.join(RIG_NAMES)}")


def _pattern(settings: Settings, seed: int) -> Pattern:
    avoid = b"\x11\x13" if settings.flow == "xonxoff" else b""
    return for_line(make_pattern(settings.pattern, seed=seed), data_bits=settings.data_bits, avoid=avoid)

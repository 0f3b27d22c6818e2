"""run_loopback: runs a loopback test, or a sweep of them, and returns the typed result."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from serialwrite.loopback._line_ends import UNPACED_RIGS, LineUnavailable, NotInForce, RigName, open_line, open_rig
from serialwrite.loopback._line_test import LineTest
from serialwrite.loopback._result import Check, Fact, Outcome, Result, Run, Settings, Verdict
from serialwrite.loopback._sink import Progress, ProgressReporter
from serialwrite.loopback._sweep import AXES, check_limits, expected, names, pattern_of, steps
from serialwrite.loopback.card._machine import machine_facts, port_facts
from serialwrite.loopback.report._words import plural
from serialwrite.testing import PathRig
from serialwrite.testing.rigs._rig import NO_PACING

DEFAULT_DURATION_S: Final = 2.0


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
    dtr: bool | None = None,
    rts: bool | None = None,
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
    stop: asyncio.Event | None = None,
    progress: Callable[[Progress], object] | None = None,
    command: str = "",
) -> Result:
    """Send a pattern through a line, account for every byte that arrives, and return the typed result.

    Args:
        port: a device or a pyserial URL; a rig of ``serialwrite.testing``, open or not; or None for the ``rig`` of that
            name. If there is no ``peer``, the output of the port is wired to its own input.
        peer: the other end, a device or URL of this machine.
        rig: "pty", "socat" or "uart": a line without hardware, where no port is given.
        pattern: one of PATTERN_NAMES; with ``seed`` for "random".
        baudrate: bits per second.
        data_bits: 5 to 8, of a character.
        parity: "N", "E", "O", "M" or "S".
        stop_bits: 1, 1.5 or 2.
        flow: "none", "rtscts", "dsrdtr", or "xonxoff", whose two characters are left out of the pattern.
        dtr, rts: each line's state from the start; None for pyserial's own, which is on.
        bytes_to_send: each way; else it sends for ``seconds`` (2 by default); not both.
        block_size: bytes given to one write.
        both_ways: over two ports, send in both directions at once.
        trips: round trips to be measured afterwards, for 2 s at the most; 0 for none.
        checks: check the wiring in the first run, and the accounting in the first of each kind of flow control.
        require_lines: modem lines that are not wired are a failure, and not just unknown.
        max_gap: seconds without a byte that are a failure; None: gaps are reported, and are not a failure.
        patience: seconds of silence after which missing bytes count as lost, and a write without progress as stalled.
        sweep: values to be tried for "baud", "databits", "parity", "stopbits", "flow" or "pattern", in all
            combinations; each is a run.
        stop_early: end a sweep with the first run that did not pass.
        stop: once set, the test ends within a second. No more is sent, and what arrives in 0.3 s is received. The
            result is that of what arrived. Its verdict is "stopped", or "fail" if something had been wrong.
        progress: called with a Progress before it begins, which says how many seconds it takes, and while it runs.
        command: what the user typed, for the report.

    Returns:
        The result. If the port could not be opened, its verdict is "could not run". If the ports have not taken the
        settings, it is "not tested".

    Raises:
        ValueError: an argument that can't be used, before anything is opened.
        OSError: the file of a pattern can't be read.

    Cancellation: the ports and a rig that was opened here are closed; no result is returned.
    """
    if bytes_to_send is not None and seconds is not None:
        raise ValueError("bytes_to_send, seconds: got both; pass one of them")
    base = Settings(
        ports=names(port, peer, rig),
        pattern=pattern,
        baudrate=baudrate,
        data_bits=data_bits,
        parity=parity,
        stop_bits=stop_bits,
        flow=flow,
        dtr=dtr,
        rts=rts,
        bytes_to_send=bytes_to_send,
        seconds=None if bytes_to_send is not None else DEFAULT_DURATION_S if seconds is None else seconds,
        block_size=block_size,
    )
    check_limits(patience=patience, max_gap=max_gap, trips=trips)
    axes, planned = steps(base, sweep or {})
    patterns = [pattern_of(settings, seed) for settings in planned]
    if peer is not None and not isinstance(port, str):
        raise ValueError("peer: got a second port and no first one; pass port, too")
    stop = asyncio.Event() if stop is None else stop
    started = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    runs: list[Run] = []
    found: list[Check] = []
    facts: list[Fact] = []
    flows = set[str]()  # the kinds of flow control that were checked
    paced = not (rig in UNPACED_RIGS if port is None else isinstance(port, PathRig) and NO_PACING in port.quirks)
    swept = [AXES[axis.name] for axis in axes]
    disconnected = False
    whole = expected(planned, patience=patience, trips=trips, checks=checks, paced=paced)
    for number, (settings, sent) in enumerate(zip(planned, patterns, strict=True), 1):
        target: PathRig | tuple[str, ...]
        target = port if isinstance(port, PathRig) else open_rig(rig, settings) if port is None else settings.ports
        watch = ProgressReporter(progress, number, len(planned), settings, whole)
        try:
            with open_line(target, settings, swept) as line:
                test = LineTest(line, settings, sent, watch=watch, patience=patience, stop=stop)
                run = await test.transfer(both_ways=both_ways, trips=trips, max_gap=max_gap)
                first, new_flow = not flows, settings.flow not in flows
                flows.add(settings.flow)
                if first:
                    facts += [*line.facts, *port_facts(line.port, "port")]
                    facts += () if line.plugged else port_facts(line.peer, "peer")
                if test.left_over:
                    facts.append(Fact(f"thrown away before run {number}", plural(test.left_over, "byte"), "received"))
                found += [check for check in test.baud_checks() if first or check.outcome is Outcome.FAIL]
                if checks and new_flow:
                    found += await test.check_accounting(run)
                if checks and first:
                    found += await test.check_wiring(require_lines=require_lines)
                disconnected |= test.disconnected
        except NotInForce as error:
            run = Run(settings, Verdict.NOT_TESTED, (str(error),), in_force=error.in_force)
        except KeyboardInterrupt:  # that asked for the stop, while a port was being opened
            if not stop.is_set():
                raise
            run = Run(settings, Verdict.STOPPED)
        except LineUnavailable as error:
            run = Run(settings, Verdict.NOT_RUN, (str(error),))
        if stop.is_set() and run.verdict is not Verdict.FAIL:
            run = replace(run, verdict=Verdict.STOPPED, reasons=(*run.reasons, _until_then(run)))
        runs.append(run)
        if stop.is_set() or (stop_early and run.verdict is not Verdict.PASS):
            break
    reasons = runs[0].reasons if len(planned) == 1 and runs[0].verdict is Verdict.NOT_RUN else ()
    return Result(
        runs=tuple(runs),
        checks=tuple(found),
        axes=axes,
        facts=(*facts, *machine_facts()),
        command=command,
        started=started,
        reasons=reasons,
        disconnected=disconnected,
    )


def run(port: str | PathRig | None = None, peer: str | None = None, **options: Any) -> Result:
    """Do what ``async_run`` does, with the same arguments, and wait for the result: for programs without a loop.

    Raises RuntimeError inside a running event loop, and what ``async_run`` raises.
    """
    return asyncio.run(async_run(port, peer, **options))


def _until_then(run: Run) -> str:
    right = sum(direction.account.correct for direction in run.directions)
    coming = sum(direction.on_its_way for direction in run.directions)
    if not right and not coming:
        return "stopped on request, before anything was sent"
    words = f"stopped on request; all {plural(right, 'byte')} {{}} until then arrived once, right and in order"
    return words.format("that came" if coming else "sent") + f"; {coming:,} more were on their way" * bool(coming)

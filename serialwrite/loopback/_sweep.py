"""Checks the settings of a test, and lists the settings of every run of a sweep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from serialwrite.loopback._line_ends import FLOWS, RIG_NAMES
from serialwrite.loopback._result import Axis, Settings
from serialwrite.loopback.measure import _budget
from serialwrite.loopback.measure._budget import Budget
from serialwrite.loopback.patterns._patterns import Pattern, for_line, make_pattern
from serialwrite.testing import PathRig

AXES: Final = {
    "baud": "baudrate",
    "databits": "data_bits",
    "parity": "parity",
    "stopbits": "stop_bits",
    "flow": "flow",
    "pattern": "pattern",
}
_NUMBERS: Final[dict[str, Callable[[str], Any]]] = {"baud": int, "databits": int, "stopbits": float}


def names(port: str | PathRig | None, peer: str | None, rig: str) -> tuple[str, ...]:
    if port is None:
        return (f"rig:{rig}",)
    if isinstance(port, PathRig):
        return (f"rig:{port.name}",)
    return (port,) if peer is None or peer == port else (port, peer)


def steps(base: Settings, sweep: Mapping[str, Iterable[object]]) -> tuple[tuple[Axis, ...], list[Settings]]:
    """Return the axes and the settings of all runs, last axis fastest."""
    unknown = [name for name in sweep if name not in AXES]
    if unknown:
        raise ValueError(f"sweep: {unknown[0]!r} can't be swept; pass some of {', '.join(AXES)}")
    values: dict[str, list[Any]] = {}
    for name, given in sweep.items():
        try:
            values[name] = [_NUMBERS.get(name, str)(str(value)) for value in given]
        except ValueError:
            raise ValueError(f"sweep: {name} has a value that is not a number; pass numbers") from None
        if not values[name]:
            raise ValueError(f"sweep: {name} has no value; pass at least one")
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
        raise ValueError(f"baudrate={settings.baudrate}: pass bits per second, 1 or more")
    if settings.parity not in set("NEOMS") or settings.parity == "":
        raise ValueError(f"parity={settings.parity!r}: pass N, E, O, M or S")
    if settings.stop_bits not in {1, 1.5, 2}:
        raise ValueError(f"stop_bits={settings.stop_bits:g}: pass 1, 1.5 or 2")
    if settings.flow not in FLOWS:
        raise ValueError(f"flow={settings.flow!r}: pass one of {', '.join(FLOWS)}")
    if settings.bytes_to_send is not None and settings.bytes_to_send < 1:
        raise ValueError(f"bytes_to_send={settings.bytes_to_send}: pass 1 or more")
    if settings.seconds is not None and not (settings.seconds > 0 and math.isfinite(settings.seconds)):
        raise ValueError(f"seconds={settings.seconds:g}: pass more than 0")
    if settings.data_bits not in {5, 6, 7, 8}:
        raise ValueError(f"data_bits={settings.data_bits}: pass 5, 6, 7 or 8")
    if settings.block_size < 1:
        raise ValueError(f"block_size={settings.block_size}: pass 1 byte or more")
    if settings.ports[0].startswith("rig:") and settings.ports[0][4:] not in {*RIG_NAMES, "tcp", "unix", "hardware"}:
        raise ValueError(f"rig={settings.ports[0][4:]!r}: pass one of {', '.join(RIG_NAMES)}")


def check_limits(*, patience: float, max_gap: float | None, trips: int) -> None:
    """Raise ValueError for a limit that no run could keep, or none could exceed."""
    for name, seconds in (("patience", patience), ("max_gap", max_gap)):
        if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
            raise ValueError(f"{name}={seconds:g}: pass seconds, more than 0")
    if trips < 0:
        raise ValueError(f"trips={trips}: pass a number of round trips, or 0 for none")


def expected(planned: list[Settings], *, patience: float, trips: int, checks: bool, paced: bool) -> Budget:
    """Return the seconds that all runs take, predicted from the rate that is set."""
    phases = [_budget.settling(each) for each in planned]
    phases += [_budget.data(each, patience, paced=paced) for each in planned]
    phases += [_budget.round_trips(each, patience, trips) for each in planned if trips]
    if checks:
        with_checks = {each.flow: each for each in reversed(planned)}  # the first run of each kind of flow control
        phases += [_budget.accounting(each, patience) for each in with_checks.values()]
        phases += [_budget.wiring(1 if len(planned[0].ports) == 1 and planned[0].ports[0][:4] != "rig:" else 2)]
    return _budget.total(phases)


def pattern_of(settings: Settings, seed: int) -> Pattern:
    avoid = b"\x11\x13" if settings.flow == "xonxoff" else b""
    return for_line(make_pattern(settings.pattern, seed=seed), data_bits=settings.data_bits, avoid=avoid)

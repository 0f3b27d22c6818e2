"""The words that faults are written in: `at byte 10_000: stall 0.3 s`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from serialwrite.testing._faults import NEWLINES, Fault, Rule
from serialwrite.testing._rig import End, check_end

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = """\
one rule a line (or between semicolons): WHEN [from port|peer]: WHAT
  WHEN  at byte N | every N bytes | at rate R | always
  WHAT  flip [bit B] | parity [bit B] | framing [bit B] | drop [N] | duplicate [N] | swap
        break [T] | stall T | throttle T | hang up [port|peer] | unplug [port|peer] [T]
        eat BYTE... | newline cr|lf to cr|lf|crlf      (these two: always)
  T is `0.3 s` or `300 ms`; N may have underscores; B is 0 to 7; BYTE is like 0x13; # begins a comment"""

_NUMBER = r"(\d[\d_]*)"
_TIME = r"(\d+(?:\.\d+)?(?:e-?\d+)?) ?(s|ms)"
_WHEN = re.compile(
    rf"(?:at byte {_NUMBER}|every {_NUMBER} bytes?|at rate (\d[\d.e+-]*)|(always))(?: from (port|peer))?"
)
DEFAULT_BREAK = 0.25  # seconds, as tcsendbreak() gives


class FaultScriptError(ValueError):
    """A fault script can't be read; the message quotes the rule and says what may be written."""


def parse_faults(script: str) -> list[Rule]:
    """Return the rules of a fault script. Raises `FaultScriptError`."""
    rules: list[Rule] = []
    for line in re.split(r"[\n;]", script):
        text = " ".join(line.partition("#")[0].split()).lower()
        if text:
            try:
                rules.append(_parse_rule(text))
            except ValueError as error:
                raise FaultScriptError(f"can't read the fault {text!r}: {error}\n{HELP}") from None
    return rules


def _parse_rule(text: str) -> Rule:
    when_text, colon, what_text = text.partition(":")
    when = _WHEN.fullmatch(when_text.strip())
    if not colon or when is None:
        raise ValueError("it must begin with when, and a colon")
    fault = _parse_fault(what_text.strip())
    at, every, rate, always, sender_text = when.groups()
    sender: End = check_end(sender_text or "port")
    if bool(always) != bool(fault.table):
        raise ValueError(f"{fault.kind} {'never' if always else 'always'} happens `always`")
    if at:
        return Rule(fault, sender, at=int(at))
    if every:
        if int(every) < 1:
            raise ValueError("every 0 bytes is no distance")
        return Rule(fault, sender, every=int(every))
    if rate:
        if not 0 < float(rate) <= 1:
            raise ValueError("a rate is faults per byte: above 0, at most 1")
        return Rule(fault, sender, rate=float(rate))
    return Rule(fault, sender)


def _seconds(number: str | None, unit: str | None, default: float = 0.0) -> float:
    if number is None:
        return default
    return float(number) / (1000 if unit == "ms" else 1)


def _end(text: str | None) -> End | None:
    return None if text is None else check_end(text)


def _bit(text: str | None) -> int | None:
    return None if text is None else int(text)


def _eat(text: str) -> Fault:
    return Fault("eat", table=tuple((int(byte, 16), b"") for byte in text.split()))


def _newline(source: str, target: str) -> Fault:
    codes = {name: code for code, name in NEWLINES.items()}
    if source == target:
        raise ValueError("a newline that becomes itself changes nothing")
    return Fault("newline", table=((codes[source][0], codes[target]),))


_FAULTS: list[tuple[str, Callable[..., Fault]]] = [
    (r"flip(?: bit ([0-7]))?", lambda bit: Fault("flip", bit=_bit(bit))),
    (r"parity(?: bit ([0-7]))?", lambda bit: Fault("parity", bit=_bit(bit))),
    (r"framing(?: bit ([0-7]))?", lambda bit: Fault("framing", bit=_bit(bit))),
    (rf"drop(?: {_NUMBER})?", lambda n: Fault("drop", count=int(n or 1))),
    (rf"duplicate(?: {_NUMBER})?", lambda n: Fault("duplicate", count=int(n or 1))),
    (r"swap", lambda: Fault("swap")),
    (rf"break(?: {_TIME})?", lambda n, unit: Fault("break", seconds=_seconds(n, unit, DEFAULT_BREAK))),
    (rf"stall {_TIME}", lambda n, unit: Fault("stall", seconds=_seconds(n, unit))),
    (rf"throttle {_TIME}", lambda n, unit: Fault("throttle", seconds=_seconds(n, unit))),
    (r"hang[ -]up(?: (port|peer))?", lambda end: Fault("hang up", end=_end(end))),
    (
        rf"unplug(?: (port|peer))?(?: {_TIME})?",
        lambda end, n, unit: Fault("unplug", end=_end(end), seconds=_seconds(n, unit)),
    ),
    (r"eat ((?:0x[0-9a-f]{1,2} ?)+)", _eat),
    (r"newline (cr|lf) to (cr|lf|crlf)", _newline),
]


def _parse_fault(text: str) -> Fault:
    for pattern, make in _FAULTS:
        found = re.fullmatch(pattern, text)
        if found:
            fault = make(*found.groups())
            if fault.count < 1:
                raise ValueError(f"{fault.kind} 0 does nothing")
            return fault
    raise ValueError(f"there is no such fault as {text!r}")

"""Parser of fault scripts, such as ``at byte 10_000: stall 0.3 s``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from serialwrite.testing.rigs._rig import check_end
from serialwrite.testing.uart._injected_faults import NEWLINES, Fault, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serialwrite.testing.rigs._rig import End
    from serialwrite.testing.uart._injected_faults import Kind

FAULT_SCRIPT_HELP = """\
one rule a line (or between semicolons): WHEN [from port|peer]: WHAT
  WHEN  at byte N | every N bytes | at rate R | always
  WHAT  flip [bit B] | parity [bit B] | framing [bit B]
        drop [N] | duplicate [N] | swap | break [T] | stall T | throttle T
        hang up [port|peer] | unplug [port|peer] [T]
        eat BYTE... | newline cr|lf to cr|lf|crlf      (these two: always)
  T is `0.3 s` or `300 ms`; N may have underscores; B is 0 to 7;
  BYTE is like 0x13; # begins a comment"""

_NUMBER = r"\d[\d_]*"
_TIME = r"(?P<time>\d+(?:\.\d+)?(?:e-?\d+)?) ?(?P<unit>s|ms)"
_WHEN = re.compile(
    rf"(?:at byte ({_NUMBER})|every ({_NUMBER}) bytes?|at rate (\d[\d.e+-]*)|(always))(?: from (port|peer))?"
)
DEFAULT_BREAK_S = 0.25  # seconds, as tcsendbreak() gives


class FaultScriptError(ValueError):
    """A fault script can't be read; the message quotes the rule and says what may be written."""


def parse_faults(script: str) -> list[Rule]:
    """Return the rules of a fault script. Raises ``FaultScriptError``."""
    rules: list[Rule] = []
    for line in re.split(r"[\n;]", script):
        text = " ".join(line.partition("#")[0].split()).lower()
        if text:
            try:
                rules.append(_parse_rule(text))
            except ValueError as error:
                raise FaultScriptError(f"can't read the fault {text!r}: {error}\n{FAULT_SCRIPT_HELP}") from None
    return rules


def rules_of(faults: str | Iterable[Rule]) -> list[Rule]:
    """Return the rules of a script, or rules as they are, if a script could say them. Raises ``FaultScriptError``."""
    if isinstance(faults, str):
        return parse_faults(faults)
    try:
        rules = list(faults)
    except TypeError:
        raise TypeError(f"faults: got {faults!r}; pass a script, or rules") from None
    for rule in rules:
        if not isinstance(rule, Rule):  # pyright: ignore[reportUnnecessaryIsInstance] # unchecked callers
            raise TypeError(f"faults: got {rule!r} among them; pass a script, or rules")
        parse_faults(str(rule))
    return rules


def _parse_rule(text: str) -> Rule:
    when_text, colon, what_text = text.partition(":")
    when = _WHEN.fullmatch(when_text.strip())
    if not colon or when is None:
        raise ValueError("it does not say when; begin with that, and a colon")
    fault = _parse_fault(what_text.strip())
    at, every, rate, always, sender_text = when.groups()
    sender: End = check_end(sender_text or "port")
    if bool(always) != bool(fault.table):
        raise ValueError(f"{fault.kind} {'never' if always else 'always'} happens `always`; change when it happens")
    if every and int(every) < 1:
        raise ValueError("the distance is 0; pass 1 byte or more")
    if rate and not 0 < float(rate) <= 1:
        raise ValueError("the rate is out of range; pass faults per byte, above 0 and at most 1")
    return Rule(fault, sender, int(at) if at else None, int(every) if every else None, float(rate) if rate else None)


_BIT = r"(?: bit (?P<bit>[0-7]))?"
_COUNT = rf"(?: (?P<count>{_NUMBER}))?"
_END = r"(?: (?P<end>port|peer))?"
_FAULTS: dict[Kind, str] = {
    "flip": f"flip{_BIT}",
    "parity": f"parity{_BIT}",
    "framing": f"framing{_BIT}",
    "drop": f"drop{_COUNT}",
    "duplicate": f"duplicate{_COUNT}",
    "swap": "swap",
    "break": f"break(?: {_TIME})?",
    "stall": f"stall {_TIME}",
    "throttle": f"throttle {_TIME}",
    "hang up": f"hang[ -]up{_END}",
    "unplug": f"unplug{_END}(?: {_TIME})?",
    "eat": r"eat (?P<eaten>(?:0x[0-9a-f]{1,2} ?)+)",
    "newline": "newline (?P<old>cr|lf) to (?P<new>cr|lf|crlf)",
}


def _parse_fault(text: str) -> Fault:
    matches: list[tuple[Kind, re.Match[str]]] = [
        (kind, found) for kind, pattern in _FAULTS.items() if (found := re.fullmatch(pattern, text))
    ]
    if not matches:
        raise ValueError(f"no fault is called {text!r}; pass one of these")
    kind, found = matches[0]
    words = found.groupdict()
    count, time, bit, end = (words.get(name) for name in ("count", "time", "bit", "end"))
    if count is not None and int(count) < 1:
        raise ValueError(f"{kind} 0 does nothing; pass 1 or more")
    seconds = DEFAULT_BREAK_S if kind == "break" else 0.0
    if time is not None:
        seconds = float(time) / (1000 if words["unit"] == "ms" else 1)
    return Fault(
        kind,
        count=int(count or 1),
        seconds=seconds,
        bit=None if bit is None else int(bit),
        end=None if end is None else check_end(end),
        table=_table(words.get("eaten"), words.get("old"), words.get("new")),
    )


def _table(eaten: str | None, old: str | None, new: str | None) -> tuple[tuple[int, bytes], ...]:
    if eaten is not None:
        return tuple((int(byte, 16), b"") for byte in eaten.split())
    if old is None or new is None:
        return ()
    if old == new:
        raise ValueError("a newline that becomes itself changes nothing; pass another")
    codes = {name: code for code, name in NEWLINES.items()}
    return ((codes[old][0], codes[new]),)

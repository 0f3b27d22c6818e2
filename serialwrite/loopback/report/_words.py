"""Figures in words, for the terminal and for the page: units, counts, verdict sentences."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

from serialwrite.loopback._result import Outcome, Verdict
from serialwrite.loopback.measure._in_force import in_words

if TYPE_CHECKING:
    from serialwrite.loopback._result import Direction, Result, Run
    from serialwrite.loopback.measure._confidence import ErrorRate


def printable(text: str) -> str:
    """Return text from a device or a file with all that could move a cursor or turn text round shown."""
    return "".join(
        character
        if not unicodedata.category(character).startswith("C") and character not in "\u2028\u2029"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def plural(count: int, noun: str) -> str:
    """Return ``1 byte``, ``2,000 bytes``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return seconds in the unit that fits: 830 ns, 12.5 µs, 3.20 ms, 41.0 s, 2 h 05 min."""
    if seconds >= 3600:
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60:02} min"
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.9995 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{seconds * 1e9:.0f} ns" if seconds else "0 s"


def rate(bytes_per_second: float) -> str:
    """Return a throughput: 960 B/s, 11.5 kB/s, 1.20 MB/s (decimal units)."""
    for size, unit in ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")):
        if bytes_per_second >= 0.9995 * size:
            return f"{_three_digits(bytes_per_second / size)} {unit}"
    return f"{bytes_per_second:.0f} B/s"


def brief(words: str) -> str:
    """Return a figure for an axis, without the zeros that say how exact it is: 5.20 s as 5.2 s."""
    number, _, unit = words.partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def size(count: float) -> str:
    """Return a number of bytes for an axis: 512 B, 1.5 kB, 100 MB (decimal units)."""
    return brief(rate(count)).removesuffix("/s")


def deviation(share: float, digits: int) -> str:
    """Return how far something is off, as a percentage with its sign: +1.52%; 0.00%, of either sign."""
    words = f"{share:+.{digits}%}"
    return words[1:] if not float(words[1:-1]) else words


def small(number: float) -> str:
    """Return a small number: 3.7e-9."""
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if number else "0"


def error_rate(measured: ErrorRate) -> str:
    """Return a bit error ratio with its bounds."""
    sure = f"{measured.confidence:.0%} sure"
    if measured.rate is None:
        return "no bit compared"
    if not measured.errors:
        return f"below {small(measured.upper)} ({sure})"
    return f"{small(measured.rate)} (between {small(measured.lower)} and {small(measured.upper)}, {sure})"


def sentence(result: Result) -> str:
    """Return the verdict of a whole test in one sentence."""
    run = next(iter(result.runs), None)
    if run is None or (result.verdict is Verdict.NOT_RUN and result.reasons):
        return "; ".join(result.reasons) or "Nothing was run."
    if result.axes:
        failed = sum(run.verdict is Verdict.FAIL for run in result.runs)
        passed = sum(run.verdict is Verdict.PASS for run in result.runs)
        parts = [f"{passed} of {plural(len(result.runs), 'run')} passed"]
        parts += [f"{failed} failed"] * bool(failed)
        for verdict in (Verdict.NOT_RUN, Verdict.TIMED_OUT, Verdict.NOT_TESTED):
            count = sum(run.verdict is verdict for run in result.runs)
            parts += [f"{count} {verdict}"] * bool(count)
        parts += ["the last was stopped"] * (result.runs[-1].verdict is Verdict.STOPPED)
        planned = math.prod(len(axis.values) for axis in result.axes)
        parts += [f"{planned - len(result.runs)} not reached"] * (planned > len(result.runs))
        return ", ".join(parts) + "."
    if run.verdict is Verdict.PASS:
        failed_checks = sum(check.outcome is Outcome.FAIL for check in result.checks)
        if failed_checks:
            return f"The data arrived, but {plural(failed_checks, 'check')} failed."
        total = sum(direction.account.sent for direction in run.directions)
        return f"All {plural(total, 'byte')} arrived once, right and in order."
    return "; ".join(run.reasons) or run_sentence(run)


def run_sentence(run: Run) -> str:
    """Return what went wrong in a run, in the words of its accounts."""
    told = [f"{direction.name}: {damage(direction)}" for direction in run.directions if not direction.account.clean]
    ended = {
        Verdict.PASS: "passed",
        Verdict.FAIL: "failed",
        Verdict.STOPPED: "was stopped",
        Verdict.TIMED_OUT: "timed out",
        Verdict.NOT_TESTED: "was not made",
    }
    return "; ".join(told) or f"The run {ended.get(run.verdict, 'could not be made')}."


def settings_in_words(run: Run) -> str:
    """Return what the ports are really set to; what was asked for only if the ports do not report it."""
    held = dict.fromkeys(None if each is None else in_words(each) for each in run.in_force)
    known = " and ".join(each for each in held if each is not None)
    asked = f"{run.settings.mode}, flow {run.settings.flow}"
    if None not in held:
        return known or asked
    return f"{known or asked}; a port has no line settings"


def damage(direction: Direction) -> str:
    """Return what was not right in one direction: ``3 bytes lost, 1 byte corrupted``."""
    account = direction.account
    kinds = ("corrupted", "lost", "duplicated", "reordered", "inserted", "unclaimed")
    counts = [(getattr(account, kind), kind) for kind in kinds]
    return ", ".join(f"{plural(count, 'byte')} {kind}" for count, kind in counts if count) or "nothing wrong"


def _three_digits(number: float) -> str:
    return f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}"

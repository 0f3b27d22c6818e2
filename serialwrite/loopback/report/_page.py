"""Owns the report: one self-contained page out of a result, the verdict first; no script, no network."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from serialwrite.loopback._result import Outcome, Verdict
from serialwrite.loopback.report._charts import error_map, latency_chart, sweep_table, throughput_chart
from serialwrite.loopback.report._files import write_whole
from serialwrite.loopback.report._html import Html, join, tag
from serialwrite.loopback.report._tables import accounts, causes, faults, table
from serialwrite.loopback.report._words import (
    deviation,
    duration,
    plural,
    rate,
    run_sentence,
    sentence,
    settings_in_words,
    small,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from serialwrite.loopback._result import Check, Direction, Result, Run

_SHOWN_RUN_COUNT: Final = 2

# Nothing may be loaded, whatever text found its way into the page.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def write_report(result: Result, path: str | os.PathLike[str]) -> None:
    """Write the report to `path`, whole or not at all.  Raises OSError, with the file there as it was."""
    write_whole(path, render(result))


def render(result: Result) -> str:
    """Return the report as the text of an HTML page."""
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{result.verdict.upper()}: loopback test, {_ports(result)}"),
        tag("style", Html(_style())),
    )
    body = tag("body", tag("main", *_sections(result)))
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), body, lang='en')}\n"


def _style() -> str:
    return (resources.files("serialwrite.loopback.report") / "_report.css").read_text(encoding="utf-8")


def _sections(result: Result) -> Iterator[Html]:
    yield _header(result)
    if len(result.runs) == 1:
        yield _tiles(result.runs[0])
    shown = _shown_runs(result)
    if result.axes:
        few = len(shown) < len(result.runs)
        below = few and tag("p", "Below: the first run that did not pass, or else the first.", class_="legend")
        yield tag("section", tag("h2", "Sweep"), sweep_table(result.runs, result.axes), below)
    for run in shown:
        yield from _run(run, named=len(result.runs) > 1)
    if result.checks:
        yield _checks(result)
    yield _reproduce(result)


def _shown_runs(result: Result) -> tuple[Run, ...]:
    if len(result.runs) <= _SHOWN_RUN_COUNT:
        return result.runs
    failed = [run for run in result.runs if run.verdict is not Verdict.PASS]
    return tuple((failed or list(result.runs))[:1])


def _header(result: Result) -> Html:
    about = [_ports(result)]
    if len(result.runs) == 1:
        run = result.runs[0]
        about += [settings_in_words(run), f"pattern {run.settings.pattern}"]
    about.append(result.started)
    return tag(
        "header",
        tag("h1", result.verdict),
        tag("p", sentence(result)),
        tag("p", " · ".join(part for part in about if part), class_="quiet"),
        class_=result.verdict.name.lower(),
    )


def _ports(result: Result) -> str:
    ports = dict.fromkeys(port for run in result.runs for port in run.settings.ports)
    return " ↔ ".join(ports) or "no port"


def _tiles(run: Run) -> Html:
    several = len(run.directions) > 1
    groups = [
        tag("dl", *_direction_tiles(one, run, f" {one.name}" * several), class_="tiles") for one in run.directions
    ]
    shared: list[Html] = []
    if run.latency is not None:
        shared.append(
            _tile("Round trip, median", duration(run.latency.p50), f"longest {duration(run.latency.maximum)}")
        )
    if run.cpu_seconds is not None and run.seconds:
        spent = f"{duration(run.cpu_seconds)} in {duration(run.seconds)}"
        spent += f"; {duration(run.kept_waiting)} late" if run.kept_waiting else ""
        shared.append(_tile("CPU", f"{run.cpu_seconds / run.seconds:.0%}", spent))
    return join(*groups, tag("dl", *shared, class_="tiles") if shared else None)


def _direction_tiles(direction: Direction, run: Run, name: str) -> Iterator[Html]:
    account, ber, settings = direction.account, direction.error_rate, run.settings
    yield _tile(f"Bytes received{name}", f"{account.received:,}", f"of {account.sent:,} sent")
    if ber.rate is None:
        yield _tile(f"Bit error rate{name}", "unknown", "no bit could be compared")
    else:
        bounds = f"{small(ber.lower)} to {small(ber.upper)}, " if ber.errors else ""
        found = f"{ber.errors:,} in {plural(ber.bits, 'bit')}; {bounds}{ber.confidence:.0%} sure"
        yield _tile(f"Bit error rate{name}", small(ber.rate) if ber.errors else f"< {small(ber.upper)}", found)
    share = direction.bytes_per_second / settings.line_rate
    carried = f"{share:.1%} of what {settings.mode} can carry" if share < 2 else "nothing paces this line"
    yield _tile(f"Throughput{name}", rate(direction.bytes_per_second), carried)
    if direction.baud is not None:
        off = f"{deviation(direction.baud / settings.baudrate - 1, 2)} from {settings.baudrate:,}"
        yield _tile(f"Real baud rate{name}", f"{direction.baud:,.0f}", off)
    else:
        yield _tile(f"Real baud rate{name}", "unknown", "see the checks")


def _tile(name: str, value: str, more: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", value, tag("small", more)))


def _checks(result: Result) -> Html:
    rows = [
        tag("tr", tag("th", one.name, scope="row"), tag("td", _badge(one)), tag("td", one.detail))
        for one in result.checks
    ]
    return tag("section", tag("h2", "Checks"), table((), rows, "checks"), class_="whole")


def _badge(check: Check) -> Html:
    tone = check.outcome if check.outcome in (Outcome.PASS, Outcome.FAIL) else ""
    return tag("span", check.outcome, class_=f"badge {tone}")


def _run(run: Run, *, named: bool) -> Iterator[Html]:
    if named:
        title = f"{run.settings.mode}, flow {run.settings.flow}, {run.settings.pattern}: {run.verdict}"
        yield tag("section", tag("h2", title), tag("p", "; ".join(run.reasons) or run_sentence(run)))
    if run.directions:
        if found := list(causes(run)):
            yield tag("section", tag("h2", "Likely causes"), *found)
        yield tag("section", tag("h2", "Every byte accounted for"), accounts(run), faults(run))
        yield tag("section", tag("h2", "Where in the stream"), *_each(run, lambda one: error_map(one.account)))
    if any(direction.throughput for direction in run.directions):
        yield tag("section", tag("h2", "Throughput over time"), *_each(run, lambda one: _pace(one, run)))
    if run.latency is not None:
        yield tag("section", tag("h2", "Round-trip latency"), latency_chart(run.latency))


def _each(run: Run, draw: Callable[[Direction], Html | None]) -> Iterator[Html]:
    for direction in run.directions:
        name = tag("h3", direction.name) if len(run.directions) > 1 else None
        yield tag("div", name, draw(direction), class_="part")


def _pace(direction: Direction, run: Run) -> Html | None:
    if not direction.throughput:
        return None
    return join(throughput_chart(direction.throughput, run.settings.line_rate), _pauses(direction))


def _pauses(direction: Direction) -> Html | None:
    if direction.gaps is None or not direction.gaps.count:
        return None
    found, longest = direction.gaps, direction.gaps.longest[0]
    return tag(
        "p",
        f"{plural(found.count, 'gap')} longer than {duration(found.threshold)}, ",
        f"{duration(found.total)} in all; ",
        f"the longest {duration(longest.seconds)}, {duration(longest.start)} into the run, ",
        f"after {plural(longest.offset, 'byte')}",
        class_="legend",
    )


def _reproduce(result: Result) -> Html:
    facts = [
        *(_settings(result.runs[0]) if len(result.runs) == 1 else ()),
        *((one.name, one.value, one.source) for one in result.facts),
    ]
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", value), tag("td", source, class_="quiet"))
        for name, value, source in facts
    ]
    command = tag("pre", result.command) if result.command else None
    return tag(
        "section",
        tag("h2", "To do it again"),
        command,
        tag("div", tag("table", tag("tbody", *rows), class_="facts"), class_="scroll"),
    )


def _settings(run: Run) -> Iterator[tuple[str, str, str]]:
    settings = run.settings
    yield "ports", ", ".join(settings.ports), "setting"
    yield "line", f"{settings.mode}, flow {settings.flow}", "setting"
    yield "line in force", settings_in_words(run), "the driver's word"
    yield "pattern", settings.pattern, "setting"
    amount = (
        plural(settings.bytes_to_send, "byte")
        if settings.bytes_to_send is not None
        else duration(settings.seconds or 0)
    )
    yield "amount", f"{amount}, {plural(settings.block_size, 'byte')} a write", "setting"

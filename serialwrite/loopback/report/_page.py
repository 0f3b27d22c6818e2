"""The report: a result as one page that loads nothing, by the template ``report.html.jinja``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from serialwrite.loopback._result import Result, Run, Verdict
from serialwrite.loopback.report import _words
from serialwrite.loopback.report._charts import error_map, latency_chart, sweep_table, throughput_chart
from serialwrite.loopback.report._files import write_whole
from serialwrite.loopback.report._template import environment
from serialwrite.loopback.report._words import duration, plural, settings_in_words, small

Row: TypeAlias = "tuple[str, list[Any], bool]"
"""A row of figures: its name, a value a direction, and whether any value but 0 is bad."""

_SHOWN_RUN_COUNT: Final = 2
_WORDS: Final = ("deviation", "duration", "plural", "rate", "run_sentence", "sentence", "settings_in_words", "small")


def write_report(result: Result, path: str | os.PathLike[str]) -> None:
    """Write the report to ``path``, whole or not at all.

    Raises:
        OSError: the file can't be written, and is as it was.
        ImportError: Jinja2 is not installed; the message says how to install it.
    """
    write_whole(path, render(result))


def render(result: Result) -> str:
    """Return the report as the text of an HTML page."""
    single = result.runs[0] if len(result.runs) == 1 else None
    page: str = (
        environment("serialwrite.loopback", "report")
        .get_template("report.html.jinja")
        .render(
            {name: getattr(_words, name) for name in _WORDS},
            byte_rows=_byte_rows,
            causes_of=_causes,
            error_map_of=error_map,
            figure=_figure,
            latency_chart=latency_chart,
            line_rows=_line_rows,
            percent=_percent,
            sweep_of=sweep_table,
            thousands=_thousands,
            throughput_chart=throughput_chart,
            result=result,
            ports=" ↔ ".join(dict.fromkeys(port for run in result.runs for port in run.settings.ports)) or "no port",
            shown=_shown_runs(result),
            facts=[
                *(_settings(single) if single is not None else ()),
                *((fact.name, fact.value, fact.source) for fact in result.facts),
            ],
        )
    )
    return page


def _thousands(count: int) -> str:
    return f"{count:,}"


def _percent(share: float, digits: int) -> str:
    return f"{share:.{digits}%}"


def _figure(value: float | str | None) -> str:
    if value is None:
        return "–"  # noqa: RUF001 # an en dash: not counted
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shown_runs(result: Result) -> Sequence[Run]:
    if len(result.runs) <= _SHOWN_RUN_COUNT:
        return result.runs
    failed = [run for run in result.runs if run.verdict is not Verdict.PASS]
    return (failed or result.runs)[:1]


def _byte_rows(run: Run) -> list[Row]:
    good, bad = (
        ("sent", "received", "correct"),
        ("corrupted", "lost", "duplicated", "reordered", "inserted", "unclaimed"),
    )
    return [(kind, [getattr(way.account, kind) for way in run.directions], kind in bad) for kind in good + bad]


def _line_rows(run: Run) -> Iterator[Row]:
    """What the bits, the driver and the writes say."""
    ratios = [way.error_rate for way in run.directions]
    sure = f"{ratios[0].confidence:.0%} sure"
    yield "bits compared", [one.bits for one in ratios], False
    yield "bits flipped", [one.errors for one in ratios], True
    yield "bit error ratio", [None if one.rate is None else _small(one.rate) for one in ratios], False
    yield f"at least ({sure})", [_small(one.lower) for one in ratios], False
    yield f"at most ({sure})", [_small(one.upper) for one in ratios], False
    if any(way.kernel for way in run.directions):
        for counter in ("frame", "overrun", "parity", "breaks", "buffer_overrun"):
            values = [getattr(way.kernel, counter, None) for way in run.directions]
            yield f"kernel: {counter.replace('_', ' ')}", values, True
    if any(way.writes for way in run.directions):
        for name, figure in (
            ("writes", "calls"),
            ("writes short", "short"),
            ("writes blocked", "blocked"),
            ("shortest write", "smallest"),
        ):
            yield name, [getattr(way.writes, figure, None) for way in run.directions], False


def _small(value: float) -> int | str:
    return small(value) if value else 0


def _causes(run: Run) -> Iterator[tuple[str, str, str]]:
    """What explains the faults: a name, the words, and how often it was seen."""
    for way in run.directions:
        for cause in way.account.diagnoses:
            seen = f"{way.name}: {cause.occurrences:,} of {plural(cause.opportunities, 'time')}"
            yield cause.name, cause.text, seen
        if way.account.modulo is not None and not way.account.clean:
            words = (
                f"{way.name}: the pattern repeats every {plural(way.account.modulo, 'byte')}, "
                "so places and lengths are known only modulo that; "
                "whole periods lost or repeated have no place at all."
            )
            yield "", words, ""


def _settings(run: Run) -> Iterator[tuple[str, str, str]]:
    settings = run.settings
    count, seconds = settings.bytes_to_send, settings.seconds
    amount = duration(seconds or 0) if count is None else plural(count, "byte")
    yield "ports", ", ".join(settings.ports), "setting"
    yield "line", f"{settings.mode}, flow {settings.flow}", "setting"
    yield "line in force", settings_in_words(run), "the driver's word"
    yield "pattern", settings.pattern, "setting"
    yield "amount", f"{amount}, {plural(settings.block_size, 'byte')} a write", "setting"

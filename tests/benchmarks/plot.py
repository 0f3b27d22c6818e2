"""How it is drawn: bars of every piece of work, and the series of W6 on logarithmic axes."""

# ruff: noqa: PLC0415 # matplotlib is an extra

from collections.abc import Sequence
from typing import Any

from .summary import Growth, Table

COLOURS = {"serialwrite": "#0b6e4f", "Asio": "#7a5195", "C write": "#444444", "os.write": "#444444"}
OTHER = "#b0b7bf"


def plot(tables: Sequence[Table], growths: Sequence[Growth], file: str) -> None:
    """Draw everything into ``file``, in the format that its name ends with."""
    from matplotlib.figure import Figure

    bars = [table for table in tables if table.work.at is None and any(not entry.error for entry in table.entries)]
    heights = [max(2, 0.25 * len(table.entries)) for table in bars] + [3.0] * len({growth.axis for growth in growths})
    figure = Figure(figsize=(9, sum(heights) + len(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, table in zip(axes, bars, strict=False):
        _bars(axis, table)
    for axis, name in zip(axes[len(bars) :], dict.fromkeys(growth.axis for growth in growths), strict=True):
        _growth(axis, name, [growth for growth in growths if growth.axis == name])
    figure.savefig(file)


def _bars(axis: Any, table: Table) -> None:
    late = table.work.action == "timeout"
    entries = table.ranking()[::-1]
    for i, entry in enumerate(entries):
        colour = next((colour for name, colour in COLOURS.items() if entry.contestant.startswith(name)), OTHER)
        if late:
            axis.boxplot(entry.late_us, positions=[i], orientation="horizontal", showfliers=False)
            continue
        low, high = entry.spread
        error = [[max(0.0, entry.ratio - low)], [max(0.0, high - entry.ratio)]]
        axis.barh(entry.contestant, entry.ratio, xerr=error, color=colour)
    if late:
        axis.set_yticks(range(len(entries)), [entry.contestant for entry in entries])
    axis.set_xscale("symlog" if late else "log")
    axis.set_xlabel("µs after the deadline" if late else f"time, relative to {table.base}")
    axis.set_title(f"{table.work.title}: {table.work.what}", loc="left", fontsize="medium")


def _growth(axis: Any, name: str, growths: Sequence[Growth]) -> None:
    for growth in growths:
        label = f"{growth.contestant}: exponent {growth.exponent:.2f}"
        axis.loglog([n for n, _ in growth.points], [cost * 1e6 for _, cost in growth.points], "o-", label=label)
    axis.set_xlabel(name)
    axis.set_ylabel("µs of CPU")
    axis.set_title(f"W6: how the cost grows with {name}", loc="left", fontsize="medium")
    axis.legend()

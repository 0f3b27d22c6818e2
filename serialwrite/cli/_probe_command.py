"""``serialwrite probe``: the card of a port, as a table or as JSON."""

from __future__ import annotations

import json as jsonlib
from functools import partial
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from serialwrite.loopback import Card, probe as probe_port, to_json
from serialwrite.loopback.report._words import printable

from ._console import console, say
from ._line_options import LineOptions, PortArgument, with_line_options
from ._loopback_view import print_table
from ._output import exit_code


@with_line_options
def probe(
    port: PortArgument,
    *,
    line: LineOptions,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Fill the port's queue with 0x55, its output held, to measure it. "
            "If the driver does not suspend its output, the connected device gets these bytes.",
        ),
    ] = False,
    unplug: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="S", help="Wait up to S seconds for you to unplug it, and show the errors that this gives."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a port's driver, what it reports, which of that was measured, and what to set."""
    ask = partial(say, f"serialwrite: unplug {printable(port)} now, within {unplug or 0:g} s", stderr=True)
    card = probe_port(port, baudrate=line.baud, measure=measure, unplug=unplug, ask=ask, **line.settings)
    if json:
        say(jsonlib.dumps(to_json(card)))
    else:
        _show(card)
    raise typer.Exit(exit_code(0 if card.opened else 2))


def _show(card: Card) -> None:
    made = console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("bold", "", "dim"):
        table.add_column(style=column, overflow="fold")
    for fact in card.facts:
        table.add_row(*(printable(text) for text in (fact.name, fact.value, fact.source)))
    print_table(made, table)
    for line in card.advice:
        made.print(Text(printable(f"→ {line}"), "yellow"))

"""The commands, put together: one typer application."""

from __future__ import annotations

from typing import Annotated

import typer

from serialwrite import __version__

from ._demo import demo
from ._lab_command import lab
from ._loopback import LOOPBACK_EXIT_CODES, loopback
from ._ports import ports
from ._probe_command import probe
from ._rig_command import ENDINGS, rig
from ._write_command import EXIT_CODES, write

app = typer.Typer(
    name="serialwrite",
    help="The write that tells you exactly how far it got.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command(epilog=EXIT_CODES)(write)
app.command(epilog=LOOPBACK_EXIT_CODES)(loopback)
app.command(epilog=ENDINGS)(rig)
app.add_typer(lab, name="lab")
app.command()(ports)
app.command(epilog="Exit codes: 0 it was opened; 1 the result can't be printed; 2 bad usage, or it can't be opened.")(
    probe
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"serialwrite {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The write that tells you exactly how far it got."""

"""The commands, put together: one typer application."""

from __future__ import annotations

from typing import Annotated

import typer

from serialwrite import __version__
from serialwrite._build import COMPILED

from ._ask_command import ask
from ._demo import demo
from ._endings import EXIT_CODES
from ._lab_command import lab
from ._loopback import loopback
from ._ports import ports
from ._probe_command import probe
from ._read_command import read
from ._rig_command import ENDINGS, FAULTS, rig
from ._write_command import RESUMING, write

app = typer.Typer(
    name="serialwrite",
    help="The write that tells you exactly how far it got.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: at 80 columns its options still have room for their words
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, short_help, more in (
    (write, "Write a file, and say exactly how far it got.", f" {RESUMING}"),
    (read, "Read, byte for byte, until a limit or Ctrl-C.", ""),
    (ask, "Send a line and print the reply.", ""),
    (ports, "List the serial ports.", ""),
    (probe, "Show what a port's driver reports.", ""),
    (loopback, "Prove a line: account for every byte.", ""),
    (rig, "Keep a pair of ports without hardware up.", f" {ENDINGS}\n\n{FAULTS}"),
    (demo, "See a write stall, time out and be resumed.", ""),
):
    app.command(short_help=short_help, epilog=EXIT_CODES + more)(command)
app.add_typer(lab, name="lab")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"serialwrite {__version__} ({'compiled' if COMPILED else 'pure Python'})")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The write that tells you exactly how far it got."""

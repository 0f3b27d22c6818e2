"""``serialwrite ports``: lists the serial ports of this machine without opening them."""

from __future__ import annotations

import json as jsonlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import serialwrite as sw
from serialwrite.loopback import lock_holders
from serialwrite.loopback.card._machine import closing_wait_in_words, driver, latency_timer
from serialwrite.loopback.report._words import printable

from ._console import console, say
from ._loopback_view import print_table
from ._output import exit_code

BY_ID = Path("/dev/serial/by-id")
TTYS = Path("/sys/class/tty")
ASYNC_LOW_LATENCY = 0x2000  # <linux/tty_flags.h>


@dataclass(frozen=True)
class PortReport:
    """One serial port. None: unknown without opening the port, which could reset the device behind it."""

    device: str
    by_id: str | None
    description: str
    usb: str | None
    serial_number: str | None
    driver: str | None
    held_by: list[str]
    latency_timer: int | None
    low_latency: bool | None
    closing_wait: str | None


def ports(json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> None:
    """List the serial ports: stable names, adapters, drivers, the programs that have them open, and settings."""
    found = [_reported(port) for port in sw.ports()]
    if json:
        say(jsonlib.dumps([asdict(each) for each in found]))
    elif found:
        _show(found)
    else:
        say("no serial port was found; `serialwrite rig pty` makes two, for trying things out")
    if code := exit_code(0):
        raise typer.Exit(code)


def _reported(port: sw.PortInfo) -> PortReport:
    name = Path(os.path.realpath(port.device)).name
    timer = latency_timer(port.device)
    flags, wait = _number(name, "flags"), _number(name, "closing_wait")
    return PortReport(
        device=port.device,
        by_id=_by_id(port.device),
        description=port.description,
        usb=None if port.vid is None else f"{port.vid:04x}:{port.pid:04x}",
        serial_number=port.serial_number,
        driver=driver(port.device)[0] or None,
        held_by=lock_holders(port.device),
        latency_timer=None if timer is None else timer[0],
        low_latency=None if flags is None else bool(flags & ASYNC_LOW_LATENCY),
        closing_wait=None if wait is None else closing_wait_in_words(wait),
    )


def _by_id(device: str) -> str | None:
    """The name that stays with an adapter, whatever is plugged in first."""
    with suppress(OSError):
        for link in sorted(BY_ID.iterdir()):
            if os.path.realpath(link) == os.path.realpath(device):
                return str(link)
    return None


def _number(name: str, attribute: str) -> int | None:
    """What a UART driver reports about a port in /sys; others report nothing there."""
    with suppress(OSError, ValueError):
        return int((TTYS / name / attribute).read_text(), 0)
    return None


def _show(found: list[PortReport]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("port", "what", "usb", "driver", "held by", "latency", "closing_wait"):
        table.add_column(column, overflow="fold")
    for port in found:
        what = " ".join(filter(None, (port.description, port.by_id)))
        latency = f"{port.latency_timer} ms" if port.latency_timer is not None else "low" if port.low_latency else ""
        cells = (port.device, what, port.usb, port.driver, ", ".join(port.held_by), latency, port.closing_wait)
        table.add_row(*(Text(printable(cell or "")) for cell in cells))
    print_table(console(), table)

"""The options of the serial line: the same ones, with the same defaults, for every command that opens a port."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, Optional, get_type_hints

import typer

import serialwrite as sw


class Parity(StrEnum):
    """Parity, by pyserial's names."""

    NONE = "N"
    EVEN = "E"
    ODD = "O"
    MARK = "M"
    SPACE = "S"


class StopBits(StrEnum):
    """Stop bits of a character."""

    ONE = "1"
    ONE_AND_A_HALF = "1.5"
    TWO = "2"


class Flow(StrEnum):
    """Flow control."""

    NONE = "none"
    RTSCTS = "rtscts"
    XONXOFF = "xonxoff"
    DSRDTR = "dsrdtr"


@dataclass(frozen=True)
class LineOptions:
    """The options of the line; see :func:`with_line_options`."""

    baud: Annotated[int, typer.Option("--baud", "-b", min=1, metavar="N", help="Bits per second.")] = 115200
    data_bits: Annotated[
        int, typer.Option("--databits", min=5, max=8, metavar="N", help="Data bits of a character.")
    ] = 8
    parity: Annotated[
        Parity,
        typer.Option(case_sensitive=False, metavar="N|E|O|M|S", help="None, even, odd, mark or space."),
    ] = Parity.NONE
    stop_bits: Annotated[StopBits, typer.Option("--stopbits", metavar="1|1.5|2", help="Stop bits of a character.")] = (
        StopBits.ONE
    )
    flow: Annotated[
        Flow,
        typer.Option(metavar="none|rtscts|xonxoff|dsrdtr", help="Flow control: how the device may hold the port."),
    ] = Flow.NONE
    dtr: Annotated[
        Optional[bool],  # noqa: UP045 # typer reads it at run time, in 3.11's way too
        typer.Option(
            "--dtr/--no-dtr", help="DTR on or off from the start; many boards reset with it.", show_default=False
        ),
    ] = None
    rts: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--rts/--no-rts", help="RTS on or off from the start.", show_default=False),
    ] = None

    def check(self) -> None:
        """BadParameter for options that contradict one another."""
        if self.flow is Flow.RTSCTS and self.rts is not None:
            raise typer.BadParameter("--flow rtscts switches RTS: leave --rts out", param_hint="--rts")
        if self.flow is Flow.DSRDTR and self.dtr is not None:
            raise typer.BadParameter("--flow dsrdtr switches DTR: leave --dtr out", param_hint="--dtr")

    @property
    def stop_bit_count(self) -> float:
        """Stop bits as a number."""
        return float(self.stop_bits) if self.stop_bits is StopBits.ONE_AND_A_HALF else int(self.stop_bits)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by pyserial's names, without the baud rate."""
        flow = {} if self.flow is Flow.NONE else {self.flow.value: True}
        lines = {"dtr": self.dtr, "rts": self.rts}
        return {
            "bytesize": self.data_bits,
            "parity": self.parity.value,
            "stopbits": self.stop_bit_count,
            **flow,
            **lines,
        }

    def open(self, name: str, resources: ExitStack, **more: Any) -> sw.SerialPort:
        """Open the port ``name``. ``resources`` closes it and drops what is queued, unless it is closed before."""
        port = sw.SerialPort(name, self.baud, **self.settings, **more)
        resources.callback(port.close, "discard")
        return port


def with_line_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command``, instead of its parameter ``line``, an option for each field of :class:`LineOptions`."""
    shared, hints = fields(LineOptions), get_type_hints(LineOptions, include_extras=True)

    def run(**given: Any) -> None:
        line = LineOptions(**{field.name: given.pop(field.name) for field in shared})
        line.check()
        command(line=line, **given)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name == "line":
            parameters += [
                parameter.replace(name=field.name, default=field.default, annotation=hints[field.name])
                for field in shared
            ]
        else:
            parameters.append(parameter)
    keyword_only = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in keyword_only}
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined] # what inspect looks for
    return run


def known_ports(incomplete: str) -> list[str]:
    """The ports of this machine whose names begin with ``incomplete``, for a shell to complete."""
    return [port.device for port in sw.ports() if port.device.startswith(incomplete)]


PortArgument = Annotated[
    str,
    typer.Argument(
        metavar="PORT",
        autocompletion=known_ports,
        help="The serial port: a device, such as /dev/ttyUSB0, or a URL of pyserial's.",
    ),
]

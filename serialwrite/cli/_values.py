"""Options whose values are checked: numbers of seconds, and patterns."""

from __future__ import annotations

import math
import os
import re
from typing import Annotated, Any, Optional

import typer


def _checked(value: float | None) -> float | None:
    if value is not None and not (value >= 0 and math.isfinite(value)):
        raise typer.BadParameter(f"got {value:g}: pass seconds, 0 or more, or leave the option out for no limit")
    return value


def seconds_option(help_text: str, *names: str, show_default: bool | str = True) -> Any:
    """An option, by its ``names`` or by its parameter's name, that takes 0 or more seconds."""
    return typer.Option(*names, metavar="S", callback=_checked, help=help_text, show_default=show_default)


IdleTimeout = Annotated[
    Optional[float],  # noqa: UP045 # typer reads it at run time, in 3.11's way too
    seconds_option(
        "Give up when no byte has moved for this long. Each byte starts the time anew, so "
        "a slow device never reaches it.",
        show_default="no limit",
    ),
]


def pattern_of(words: str) -> re.Pattern[bytes]:
    """The regular expression ``words`` of ``--until``; BadParameter for what is not one, or matches without a byte."""
    try:
        pattern = re.compile(os.fsencode(words), re.MULTILINE)
    except re.error as error:
        raise typer.BadParameter(
            f"{words!r} is not a regular expression: {error}; put \\ before a character that stands for itself",
            param_hint="--until",
        ) from error
    if pattern.match(b""):
        raise typer.BadParameter(f"{words!r} matches without a byte; pass one that needs some", param_hint="--until")
    return pattern

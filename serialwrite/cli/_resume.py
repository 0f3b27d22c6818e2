"""The exact command that goes on where this one stopped."""

from __future__ import annotations

import os
import shlex
import shutil
import string
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

# Characters that printf's format does not interpret.
PRINTF_PLAIN = frozenset(string.ascii_letters + string.digits + " ./:=+,@_")


def resume_words(context: typer.Context, offset: int) -> list[str]:
    """The words of ``context``'s own command line, as they were given, but from the byte ``offset`` on."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name == "resume_from":
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":
            arguments.append(_word(value))
        else:
            options += _option(parameter.opts, parameter.secondary_opts, value)
    options += ["--resume-from", str(offset)]
    command = [*_program(), context.info_name or ""]
    if any(word.startswith("-") and word != "-" for word in arguments):
        return [*command, *options, "--", *arguments]
    return [*command, *arguments, *options]


def _option(names: list[str], negations: list[str], value: Any) -> Iterable[str]:
    longest = max(names, key=len)
    if value is True:
        return [longest]
    if value is False:
        return negations[:1]
    if isinstance(value, (list, tuple)):
        return [word for one in value for word in (longest, _word(one))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # what an option's items are, only typer knows
    return [longest, _word(value)]


def _word(value: Any) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _program() -> list[str]:
    """What starts this program again: its name if it is on the PATH, else its path."""
    given = sys.argv[0]
    if Path(given).name == "__main__.py":
        return [sys.executable, "-m", "serialwrite"]
    found = shutil.which(Path(given).name)
    if found is not None and Path(found).resolve() == Path(given).resolve():
        return [Path(given).name]
    return [str(Path(given).absolute())]


def shell_line(words: list[str], *, from_stdin: bool) -> str:
    """``words`` for a POSIX shell; if the input was standard input, the user has to give it again."""
    line = " ".join(map(_quoted, words))
    return f"YOUR-COMMAND | {line}" if from_stdin else line


def _quoted(word: str) -> str:
    """``word`` so that pasting what a terminal shows of it gives its bytes: in sh, bash and zsh."""
    raw = os.fsencode(word)
    if word.isprintable() and word.encode(sys.stderr.encoding or "utf-8", "replace") == raw:
        return shlex.quote(word)
    # Not $'...', which dash does not know. A substitution drops the newlines at its end: these stay outside.
    text = raw.rstrip(b"\n")
    inside = "".join(chr(byte) if chr(byte) in PRINTF_PLAIN else f"\\{byte:03o}" for byte in text)
    newlines = "\n" * (len(raw) - len(text))
    return f"\"$(printf '{inside}')\"" + (f"'{newlines}'" if newlines else "")

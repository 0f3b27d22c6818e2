"""POSIX modules, and a stand-in for each one that this system lacks."""

from __future__ import annotations

import importlib
import io
import sys
from functools import cache
from typing import TYPE_CHECKING, Any


@cache
def lacking(*names: str) -> str:
    """Those of ``names``, such as "os.writev", that this system does not have, as words; "" where it has them all."""
    return ", ".join(name for name in names if not _has(*name.split(".")))


def require(who: str, *names: str, instead: str) -> None:
    """Refuse to make ``who`` on a system that lacks one of ``names``.

    Raises:
        io.UnsupportedOperation: it names what is missing, and says what to do ``instead``.
    """
    if missing := lacking(*names):
        raise io.UnsupportedOperation(f"{who} needs {missing}, which this system ({sys.platform}) lacks; {instead}")


def _has(module: str, attribute: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return False


class Absent:
    """Replaces a missing module: importing it works, using it raises an error that names it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # what Python itself looks for on any object
            raise AttributeError(attribute)
        raise io.UnsupportedOperation(f"{self._name}.{attribute}: this system ({sys.platform}) has no {self._name}")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return Absent(name)


if TYPE_CHECKING:
    import fcntl as fcntl
    import termios as termios
    import tty as tty
else:
    fcntl, termios, tty = map(_module, ("fcntl", "termios", "tty"))

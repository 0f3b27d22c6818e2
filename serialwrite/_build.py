"""Which build this is: the first try of a small write is compiled (``_quick.pyx``), or all is Python.

``SERIALWRITE_PURE=1`` in the environment makes a compiled build a pure one. A free-threaded Python takes the pure one:
the compiled one keeps its objects whole by the GIL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F")

COMPILED: bool = False  # whether the first try is
if TYPE_CHECKING:
    from ._compiled import DirectWrite, Port, Turn, quickened
else:
    try:
        if os.environ.get("SERIALWRITE_PURE") or "t" in getattr(sys, "abiflags", ""):
            raise ImportError
        from ._compiled import DirectWrite, Port, Turn, quickened

        COMPILED = True
    except ImportError:  # it was not wanted, or nothing compiled it

        class Turn:
            """What a direction is asked before each first try: ``idle_in``, ``budget`` and ``write_one``."""

        class Port:
            """A stream with a ``_write_direction``."""

        def DirectWrite(number: Any, flags: int | None, otherwise: Callable[[bytes], int]) -> Callable[[bytes], int]:  # noqa: N802
            """``otherwise``: there is no shorter way."""
            return otherwise

        def quickened(function: F, twin: type, cost: int) -> F:
            """``function`` itself."""
            return function


__all__ = ["COMPILED", "DirectWrite", "Port", "Turn", "quickened"]

"""Which build this is: the first try of a small write is compiled (``_quick.pyx``), or all is Python.

``SERIALWRITE_PURE=1`` in the environment makes a compiled build a pure one. A free-threaded Python takes the pure one:
the compiled one keeps its objects whole by the GIL.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

F = TypeVar("F")

COMPILED: bool = False  # whether the first try is
if TYPE_CHECKING:
    from ._compiled import (
        Held,
        Port,
        Turn,
        hold,
        quickened,
        quickened_line,
        quickened_read,
        window_ends,
        write_directly,
    )
else:
    try:
        if os.environ.get("SERIALWRITE_PURE") or "t" in getattr(sys, "abiflags", ""):
            raise ImportError
        from ._compiled import (
            Held,
            Port,
            Turn,
            hold,
            quickened,
            quickened_line,
            quickened_read,
            window_ends,
            write_directly,
        )

        COMPILED = True
    except ImportError:  # it was not wanted, or nothing compiled it

        class Turn:
            """What a direction is asked before each first try: ``idle_thread``, ``budget`` and ``write_one``."""

        class Port:
            """A stream with a ``_write_direction``."""

        def write_directly(*_: object) -> None:
            """Change nothing: only the compiled build can."""

        class Held:
            """Bytearrays that can't be resized until they are released."""

            def __init__(self, given: tuple[Any, ...]) -> None:
                self._views = tuple(map(memoryview, given))

            def release(self) -> None:
                deque(map(memoryview.release, self._views), 0)  # in C: there may be many
                self._views = ()

        def hold(given: tuple[Any, ...]) -> Held | None:
            """Hold those of ``given`` that are bytearrays; None where one is neither that nor plain ``bytes``."""
            kinds = set(map(type, given))
            if not kinds <= {bytes, bytearray}:
                return None
            return Held(given if bytearray in kinds else ())

        def window_ends(views: tuple[Any, ...], count: int) -> list[int]:
            """How many bytes there are up to the end of each ``count`` of ``views``."""
            return list(accumulate(sum(map(len, views[i : i + count])) for i in range(0, len(views), count)))

        def quickened(function: F, *_: object) -> F:
            """``function`` itself."""
            return function

        def quickened_line(*_: object) -> Callable[[F], F]:
            """A decorator that changes nothing."""
            return lambda function: function

        quickened_read = quickened_line


__all__ = [
    "COMPILED",
    "Held",
    "Port",
    "Turn",
    "hold",
    "quickened",
    "quickened_line",
    "quickened_read",
    "window_ends",
    "write_directly",
]

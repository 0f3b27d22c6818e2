# What ``_quick.pyx`` is compiled to.

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

class Turn:
    idle_thread: int
    budget: int
    write_one: Callable[[bytes], int]

class Port:
    _write_direction: Any

class Held:
    def release(self) -> None: ...

def hold(given: tuple[Any, ...]) -> Held | None: ...
def write_directly(direction: Any, number: Any, flags: int | None, ledger: Any) -> None: ...
def window_ends(views: tuple[Any, ...], count: int) -> list[int]: ...
def quickened(
    function: _F,
    twin: type,
    rest: Callable[..., Any],
    start: Callable[..., Any],
    cost: int,
    nothing_started: object,
    no_limits: object,
    check: Callable[..., Any],
) -> _F: ...
def quickened_line(kind: type, end: bytes) -> Callable[[_F], _F]: ...
def quickened_read(kind: type) -> Callable[[_F], _F]: ...

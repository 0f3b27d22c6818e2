# What ``_quick.pyx`` is compiled to.

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

class Turn:
    idle_in: int
    budget: int
    write_one: Callable[[bytes], int]

class Port:
    _write_direction: Any

class DirectWrite:
    def __init__(self, number: Any, flags: int | None, otherwise: Callable[[bytes], int]) -> None: ...
    def __call__(self, data: bytes, /) -> int: ...

def quickened(function: _F, twin: type, cost: int) -> _F: ...

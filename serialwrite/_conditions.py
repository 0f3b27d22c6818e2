"""Completion conditions: after each step of a composed operation, whether to go on and how far."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import TypeAlias

from ._buffers import checked_count
from ._errors import TransferError

CompletionCondition: TypeAlias = Callable[[TransferError | None, int], int]
"""``condition(error, bytes_transferred)``: the most bytes to ask of the next step (0: done), or a bool (True: done)."""

# No limit here; streams and the kernel set their own.
MAX_TRANSFER = sys.maxsize


class TransferAll:
    """Go on until everything is transferred, or an error."""

    def __call__(self, error: TransferError | None, n: int, /) -> int:
        return 0 if error else MAX_TRANSFER


class TransferAtLeast:
    """Go on until ``minimum`` bytes are transferred, or an error; a step may take more."""

    def __init__(self, minimum: int) -> None:
        self.minimum: int = checked_count(minimum, f"transfer_at_least({minimum!r})")

    def __call__(self, error: TransferError | None, n: int, /) -> int:
        return MAX_TRANSFER if error is None and n < self.minimum else 0


class TransferExactly:
    """Go on until just ``size`` bytes are transferred, or an error."""

    def __init__(self, size: int) -> None:
        self.size: int = checked_count(size, f"transfer_exactly({size!r})")

    def __call__(self, error: TransferError | None, n: int, /) -> int:
        return self.size - n if error is None and n < self.size else 0


TRANSFER_ALL = TransferAll()


def check_condition(condition: object) -> None:
    """TypeError for what is not a completion condition."""
    if isinstance(condition, FunctionType) and condition.__module__ == "serialwrite":
        wrong, instead = f"the function {condition.__name__} itself", "call it: "
    elif callable(condition):
        return
    else:
        wrong, instead = repr(condition), "pass "
    raise TypeError(
        f"completion_condition: got {wrong}; {instead}transfer_all(), transfer_at_least(n) or transfer_exactly(n), "
        "or pass a function (error, bytes_transferred)"
    )


def transfer_all() -> TransferAll:
    """Transfer everything, or end on an error. The default. Follows Asio's ``transfer_all``."""
    return TRANSFER_ALL


def transfer_at_least(minimum: int, /) -> TransferAtLeast:
    """End once ``minimum`` bytes are transferred; the last step may take more. Follows Asio's ``transfer_at_least``."""
    return TransferAtLeast(minimum)


def transfer_exactly(size: int, /) -> TransferExactly:
    """End once just ``size`` bytes are transferred. Follows Asio's ``transfer_exactly``."""
    return TransferExactly(size)


def asking(condition: CompletionCondition) -> Callable[[TransferError | None, int], int]:
    """``condition``, whose answers are checked, and are the most bytes to ask for next; 0 when done."""
    check_condition(condition)
    return partial(_most, condition)


def _most(condition: CompletionCondition, error: TransferError | None, n: int) -> int:
    answer = condition(error, n)
    if answer is True:
        return 0
    if answer is False:
        return MAX_TRANSFER
    try:
        answer = operator.index(answer)
    except TypeError:  # None of a condition that forgot to return, a float, numpy's bool
        raise TypeError(
            f"the completion condition answered {answer!r}; it must be a number of bytes, 0 or more, or a bool"
        ) from None
    if answer < 0:
        raise ValueError(f"the completion condition answered {answer}; it must be a number of bytes, 0 or more")
    return answer

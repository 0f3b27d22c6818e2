"""The keyword arguments of the free functions, for their overloads; and the error for any other.

The functions themselves spell them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from ._conditions import CompletionCondition


class Timeouts(TypedDict, total=False):
    """Of every transfer."""

    timeout: float | None
    idle_timeout: float | None


class TransferOptions(Timeouts, total=False):
    """Of a transfer that a condition ends."""

    completion_condition: CompletionCondition


class UntilOptions(Timeouts, total=False):
    """Of a read that a delimiter ends."""

    longest_match: int


def unexpected(call: str, names: Iterable[str], example: str) -> TypeError:
    """The error for names that ``call`` does not know, such as pyserial's ``size=``."""
    return TypeError(
        f"{call}() has no argument {'=, '.join(names)}=: pass what comes first without a name, {example}; "
        "the others are completion_condition=, timeout= and idle_timeout="
    )

"""The keyword arguments of the free functions, for their overloads. The functions themselves spell them out."""

from __future__ import annotations

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

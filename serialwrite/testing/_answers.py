"""Answers: finds a device's answer to a request, by rules, without I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, Union, cast

Asked: TypeAlias = bytes | re.Pattern[bytes]
"""What is waited for: these bytes, or a match of this pattern."""
Answer: TypeAlias = Union[bytes, "Callable[[Any], bytes | None]", None]
"""Bytes, or None for silence, or a function of the match that gives one of these."""
Rules: TypeAlias = Mapping[Asked, Answer | Sequence[Answer]]
"""An answer for each time that it is asked; in a list, one after the other, of which the last one stays."""


class Answers:
    """Takes what comes in, and gives what goes out.

    Args:
        rules: the answers; see :class:`Answering`.

    Attributes:
        asked: what was recognised so far, in order.
        pending: what has come since, and is not recognised (yet).
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = [(_checked(asked), _each(answer)) for asked, answer in rules.items()]
        self.asked: list[bytes] = []
        self.pending: bytes = b""

    def feed(self, data: bytes) -> bytes:
        """Take in ``data``; return what is answered to it. Of two rules, the one whose match ends first has it."""
        self.pending += data
        said = bytearray()
        while True:
            found = [(match, answers) for asked, answers in self._rules if (match := asked.search(self.pending))]
            if not found:
                return bytes(said)
            match, answers = min(found, key=lambda one: one[0].end())
            self.pending = self.pending[match.end() :]
            self.asked.append(match[0])
            answer = next(answers)
            said += (answer(match) if callable(answer) else answer) or b""


def _checked(asked: Any) -> re.Pattern[bytes]:
    pattern: Any = getattr(asked, "pattern", asked)
    if not isinstance(pattern, bytes) or not pattern:
        raise TypeError(f"answers: {asked!r} can't be asked; pass bytes, or a compiled pattern of bytes")
    return re.compile(re.escape(pattern)) if asked is pattern else asked


def _each(answer: Any) -> Iterator[Answer]:
    several: list[Any] = [*cast("list[Any]", answer)] if isinstance(answer, (list, tuple)) else [answer]
    for one in several:
        if not (one is None or isinstance(one, bytes) or callable(one)):
            raise TypeError(
                f"answers: {one!r} is not an answer; pass bytes, a function, None for silence, or a list of these"
            )
    if not several:
        raise ValueError("answers: a list of answers is empty; pass at least one, or None for silence")
    return _on(several)


def _on(several: Sequence[Answer]) -> Iterator[Answer]:
    yield from several
    while True:
        yield several[-1]

"""PinnedDirection: one direction of a stream whose event loop was named when it was made."""

from __future__ import annotations

from ..._direction import NOWHERE
from ._pollable_direction import PollableDirection
from ._tried import TriedStream


class PinnedDirection(PollableDirection):
    """One direction of a stream whose loop was named by its maker: once that is closed nothing is even tried.

    Else a write would go out where the port has room, and be refused where it has to wait.
    """

    _idle_thread = NOWHERE

    @property
    def idle_thread(self) -> int:
        loop = self._stream._executor._loop
        return NOWHERE if loop is None or loop.is_closed() else self._idle_thread

    @idle_thread.setter
    def idle_thread(self, thread: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride] # it can be set, too
        self._idle_thread = thread


def direction_for(stream: TriedStream, *, writing: bool) -> PollableDirection:
    """One direction of ``stream``."""
    return (PinnedDirection if stream._executor._pinned else PollableDirection)(stream, writing=writing)

"""Cancellation signals, which the caller emits, and slots, in which an operation stores its cancellation handler."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from typing import TypeAlias


class CancellationType(IntFlag):
    """How strong a guarantee the requester needs. Follows Asio's ``cancellation_type``.

    An operation may act on a request when it can give that guarantee or a stronger one.
    """

    NONE = 0
    TERMINAL = 1
    """Afterwards it is only safe to close the stream."""
    PARTIAL = 2
    """Side effects are well-defined and reported: so many bytes were transferred."""
    TOTAL = 4
    """No side effects at all."""
    ALL = 7


CancellationHandler: TypeAlias = Callable[[CancellationType], object]
CancellationFilter: TypeAlias = Callable[[CancellationType], CancellationType]


class CancellationSlot:
    """Holds the cancellation handler of an operation; at most one at a time.

    A slot from a :class:`CancellationSignal` is connected. A slot made on its own is not:
    an operation with such a slot can't be cancelled; the slot forgets what is assigned to it.
    """

    _connected = False
    _handler: CancellationHandler | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a signal can reach this slot."""
        return self._connected

    @property
    def has_handler(self) -> bool:
        """Whether an operation is listening."""
        return self._handler is not None

    def assign(self, handler: CancellationHandler) -> None:
        """Call ``handler(type)`` when the signal is emitted, instead of the previous handler."""
        if not callable(handler):
            raise TypeError(f"assign: got {handler!r}; pass a function handler(type)")
        if self._connected:
            self._handler = handler

    def clear(self) -> None:
        """Forget the handler: emitting does nothing from here on."""
        self._handler = None


class _ConnectedSlot(CancellationSlot):
    _connected = True


class CancellationSignal:
    """The requester's end: ``emit`` asks the operation that listens on ``slot`` to stop.

    Emitting before the operation starts, or after it ended, does nothing.
    Call ``emit`` from the thread of the operation's executor; ``bind_cancellation_slot`` also
    lets other threads call it.
    """

    __slots__ = ("slot",)

    def __init__(self) -> None:
        self.slot: CancellationSlot = _ConnectedSlot()

    def emit(self, type: CancellationType = CancellationType.TERMINAL) -> None:
        """Request a cancellation of ``type``."""
        requested = CancellationType(type)  # ValueError if it is not a type
        handler = self.slot._handler  # noqa: SLF001 # two ends of one thing
        if handler is not None:
            handler(requested)


UNCONNECTED = CancellationSlot()


def disable_cancellation(type: CancellationType, /) -> CancellationType:
    """Let no cancellation through."""
    return CancellationType.NONE


def enable_terminal_cancellation(type: CancellationType, /) -> CancellationType:
    """Let terminal cancellation through."""
    return type & CancellationType.TERMINAL


def enable_partial_cancellation(type: CancellationType, /) -> CancellationType:
    """Let terminal and partial cancellation through."""
    return type & (CancellationType.TERMINAL | CancellationType.PARTIAL)


def enable_total_cancellation(type: CancellationType, /) -> CancellationType:
    """Let every cancellation through."""
    return type & CancellationType.ALL


class CancellationState:
    """Stands between a slot and the step of a composed operation that runs now, and remembers what passed.

    Args:
        slot: the slot of the composed operation's handler.
        in_filter: which requests are accepted and remembered in :attr:`cancelled`.
        out_filter: which of these go on to the step that runs now; the same as ``in_filter`` by default.

    Follows Asio's ``cancellation_state``.
    """

    __slots__ = ("_in", "_out", "_parent", "_signal", "cancelled")

    def __init__(
        self,
        slot: CancellationSlot,
        in_filter: CancellationFilter = enable_terminal_cancellation,
        out_filter: CancellationFilter | None = None,
    ) -> None:
        self._parent = slot
        self._in = in_filter
        self._out = out_filter or in_filter
        self._signal = CancellationSignal()
        self.cancelled: CancellationType = CancellationType.NONE
        """Every type of cancellation that was accepted since the last :meth:`clear`."""
        slot.assign(self._receive)

    @property
    def slot(self) -> CancellationSlot:
        """The slot for the step that runs now."""
        return self._signal.slot if self._parent.is_connected else UNCONNECTED

    def clear(self) -> None:
        """Forget what was requested so far."""
        self.cancelled = CancellationType.NONE

    def _receive(self, type: CancellationType) -> None:
        accepted = self._in(type)
        self.cancelled |= accepted
        passed = self._out(accepted)
        if passed:
            self._signal.emit(passed)

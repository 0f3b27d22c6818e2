"""What an operation calls with its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._cancellation import UNCONNECTED, CancellationSlot
from .._errors import TransferError
from .._executors import Executor, PostingExecutor

Completion: TypeAlias = tuple[TransferError | None, int]
"""What as_tuple gives: the error or None, and the bytes transferred."""
WriteHandler: TypeAlias = Callable[[TransferError | None, int], object]
Initiation: TypeAlias = "Callable[[Handler], object]"


class Handler:
    """What an operation calls, once, with its result; never inside the function that initiated it.

    Attributes:
        cancellation_slot: where the operation leaves word of how to stop it (connected or not).
        executor: where the handler wants to run; an operation completes it there.
        immediate_executor: where it wants to run when the operation completed at once.
    """

    __slots__ = ("_function", "_immediate_executor", "cancellation_slot", "discard", "executor")

    def __init__(
        self,
        function: Callable[..., object],
        executor: Executor,
        cancellation_slot: CancellationSlot = UNCONNECTED,
        immediate_executor: Executor | None = None,
    ) -> None:
        self._function = function
        self.executor: Executor = executor
        self.cancellation_slot: CancellationSlot = cancellation_slot
        self._immediate_executor = immediate_executor
        self.discard: Callable[[], object] | None = None  # lets go of what it holds, where it will not be called

    @property
    def immediate_executor(self) -> Executor:
        return self._immediate_executor or PostingExecutor(self.executor)

    @property
    def immediate_bound(self) -> bool:
        """Whether an immediate executor was asked for."""
        return self._immediate_executor is not None

    def replaced(
        self,
        function: Callable[..., object],
        *,
        executor: Executor | None = None,
        cancellation_slot: CancellationSlot | None = None,
        immediate_executor: Executor | None = None,
    ) -> Handler:
        """A handler with another function, associated with what this one is, or with what is given."""
        return Handler(
            function,
            executor or self.executor,
            cancellation_slot or self.cancellation_slot,
            immediate_executor or self._immediate_executor,
        )

    def __call__(self, *args: Any) -> None:
        function, self._function = self._function, completed_twice
        function(*args)


class Noting(Handler):
    """A handler that passes on all that it is called with; a second call is for the one behind it to refuse."""

    __slots__ = ()

    def __call__(self, *args: Any) -> None:
        self._function(*args)


def completed_twice(*args: object) -> None:
    raise RuntimeError(f"a completion handler was called a second time, with {args!r}")

"""Layer: a stream over another one. A write through it has claimed every stream beneath, for all of its steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeAlias

from .._buffers import Buffers
from .._cancellation import CancellationType
from .._conditions import transfer_at_least
from .._executors import Executor
from .._operation import CompletionToken, Handler, default_token as unspecified, deferred, initiate
from .._sides import NOWHERE, left, side_of
from .._transfer import Transfer
from ._pollable import ReadSome, WriteSome
from ._proof import ProofLevels

Step: TypeAlias = Callable[[Any, Handler], object]
"""``step(buffers, handler)`` starts one ``async_*_some``."""


class Layer:
    """A stream over ``stream``: whatever ``as_stream`` knows, or another layer. They nest in any order.

    Subclasses say what a step of a write, or of a read, is on them.
    """

    verb: str | None = None  # what "transferred" means here; None: what it means beneath
    cancellable = CancellationType.ALL
    waits = False  # whether a step waits for more than the stream beneath

    def __init__(self, stream: Any) -> None:
        from ._adapt import as_stream  # noqa: PLC0415 # which knows SerialPort, which has on_wire, which is a layer

        self.stream: Any = as_stream(stream)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self.stream!r}>"

    def get_executor(self) -> Executor:
        """The executor of the stream beneath."""
        executor: Executor = self.stream.get_executor()
        return executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        """The default token of the stream beneath."""
        return getattr(self.stream, "default_token", deferred)

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are still in the output queue beneath; None where that is unknown."""
        return getattr(self.stream, "queued", None)

    @property
    def stall(self) -> str | None:
        """What holds the stream now; None where nothing does, or nobody knows."""
        return self.held_by() or getattr(self.stream, "stall", None)

    def held_by(self) -> str | None:
        """What this layer waits for, beyond the stream beneath."""
        return None

    @property
    def proof_levels(self) -> ProofLevels:
        """What proves each level that a byte can reach beneath; see :class:`ProofLevel`."""
        return getattr(self.stream, "proof_levels", {})

    @property
    def write_side(self) -> Any:
        return LayerSide(self, side_of(self.stream, "write_side"), self.write_step)

    @property
    def read_side(self) -> Any:
        return side_of(self.stream, "read_side")

    def async_write_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Write at least one byte of ``buffers``; the stream must have no other write. See the layer's own docs."""
        return initiate(WriteSome(self, buffers, transfer_at_least(1)), token)

    def async_read_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Read at least one byte into ``buffers``, from the stream beneath."""
        return initiate(ReadSome(self, buffers, transfer_at_least(1)), token)

    def write_step(self, below: Step, buffers: Any, handler: Handler) -> None:
        """Start one step of the write that has claimed this stream; ``below`` starts one on the stream beneath."""
        below(buffers, handler)

    def leave(self, then: Callable[[], object]) -> bool:
        """The write that has claimed this stream is over, but for its handler.

        Returns:
            Whether the layer has something to do before that is called: it calls ``then`` once it has done it.
        """
        return False

    def is_open(self) -> bool:
        """Whether the stream beneath is open on this side."""
        return bool(getattr(self.stream, "is_open", lambda: True)())

    def close(self, *args: Any, **options: Any) -> Any:
        """Close the stream beneath, as its own ``close`` does."""
        return self.stream.close(*args, **options)

    def __enter__(self) -> Self:
        self.stream.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.__exit__(*error)

    async def __aenter__(self) -> Self:
        await self.stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stream.__aexit__(*error)


class LayerSide:
    """One direction of a layer, for one operation: it claims every stream beneath, and takes steps through them.

    It is waited for only while a :class:`Queued` beneath makes the operation stand in line.
    """

    nowait = None
    idle_in = NOWHERE
    turn_due = False

    def __init__(self, layer: Layer, beneath: Any, step: Callable[[Step, Any, Handler], object]) -> None:
        self._layer = layer
        self._beneath = beneath
        self._step = step
        self.claim = beneath.claim
        self.stop = beneath.stop
        self.cancellable = layer.cancellable & beneath.cancellable
        self.verb: str | None = layer.verb or getattr(beneath, "verb", None)

    @property
    def in_line(self) -> bool:
        return getattr(self._beneath, "in_line", False)

    @property
    def waitable(self) -> bool:
        return self.in_line

    def wait(self, attempt: Callable[[], bool]) -> None:
        self._beneath.wait(attempt)

    def step(self, buffers: Any, handler: Handler) -> None:
        below = step_of(self._layer.stream, self._beneath)
        if self._layer.waits and not any(map(len, buffers)):
            below(buffers, handler)  # nothing to do: no gap is waited for, and no transmitter is switched
        else:
            self._step(below, buffers, handler)

    def release(self) -> None:
        self._beneath.release()

    def leave(self, then: Callable[[], object]) -> bool:
        return self._layer.leave(then) or left(self._beneath, then)

    def held_by(self) -> str | None:
        return self._layer.held_by() or self._beneath.held_by()


def step_of(stream: Any, side: Any) -> Step:
    """What starts one ``async_*_some`` on ``stream``, for an operation that has claimed that ``side`` of it."""
    if hasattr(side, "step"):
        step: Step = side.step
        return step
    return Lent(stream, side).step


class Lent:
    """A stream of ours as one step sees it, whose operation has claimed the stream already."""

    def __init__(self, stream: Any, side: Any) -> None:
        self._stream = stream
        self._side = side
        self.write_side = self.read_side = LentSide(side)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def step(self, buffers: Any, handler: Handler) -> None:
        kind = WriteSome if self._side is self._stream.write_side else ReadSome
        kind(self, buffers, transfer_at_least(1)).launch(handler)


class LentSide:
    """A side that is in use by an operation, and for now by a step of it."""

    def __init__(self, side: Any) -> None:
        self._side = side
        self._holder: Transfer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._side, name)

    def claim(self, user: Transfer, doing: str) -> None:
        self._holder, self._side.user = self._side.user, user

    def release(self) -> None:
        self._side.user = self._holder

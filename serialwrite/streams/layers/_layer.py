"""Layer: a stream over another one. A write through a layer claims every underlying stream until it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ..._adapting import is_open
from ..._buffers import Buffers
from ..._cancellation import CancellationSignal, CancellationType
from ..._composed import one_step
from ..._direction import QUIET_S, READING, WRITING, Direction, Done, User, Way, direction_of
from ..._errors import OperationAborted
from ..._executors import Executor
from ..._handler import Handler
from ..._operation import CompletionToken, default_token as unspecified, deferred, initiate
from .._advice import absent, holder
from .._methods import StreamMethods
from .._proof import ProofLevels

Step: TypeAlias = Callable[[Any, Handler], object]
"""``step(buffers, handler)`` starts one ``async_*_some``."""


class Layer(StreamMethods):
    """A stream over ``stream``, which may be another layer. They nest in any order.

    Subclasses say what a step of a write, or of a read, is on them.
    """

    _verb: str | None = None  # what "transferred" means here; None: as the wrapped stream's
    _cancellable = CancellationType.ALL
    _waits = False  # whether a step waits for more than the wrapped stream

    def __init__(self, stream: Any) -> None:
        self.stream: Any = stream

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            raise absent(self, name)  # the wrapped stream may have it

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("_") and not hasattr(type(self), name) and holder(self, name):
                raise absent(self, name)  # it would be set on the layer, and do nothing to the port
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self.stream!r}>"

    def get_executor(self) -> Executor:
        """The executor of the wrapped stream."""
        executor: Executor = self.stream.get_executor()
        return executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        """The default token of the wrapped stream."""
        return getattr(self.stream, "default_token", deferred)

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are still in the wrapped stream's output queue; None where that is unknown."""
        return getattr(self.stream, "queued", None)

    @property
    def stall(self) -> str | None:
        """What holds the stream now; None where nothing does, or that is unknown."""
        return self._own_stall() or getattr(self.stream, "stall", None)

    def _own_stall(self) -> str | None:
        """What this layer waits for, beyond the wrapped stream."""
        return None

    @property
    def proof_levels(self) -> ProofLevels:
        """What proves each level that a byte can reach on the wrapped stream; see :class:`ProofLevel`."""
        return getattr(self.stream, "proof_levels", {})

    def _blocking_timeout(self, way: Way) -> float | None:
        own = getattr(self.stream, "_blocking_timeout", None)
        return None if own is None else own(way)

    @property
    def _write_direction(self) -> Any:
        return LayerDirection(self, direction_of(self.stream, WRITING), self._write_step)

    @property
    def _read_direction(self) -> Any:
        return direction_of(self.stream, READING)

    def async_write_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Write at least one byte of ``buffers``; the stream must have no other write. See the layer's own docs."""
        return initiate(one_step(self, WRITING, buffers), token)

    def async_read_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Read at least one byte into ``buffers``, from the wrapped stream."""
        return initiate(one_step(self, READING, buffers), token)

    def _write_step(self, below: Step, buffers: Any, handler: Handler) -> None:
        """Start one step of the write that has claimed this stream; ``below`` starts one on the wrapped stream."""
        below(buffers, handler)

    def _leave(self, then: Callable[[], object]) -> bool:
        """The write that has claimed this stream is over, but for its handler.

        Returns:
            Whether the layer has something to do before that is called: it calls ``then`` once it has done it.
        """
        return False

    @property
    def is_open(self) -> bool:
        """Whether the wrapped stream is open on this side."""
        return is_open(self.stream)

    def close(self, *args: Any, **options: Any) -> Any:
        """Close the wrapped stream, as its own ``close`` does."""
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


class LayerDirection(Direction):
    """One direction of a layer, for one operation: it claims every stream below, and takes steps through them."""

    tries = False

    def __init__(self, layer: Layer, below: Direction, step: Callable[[Step, Any, Handler], object]) -> None:
        self.way = below.way
        self.cancellable = layer._cancellable & below.cancellable
        self.verb = layer._verb or below.verb
        self._layer = layer
        self._below = below
        self._layer_step = step
        self._signal: CancellationSignal | None = None  # of the step under way

    def claim(self, user: User) -> None:
        self._below.claim(user)

    def release(self) -> None:
        self._below.release()

    def leave(self, then: Callable[[], object]) -> bool:
        return self._layer._leave(then) or self._below.leave(then)

    def catch_up(self) -> None:
        self._below.catch_up()

    def step(self, buffers: Any, done: Done) -> None:
        executor = self._layer.get_executor()
        self._signal = CancellationSignal()

        def complete(error: BaseException | None, n: int) -> None:
            self._signal = None
            done(error, n)

        def below(buffers: Any, handler: Handler) -> None:
            begin_step(self._below, executor, buffers, handler)

        handler = Handler(complete, executor, self._signal.slot)
        if self._layer._waits and not any(map(len, buffers)):
            below(buffers, handler)  # nothing to do: no gap is waited for, and no transmitter is switched
        else:
            self._layer_step(below, buffers, handler)

    def cancel(self, type: CancellationType) -> bool:
        if self._signal is not None:
            self._signal.emit(type)
        return False

    def stop(self) -> None:
        self._below.stop()

    def unserved(self) -> int | None:
        return 0 if self._layer._verb == "served" else self._below.unserved()

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        return self._layer._own_stall() or self._below.stall_reason(count, quiet)


def begin_step(direction: Direction, executor: Executor, buffers: Any, handler: Handler) -> None:
    """One step of ``direction`` with a handler, which may cancel it."""

    def cancel(type: CancellationType) -> None:
        if type & direction.cancellable and direction.cancel(type):
            handler.cancellation_slot.clear()
            executor.post(handler, OperationAborted(), 0)

    def done(error: BaseException | None, n: int) -> None:
        handler.cancellation_slot.clear()
        handler(error, n)

    handler.cancellation_slot.assign(cancel)
    take_step(direction, executor, buffers, done)


def take_step(direction: Direction, executor: Executor, buffers: Any, done: Done) -> None:
    """One step of ``direction``: without waiting, where that can be done. ``done`` is called later all the same."""
    try:
        n = direction.try_now(buffers)
    except BlockingIOError:
        direction.step(buffers, done)
    except Exception as error:
        executor.post(done, error, 0)
    else:
        executor.post(done, None, n)

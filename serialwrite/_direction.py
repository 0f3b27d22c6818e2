"""Direction: one direction of a stream as an operation sees it. It is the only seam between operations and streams."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

from ._buffers import Buffers
from ._cancellation import CancellationSignal, CancellationType
from ._cursors import Cursor
from ._errors import StreamBusy, TransferError
from ._executors import Executor
from ._given_buffers import read_into, written
from ._handler import Handler

NOWHERE = 0  # no thread has this number
# How long nothing was seen to move before a stream is said to be held, unless a limit is shorter. What a pty and a Unix
# socket hold shrinks in lumps: at 115,200 Bd these are 0.4 s apart.
QUIET_S = 0.5
Done: TypeAlias = "Callable[[BaseException | None, int], object]"


class Way(NamedTuple):
    """Writing or reading: what belongs to it on streams, and its words in messages."""

    name: str
    verb: str  # what "transferred" means
    attribute: str  # of a stream that has a Direction of its own
    some: str
    nowait: str
    cursor: Callable[[Buffers], Cursor]


WRITING = Way("write", "accepted", "_write_direction", "async_write_some", "write_some_nowait", written)
READING = Way("read", "received", "_read_direction", "async_read_some", "read_some_nowait", read_into)


class User(Protocol):
    """What claims a direction: an operation."""

    @property
    def executor(self) -> Executor: ...
    def end_with(self, error: TransferError, /) -> object: ...  # end with it as soon as its step has ended
    def detach(self) -> object: ...  # its event loop was closed: it touches the stream no more


class Direction(Protocol):
    """One direction of a stream: who uses it, how a step is tried, how a step is waited for.

    Attributes:
        way: whether it is for writing or for reading.
        cancellable: the types of cancellation that a step has.
        verb: what "transferred" means here, in messages.
        tries: whether :meth:`try_now` may take a step.
        idle_thread: the thread in which it may be tried before it is claimed; NOWHERE if it may not.
    """

    way: Way
    cancellable: CancellationType = CancellationType.ALL
    verb: str | None = None
    idle_thread: int = NOWHERE
    tries: bool = True

    @property
    def turn_due(self) -> bool:
        """Whether the event loop has to turn before it is tried again (rule 9)."""
        return False

    def spend(self, n: int, /) -> None:
        """An operation has completed with ``n`` bytes, and without a claim."""
        return

    def claim(self, user: User, /) -> None:
        """Take this direction for ``user``, until :meth:`release`. StreamBusy where another one has it."""
        ...

    def release(self) -> None:
        """Give this direction back."""
        ...

    def try_now(self, buffers: Sequence[memoryview], /) -> int:
        """Take one step that does not wait. BlockingIOError where that can't be done."""
        raise BlockingIOError

    def step(self, buffers: Sequence[memoryview], done: Done, /) -> None:
        """Take one step that may wait; call ``done(error, n)`` once, later, on the executor."""
        ...

    def cancel(self, type: CancellationType, /) -> bool:
        """Stop that step. True: it is gone, has had no effect, and ``done`` will not be called."""
        ...

    def stop(self) -> None:
        """The operation is over. Nothing waits and no watcher is left when this returns."""
        return

    def catch_up(self) -> None:
        """Take the step that waits, if one does and it need not wait any more. The loop may be late with that."""
        return

    def leave(self, then: Callable[[], object], /) -> bool:
        """Whether something has to be done before the handler of the operation, which is over, is called.

        If so, ``then()`` is called once it is done.
        """
        return False

    def unserved(self) -> int | None:
        """Bytes accepted that the server of a remote port is not known to have taken; None where that is unknown."""
        return None

    def stall_reason(self, count: int | None, quiet: float = QUIET_S, /) -> str | None:
        """What holds a direction that was not seen to move for ``quiet`` seconds; None where that is unknown.

        ``count`` is of the bytes that its user has transferred so far; None where it has no user.
        """
        return None

    def note(self, count: int, /) -> None:
        """Look how far it is, with ``count`` bytes transferred: ``stall_reason`` tells what has not moved since."""
        self.stall_reason(count)


class BlockingDirection(Direction, Protocol):
    """A direction that can also be waited for without an event loop."""

    user: User | None  # who has claimed it

    def block(self, seconds: float | None, moved: bool, /) -> None:
        """Block this thread until a step may be possible, for ``seconds`` at most. It may return earlier.

        ``moved`` says whether a byte was transferred since the last call.
        """
        ...


class UserDirection(Direction):
    """One direction of a user's stream, which has ``async_*_some`` and perhaps ``*_some_nowait``.

    Who uses it is kept here, because the stream has no place for it.
    """

    in_use: ClassVar[dict[tuple[int, str], tuple[User, Any]]] = {}  # the operation, and its event loop

    def __init__(self, stream: Any, way: Way) -> None:
        if not hasattr(stream, way.some):
            raise TypeError(
                f"stream: {stream!r} has no {way.some}(buffers, token), which this takes"
                + ("; what it receives is read by its owner" if way is READING else "")
            )
        self.way = way
        self.cancellable = getattr(stream, "cancellable", CancellationType.ALL)
        self._stream = stream
        self._key = (id(stream), way.name)  # the operation keeps the stream alive, so nothing else gets this id
        self._signal: CancellationSignal | None = None  # of the step under way
        nowait = getattr(stream, way.nowait, None)
        self.tries = nowait is not None
        if nowait is not None:
            self.try_now = nowait  # type: ignore[method-assign] # no call more than is needed

    def claim(self, user: User) -> None:
        before, loop = self.in_use.get(self._key, (None, None))
        if before is not None:
            if loop is None or not loop.is_closed():
                raise StreamBusy(self._stream, self.way.name)
            before.detach()
        self.in_use[self._key] = user, getattr(user.executor, "loop_taken", None)

    def release(self) -> None:
        self.in_use.pop(self._key, None)

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        executor: Executor = self._stream.get_executor()
        self._signal = CancellationSignal()
        initiating = True

        def complete(error: BaseException | None, n: int) -> None:
            if initiating:  # the stream called its handler inline, which it must not: put it right
                executor.post(complete, error, n)
                return
            self._signal = None
            done(error, n)

        handler = Handler(complete, executor, self._signal.slot)
        started = None
        try:
            started = getattr(self._stream, self.way.some)(buffers, handler)
        except OSError as error:  # what the step came to: the condition is asked, the count reported
            executor.post(complete, error, 0)
        finally:
            initiating = False
        if isinstance(started, Coroutine):  # nothing awaits it, so it would never call the handler
            started.close()
            raise TypeError(
                f"{type(self._stream).__name__}.{self.way.some}(buffers, token) returned a coroutine; "
                "it must give its token to async_initiate(initiation, token, executor), and return what that returns"
            )

    def cancel(self, type: CancellationType) -> bool:
        if self._signal is not None:
            self._signal.emit(type)
        return False

    def unserved(self) -> int | None:
        """Bytes accepted that the server of a remote port is not known to have taken; None where that is unknown."""
        return None

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        stall: str | None = getattr(self._stream, "stall", None)
        return stall


def direction_of(stream: Any, way: Way) -> Direction:
    """One direction of ``stream``: its own object for it, or one that stands in for that."""
    return getattr(stream, way.attribute, None) or UserDirection(stream, way)


def take_turn(direction: Direction, operation: Any) -> Generator[None, None, None]:
    """Let the event loop turn before ``operation`` starts, with ``direction`` kept for it (rule 9)."""
    direction.claim(operation)
    try:
        yield
    except BaseException:  # cancelled before it began
        operation.abandon()
        raise
    finally:
        direction.release()

"""PortTurn: one direction of a Reconnecting stream, for one operation. It waits for the port and notices its end."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, Protocol

from ..._cancellation import CancellationType
from ..._direction import QUIET_S, Direction, Done, User, Way, direction_of
from ..._errors import Disconnected, EndOfFile, StreamBusy, StreamClosed, transfer_error
from ..._executors import Executor, running_loop
from ..serial._port import SerialPort
from ._layer import take_step


class Ports(Protocol):
    """What a turn asks of its stream, a Reconnecting."""

    _turns: dict[str, PortTurn]  # what uses each direction

    @property
    def is_open(self) -> bool: ...
    def _open_port(self) -> SerialPort | None: ...
    def get_executor(self) -> Executor: ...
    def _own_stall(self) -> str | None: ...
    def _want(self, turn: PortTurn, /) -> object: ...  # call its admit(port) or refuse(error), once that is known
    def _forgo(self, turn: PortTurn, /) -> object: ...
    def _lose(self, port: SerialPort, error: Disconnected, user: User | None, /) -> object: ...
    def _left(self, port: SerialPort, /) -> object: ...


class PortTurn(Direction):
    """One direction of a Reconnecting stream, for one operation."""

    def __init__(self, ports: Ports, way: Way) -> None:
        self.way = way
        self.cancellable = CancellationType.ALL
        self.user: User | None = None
        self._ports = ports
        self._port: SerialPort | None = None  # that it was admitted to
        self._below: Direction | None = None  # the port's own, claimed
        self._step: tuple[Any, Done] | None = None  # that waits for the port
        self._loop: asyncio.AbstractEventLoop | None = None

    def claim(self, user: User) -> None:
        before = self._ports._turns.get(self.way.name)
        if before is not None:
            if before._loop is None or not before._loop.is_closed():
                raise StreamBusy(self._ports, self.way.name)
            before._drop()  # its event loop is closed: it can't end
        self.user, self._loop = user, running_loop()
        port = self._ports._open_port()
        if port is not None:
            self._enter(port)
        self._ports._turns[self.way.name] = self

    def _drop(self) -> None:
        self._ports._forgo(self)
        if self.user is not None:
            self.user.detach()

    def release(self) -> None:
        if self._below is not None and self._port is not None:
            self._below.release()
            self._ports._left(self._port)
        if self._ports._turns.get(self.way.name) is self:
            del self._ports._turns[self.way.name]

    # -- the port comes ------------------------------------------------------------------------------------

    def _enter(self, port: SerialPort) -> None:
        assert self.user is not None
        below = direction_of(port, self.way)
        below.claim(self.user)
        self._port, self._below = port, below
        self.cancellable, self.verb = below.cancellable, below.verb

    def admit(self, port: SerialPort) -> None:
        """The port is open: take the step that has waited for it."""
        if self._step is not None:
            (buffers, done), self._step = self._step, None
            self._enter(port)
            take_step(self, self._ports.get_executor(), buffers, done)

    def refuse(self, error: BaseException) -> None:
        """There will be no port: end the operation with ``error``."""
        if self._step is not None:
            (_, done), self._step = self._step, None
            assert self.user is not None
            self.user.end_with(error)  # type: ignore[arg-type] # or what a driver refused a setting with
            done(None, 0)

    # -- the port goes -------------------------------------------------------------------------------------

    def _seen(self, error: BaseException) -> BaseException:
        """``error``, which a step has ended with; Disconnected if the port is gone, which is then left."""
        found = transfer_error(error)
        if isinstance(found, EndOfFile):  # how the other end of a pty may be gone
            found = Disconnected(errno.EIO)
        if isinstance(found, Disconnected) and self._port is not None:
            self._ports._lose(self._port, found, self.user)
        return found

    # -- as the operation sees it --------------------------------------------------------------------------

    def try_now(self, buffers: Any) -> int:
        if not self._ports.is_open:
            raise StreamClosed(reason=f"{self._ports!r} was closed")
        if self._below is None:
            if any(map(len, buffers)):
                raise BlockingIOError
            return 0  # nothing to do needs no port
        try:
            return self._below.try_now(buffers)
        except BlockingIOError:
            raise
        except OSError as error:
            raise self._seen(error) from error

    def step(self, buffers: Any, done: Done) -> None:
        if self._below is None:
            self._step = buffers, done
            self._ports._want(self)
            return

        def stepped(error: BaseException | None, n: int) -> None:
            done(None if error is None else self._seen(error), n)

        self._below.step(buffers, stepped)

    def cancel(self, type: CancellationType) -> bool:
        return self._step is not None if self._below is None else self._below.cancel(type)

    def stop(self) -> None:
        self._step = None
        self._ports._forgo(self)
        if self._below is not None:
            self._below.stop()

    def catch_up(self) -> None:
        if self._below is not None:
            self._below.catch_up()

    def leave(self, then: Callable[[], object]) -> bool:
        return self._below is not None and self._below.leave(then)

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        return self._ports._own_stall() if self._below is None else self._below.stall_reason(count, quiet)

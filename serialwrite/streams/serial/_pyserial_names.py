"""PyserialNames: the settings, lines and buffers of a serial port, by the names that pyserial has for them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from ..._direction import WRITING, Way
from ..._operation import default_token as unspecified
from ..._timers import checked_timeout
from .._advice import absent, forbidden
from .._coroutine import Result, Spawned, in_thread
from ._read_back import configure
from ._settings import checked_flag, checked_settings
from ._tty import UNSUPPORTED
from ._tty_stream import TtyStream

T = TypeVar("T")


class Setting(Generic[T]):
    """A setting of the line: asked of the port, and set on it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, port: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, port: PyserialNames, owner: type, /) -> T: ...
    def __get__(self, port: PyserialNames | None, owner: type, /) -> Self | T:
        return self if port is None else self._value(port)

    def _value(self, port: PyserialNames) -> T:
        value: T = getattr(port._line, self._name)
        return value

    def __set__(self, port: PyserialNames, value: T, /) -> None:
        port._configure(checked_settings({self._name: value}))


class OwnLine(Setting[bool]):
    """A modem line that this end drives. A pty has none, and keeps what it was given at opening."""

    def _value(self, port: PyserialNames) -> bool:
        lines = port.modem_lines
        if lines is None and not port.driver.device.keeps_own_lines():  # pyserial's value is a default
            raise port._no_lines(self._name)
        return bool(getattr(lines or port._line, self._name))

    def __set__(self, port: PyserialNames, on: bool, /) -> None:
        port._set_line(self._name, on)


class PeerLine(Setting[bool]):
    """A modem line that the other end drives."""

    def _value(self, port: PyserialNames) -> bool:
        lines = port.modem_lines
        if lines is None:
            raise port._no_lines(self._name)
        return bool(getattr(lines, self._name))

    def __set__(self, port: PyserialNames, on: bool, /) -> None:
        raise AttributeError(f"{self._name}: the other end drives this line; it can only be read")


class PyserialNames(TtyStream):
    """What a program that was written for a ``serial.Serial`` knows a port by. What can be assigned is set on the port.

    A setting that the driver did not take is a ValueError that names it, and what was set before is in force again.
    On a pty, which has no line, every setting is what was asked for: :attr:`in_force` has what is really set.
    """

    _fixed = False  # whether no name can be added any more

    baudrate: Setting[int] = Setting()
    """Bits per second. Assign to set it; on a remote port that waits for the server: see :meth:`async_configure`."""
    bytesize: Setting[int] = Setting()
    """Data bits: 5, 6, 7 or 8. Assign to set it."""
    parity: Setting[str] = Setting()
    """``"N"``, ``"E"``, ``"O"``, ``"M"`` or ``"S"``: none, even, odd, mark, space. Assign to set it."""
    stopbits: Setting[float] = Setting()
    """Stop bits: 1, 1.5 or 2. Assign to set it."""
    rtscts: Setting[bool] = Setting()
    """Whether RTS and CTS control the flow. Assign to set it."""
    xonxoff: Setting[bool] = Setting()
    """Whether XON and XOFF control the flow. Assign to set it."""
    dsrdtr: Setting[bool] = Setting()
    """Whether DSR and DTR control the flow, which Linux and macOS have not: there, True is a ValueError."""
    rts: OwnLine = OwnLine()
    """Request To Send, which is ours. Assign to change it. ``io.UnsupportedOperation`` where the port has no modem
    lines: ``socket://``; a pty, where it is assigned."""
    dtr: OwnLine = OwnLine()
    """Data Terminal Ready, which is ours. Otherwise as :attr:`rts`."""
    cts: PeerLine = PeerLine()
    """Clear To Send, now. ``io.UnsupportedOperation`` where the port has no modem lines."""
    dsr: PeerLine = PeerLine()
    """Data Set Ready, now. ``io.UnsupportedOperation`` where the port has no modem lines."""
    ri: PeerLine = PeerLine()
    """Ring Indicator, now. ``io.UnsupportedOperation`` where the port has no modem lines."""
    cd: PeerLine = PeerLine()
    """Carrier Detect, now. ``io.UnsupportedOperation`` where the port has no modem lines."""

    @property
    def port(self) -> str | None:
        """The path or the URL that the port was opened by."""
        name: str | None = self._line.port
        return name

    @property
    def timeout(self) -> float | None:
        """Seconds that a blocking read takes at the most where its call does not say; None or 0: no limit."""
        seconds: float | None = self._timeouts.timeout
        return seconds

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeouts.timeout = checked_timeout(seconds)

    @property
    def write_timeout(self) -> float | None:
        """Seconds that a blocking write takes at the most where its call does not say; None or 0: no limit."""
        seconds: float | None = self._timeouts.write_timeout
        return seconds

    @write_timeout.setter
    def write_timeout(self, seconds: float | None) -> None:
        self._timeouts.write_timeout = checked_timeout(seconds, "write_timeout")

    @property
    def in_waiting(self) -> int:
        """Bytes that have come and wait to be read.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        with self._line_in_use():
            return int(self._line.in_waiting)

    @property
    def out_waiting(self) -> int | None:
        """As ``queued``: bytes accepted that are still in the driver's output queue; None where that is unknown."""
        with self._line_in_use():
            return self.queued

    @property
    def break_condition(self) -> bool:
        """Whether the line is held in the break state. Assign to hold or release it; :meth:`async_send_break` times it.

        The kernel drains the queue first, and this call waits for that. ``io.UnsupportedOperation`` without a line.
        """
        return bool(self._line.break_condition)

    @break_condition.setter
    def break_condition(self, on: bool) -> None:
        with self._line_in_use():
            self.driver.device.set_break(checked_flag("break_condition", on))
        self._line._break_state = on

    def reset_input_buffer(self) -> None:
        """Drop what has come and was not read.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        with self._line_in_use():
            self._line.reset_input_buffer()

    def reset_output_buffer(self) -> int:
        """As :meth:`discard_output`: drop the queue, and return the bytes that are proved to be gone by that."""
        return self.discard_output()

    def async_configure(self, token: Any = unspecified, /, **settings: Any) -> Any:
        """Set several settings at once, without blocking the event loop: a remote port waits for its server.

        ``await port.async_configure(baudrate=9600, parity="E")``

        Args:
            token: any completion token; ``handler(error, None)``.
            settings: ``baudrate``, ``bytesize``, ``parity``, ``stopbits``, ``rtscts``, ``xonxoff``, ``dsrdtr``.

        Raises:
            TypeError, ValueError: at once, for what is not a setting, or a value that no line has.
            ValueError: from the awaiting forms: the driver did not take a setting. All are as they were before.
            io.UnsupportedOperation: from the awaiting forms: the port has no line to set.

        Cancellation: none: it waits for a change that has begun, which takes a few seconds at most.
        """
        checked = checked_settings(settings)

        async def work(operation: Spawned) -> Result:
            await in_thread(lambda: self._configure(checked), f"configuring {self!r}", operation)
            return None, None

        return self._initiate(self._spawn(work, "async_configure", None), token)

    if not TYPE_CHECKING:  # a checker knows the names, and would take any for one

        def __setattr__(self, name: str, value: object) -> None:
            known = name.startswith("_") or hasattr(type(self), name) or name in self.__dict__
            if error := forbidden(self, name) or (absent(self, name) if self._fixed and not known else None):
                raise error
            object.__setattr__(self, name, value)

    # -- how ----------------------------------------------------------------------------------------------

    def _configure(self, checked: dict[str, Any]) -> None:
        with self._line_in_use():
            configure(self._line, checked)

    def _set_line(self, name: str, on: bool) -> None:
        on = checked_flag(name, on)
        before = getattr(self._line, name)
        try:
            with self._line_in_use():
                setattr(self._line, name, on)
        except OSError as error:
            setattr(self._line, f"_{name}_state", before)  # pyserial believes in what it has not set
            if isinstance(error, io.UnsupportedOperation) or error.errno in UNSUPPORTED:
                raise self._no_lines(name) from error
            raise

    def _no_lines(self, name: str) -> io.UnsupportedOperation:
        return io.UnsupportedOperation(f"{name}: {self!r} has no modem lines")

    @property
    def _timeouts(self) -> Any:
        """What has the two: a port on threads has its own, as pyserial's have to be others there."""
        return getattr(self.driver, "timeouts", self._line)

    def _blocking_timeout(self, way: Way) -> float | None:
        return (self.write_timeout if way is WRITING else self.timeout) or None

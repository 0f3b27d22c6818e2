"""NetworkLine: the settings and lines of a remote port, by pyserial's names. It stands in for a ``serial.Serial``."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import serial

from ..serial._no_line import no_line
from ..serial._settings import Settings, asked_of, checked_baudrate, put_settings
from ._connect import PortSocket


class NetworkLine(serial.SerialBase):
    """What pyserial's properties mean on a port that is not pyserial's: setting one sets the port, or raises.

    Subclasses say how a setting, or a line, is set. This one has none: raw TCP.

    Args:
        url: of the port.
        settings: pyserial's, by their names.
    """

    def __init__(self, url: str, settings: dict[str, Any]) -> None:
        super().__init__(None, **settings)
        checked_baudrate(self.baudrate)
        self.portstr = self._port = self.name = url
        self._close: Callable[[], object] = lambda: None
        self._kept = asked_of(self)
        self._lines = {"rts": True, "dtr": True, "break": False}

    def stands_on(self, connection: PortSocket) -> None:
        """Close ``connection`` when this is closed, and this when ``connection`` is."""
        this = weakref.ref(self)

        def close() -> None:
            if (line := this()) is not None:
                line.close()  # as it is by then: a port hears of it

        self._close, connection.port_closes = connection.close, close

    read: Any = None  # it is the port that is read from and written to
    write: Any = None

    def close(self) -> None:
        """Close the connection."""
        was_open, self.is_open = self.is_open, False
        if was_open:
            with suppress(OSError):
                self._close()

    # -- what pyserial's properties call ----------------------------------------------------------------------

    def _reconfigure_port(self) -> None:
        asked, kept = asked_of(self), self._kept
        changed = [name for name in Settings._fields if getattr(asked, name) != getattr(kept, name)]
        if not changed:  # a timeout
            return
        try:
            self.change(asked, changed)
        except BaseException:
            put_settings(self, kept)
            raise
        self._kept = asked

    def _update_rts_state(self) -> None:
        self._update("rts", self._rts_state)

    def _update_dtr_state(self) -> None:
        self._update("dtr", self._dtr_state)

    def _update_break_state(self) -> None:
        self._update("break", self._break_state)

    def _update(self, name: str, on: Any) -> None:
        try:
            self.set_line(name, bool(on))
            self._lines[name] = bool(on)
        finally:
            self._rts_state, self._dtr_state, self._break_state = self._lines.values()

    def change(self, asked: Settings, changed: list[str]) -> None:
        """Set what of ``asked`` has ``changed``. What is raised leaves all as it was."""
        raise no_line(self._port, ", ".join(changed))

    def set_line(self, name: str, on: bool) -> None:
        """Set the line ``name``: "rts", "dtr" or "break"."""
        raise no_line(self._port, name)

"""What a port without a line of its own refuses; pyserial's ``socket://`` would ignore it silently."""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable
from typing import Any

from ._settings import asked_of, put_settings


def no_line(port: object, what: str) -> io.UnsupportedOperation:
    """What is raised where ``what`` can't be done, as ``port`` has no line."""
    elsewhere = "; set it on the machine that has the device" if str(port).startswith("socket://") else ""
    return io.UnsupportedOperation(f"{what}: {port} has no serial line{elsewhere}")


def refuse_changes(port: Any) -> None:
    """Have ``port``, open and without a line, refuse later changes of its settings, its lines and a break.

    Its timeouts are pyserial's own, and can be changed.

    Raises:
        io.UnsupportedOperation: not here, but from then on where one of these is set; it stays as it was.
    """
    genuine: Callable[[Any], None] = port.__class__._reconfigure_port
    weakly = weakref.ref(port)  # no cycle: a port that is let go is closed at once
    name, kept, lines = port.port, asked_of(port), (port._rts_state, port._dtr_state)

    def reconfigure() -> None:
        this = weakly()
        asked = asked_of(this)
        if asked != kept:
            put_settings(this, kept)
            changed = (field for field in asked._fields if getattr(asked, field) != getattr(kept, field))
            raise no_line(name, ", ".join(changed))
        genuine(this)

    def refuse(what: str) -> Callable[..., None]:
        def refused(*_: Any) -> None:
            this: Any = weakly()
            this._rts_state, this._dtr_state, this._break_state = *lines, False
            raise no_line(name, what)

        return refused

    port._reconfigure_port = reconfigure
    port._update_rts_state, port._update_dtr_state = refuse("rts"), refuse("dtr")
    port._update_break_state = port.send_break = refuse("break")

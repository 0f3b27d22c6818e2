"""Reads settings back whenever pyserial sets them, to find those that the driver has not taken."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ._settings import Settings, asked_of, checked_baudrate, put_settings
from ._tty import Tty, os_errors

# Drivers round a baud rate to what their clock can make; receivers stand about this much.
BAUD_TOLERANCE = 0.03


def check_in_force(port: Any, tty: Tty) -> None:
    """Read back what the driver has set for ``port``.

    Raises:
        ValueError: that is not what was asked for. Not on a pty, which has no line.
    """
    in_force = None if tty.is_pty() else tty.settings()
    if in_force is None:
        return
    asked = asked_of(port)
    wrong = [name for name in Settings._fields if _differ(name, getattr(asked, name), getattr(in_force, name))]
    if wrong:
        raise ValueError(
            f"{', '.join(f'{name}={getattr(asked, name)!r}' for name in wrong)}: the driver of {port.port} has set "
            f"{', '.join(repr(getattr(in_force, name)) for name in wrong)} instead; pass one it can make"
        )


def _differ(name: str, asked: Any, in_force: Any) -> bool:
    if name == "baudrate":
        return in_force is not None and abs(in_force - asked) > BAUD_TOLERANCE * asked
    return bool(asked != in_force)


def read_back(port: Any) -> None:
    """Have ``port``, a ``serial.Serial`` with a descriptor, read back its settings whenever it sets them.

    pyserial does not, and lets ``termios.error`` out, as the C library reports some refusals (EINVAL) and not others.
    A change that the driver refuses is a ValueError, and what was set before is set again. A pty has no line: what it
    refuses is left as it is there.
    """
    genuine: Callable[..., None] = port.__class__._reconfigure_port
    weakly = weakref.ref(port)  # no cycle: a port that is let go is closed at once
    tty = Tty(lambda: int(getattr(weakly(), "fd", -1)))
    kept = asked_of(port)

    def reconfigure(*args: Any, **options: Any) -> None:
        nonlocal kept
        this = weakly()
        try:
            if this is not None:
                checked_baudrate(this.baudrate)  # 0 would hang up
            _reconfigure(lambda: genuine(this, *args, **options), this, tty)
        except ValueError:
            if this is not None and this.is_open:  # else it is being opened, and will be closed again
                put_settings(this, kept)
                with suppress(OSError, ValueError):
                    _reconfigure(lambda: genuine(this, force_update=True), this, tty)
            raise
        kept = asked_of(this)

    port._reconfigure_port = reconfigure


def configure(port: Any, settings: dict[str, Any]) -> None:
    """Set all of ``settings``, which were checked, on ``port``, an open ``serial.Serial``; or none of them."""
    before = asked_of(port)
    put_settings(port, before._replace(**settings))
    try:
        port._reconfigure_port()
    except BaseException:
        put_settings(port, before)
        raise


def _reconfigure(genuine: Callable[[], None], port: Any, tty: Tty) -> None:
    try:
        with os_errors():
            genuine()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        check_in_force(port, tty)
        return
    # The C library has read back the data bits and the parity. All else was set, but pyserial had more to do.
    asked, in_force = asked_of(port), tty.settings()
    check_in_force(port, tty)
    if in_force is None or not tty.is_pty():
        raise ValueError(f"{asked}: the driver of {port.port} refuses these settings; pass others")
    put_settings(port, asked._replace(bytesize=in_force.bytesize, parity=in_force.parity))
    try:
        with os_errors():
            genuine()
    finally:
        put_settings(port, asked)

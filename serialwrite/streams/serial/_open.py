"""Opening a serial port by its name or URL, with every setting. Errors say what to do instead."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import serial
import serial.rs485

from ..._errors import StreamClosed
from ._device import Device
from ._holders import flocking, lock_file, lock_holders, program
from ._read_back import read_back
from ._settings import checked_opening
from ._tty import Tty, os_errors

Kind: TypeAlias = Literal["descriptor", "spied", "blocking", "remote"]

# Flags of struct serial_rs485, <linux/serial.h>, by pyserial's names for them.
RS485_FLAGS = {0x01: "it", 0x02: "rts_level_for_tx", 0x04: "rts_level_for_rx", 0x10: "loopback"}
INSTEAD = "wrap the port in RS485(port), which switches RTS itself"

# Seconds to search for the holders of a port that is in use.
HOLDERS_TIMEOUT_S = 0.5

# The kind of port behind each URL scheme of pyserial.
URLS: dict[str, Kind] = {
    "loop": "blocking",
    "rfc2217": "remote",
    "socket": "remote",
    "cp2110": "blocking",
    "spy": "spied",
    "alt": "descriptor",
    "hwgrep": "descriptor",
}


def kind_of(port: Any) -> Kind:
    """What stands behind ``port``: a device's path, a URL, or an object of pyserial's."""
    if isinstance(port, (str, os.PathLike)):
        return _kind_of_name(str(port))  # pyright: ignore[reportUnknownArgumentType] # any path at all
    if os.name == "posix" and (isinstance(port, serial.Serial) or hasattr(port, "fd")):
        return "spied" if hasattr(port, "formatter") else "descriptor"
    return "blocking" if isinstance(port, serial.SerialBase) else "descriptor"


def check_port(port: Any, baudrate: object = None) -> None:
    """TypeError for what is not an object of pyserial's, StreamClosed for one that is not open.

    ``baudrate`` is what stood behind it.
    """
    if hasattr(port, "is_open") and hasattr(port, "baudrate"):
        if not port.is_open:
            named = "this serial.Serial" if port.port is None else f"port {port.port}"
            first = "set its port and open() it" if port.port is None else "open() it"
            raise StreamClosed(reason=f"{named} is closed; {first} first")
        return
    if isinstance(baudrate, (str, os.PathLike)):
        raise TypeError(f"port: got {port!r}; the port comes first: SerialPort({str(baudrate)!r}, {port!r})")  # pyright: ignore[reportUnknownArgumentType] # any path at all
    got = f"port: got {type(port).__name__}"
    if isinstance(port, (socket.socket, asyncio.StreamWriter, asyncio.BaseTransport)):
        kind = "SocketStream" if isinstance(port, socket.socket) else "as_stream"
        raise TypeError(f"{got}, which has no settings of a serial port; pass it to {kind}, or as it is to async_write")
    if hasattr(port, "async_write_some"):
        raise TypeError(f"{got}, which is a stream already; use it as it is")
    instead = f"; for a file descriptor: DescriptorStream({port})" if isinstance(port, int) else ""
    raise TypeError(f"{got}; pass a path or a URL as str, or an open serial.Serial{instead}")


def own_write_of(port: Any) -> str | None:
    """The class of ``port`` whose own ``write`` is not that of pyserial's ports, and does more; None where it is.

    What is written to the descriptor goes past it.
    """
    if not isinstance(port, serial.Serial):
        return None
    owner = next(one for one in type(port).__mro__ if "write" in vars(one))
    pyserials = owner.__module__.partition(".")[0] == "serial" and owner is not serial.rs485.RS485
    return None if pyserials and "write" not in vars(port) else type(port).__name__


def is_plain_bus(port: Any) -> bool:
    """Whether ``port`` is a ``serial.rs485.RS485`` whose ``write`` is pyserial's."""
    kind: Any = type(port)  # pyright: ignore[reportUnknownVariableType] # any
    return isinstance(port, serial.rs485.RS485) and kind.write is serial.rs485.RS485.write and "write" not in vars(port)


def check_write(port: Any) -> None:
    """TypeError for an object of pyserial's with a ``write`` of its own."""
    name = own_write_of(port)
    if name is None:
        return
    if is_plain_bus(port):
        raise TypeError(
            f"port: SerialPort would write past {name}.write, which switches the transmitter; "
            "pass it to RS485(...), or to as_stream(...)"
        )
    raise TypeError(
        f"port: {name}.write does more than serial.Serial.write, and would be written past; "
        "pass a plain serial.Serial, and put what it does in a stream over that: see AsyncWriteStream"
    )


def _kind_of_name(name: str) -> Kind:
    scheme, is_url, _ = name.partition("://")
    if not is_url:
        return "descriptor" if os.name == "posix" else "blocking"
    if scheme in URLS:
        return URLS[scheme]
    with suppress(ValueError, serial.SerialException):
        return kind_of(serial.serial_for_url(name, do_not_open=True))
    return "descriptor"  # opening it will say what is wrong with it


def opened(
    port: str,
    baudrate: int,
    *,
    rts: bool | None = None,
    dtr: bool | None = None,
    rs485_mode: Any = None,
    low_latency: bool = False,
    **settings: Any,
) -> Any:
    """Open ``port``: pyserial's object for it. See :class:`SerialPort` for the arguments."""
    if "\0" in port:
        raise ValueError(f"port: {port!r} has a NUL byte in it; pass a device's path, or a URL")
    settings = checked_opening({"baudrate": baudrate, **settings})
    made = serial.serial_for_url(port, do_not_open=True, **settings)
    if kind_of(made) != "blocking":
        read_back(made)
        if made.exclusive:
            _check_lock_files(port, made.portstr or port)
    if rts is not None:
        made.rts = rts
    if dtr is not None:
        made.dtr = dtr
    try:
        with os_errors():
            made.open()
    except OSError as error:
        raise _told(port, error) from None  # pyserial chains three of them, which say less
    except ValueError:
        made.close()
        raise
    except OverflowError:  # and pyserial has closed it again
        raise ValueError(f"baudrate={baudrate}: more than any driver takes; pass bits per second") from None
    try:
        if rs485_mode is not None:
            _set_rs485_mode(made, rs485_mode)
        if low_latency:
            _set_low_latency(made)
    except BaseException:
        made.close()
        raise
    return made


def made_ours(device: Device, port: Any) -> None:
    """Keep others out of the open ``port``."""
    if port.exclusive:
        # pyserial's flock is advice that other programs needn't take; this refuses them, all but root's.
        # On a pty it would outlive this process, however that ends: as long as its master is open.
        with suppress(OSError):
            device.set_exclusive(True)


def _check_lock_files(port: str, device: str) -> None:
    """SerialException where another program has locked ``device``, before it is opened, which can reset what it is."""
    if (lock := lock_file(device)) is not None:
        raise serial.SerialException(
            errno.EBUSY,
            f"port {port!r} is in use by {program(lock[1])}, by its lock file {lock[0]}; "
            "close it there first, or remove the file if that program does not use the port",
        )


def _set_rs485_mode(port: Any, mode: Any) -> None:
    try:
        if kind_of(port) == "blocking" and os.name == "posix":  # pyserial would take it, and do nothing
            raise NotImplementedError("it is not a port of this machine")
        port.rs485_mode = mode
    except (NotImplementedError, ValueError) as error:
        raise ValueError(f"rs485_mode: the driver of {port.port} has none ({error}); {INSTEAD}") from None
    # The kernel leaves out what a driver can't do, and says nothing.
    flags = Tty(lambda: int(port.fd)).rs485_flags()
    if flags is None:  # not Linux, where it can't be read
        return
    wanted = {0x01: True, 0x02: mode.rts_level_for_tx, 0x04: mode.rts_level_for_rx, 0x10: mode.loopback}
    wrong = [RS485_FLAGS[bit] for bit, asked in wanted.items() if bool(flags & bit) != bool(asked)]
    if wrong:
        raise ValueError(f"rs485_mode: the driver of {port.port} has not taken {', '.join(wrong)}; {INSTEAD}")


def _set_low_latency(port: Any) -> None:
    try:
        port.set_low_latency_mode(True)
    except (AttributeError, NotImplementedError, ValueError) as error:
        raise ValueError(f"low_latency: the driver of {port.port} has no such thing ({error}); leave it out") from None


def _told(port: str, error: OSError) -> serial.SerialException:
    """Convert ``error`` to one that says what to do; without an errno its text would be "[Errno None]"."""
    words = _advice(port, error)
    if error.errno not in {None, errno.ENOTTY}:
        return serial.SerialException(error.errno, words)
    told = serial.SerialException(words)
    told.errno = error.errno
    return told


def _advice(port: str, error: OSError) -> str:
    _, is_url, place = port.partition("://")
    if error.errno == errno.ENOENT:
        return f"port {port!r} does not exist; list the ports with: {_lister()}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"port {port!r} may not be opened by this user; on most systems: add the user to its group (dialout)"
    if error.errno in {errno.EBUSY, errno.EAGAIN} or "exclusively lock" in str(error):
        return f"port {port!r} is in use by {_users(place.partition('?')[0] if is_url else port)}; close it there first"
    if error.errno == errno.ENOTTY:
        return f"port {port!r} is not a serial port: it has no settings of one"
    # pyserial's words have the number and the path in them, and the system's words behind those.
    why = os.strerror(error.errno) if error.errno and not is_url else error
    return f"port {port!r} can't be opened: {why}"


def _users(device: str) -> str:
    """The holders of ``device``, if the system reports them: programs that locked it, else those that have it open."""
    locking = flocking(device)
    holders = [] if os.getpid() in locking else [program(each) for each in sorted(locking)]
    if not locking:
        holders = lock_holders(device, HOLDERS_TIMEOUT_S)
    return ", ".join(holders) or "another program, or open here already"


def _lister() -> str:
    """The commands that list the ports: ``serialwrite ports`` needs the extra ``cli``."""
    from importlib.util import find_spec  # noqa: PLC0415 # for this error alone

    with suppress(ValueError):  # what find_spec says of a module that is barred
        if find_spec("typer") is not None:
            return "serialwrite ports, or python -m serial.tools.list_ports"
    return "python -m serial.tools.list_ports"

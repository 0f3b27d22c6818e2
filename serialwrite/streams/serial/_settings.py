"""Settings: the settings of a serial line, by pyserial's names, as asked for and as the driver has them."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import serial

from ..._posix import termios
from ..._timers import checked_timeout
from .._advice import INSTEAD

CMSPAR = 0o10000000000 if sys.platform == "linux" else 0  # mark or space parity, <asm-generic/termbits.h>


class Settings(NamedTuple):
    """The settings of a serial line, by pyserial's names and with its values.

    ``baudrate`` is in bits per second, None where the driver does not report it (only Linux does). ``parity`` is one of
    ``"N"``, ``"E"``, ``"O"``, ``"M"``, ``"S"``. ``dsrdtr`` is always false on Linux and macOS: pyserial sets no
    DSR/DTR flow control there.
    """

    baudrate: int | None
    bytesize: int
    parity: str
    stopbits: float
    xonxoff: bool
    rtscts: bool
    dsrdtr: bool


def checked_baudrate(given: object) -> int:
    """The baud rate as a whole number; ValueError for what is not one, or not above 0 (B0 hangs up)."""
    try:
        rate = int(given)  # type: ignore[call-overload] # whatever int() takes, and pyserial with it
        if isinstance(given, bool) or rate <= 0 or (not isinstance(given, str) and rate != given):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"baudrate={given!r}: pass bits per second, a whole number above 0") from None
    return int(rate)


# What a port is opened with beside the settings of its line.
OPENING = ("timeout", "write_timeout", "exclusive", "rts", "dtr", "rs485_mode", "low_latency")
# Of these settings pyserial has a list of the values that it takes.
CHOICES: dict[str, tuple[object, ...]] = {
    "bytesize": serial.SerialBase.BYTESIZES,
    "parity": serial.SerialBase.PARITIES,
    "stopbits": serial.SerialBase.STOPBITS,
}


def checked_settings(asked: dict[str, Any]) -> dict[str, Any]:
    """The settings ``asked`` for, by pyserial's names.

    Raises:
        TypeError: one of them is not a setting of a line, or not of its type. ValueError: no line has such a value.
    """
    unknown = asked.keys() - set(Settings._fields)
    if unknown:
        raise TypeError(f"{', '.join(sorted(unknown))}: not a setting of a line; pass {', '.join(Settings._fields)}")
    return {name: _checked(name, value) for name, value in asked.items()}


def checked_opening(asked: dict[str, Any]) -> dict[str, Any]:
    """What a port is to be opened with: settings of its line, and what belongs to the opening alone.

    Raises:
        ValueError, as pyserial: for a name that is not a setting. Otherwise as :func:`checked_settings`.
    """
    if asked.get("inter_byte_timeout", ...) is None:  # pyserial's default, which programs pass on
        asked = {name: value for name, value in asked.items() if name != "inter_byte_timeout"}
    if unknown := sorted(asked.keys() - {*Settings._fields, *OPENING}):
        hints = "".join(f"; {name}: {INSTEAD[name]}" for name in unknown if name in INSTEAD)
        known = ", ".join([*Settings._fields, *OPENING])
        raise ValueError(f"{', '.join(unknown)}: SerialPort has no such setting{hints}; it has {known}")
    line = {name: value for name, value in asked.items() if name in Settings._fields}
    limits = {name: checked_timeout(asked[name], name) for name in ("timeout", "write_timeout") if name in asked}
    return asked | checked_settings(line) | limits


def _checked(name: str, value: Any) -> Any:
    if name == "baudrate":
        return checked_baudrate(value)
    choices = CHOICES.get(name)
    if choices is None:
        return checked_flag(name, value)
    if isinstance(value, bool) or value not in choices:
        raise ValueError(f"{name}={value!r}: pass one of {', '.join(map(repr, choices))}")
    return value


def checked_flag(name: str, on: object) -> bool:
    """True or False; a TypeError for what is neither, nor 0 or 1."""
    if on not in {True, False}:
        raise TypeError(f"{name}={on!r}: pass True or False")
    return bool(on)


def decoded(attributes: list[Any], baudrate: int | None) -> Settings:
    """The settings that are in force by ``attributes``, as tcgetattr gives them."""
    iflag, _, cflag, *_ = attributes
    bits = {termios.CS5: 5, termios.CS6: 6, termios.CS7: 7, termios.CS8: 8}[cflag & termios.CSIZE]
    parity = "N"
    if cflag & termios.PARENB:
        parity = ("MS" if cflag & CMSPAR else "OE")[not cflag & termios.PARODD]
    # The same flag makes 1.5 of 5 data bits: that is how a 16550 works, and drivers follow it.
    stop = 1 if not cflag & termios.CSTOPB else 1.5 if bits == 5 else 2
    both = termios.IXON | termios.IXOFF
    return Settings(baudrate, bits, parity, stop, iflag & both == both, bool(cflag & termios.CRTSCTS), dsrdtr=False)


def asked_of(port: Any) -> Settings:
    """The settings that ``port``, a ``serial.Serial``, was asked for."""
    return Settings(*(getattr(port, name) for name in Settings._fields))


def put_settings(port: Any, settings: Settings) -> None:
    """Store ``settings`` in pyserial's object, without setting anything on the device."""
    for name, value in settings._asdict().items():
        setattr(port, f"_{name}", value)

"""Whether the settings that a run is to test are in force at its ports."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import serialwrite as sw
from serialwrite.loopback._result import Settings
from serialwrite.streams.serial._read_back import BAUD_TOLERANCE

_USUAL: Final = Settings(ports=(), pattern="", baudrate=0)
_SETTING_LABELS: Final = {
    "baudrate": "baud rate",
    "data_bits": "data bits",
    "parity": "parity",
    "stop_bits": "stop bits",
}


def not_in_force(settings: Settings, ports: tuple[sw.Settings | None, ...], swept: Collection[str]) -> list[str]:
    """Return what of ``settings`` is not in force at ``ports``, in words.

    ``swept``: the names of the settings that a sweep varies. A port without settings (None) is a raw TCP connection or
    ``loop://``. It can run only 8N1 without flow control, at the rate that its other end has set. It can't test others,
    and not two rates.
    """
    labels = ("port", "peer") if len(ports) > 1 else ("port",)
    found: list[str] = []
    for label, held in zip(labels, ports, strict=True):
        if held is None:
            asked = ", ".join(_asked(settings, swept))
            found += [f"{label}: {asked} can't be tested, as this port has no line settings"] if asked else []
        else:
            found += [f"{label}: {each}" for each in _wrong(settings, held)]
    return found


def flow_of(held: sw.Settings) -> str:
    """Return the flow control that is in force, by the name that ``Settings.flow`` has."""
    return " and ".join(name for name in ("rtscts", "xonxoff", "dsrdtr") if getattr(held, name)) or "none"


def in_words(held: sw.Settings) -> str:
    """Return settings as people write them: 115200 8N1, flow none."""
    rate = "unknown baud rate" if held.baudrate is None else held.baudrate
    return f"{rate} {held.bytesize}{held.parity}{held.stopbits:g}, flow {flow_of(held)}"


def _asked(settings: Settings, swept: Collection[str]) -> Iterator[str]:
    for name in ("data_bits", "parity", "stop_bits", "flow"):
        if name in swept or getattr(settings, name) != getattr(_USUAL, name):
            yield f"{_SETTING_LABELS.get(name, name)} {_plain(getattr(settings, name))}"
    if "baudrate" in swept:
        yield f"baud rate {settings.baudrate}"


def _wrong(settings: Settings, held: sw.Settings) -> Iterator[str]:
    rate = held.baudrate
    if rate is not None and abs(rate - settings.baudrate) > BAUD_TOLERANCE * settings.baudrate:
        yield f"baud rate {settings.baudrate} was asked for, and {rate} is in force"
    pairs = (("data_bits", held.bytesize), ("parity", held.parity), ("stop_bits", held.stopbits))
    for name, value in (*pairs, ("flow", flow_of(held))):
        asked = getattr(settings, name)
        if asked != value:
            yield f"{_SETTING_LABELS.get(name, name)} {_plain(asked)} was asked for, and {_plain(value)} is in force"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

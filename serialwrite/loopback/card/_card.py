"""The card of a port: its driver, what the driver reports, which of that was measured, and what to set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import serialwrite as sw
from serialwrite.loopback._result import Fact
from serialwrite.loopback.card._card_measure import await_unplug, is_remote, measured
from serialwrite.loopback.card._machine import closing_wait_in_words, driver, latency_timer
from serialwrite.streams.serial._holders import lock_holders

NOT_KNOWN: Final = "not reported"


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a port."""

    port: str
    opened: bool
    """Whether it could be opened; else the card has only the facts of its device."""
    facts: tuple[Fact, ...]
    advice: tuple[str, ...]
    """What to set, and what to beware of."""


def probe(
    port: str,
    *,
    baudrate: int = 115200,
    measure: bool = False,
    unplug: float | None = None,
    ask: Callable[[], object] | None = None,
    **settings: Any,
) -> Card:
    """Return the card of a port, which is opened for it, with ``settings`` as of SerialPort, and closed again.

    Without ``measure`` nothing is sent. With ``measure``, output is suspended (TCOOFF) and the queue is filled with
    0x55 to measure its size and to test discard and drain. Drivers that ignore TCOOFF, and ptys, send these bytes to
    the connected device. With ``unplug``, ``ask`` is called to ask the user to unplug the port, within so many seconds.
    The card then has the error numbers that this gives. A byte is written once the port is gone.
    """
    advice = _device_advice(port)
    device = _device_facts(port)  # before it is opened: who else has it open
    try:
        opened = sw.SerialPort(port, baudrate, **settings)
    except (OSError, ValueError) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        gone = "://" not in port and not os.path.lexists(port)  # then the rest is unknown, and says nothing
        facts = [Fact("port", port), Fact("opening", words), *([] if gone else device)]
        return Card(port, opened=False, facts=tuple(facts), advice=tuple(advice))
    facts = [Fact("port", port), *device]
    try:
        facts += _remote_facts(opened) if is_remote(opened) else _driver_facts(opened, advice)
        if measure:
            facts += measured(opened, advice)
        else:
            facts.append(Fact("queue, discard, drain", "not measured: that may send bytes", "asked for with measure"))
        if unplug is None:
            facts.append(Fact("errno of an unplug", "unknown: not asked for", "asked for with unplug"))
        else:
            if ask is not None:
                ask()
            facts.append(Fact("errno of an unplug", await_unplug(opened, unplug), "measured"))
    except OSError as error:
        facts.append(Fact("ended early", str(error)))
    finally:
        opened.close("discard")
    return Card(port, opened=True, facts=tuple(facts), advice=tuple(advice))


def _device_facts(port: str) -> list[Fact]:
    facts: list[Fact] = []
    if "://" in port:
        return [Fact("driver", "none: a pyserial URL")]
    found, source = driver(port)
    facts.append(Fact("driver", found or NOT_KNOWN, source))
    for name, value in _usb(port):
        facts.append(Fact(name, value, "/sys"))
    timer = latency_timer(port)
    facts.append(Fact("latency timer", f"{timer[0]} ms" if timer else "none", timer[1] if timer else ""))
    holders = lock_holders(port)
    facts.append(Fact("held open by", ", ".join(holders) or "no program that this user may see", "/proc"))
    return facts


def _usb(port: str) -> list[tuple[str, str]]:
    """Return what a USB adapter says of itself; its interface and device are above it in /sys."""
    at = Path("/sys/class/tty") / Path(os.path.realpath(port)).name / "device"
    told: list[tuple[str, str]] = []
    with contextlib.suppress(OSError):
        for above in at.resolve(strict=True).parents[:4]:
            if (above / "idVendor").exists():
                for name in ("idVendor", "idProduct", "manufacturer", "product", "serial"):
                    with contextlib.suppress(OSError):
                        told.append((f"USB {name}", (above / name).read_text(errors="replace").strip()))
                break
    return told


def _device_advice(port: str) -> list[str]:
    timer = latency_timer(port)
    if timer is None or timer[0] <= 1:
        return []
    return [f"latency: bytes are held back for {timer[0]} ms: open it with low_latency=True, or: echo 1 > {timer[1]}"]


def _remote_facts(port: sw.SerialPort) -> list[Fact]:
    """Return the card of a port without a driver on this machine: few facts, few of them measured."""
    url = str(port.driver.line.port)
    try:
        lines = _in_words(port.modem_lines)
    except OSError as error:
        lines = f"{NOT_KNOWN}: {error}"
    tellers = {"rfc2217": "the far end (RFC 2217)", "socket": "raw TCP has none"}
    told_by = tellers.get(url.partition("://")[0], "pyserial, which invents them")
    queue = port.driver.device.output_queue()
    proof = port.proof_levels.get(sw.ProofLevel.SERVED)
    stage, source = ("acknowledged", "SIOCOUTQ") if proof in {None, "unknown"} else ("served", str(proof))
    waiting = NOT_KNOWN if queue is None else f"{queue:,} bytes not {stage} by the far end"
    return [
        Fact("output queue", waiting, "" if queue is None else source),
        Fact("modem lines", lines, told_by),
        *_proofs(port),
    ]


def _in_words(lines: sw.ModemLines | None) -> str:
    if lines is None:
        return "none"
    return ", ".join(f"{name} {'on' if on else 'off'}" for name, on in lines._asdict().items())


def _proofs(port: sw.SerialPort) -> list[Fact]:
    return [Fact(f"proof of {level.name.lower()}", str(proof)) for level, proof in port.proof_levels.items()]


def _driver_facts(port: sw.SerialPort, advice: list[str]) -> list[Fact]:
    tty: Any = port.driver.device
    queue, empty, lines, counters = tty.output_queue(), tty.transmitter_empty(), port.modem_lines, port.line_counters
    speed, fifo, wait = tty.output_speed(), tty.fifo_size(), tty.closing_wait()
    if tty.is_pty():
        advice.append("this is a pseudo-terminal: no baud rate, no modem lines, and no queue that could be read")
    elif queue is not None and empty is None:
        advice.append("drain proves that the queue is empty, not that the last bytes have left the hardware")
    if wait not in {None, 65535}:
        advice.append(
            f"closing_wait: a program that closes this port with bytes queued waits ({closing_wait_in_words(wait)}); "
            "serialwrite keeps out of that; for others: setserial closing_wait none"
        )
    always_0 = f"{NOT_KNOWN} (a pty: always 0)" if tty.is_pty() else NOT_KNOWN
    return [
        Fact(
            "baud rate",
            NOT_KNOWN if speed is None else f"{speed:,} of {port.driver.line.baudrate:,} asked for",
            "TCGETS2",
        ),
        Fact("output queue", always_0 if queue is None else f"reported; now {queue:,}", "TIOCOUTQ"),
        Fact("transmitter empty", NOT_KNOWN if empty is None else f"reported; now {empty}".lower(), "TIOCSERGETLSR"),
        Fact("hardware FIFO", NOT_KNOWN if not fifo else f"{fifo:,} bytes, by the driver's word", "TIOCGSERIAL"),
        Fact("modem lines", _in_words(lines), "TIOCMGET"),
        Fact("error counters", "none" if counters is None else "reported", "TIOCGICOUNT"),
        Fact("closing_wait", NOT_KNOWN if wait is None else closing_wait_in_words(wait), "TIOCGSERIAL"),
        *_proofs(port),
    ]

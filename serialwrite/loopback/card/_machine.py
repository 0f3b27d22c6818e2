"""The facts of the machine and its ports that reproduce a result, read from /sys and ioctls."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import serial

import serialwrite as sw
from serialwrite.loopback._result import Fact

# Since Linux 6.5 these stand between a UART and its driver.
SERIAL_BASE = {"port", "ctrl"}
CLOSING_WAIT_UNIT = 100  # a second, in the kernel's hundredths


def machine_facts() -> tuple[Fact, ...]:
    """Return what runs the test."""
    system = platform.uname()
    return (
        Fact("kernel", f"{system.system} {system.release} {system.machine}", "uname"),
        Fact("processors", str(os.cpu_count() or "unknown")),
        Fact("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        Fact("serialwrite", f"{sw.__version__}, pyserial {serial.__version__}"),
    )


def port_facts(port: sw.SerialPort, name: str) -> tuple[Fact, ...]:
    """Return what there is to know of an open port without sending anything through it."""
    device = str(port.driver.line.port)
    facts = [Fact(name, device)]
    found, source = driver(device)
    facts += [Fact(f"{name}: driver", found, source)] if found else []
    timer = latency_timer(device)
    if timer is not None:
        facts.append(Fact(f"{name}: latency timer", f"{timer[0]} ms", timer[1]))
    with contextlib.suppress(OSError):
        wait = port.driver.device.closing_wait()
        if wait is not None:
            facts.append(Fact(f"{name}: closing_wait", closing_wait_in_words(wait), "TIOCGSERIAL"))
    return tuple(facts)


def driver(device: str) -> tuple[str, str]:
    """Return the name of a device's driver, and where it was read; empty where there is none."""
    real = Path(os.path.realpath(device))
    if real.parent == Path("/dev/pts"):
        return "pty (a pseudo-terminal)", "the device's path"
    with contextlib.suppress(OSError):
        found = (Path("/sys/class/tty") / real.name / "device").resolve(strict=True)
        for each in (found, *found.parents[:2]):
            link = each / "driver"
            if link.exists() and (name := link.resolve().name) not in SERIAL_BASE:
                return name, str(link)
    return "", ""


def latency_timer(device: str) -> tuple[int, str] | None:
    """Return the milliseconds that a USB adapter waits for more bytes before it sends what it has, and the file."""
    path = Path("/sys/class/tty") / Path(os.path.realpath(device)).name / "device" / "latency_timer"
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text()), str(path)
    return None


def closing_wait_in_words(value: int) -> str:
    """Return the kernel's closing_wait as people read it."""
    if value in {0, 65535}:
        return "waits for ever" if value == 0 else "none"
    return f"{value / CLOSING_WAIT_UNIT:g} s"

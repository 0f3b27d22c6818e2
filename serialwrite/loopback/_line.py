"""Owns getting the line that is tested: a rig, one port with a plug, two ports, or pyserial URLs; both ends open."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import serialwrite as sw
from serialwrite.loopback._result import Fact, Settings
from serialwrite.testing import PathRig, PtyPair, SimulatedUart, SocatPair

RigName: TypeAlias = Literal["pty", "socat", "uart"]
RIG_NAMES: Final[tuple[RigName, ...]] = ("pty", "socat", "uart")
UNPACED_RIGS: Final = frozenset({"pty", "socat"})
FLOWS: Final = ("none", "rtscts", "xonxoff", "dsrdtr")


class LineUnavailable(Exception):  # a state of the machine, not a mistake in the test
    """The line can't be had with these settings; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """Both ends of a line, open; with a loopback plug they are the same port."""

    port: sw.SerialPort
    peer: sw.SerialPort
    quirks: frozenset[str] = frozenset()
    """What a rig can't do; a real line has none that is known beforehand."""
    facts: tuple[Fact, ...] = ()

    @property
    def plugged(self) -> bool:
        """Whether one port is wired to itself."""
        return self.port is self.peer

    def ways(self, *, both: bool) -> tuple[tuple[str, sw.SerialPort, sw.SerialPort], ...]:
        """Return the directions to be tested: name, sender, receiver."""
        if self.plugged:
            return (("port → itself", self.port, self.port),)
        there, back = ("port → peer", self.port, self.peer), ("peer → port", self.peer, self.port)
        return (there, back) if both else (there,)


def open_rig(name: RigName, settings: Settings) -> PathRig:
    """Return an unopened rig for `settings`.  Raises ValueError for a name that is none."""
    if name == "pty":
        return PtyPair()
    if name == "socat":
        return SocatPair()
    if name == "uart":
        return SimulatedUart(
            settings.baudrate,
            bytesize=settings.data_bits,
            parity=settings.parity,
            stopbits=settings.stop_bits,
            flow_control="settings",
        )
    raise ValueError(f"no rig is called {name!r}; there are {', '.join(RIG_NAMES)}")


@contextlib.contextmanager
def open_line(target: PathRig | tuple[str, ...], settings: Settings) -> Generator[Line]:
    """Open both ends of `target`, a rig (opened here, and closed, if it was not open) or one or two ports.

    Raises LineUnavailable where a port can't be opened or can't have `settings`.
    """
    with contextlib.ExitStack() as resources:
        rig = target if isinstance(target, PathRig) else None
        try:
            names = _ends_of(target, settings, resources) if isinstance(target, PathRig) else target
            options = _pyserial_settings(settings, paced_only=rig is not None)
            port = resources.enter_context(_closing(sw.SerialPort(names[0], settings.baudrate, **options)))
            peer = port
            if len(names) > 1 and names[1] != names[0]:
                peer = resources.enter_context(_closing(sw.SerialPort(names[1], settings.baudrate, **options)))
        except LineUnavailable:
            raise
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            words = error.strerror if isinstance(error, OSError) else None
            raise LineUnavailable(words or str(error)) from error
        except Exception as error:  # termios.error is no OSError
            raise LineUnavailable(f"{' ↔ '.join(settings.ports) or 'the port'}: {error}") from error
        yield Line(port, peer, rig.quirks if rig is not None else frozenset(), _rig_facts(rig))


def _ends_of(rig: PathRig, settings: Settings, resources: contextlib.ExitStack) -> tuple[str, ...]:
    if not isinstance(rig, SimulatedUart) and (settings.parity != "N" or settings.data_bits != 8):
        raise LineUnavailable(f"the rig {rig.name!r} has no character format: it carries 8 data bits without parity")
    try:
        return rig.port, rig.peer
    except RuntimeError:  # not open yet
        resources.enter_context(rig)
        return rig.port, rig.peer


def _pyserial_settings(settings: Settings, *, paced_only: bool) -> dict[str, Any]:
    flow = settings.flow
    if flow not in FLOWS:
        raise ValueError(f"flow is {flow!r}: pass one of {', '.join(FLOWS)}")
    options: dict[str, Any] = {} if flow == "none" else {flow: True}
    if not paced_only:  # ptys refuse other formats; the simulated UART keeps the time of them by itself
        options |= {"bytesize": settings.data_bits, "parity": settings.parity, "stopbits": settings.stop_bits}
    return options


@contextlib.contextmanager
def _closing(port: sw.SerialPort) -> Generator[sw.SerialPort]:
    # what is queued at the end was either drained before the verdict, or is what the verdict is about
    try:
        yield port
    finally:
        port.close("discard")


def _rig_facts(rig: PathRig | None) -> tuple[Fact, ...]:
    if rig is None:
        return ()
    facts = [Fact("rig", rig.name)]
    if rig.quirks:
        facts.append(Fact("the rig's quirks", ", ".join(sorted(rig.quirks))))
    if isinstance(rig, SimulatedUart):
        facts.append(Fact("seed of the rig's faults", str(rig.seed)))
    return tuple(facts)

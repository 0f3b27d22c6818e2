"""Opens both ends of the line under test: a rig, one port with a plug, two ports, or pyserial URLs."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import serialwrite as sw
from serialwrite.loopback._result import Fact, Settings
from serialwrite.loopback.measure._in_force import not_in_force
from serialwrite.testing import PathRig, PtyPair, SimulatedUart, SocatPair

RigName: TypeAlias = Literal["pty", "socat", "uart"]
RIG_NAMES: Final[tuple[RigName, ...]] = ("pty", "socat", "uart")
UNPACED_RIGS: Final = frozenset({"pty", "socat"})
FLOWS: Final = ("none", "rtscts", "xonxoff", "dsrdtr")


class NotInForce(Exception):  # as above
    """The line is there, but not with these settings; the message says which, ``in_force`` what holds instead."""

    def __init__(self, words: str, in_force: tuple[sw.Settings | None, ...] = ()) -> None:
        super().__init__(words)
        self.in_force = in_force


class LineUnavailable(Exception):  # a state of the machine, not a mistake in the test
    """The line can't be opened with these settings; the message says why."""


@dataclass(frozen=True, slots=True)
class OpenLine:
    """Both ends of a line, open; with a loopback plug they are the same port."""

    port: sw.SerialPort
    peer: sw.SerialPort
    quirks: frozenset[str] = frozenset()
    """What a rig can't do; a real line has none that is known beforehand."""
    facts: tuple[Fact, ...] = ()
    in_force: tuple[sw.Settings | None, ...] = ()
    """What each port is really set to."""

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
    """Return an unopened rig for ``settings``.  Raises ValueError for a name that is none."""
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
    raise ValueError(f"rig={name!r}: pass one of {', '.join(RIG_NAMES)}")


@contextlib.contextmanager
def open_line(
    target: PathRig | tuple[str, ...], settings: Settings, swept: Collection[str] = ()
) -> Generator[OpenLine]:
    """Open both ends of ``target``, a rig (opened here, and closed, if it was not open) or one or two ports.

    ``swept``: names of settings that a sweep varies, which must be in force also where they are the usual ones.

    Raises LineUnavailable where a port can't be opened, and NotInForce where it has not taken ``settings``.
    """
    with contextlib.ExitStack() as resources:
        rig = target if isinstance(target, PathRig) else None
        try:
            names = _ends_of(target, resources) if isinstance(target, PathRig) else target
            options = _pyserial_settings(settings)
            port = resources.enter_context(_closing(sw.SerialPort(names[0], settings.baudrate, **options)))
            peer = port
            if len(names) > 1 and names[1] != names[0]:
                peer = resources.enter_context(_closing(sw.SerialPort(names[1], settings.baudrate, **options)))
            in_force = _in_force(rig, port) + (() if peer is port else _in_force(rig, peer))
        except ValueError as error:  # the driver has not taken a setting
            if str(error).startswith("invalid URL"):
                raise LineUnavailable(str(error)) from error
            raise NotInForce(str(error)) from error
        except (OSError, TypeError, RuntimeError) as error:
            words = error.strerror if isinstance(error, OSError) else None
            raise LineUnavailable(words or str(error)) from error
        except Exception as error:  # termios.error is not an OSError
            raise LineUnavailable(f"{' ↔ '.join(settings.ports) or 'the port'}: {error}") from error
        if wrong := not_in_force(settings, in_force, swept):
            raise NotInForce("; ".join(wrong), in_force)
        yield OpenLine(port, peer, rig.quirks if rig is not None else frozenset(), _rig_facts(rig), in_force)


def _in_force(rig: PathRig | None, port: sw.SerialPort) -> tuple[sw.Settings | None]:
    held = port.in_force
    if held is None or not isinstance(rig, SimulatedUart):
        return (held,)
    bytesize, parity, stopbits = rig.character_format  # the rig keeps its time, which its ptys can't
    return (held._replace(bytesize=bytesize, parity=parity, stopbits=stopbits),)


def _ends_of(rig: PathRig, resources: contextlib.ExitStack) -> tuple[str, ...]:
    try:
        return rig.port, rig.peer
    except RuntimeError:  # not open yet
        resources.enter_context(rig)
        return rig.port, rig.peer


def _pyserial_settings(settings: Settings) -> dict[str, Any]:
    flow = settings.flow
    if flow not in FLOWS:
        raise ValueError(f"flow={flow!r}: pass one of {', '.join(FLOWS)}")
    options: dict[str, Any] = {} if flow == "none" else {flow: True}
    options |= {"bytesize": settings.data_bits, "parity": settings.parity, "stopbits": settings.stop_bits}
    return options | {"dtr": settings.dtr, "rts": settings.rts}


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

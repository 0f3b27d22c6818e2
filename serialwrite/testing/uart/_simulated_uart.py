"""SimulatedUart: a pty pair whose pump behaves like a UART, and injects faults by a script."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from serialwrite.testing.rigs._pty import PTY_QUIRKS, Counters, Links
from serialwrite.testing.rigs._rig import LOSSY, NO_LINE_ERRORS, NO_PACING, End, PathRig, check_end
from serialwrite.testing.uart._fault_script import rules_of
from serialwrite.testing.uart._injected_faults import LOSSLESS_KINDS, Fault
from serialwrite.testing.uart._uart_settings import FlowControl, UartSettings
from serialwrite.testing.uart._uart_wire import OTHER_END, UartWire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack

    from serialwrite.testing.uart._injected_faults import FaultRecord, Rule
    from serialwrite.testing.uart._uart_line import UartLane

T = TypeVar("T")


class SimulatedUart(PathRig):
    """Two pseudo-terminals joined by a simulated serial line: paced, finite, and faulty on demand.

    ``log`` has what happened, ``replay_script()`` makes it happen again,
    and ``what_arrives(sent, sender, log)`` returns what the other end must have received.

    Args:
        baud: bits per second; None for as fast as it goes.
        bytesize: with ``parity`` and ``stopbits``, makes up the time of a character; bytes always have 8 bits.
        parity: "N", "E", "O", "M" or "S".
        stopbits: 1, 1.5 or 2.
        fifo: bytes that the sender's UART holds.
        queue: bytes that its driver holds, before writes get EAGAIN.
            In one burst of writes the kernel's pty takes 12 to 21 kB before EAGAIN.
        receive: bytes held for a program that doesn't read, besides some 15 kB in the kernel's pty.
        flow_control: "rts-cts" or "xon-xoff", used by both ends whatever their own settings. "none": a full receiver
            loses bytes. "settings": RTS/CTS and XON/XOFF as each end's own user has set them.
        faults: a script such as ``at byte 10_000: stall 0.3 s`` (``FAULT_SCRIPT_HELP`` has all words), or rules.
        seed: of the faults that happen at random; None for a new one, which ``.seed`` has.
        links: names for symbolic links to the devices. Without them, ``port`` and ``peer`` are links in a private
            directory: they stay the same paths when a device is unplugged and plugged in again.

    Raises:
        ValueError: an argument is out of range. TypeError: it is of another kind.
        FaultScriptError: a script that can't be read.
    """

    name = "uart"
    needs: ClassVar[tuple[str, ...]] = (*PathRig.needs, "os.openpty")

    def __init__(
        self,
        baud: float | None = 115200,
        *,
        bytesize: int = 8,
        parity: str = "N",
        stopbits: float = 1,
        fifo: int = 16,
        queue: int = 4095,
        receive: int = 4096,
        flow_control: FlowControl = "rts-cts",
        faults: str | Iterable[Rule] = "",
        seed: int | str | None = None,
        links: Links = (None, None),
    ) -> None:
        super().__init__()
        self._settings = UartSettings(
            baud=baud,
            bytesize=bytesize,
            parity=parity,
            stopbits=stopbits,
            fifo=fifo,
            queue=queue,
            receive=receive,
            flow_control=flow_control,
        )
        self._rules = rules_of(faults)
        kinds = {rule.fault.kind for rule in self._rules}
        if flow_control == "none" and "throttle" in kinds:
            raise ValueError('flow_control="none": a throttle needs flow control; pass "rts-cts" or "xon-xoff"')
        lossy = flow_control != "rts-cts" or kinds - set(LOSSLESS_KINDS)
        self.quirks: frozenset[str] = (
            PTY_QUIRKS - {NO_LINE_ERRORS, NO_PACING}
            | ({NO_PACING} if baud is None else set[str]())
            | ({LOSSY} if lossy else set[str]())
        )
        self._seed = secrets.randbits(32) if seed is None else seed
        self._links = links

    @property
    def character_format(self) -> tuple[int, str, float]:
        """What makes up the time of a character: ``bytesize``, ``parity`` and ``stopbits``, as they were given."""
        return self._settings.bytesize, self._settings.parity, self._settings.stopbits

    def _open(self, resources: ExitStack) -> tuple[str, str]:
        paths = [None if link is None else Path(link).absolute() for link in self._links]
        if None in paths:
            directory = Path(tempfile.mkdtemp(prefix="serialwrite-"))  # for its owner only
            resources.callback(_remove_directory, directory)
            paths = [path or directory / name for path, name in zip(paths, ("port", "peer"), strict=True)]
        port, peer = map(str, paths)
        self._wire = UartWire({"port": port, "peer": peer}, self._settings, self._rules, self._seed, resources)
        return port, peer

    @property
    def seed(self) -> int | str:
        """The seed of the faults that happen at random."""
        return self._seed

    @property
    def log(self) -> list[FaultRecord]:
        """What has happened so far, in order."""
        return self._call(lambda: list(self._wire.log))

    def replay_script(self) -> str:
        """Return the faults that have happened as a script of bytes and no chance: the same run again."""
        always = [str(rule) for rule in self._rules if rule.fault.table]
        return "\n".join(always + [record.rule for record in self.log if record.rule])

    @property
    def counters(self) -> Counters:
        """Bytes delivered so far in each direction: taken by the other end's tty, read by its user or not."""
        lanes = self._wire.lanes
        return self._call(lambda: Counters(lanes["port"].moved, lanes["peer"].moved))

    @property
    def sent(self) -> Counters:
        """Bytes that have left each driver so far: the offsets that faults and records speak of."""
        lanes = self._wire.lanes
        return self._call(lambda: Counters(lanes["port"].sent, lanes["peer"].sent))

    def stall(self, end: End) -> None:
        """Carry and deliver nothing more to ``end``; when this returns, that is so."""
        self._set_stalled(end, stalled=True)

    def resume(self, end: End) -> None:
        """Carry and deliver to ``end`` again."""
        self._set_stalled(end, stalled=False)

    def throttle(self, end: End) -> None:
        """Let ``end`` say stop by its flow control; what the sender's FIFO holds still comes.

        Raises ``RuntimeError`` if the sender does not use flow control.
        """
        lane = self._lane_to(end)

        def say_stop() -> None:
            if not self._settings.obeyed(lane.source, lane.target):
                raise RuntimeError(f"{OTHER_END[end]} uses no flow control: pass flow_control= to the rig")
            lane.receiver.say_stop("program")

        self._call(say_stop)

    def release(self, end: End) -> None:
        """Let ``end`` say go again, after ``throttle``."""
        lane = self._lane_to(end)
        self._call(lambda: lane.receiver.say_go("program"))

    def send_break(self, end: End, seconds: float = 0.25) -> None:
        """Let ``end`` hold its line in the break state; tcsendbreak() itself doesn't get through a pty."""
        self._happen(end, Fault("break", seconds=seconds))

    def hang_up(self, end: End) -> None:
        """Hang ``end`` up: what is open on it fails from now on with EIO; its path can be opened again at once.

        What it had accepted and not sent is lost, and logged as lost.
        """
        self._happen(end, Fault("hang up"))

    def unplug(self, end: End) -> None:
        """Take the device of ``end`` away: what is open on it fails, its path is gone, until ``plug``.

        What it had accepted and not sent is lost, and logged as lost.
        """
        self._happen(end, Fault("unplug"))

    def plug(self, end: End) -> None:
        """Plug the device of ``end`` in again, under the same path; nothing where it is plugged in.

        Raises ``FileExistsError`` where someone else has taken the path.
        """
        check_end(end)
        self._call(lambda: self._wire.plug(end))

    def __repr__(self) -> str:
        return f"<SimulatedUart seed={self._seed!r}{super().__repr__().removeprefix('<SimulatedUart')}"

    def _call(self, function: Callable[[], T]) -> T:
        self._opened()
        return self._wire.pump.call(function)

    def _lane_to(self, end: End) -> UartLane:
        self._opened()
        return self._wire.lanes[OTHER_END[check_end(end)]]

    def _set_stalled(self, end: End, *, stalled: bool) -> None:
        lane = self._lane_to(end)
        self._call(lambda: setattr(lane, "stalled", stalled))

    def _happen(self, end: End, fault: Fault) -> None:
        lane = self._lane_to(OTHER_END[check_end(end)])
        self._call(lambda: lane.happen(fault))


def _remove_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):  # gone already, or someone keeps something in it
        directory.rmdir()

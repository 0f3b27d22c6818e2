"""Both ends of a simulated line: ptys plugged in under paths that stay, and the lanes between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serialwrite.testing.rigs._links import Link
from serialwrite.testing.rigs._pty_end import PtyEnd
from serialwrite.testing.rigs._pump import Pump
from serialwrite.testing.uart._injected_faults import FaultPlan, FaultRecord
from serialwrite.testing.uart._uart_line import UartLane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from serialwrite.testing.rigs._rig import End
    from serialwrite.testing.uart._injected_faults import Rule
    from serialwrite.testing.uart._uart_settings import UartSettings

OTHER_END: dict[End, End] = {"port": "peer", "peer": "port"}


class UartWire:
    """Everything here runs on the pump's thread, once the pump is there."""

    def __init__(
        self,
        paths: Mapping[End, str],
        settings: UartSettings,
        rules: Sequence[Rule],
        seed: int | str,
        resources: ExitStack,
    ) -> None:
        self.log: list[FaultRecord] = []
        self._paths = paths
        self._ends: dict[End, PtyEnd] = {}
        self._links: dict[End, Link] = {}
        for end, path in paths.items():
            self._ends[end] = device = PtyEnd()
            resources.callback(device.close)
            self._links[end] = Link(path, device.device)
            resources.callback(self._unlink, end)
        self.lanes: dict[End, UartLane] = {
            end: UartLane(
                end,
                self._ends[end],
                self._ends[OTHER_END[end]],
                settings,
                FaultPlan([rule for rule in rules if rule.sender == end], f"{seed} {end}"),
                self,
            )
            for end in paths
        }
        for end, lane in self.lanes.items():
            lane.reverse = self.lanes[OTHER_END[end]]
        self.pump = Pump(list(self.lanes.values()), name="serialwrite SimulatedUart")
        resources.callback(self.pump.close)

    def record(self, record: FaultRecord) -> None:
        self.log.append(record)

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        self.pump.later(seconds, function)

    def is_plugged(self, end: End) -> bool:
        return self._ends[end].alive

    def hang_up(self, end: End) -> None:
        """Hang up what is open on ``end``; the device is there again at once."""
        self.unplug(end)
        self.plug(end)

    def unplug(self, end: End, seconds: float = 0.0) -> None:
        """Take the device of ``end`` away: for so long, or until it is plugged in."""
        device = self._ends[end]
        self.lanes[end].sender_gone()
        self.lanes[OTHER_END[end]].receiver_gone()
        self._unlink(end)
        self.pump.forget(device)
        device.close()
        if seconds:
            self.later(seconds, lambda: self._plug_or_record(end))

    def plug(self, end: End) -> None:
        """Have a device under the path of ``end`` again. Raises ``FileExistsError`` where the path is taken."""
        device = self._ends[end]
        if not device.alive:
            device.open()
            try:
                self._links[end] = Link(self._paths[end], device.device)
            except BaseException:
                device.close()
                raise
            self.record(FaultRecord(end, self.lanes[end].sent, "plug"))

    def _plug_or_record(self, end: End) -> None:
        try:
            self.plug(end)
        except OSError:  # not awaited here; the log has its result
            self.record(FaultRecord(end, self.lanes[end].sent, "plug failed"))

    def _unlink(self, end: End) -> None:
        self._links[end].close()

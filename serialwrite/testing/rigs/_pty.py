"""PtyPair: two ptys joined in-process by a pump. Needs no root and no external program."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from serialwrite.testing.rigs._links import Link
from serialwrite.testing.rigs._pty_end import PtyEnd
from serialwrite.testing.rigs._pump import Lane, Pump
from serialwrite.testing.rigs._rig import (
    NO_CHARACTER_FORMAT,
    NO_LINE_ERRORS,
    NO_MODEM_LINES,
    NO_OUTPUT_QUEUE,
    NO_PACING,
    End,
    PathRig,
    check_end,
)

if TYPE_CHECKING:
    import os
    from contextlib import ExitStack

PTY_QUIRKS = frozenset({NO_MODEM_LINES, NO_CHARACTER_FORMAT, NO_PACING, NO_OUTPUT_QUEUE, NO_LINE_ERRORS})
Links = tuple["str | os.PathLike[str] | None", "str | os.PathLike[str] | None"]


class Counters(NamedTuple):
    """Bytes delivered in each direction since the rig was opened."""

    port_to_peer: int
    peer_to_port: int


class PtyPair(PathRig):
    """Two pseudo-terminals that talk to each other, as over a null-modem cable.

    Devices are raw, without echo, and only their owner may open them.

    Nothing is lost. If one end doesn't read, the other's writes get EAGAIN after 27 to 40 kB, or 80 kB and more on a
    busy machine. During a ``stall`` of the rig it is 10 to 21 kB. All of it arrives when that end reads again.

    Args:
        links: names for symbolic links to the two devices; ``port`` and ``peer`` are then those names.

    Raises:
        FileExistsError: on opening: a name is taken.
    """

    name = "pty"
    needs: ClassVar[tuple[str, ...]] = (*PathRig.needs, "os.openpty")
    quirks: frozenset[str] = PTY_QUIRKS

    def __init__(self, links: Links = (None, None)) -> None:
        super().__init__()
        self._links = links

    def _open(self, resources: ExitStack) -> tuple[str, str]:
        port = PtyEnd()
        resources.callback(port.close)
        peer = PtyEnd()
        resources.callback(peer.close)
        self._pty_ends = port, peer
        self._to_peer, self._to_port = Lane(port, peer), Lane(peer, port)
        self._pump = Pump((self._to_peer, self._to_port), name="serialwrite PtyPair")
        resources.callback(self._pump.close)
        return link_ends(resources, (port.device, peer.device), self._links)

    @property
    def counters(self) -> Counters:
        """Bytes delivered so far in each direction: taken by the other end's tty, read by its user or not."""
        self._opened()
        # On the pump's thread, because a reader can have bytes before the pump has counted them.
        return self._pump.call(lambda: Counters(self._to_peer.moved, self._to_port.moved))

    def stall(self, end: End) -> None:
        """Deliver nothing more to ``end``, as though it had stopped reading; when this returns, that is so."""
        self._set_stalled(end, stalled=True)

    def resume(self, end: End) -> None:
        """Deliver to ``end`` again, beginning with what was held."""
        self._set_stalled(end, stalled=False)

    def hang_up(self, end: End) -> None:
        """Cut ``end`` off: its writes fail with EIO, its reads give end-of-file.

        Its device can't be opened again, and no other pty gets its name while the rig is open.
        What ``end`` had written by then still reaches the other end.
        What the other end writes from now on stays undelivered: its writes get EAGAIN.
        """
        self._opened()
        index = 0 if check_end(end) == "port" else 1
        lane, device = (self._to_peer, self._to_port)[index], self._pty_ends[index]

        def cut() -> None:
            if device.alive:
                # Held first: nothing can be accepted between the last read and the close, and so be lost.
                device.hold_output()
                lane.take_all()
                self._pump.forget(device)
                device.hang_up()

        self._pump.call(cut)

    def _set_stalled(self, end: End, *, stalled: bool) -> None:
        self._opened()
        lane = self._to_port if check_end(end) == "port" else self._to_peer
        self._pump.call(lambda: setattr(lane, "stalled", stalled))


def link_ends(resources: ExitStack, devices: tuple[str, str], links: Links) -> tuple[str, str]:
    """Return the two paths that users are given, with the links made that were asked for."""
    paths: list[str] = []
    for device, name in zip(devices, links, strict=True):
        if name is None:
            paths.append(device)
        else:
            link = Link(name, device)
            resources.callback(link.close)
            paths.append(str(link.path))
    return paths[0], paths[1]

"""The cables of the emulated 8250 ports: QEMU's own take bytes as fast as they come, so the host paces, stalls and counts them."""

from __future__ import annotations

import asyncio
import socket

# A socket that takes few bytes ahead: what lies in it has left the UART and has not been counted yet.
SMALLEST_BUFFER = 1
UNPACED_CHUNK = 65536
PACED_CHUNK_SECONDS = 0.01


class Lane:
    """One direction of a cable: from the port that sends to the port that receives."""

    def __init__(self, sender: socket.socket, receiver: socket.socket) -> None:
        self.taken = 0
        self._sender, self._receiver = sender, receiver
        self._stalled = False
        self._bytes_per_second: float | None = None
        self._due = 0.0
        self._wake = asyncio.Event()

    def stall(self, stalled: bool) -> None:
        """Take nothing more from the sender, or go on."""
        self._stalled = stalled
        self._wake.set()

    def pace(self, bytes_per_second: float | None) -> None:
        """Take no more than this from the sender; None: as fast as it comes."""
        self._bytes_per_second = bytes_per_second
        self._due = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Carry bytes until the sender's side is closed. Runs for as long as the machine does."""
        loop = asyncio.get_running_loop()
        while True:
            if self._stalled:
                await self._woken()
                continue
            if (early := self._due - loop.time()) > 0:
                await self._woken(early)
                continue
            try:
                data = self._sender.recv(self._chunk())
            except BlockingIOError:
                loop.add_reader(self._sender, self._wake.set)
                try:
                    await self._woken()
                finally:
                    loop.remove_reader(self._sender)
                continue
            if not data:
                return
            self.taken += len(data)
            if self._bytes_per_second:
                self._due = max(self._due, loop.time() - PACED_CHUNK_SECONDS) + len(data) / self._bytes_per_second
            await loop.sock_sendall(self._receiver, data)

    def _chunk(self) -> int:
        if self._bytes_per_second is None:
            return UNPACED_CHUNK
        return max(1, int(self._bytes_per_second * PACED_CHUNK_SECONDS))

    async def _woken(self, timeout: float | None = None) -> None:
        """Wait until the sender has something, a setting has changed, or ``timeout`` seconds are over."""
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except TimeoutError:
            return
        self._wake.clear()


class Pump:
    """Cables by name, each between two ports named ``<cable>0`` and ``<cable>1``; a lane is named by the port that sends."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}
        self.machine_ends: dict[str, socket.socket] = {}
        self._ends: list[socket.socket] = []

    def add_cable(self, name: str) -> None:
        """Make a cable; the ends to give to the machine are ``machine_ends["<name>0"]`` and ``["<name>1"]``."""
        ours: list[socket.socket] = []
        for port in (f"{name}0", f"{name}1"):
            near, far = socket.socketpair()
            near.setblocking(False)
            for end in (near, far):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST_BUFFER)
            self.machine_ends[port] = far
            ours.append(near)
        self._ends += ours
        self.lanes[f"{name}0"] = Lane(ours[0], ours[1])
        self.lanes[f"{name}1"] = Lane(ours[1], ours[0])

    async def run(self) -> None:
        """Carry bytes on every cable."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self.lanes.values():
                lanes.create_task(lane.run())

    def close(self) -> None:
        """Cut the cables: after run() has been cancelled."""
        for end in self._ends:
            end.close()

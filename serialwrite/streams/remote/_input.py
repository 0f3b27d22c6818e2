"""Input: what comes in on a Telnet connection: data, kept until it is read, and commands, which are handled."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any

from ..._signal_safe import ledger
from ..fd._descriptor import FLAGS
from ._telnet import Command, split

_WHOLE = ((1 << 16, FLAGS),)  # the arguments of a recv: the most bytes asked of it
# Bytes kept for a reader. With more than that nothing is received: TCP then holds up the server, and it its device.
UNREAD_SIZE = 1 << 20


class _Frame:
    """What one recv gave."""

    __slots__ = ("commands", "data", "end", "held", "raw")

    def __init__(self, raw: bytes, before: int, held: bytes) -> None:
        self.raw: bytes | None = raw  # until everything is done with it
        self.data, commands, self.held = split(held, raw)
        self.end = before + len(self.data)  # bytes of data received up to here
        self.commands = deque(commands)


class Input:
    """Receives from ``sock``, which is non-blocking. The one that calls it holds the connection's lock.

    What the handler of a signal raises may leave any step half done; the next call goes on from there.

    Args:
        sock: the connection.
        handle: called with each command; a second time with the same object, if that is interrupted.
    """

    def __init__(self, sock: socket.socket, handle: Callable[[Command], object]) -> None:
        self._sock = sock
        self._handle = handle
        self._raws: list[bytes] = []  # received, and not done with: one at most
        self._frames: deque[_Frame] = deque()  # with data in them
        self._last: _Frame | None = None
        self._held = b""
        self.received = 0  # bytes of data
        self.taken = 0  # of these, bytes that were read
        self.ended = False

    @property
    def unread(self) -> int:
        """Bytes of data that wait to be read."""
        return self.received - self.taken

    @property
    def full(self) -> bool:
        """Whether so much waits to be read that nothing is received."""
        return self.unread >= UNREAD_SIZE

    def receive(self) -> bool:
        """Take in what has come, by one receive: whether something has. ``ended`` says whether nothing more will.

        Raises:
            OSError: as the operating system raised it.
            NotTelnet: what came is not Telnet.
        """
        raws = self._raws
        if not raws:
            if self.ended or self.received - self.taken >= UNREAD_SIZE:
                return False
            try:
                raws.extend(starmap(self._sock.recv, _WHOLE))
            except BlockingIOError:
                return False
        raw = raws[0]
        if not raw:
            self.ended = True
            raws.clear()
            return True
        frame, frames = self._last, self._frames
        if frame is None or frame.raw is not raw:
            self._last = frame = _Frame(raw, self.received, self._held)
        if frame.data and not (frames and frames[-1] is frame):
            frames.append(frame)
        self._held, self.received = frame.held, frame.end
        commands = frame.commands
        while commands:
            self._handle(commands[0])
            commands.popleft()
        raws.clear()
        frame.raw = None
        return True

    def read(self, buffers: Sequence[Any]) -> int:
        """Copy what is there into ``buffers``: how many bytes that was."""
        n = 0
        for buffer in buffers:
            n += self._copy(memoryview(buffer), self.taken + n)
        if (record := ledger.record) is not None:
            record[1].append(_Counted(self, self.taken))
        self.taken += n  # in this store they are read
        self._drop()
        return n

    def _copy(self, view: memoryview, at: int) -> int:
        """Fill ``view`` with the data from ``at`` on, as far as it goes."""
        filled = 0
        for frame in self._frames:
            if filled == len(view):
                break
            if frame.end > at:
                piece = memoryview(frame.data)[len(frame.data) - (frame.end - at) :][: len(view) - filled]
                view[filled : filled + len(piece)] = piece
                filled += len(piece)
                at += len(piece)
        return filled

    def discard(self) -> int:
        """Drop what waits to be read: how many bytes that was."""
        n = self.unread
        self.taken = self.received
        self._drop()
        return n

    def _drop(self) -> None:
        frames = self._frames
        while frames and frames[0].raw is None and frames[0].end <= self.taken:
            frames.popleft()


class _Counted:
    """What a read has taken, asked when that has to be known: an entry of the ledger of a blocking form."""

    def __init__(self, source: Input, before: int) -> None:
        self._source = source
        self._before = before

    def __getitem__(self, _: int) -> Any:
        return self._source.taken - self._before

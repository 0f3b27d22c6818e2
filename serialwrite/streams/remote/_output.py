"""Output: what goes out on a Telnet connection, data and commands, with an exact count of the data."""

from __future__ import annotations

import errno
import socket
from itertools import starmap
from typing import Any, NamedTuple

from ..._signal_safe import ledger
from ..fd._descriptor import FLAGS
from ._telnet import command, covered, escaped


class _Send(NamedTuple):
    """A send under way. ``taken`` gets what it returned in the same moment: no handler of a signal comes between."""

    chunk: bytes
    form: bytes  # of the chunk, escaped; empty of commands
    taken: list[int]


class _State(NamedTuple):
    """It is replaced in one store: what the handler of a signal raises leaves it true."""

    accepted: int = 0  # bytes of the caller's whose escaped form the system has taken whole
    half: bool = False  # an IAC is out whose meaning what follows decides
    commands: bytes = b""  # that wait
    send: _Send | None = None  # that may have been taken


class Output:
    """Sends to ``sock``, which is non-blocking. The one that calls it holds the connection's lock."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._state = _State()

    @property
    def accepted(self) -> int:
        """Bytes of the caller's that the system has taken."""
        return self._settled().accepted

    @property
    def waiting(self) -> bool:
        """Whether commands wait to be sent."""
        return bool(self._settled().commands)

    def add(self, data: bytes) -> None:
        """Send the command ``data``, now or when the socket takes it: before any later data."""
        accepted, half, commands, _ = self._settled()
        self._state = _State(accepted, half and bool(commands), commands + command(data, half and not commands))
        self.flush()

    def flush(self) -> None:
        """Send the commands that wait, as far as the socket takes them."""
        while commands := self._settled().commands:
            try:
                self._send(commands, _Send(commands, b"", []))
            except BlockingIOError:
                return

    def write(self, chunk: bytes) -> int:
        """Send what the socket takes of ``chunk``: how many bytes that was. BlockingIOError where it takes none."""
        accepted, half, _, _ = self._settled()
        form, payload = escaped(chunk, half)
        if (record := ledger.record) is not None:
            record[1].append(_Counted(self, accepted))
        self._send(payload, _Send(chunk, form, []))
        n = self._settled().accepted - accepted
        if not n and chunk:
            raise BlockingIOError(errno.EAGAIN, "the socket took half of an escaped byte")
        return n

    def _send(self, payload: bytes, send: _Send) -> None:
        accepted, half, commands, _ = self._state
        self._state = _State(accepted, half, commands, send)
        send.taken.extend(starmap(self._sock.send, ((payload, FLAGS),)))

    def _settled(self) -> _State:
        """The state, with the last send taken into it."""
        accepted, half, commands, send = self._state
        if send is not None:
            sent = send.taken[0] if send.taken else 0
            if not send.form:
                commands = commands[sent:]
            else:
                n, half = covered(send.chunk, send.form, half, sent)
                accepted += n
            self._state = _State(accepted, half, commands)
        return self._state


class _Counted:
    """What a write has sent, asked when that has to be known: an entry of the ledger of a blocking form."""

    def __init__(self, output: Output, before: int) -> None:
        self._output = output
        self._before = before

    def __getitem__(self, _: int) -> Any:
        return self._output.accepted - self._before

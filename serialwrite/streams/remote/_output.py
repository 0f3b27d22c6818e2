"""Output: what goes out on a Telnet connection, data and commands, with an exact count of the data."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from itertools import starmap
from typing import Any, NamedTuple

from ..._signal_safe import ledger
from ..fd._descriptor import FLAGS
from ._com_port import Question, asked_with
from ._telnet import Escaped, command, covered, escaped


class _Send(NamedTuple):
    """A send under way. ``taken`` gets what it returned in the same moment: no handler of a signal comes between."""

    form: Escaped | None  # of the data in it; None where it is of commands
    behind: bytes  # what stands behind the data in it,
    question: Question | None  # and asks this
    taken: list[int]


class _State(NamedTuple):
    """It is replaced in one store: what the handler of a signal raises leaves it true."""

    accepted: int = 0  # bytes of the caller's whose escaped form the system has taken whole
    half: bool = False  # an IAC is out whose meaning what follows decides
    commands: bytes = b""  # that wait
    asked: tuple[Question, ...] = ()  # each is out, or among the commands
    asked_at: int = 0  # where the last one that proves something stands
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
    def asked(self) -> tuple[Question, ...]:
        """What the server is asked, in the order of its sending; some of it may be answered."""
        return self._settled().asked

    @property
    def asked_at(self) -> int:
        """Bytes of data that stand before the last question that proves what the server has taken."""
        return self._settled().asked_at

    @property
    def waiting(self) -> bool:
        """Whether commands wait to be sent."""
        return bool(self._settled().commands)

    def add(self, data: bytes, question: Question | None = None) -> None:
        """Send ``data``, a command that asks ``question``, now or when the socket takes it: before any later data."""
        accepted, half, commands, asked, asked_at, _ = self._settled()
        if question is not None:
            asked, asked_at = _with(asked, asked_at, question)
        self._state = _State(accepted, False, commands + command(data, half), asked, asked_at)
        self.flush()

    def flush(self) -> bool:
        """Send the commands that wait, as far as the socket takes them: whether none waits any more."""
        while commands := self._settled().commands:
            try:
                self._send([commands], _Send(None, commands, None, []))
            except BlockingIOError:
                return False
        return True

    def write(self, buffers: Sequence[memoryview], behind: bytes = b"", question: Question | None = None) -> int:
        """Send what the socket takes of ``buffers``, none of them empty, while no command waits: how many bytes.

        Args:
            buffers: the data.
            behind: a command, which goes out if all of the data does.
            question: what it asks.

        Raises:
            BlockingIOError: the socket takes nothing.
        """
        before = self._settled()
        form, payload = escaped(buffers, before.half)
        if behind:
            payload.append(behind)
        if (record := ledger.record) is not None:
            record[1].append(_Counted(self, before.accepted))
        self._send(payload, _Send(form, behind, question, []))
        n = self._settled().accepted - before.accepted
        if not n:
            raise BlockingIOError(errno.EAGAIN, "the socket took half of an escaped byte")
        return n

    def _send(self, payload: Sequence[bytes | memoryview], send: _Send) -> None:
        accepted, half, commands, asked, asked_at, _ = self._state
        self._state = _State(accepted, half, commands, asked, asked_at, send)
        send.taken.extend(starmap(self._sock.sendmsg, ((payload, (), FLAGS),)))

    def _settled(self) -> _State:
        """The state, with the last send taken into it."""
        state = self._state
        if (send := state.send) is None:
            return state
        accepted, half, commands, asked, asked_at, _ = state
        sent = send.taken[0] if send.taken else 0
        if send.form is None:
            commands = commands[sent:]
        else:
            size, half, beyond = covered(send.form, half, sent)
            accepted += size
            if beyond is not None:
                commands = send.behind[beyond:]
                if (question := send.question) is not None:
                    asked, asked_at = _with(asked, asked_at, question)
        self._state = state = _State(accepted, half, commands, asked, asked_at)
        return state


def _with(asked: tuple[Question, ...], asked_at: int, question: Question) -> tuple[tuple[Question, ...], int]:
    """What is asked, and where the last question that proves something stands, with ``question`` behind it."""
    return asked_with(asked, question), asked_at if question.position is None else question.position


class _Counted:
    """What a write has sent, asked when that has to be known: an entry of the ledger of a blocking form."""

    def __init__(self, output: Output, before: int) -> None:
        self._output = output
        self._before = before

    def __getitem__(self, _: int) -> Any:
        return self._output.accepted - self._before

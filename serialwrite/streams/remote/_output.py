"""Output: what goes out on a Telnet connection, data and commands, with an exact count of the data."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from itertools import starmap
from typing import Any, NamedTuple, TypeAlias

from ..._signal_safe import ledger
from ..fd._descriptor import FLAGS
from ._com_port import Question, asked_with
from ._telnet import Escaped, command, covered, escaped


class State(NamedTuple):
    """It is replaced in one store: what the handler of a signal raises leaves it true."""

    accepted: int = 0  # bytes of the caller's whose escaped form the system has taken whole
    half: bool = False  # an IAC is out whose meaning what follows decides
    commands: bytes = b""  # that wait to be sent
    # What the server is asked, in the order of its sending: each is out, or among the commands; some are answered.
    asked: tuple[Question, ...] = ()
    asked_at: int = 0  # bytes of data that stand before the last question that proves what the server has taken


_Send: TypeAlias = "tuple[State, Escaped | None, bytes, Question | None, list[int]]"
"""A send under way.

The state before it: once there is another one, this send is in that. The data in it, None where it is of commands;
what stands behind the data, and asks which question. The list gets what the send returned in the same moment: no
handler of a signal comes between.
"""


class Output:
    """Sends to ``sock``, which is non-blocking. The one that calls it holds the connection's lock."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._state = State()
        self._last: _Send | None = None  # that may have been taken

    @property
    def state(self) -> State:
        """How far it is, with the last send taken into it."""
        last, state = self._last, self._state
        if last is None:
            return state
        before, form, behind, question, taken = last
        if before is not state or not taken:  # it was not taken, or a signal's handler asks before it is
            return state
        accepted, half, commands, asked, asked_at = state
        sent = taken[0]
        if form is None:
            commands = commands[sent:]
        else:
            size, half, beyond = covered(form, half, sent)
            accepted += size
            if beyond is not None:
                commands = behind[beyond:]
                if question is not None:
                    asked, asked_at = asked_with(asked, question), accepted
        self._state = state = State(accepted, half, commands, asked, asked_at)
        self._last = None
        return state

    def add(self, data: bytes, question: Question | None = None) -> None:
        """Send ``data``, a command that asks ``question``, now or when the socket takes it: before any later data."""
        accepted, half, commands, asked, asked_at = self.state
        if question is not None:
            asked = asked_with(asked, question)
            asked_at = asked_at if question.position is None else question.position
        self._state = State(accepted, False, commands + command(data, half), asked, asked_at)
        self.flush()

    def flush(self) -> bool:
        """Send the commands that wait, as far as the socket takes them: whether none waits any more."""
        while commands := (state := self.state).commands:
            try:
                self._send([commands], (state, None, b"", None, []))
            except BlockingIOError:
                return False
        return True

    def write(self, buffers: Sequence[memoryview], behind: bytes = b"", question: Question | None = None) -> int:
        """Send what the socket takes of ``buffers``, none of them empty, while no command waits: how many bytes.

        Args:
            buffers: the data.
            behind: a command, which goes out if all of the data does.
            question: what it asks; it proves that all of the data was taken.

        Raises:
            BlockingIOError: the socket takes nothing.
        """
        before = self.state
        form, payload = escaped(buffers, before.half)
        if behind:
            payload.append(behind)
        if (record := ledger.record) is not None:
            record[1].append(_Counted(self, before.accepted))
        self._send(payload, (before, form, behind, question, []))
        n = self.state.accepted - before.accepted
        if not n:
            raise BlockingIOError(errno.EAGAIN, "the socket took half of an escaped byte")
        return n

    def _send(self, payload: Sequence[bytes | memoryview], send: _Send) -> None:
        self._last = send
        try:
            send[-1].extend(starmap(self._sock.sendmsg, ((payload, (), FLAGS),)))
        finally:
            if not send[-1]:
                self._last = None


class _Counted:
    """What a write has sent, asked when that has to be known: an entry of the ledger of a blocking form."""

    def __init__(self, output: Output, before: int) -> None:
        self._output = output
        self._before = before

    def __getitem__(self, _: int) -> Any:
        return self._output.state.accepted - self._before

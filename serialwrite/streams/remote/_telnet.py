"""Telnet (RFC 854, 855, 1143), the client's side, with no I/O in it: bytes escaped and split, options agreed on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

IAC, DONT, DO, WONT, WILL, SB, NOP, SE = 255, 254, 253, 252, 251, 250, 241, 240
BINARY, ECHO, SUPPRESS_GO_AHEAD, COM_PORT_OPTION = 0, 1, 3, 44
PAIR = b"\xff\xff"  # one byte 0xFF of the data
LONGEST_COMMAND = 4096  # bytes; what goes on for longer is not Telnet
_DATA = re.compile(rb"(?:[^\xff]++|\xff\xff)*+")
_BODY = re.compile(rb"((?:[^\xff]++|\xff\xff)*+)\xff\xf0")
_PLAIN = re.compile(rb"\xff\xfa([^\xff])([^\xff]*+)\xff\xf0")  # one command, with nothing escaped in it

Command: TypeAlias = "tuple[int, int, bytes]"
"""What follows an IAC: DO, DONT, WILL or WONT and an option; or SB, an option and what is said of it."""


# -- what goes out ------------------------------------------------------------------------------------------
# A 0xFF goes out as two bytes, and a send may end between them. Then that byte is not counted, and an IAC is out: a
# half. What follows decides what it was. The second half makes it the caller's 0xFF, which goes on. A NOP makes it a
# command that does nothing, before any other byte. And a command takes it for its own first byte.


Escaped: TypeAlias = "tuple[list[tuple[int, bytes | None]], int]"
"""Data as Telnet has it, without the data's memory.

First, of each buffer: its size, and its escaped form, which is None where nothing in it is escaped. Then how many bytes
a half, or what follows it, adds to what is sent of these.
"""


def escaped(buffers: Sequence[memoryview], half: bool) -> tuple[Escaped, list[bytes | memoryview]]:
    """``buffers``, none of them empty, as Telnet has them; and what of that is to be sent where a ``half`` is out."""
    parts: list[tuple[int, bytes | None]] = []
    payload: list[bytes | memoryview] = []
    for view in buffers:
        copy = bytes(view)  # for the search alone, which takes ten times as long in a view
        if b"\xff" not in copy:  # it goes out as it is
            parts.append((len(view), None))
            payload.append(view)
        else:
            form = copy.replace(b"\xff", PAIR)
            parts.append((len(view), form))
            payload.append(form)
    if not half:
        return (parts, 0), payload
    if buffers[0][0] == IAC:
        return (parts, 1), [payload[0][1:], *payload[1:]]
    return (parts, -1), [bytes((NOP,)), *payload]


def covered(form: Escaped, half: bool, sent: int) -> tuple[int, bool, int | None]:
    """What ``sent`` bytes cover, of the payload of ``form`` and what stood behind that. A ``half`` was out before.

    Returns:
        How many bytes of the data went out whole; and whether a half is out. Then how many bytes went out of what stood
        behind the data, which is None where not all of the data went out.
    """
    if sent == 0:
        return 0, half, None
    parts, skew = form
    sent, size = sent + skew, 0
    for whole, escaped_form in parts:
        length = whole if escaped_form is None else len(escaped_form)
        if sent >= length:
            size, sent = size + whole, sent - length
        elif escaped_form is None:
            return size + sent, False, None
        else:
            pairs, odd = divmod(escaped_form.count(b"\xff", 0, sent), 2)
            return size + sent - pairs - odd, bool(odd), None
    return size, False, sent


def command(data: bytes, half: bool) -> bytes:
    """``data``, which begins with an IAC, as it is to be sent where a ``half`` is out: that is its first byte."""
    return data[1:] if half else data


def nothing(size: int) -> bytes:
    """Commands that do nothing: ``size`` bytes of them, which is even."""
    return bytes((IAC, NOP)) * (size // 2)


def subnegotiation(option: int, body: bytes) -> bytes:
    """The command that says ``body`` of ``option``."""
    return bytes((IAC, SB, option)) + body.replace(b"\xff", PAIR) + bytes((IAC, SE))


# -- what comes in ------------------------------------------------------------------------------------------


class NotTelnet(ValueError):
    """What came is not Telnet."""


def split(held: bytes, chunk: bytes) -> tuple[bytes, tuple[Command, ...], bytes]:
    """Split ``chunk``, received behind what the last call has ``held``.

    Returns:
        The data, the commands, and the beginning of a command that is not complete.

    Raises:
        NotTelnet: a command does not end.
    """
    if not held and IAC not in chunk:
        return chunk, (), b""
    if not held and (plain := _PLAIN.fullmatch(chunk)) is not None:  # as the answers come to what a write asks
        option, said = plain.groups()
        return b"", ((SB, option[0], said),), b""
    chunk = held + chunk
    data = bytearray()
    commands: list[Command] = []
    at, end = 0, len(chunk)
    while at < end:
        run = _DATA.match(chunk, at)
        assert run is not None  # it matches nothing, too
        data += run[0].replace(PAIR, b"\xff")
        at = run.end()
        if end - at < 2:  # an IAC, and what it begins is to come
            break
        kind = chunk[at + 1]
        if kind == SB:
            body = _BODY.match(chunk, at + 2)
            if body is None:
                if end - at > LONGEST_COMMAND:
                    raise NotTelnet(f"no command of Telnet's is longer than {LONGEST_COMMAND:,} bytes")
                break
            if said := body[1].replace(PAIR, b"\xff"):
                commands.append((SB, said[0], said[1:]))
            at = body.end()
        elif kind in {DO, DONT, WILL, WONT}:
            if end - at < 3:
                break
            commands.append((kind, chunk[at + 2], b""))
            at += 3
        else:  # NOP and its like
            at += 2
    return bytes(data), tuple(commands), chunk[at:]


# -- who does what ------------------------------------------------------------------------------------------

_OURS = (COM_PORT_OPTION, BINARY, SUPPRESS_GO_AHEAD)  # what we do
_THEIRS = (BINARY, SUPPRESS_GO_AHEAD)  # what the server is asked to do
_BORNE = {ECHO, COM_PORT_OPTION}  # what it may do as well
_NAMES = {BINARY: "binary transmission (RFC 856)", COM_PORT_OPTION: "COM-PORT-OPTION (RFC 2217)"}


class Options:
    """Who does what, agreed on as RFC 1143 has it. Nothing is given up once it is agreed, so its queues are not needed.

    Attributes:
        ours: what we do, by the option's number: true, false where that was refused, None while it is asked for.
        theirs: what the server does, likewise.
    """

    def __init__(self) -> None:
        self.ours: dict[int, bool | None] = {}
        self.theirs: dict[int, bool | None] = {}

    def begin(self) -> bytes:
        """Ask for all that has not been spoken of yet: the commands to send."""
        out = bytearray()
        for wanted, state, ask in ((_OURS, self.ours, WILL), (_THEIRS, self.theirs, DO)):
            for option in wanted:
                if option not in state:
                    state[option] = None
                    out += bytes((IAC, ask, option))
        return bytes(out)

    def receive(self, kind: int, option: int) -> bytes:
        """Take in DO, DONT, WILL or WONT: the answer to send, if there has to be one."""
        ours = kind in {DO, DONT}
        state, agree, refuse = (self.ours, WILL, WONT) if ours else (self.theirs, DO, DONT)
        before = state.get(option, False)
        if kind in {DO, WILL}:
            agreed = option in _OURS if ours else option in _THEIRS or option in _BORNE
            if before is True or (agreed and before is None):  # nothing new; or the answer to what we have asked
                state[option] = True
                return b""
            state[option] = agreed
            return bytes((IAC, agree if agreed else refuse, option))
        state[option] = False
        return bytes((IAC, refuse, option)) if before else b""

    def refused(self) -> str | None:
        """What the server refuses that can't be done without; None where it refuses nothing."""
        return next((_NAMES[option] for state, option in self._needed() if state.get(option) is False), None)

    def missing(self) -> str | None:
        """What it has not agreed to yet that can't be done without; None once there is nothing."""
        return next((_NAMES[option] for state, option in self._needed() if state.get(option) is not True), None)

    def _needed(self) -> tuple[tuple[dict[int, bool | None], int], ...]:
        return (self.ours, COM_PORT_OPTION), (self.ours, BINARY), (self.theirs, BINARY)

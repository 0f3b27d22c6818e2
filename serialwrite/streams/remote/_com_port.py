"""COM-PORT-OPTION (RFC 2217), the client's side, with no I/O in it: what was asked, and which answer belongs to it."""

from __future__ import annotations

from enum import IntEnum

from ._telnet import COM_PORT_OPTION, subnegotiation

SERVER = 100  # what a server adds to the code that it answers


class Code(IntEnum):
    """What is asked or told."""

    SIGNATURE = 0
    BAUDRATE = 1
    DATASIZE = 2
    PARITY = 3
    STOPSIZE = 4
    CONTROL = 5
    LINESTATE = 6
    MODEMSTATE = 7
    SUSPEND = 8
    RESUME = 9
    LINESTATE_MASK = 10
    MODEMSTATE_MASK = 11
    PURGE = 12


class Control(IntEnum):
    """What CONTROL sets."""

    NO_FLOW = 1
    XON_XOFF = 2
    RTS_CTS = 3
    BREAK_ON = 5
    BREAK_OFF = 6
    DTR_ON = 8
    DTR_OFF = 9
    RTS_ON = 11
    RTS_OFF = 12
    DSR_FLOW = 19


# The values of CONTROL, by what they speak of: an answer has one of the same.
FAMILIES = {
    "flow control": (0, 1, 2, 3, 17, 19),
    "break": (4, 5, 6),
    "DTR": (7, 8, 9),
    "RTS": (10, 11, 12),
    "inbound flow control": (13, 14, 15, 16, 18),
}
_FAMILY = {value: name for name, values in FAMILIES.items() for value in values}
_NAMES = {Code.BAUDRATE: "baudrate", Code.DATASIZE: "bytesize", Code.PARITY: "parity", Code.STOPSIZE: "stopbits"}

PARITIES = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
STOP_SIZES = {1.0: 1, 2.0: 2, 1.5: 3}
CTS, DSR, RI, CD = 0x10, 0x20, 0x40, 0x80  # of a modem state
LINE_ERRORS = 0x1E  # of a line state: overrun, parity, framing, break. "Data ready" would be sent for every byte
ALL_LINES = 0xFF

PURGE_INPUT, PURGE_OUTPUT = 1, 2
QUERY = bytes(4)  # as a baud rate: what is it?
OUR_SIGNATURE = b"serialwrite"


class Question:
    """What was asked of the server.

    Attributes:
        family: what it speaks of, in words. An answer speaks of the same.
        value: what was asked for.
        answer: the server's; None until it comes.
        position: of a query that proves what the server has taken: the bytes that went before it. None of another.
        awaited: whether its answer matters still.
    """

    def __init__(self, code: Code, value: bytes, position: int | None, awaited: bool) -> None:
        self.code = code
        self.value = value
        self.family: str = family_of(code, value)
        self.answer: bytes | None = None
        self.position = position
        self.awaited = awaited

    @property
    def granted(self) -> bool:
        """Whether it was answered with what was asked for. One server puts zeros behind a baud rate (sredird)."""
        return self.answer is not None and self.answer[: len(self.value)] == self.value


def family_of(code: int, value: bytes) -> str:
    """What ``code`` with ``value`` speaks of."""
    if code == Code.CONTROL:
        return _FAMILY.get(value[0], "") if value else ""
    return _NAMES.get(Code(code), Code(code).name.lower())


class ComPort:
    """The questions that are open, and what the server has told of its port.

    Attributes:
        served: bytes that the server has taken from its connection, by the last query that it has answered.
        modem_state, line_state: as it last told; None before.
        modem_news: how often it has told the modem state.
        suspended: it has asked us to send nothing.
        signature: its text about itself; None before.
    """

    def __init__(self) -> None:
        self._open: list[Question] = []
        self.served = 0
        self.modem_state: int | None = None
        self.modem_news = 0
        self.line_state: int | None = None
        self.suspended = False
        self.signature: str | None = None

    def ask(
        self, code: Code, value: bytes = b"", *, position: int | None = None, awaited: bool = True
    ) -> tuple[Question, bytes]:
        """Ask something: the question, and the command to send."""
        question = Question(code, value, position, awaited)
        # Some servers never answer some questions: of those that are not awaited, the last is enough.
        self._open = [one for one in self._open if one.awaited or awaited or one.family != question.family]
        self._open.append(question)
        return question, tell(code, value)

    def receive(self, said: bytes) -> bytes:
        """Take in what the server says: an answer to one question, or news. The command to send, if there is one."""
        if not said:
            return b""
        code, value = said[0] - SERVER if said[0] >= SERVER else said[0], said[1:]
        if code == Code.SIGNATURE:
            if not value:  # it asks for ours
                return tell(Code.SIGNATURE, OUR_SIGNATURE)
            self.signature = value.decode("ascii", "replace")
        elif code == Code.MODEMSTATE and value:
            self.modem_state = value[0]
            self.modem_news += 1
        elif code == Code.LINESTATE and value:
            self.line_state = value[0]
        elif code in {Code.SUSPEND, Code.RESUME}:
            self.suspended = code == Code.SUSPEND
        elif code <= Code.PURGE:
            self._answer(family_of(code, value), value)
        return b""

    def _answer(self, family: str, value: bytes) -> None:
        """Find the question that ``value`` answers. A server answers in the order of the questions.

        It may leave some out, and be late with others. So an answer that is just what a later question asks for, is
        that one's, and those before it are not answered any more. Not so of baud rates, where some questions are
        proofs: there an answer is always the next one's, as an early one would prove what is not so.
        """
        asked = [one for one in self._open if one.family == family]
        if not asked:
            return
        chosen = asked[0]
        if family != "baudrate":
            chosen = next((one for one in asked if one.value == value[: len(one.value)]), chosen)
        chosen.answer = value
        passed = asked[: asked.index(chosen) + 1]
        self._open = [one for one in self._open if one not in passed]
        if chosen.position is not None:
            self.served = max(self.served, chosen.position)


def tell(code: Code, value: bytes = b"") -> bytes:
    """The command that says ``value`` of ``code``."""
    return subnegotiation(COM_PORT_OPTION, bytes((code,)) + value)

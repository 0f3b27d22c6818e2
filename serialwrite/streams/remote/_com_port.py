"""COM-PORT-OPTION (RFC 2217), the client's side, with no I/O in it: what was asked, and which answer belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
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
_NAMES = {int(code): code.name.lower() for code in Code} | {2: "bytesize", 4: "stopbits"}

PARITIES = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
STOP_SIZES = {1.0: 1, 2.0: 2, 1.5: 3}
CTS, DSR, RI, CD = 0x10, 0x20, 0x40, 0x80  # of a modem state
LINE_ERRORS = 0x1E  # of a line state: overrun, parity, framing, break. "Data ready" would be sent for every byte
ALL_LINES = 0xFF

PURGE_INPUT, PURGE_OUTPUT = 1, 2
QUERY = bytes(4)  # as a baud rate: what is it?
OUR_SIGNATURE = b"serialwrite"


class Question:
    """What is asked of the server.

    Args:
        code: what it speaks of.
        value: what is asked for.
        position: of a query that proves what the server has taken: the bytes that go before it. None of another.
        awaited: whether its answer matters.

    Attributes:
        family: what it speaks of, in words. An answer speaks of the same.
        answer: the server's; None until it comes.
        passed: a later one was answered: this one will not be.
    """

    __slots__ = ("answer", "awaited", "code", "family", "passed", "position", "value")

    def __init__(self, code: Code, value: bytes, *, position: int | None = None, awaited: bool = True) -> None:
        self.code = code
        self.value = value
        self.position = position
        self.awaited = awaited
        self.family: str = _NAMES[code] if code != Code.CONTROL else family_of(code, value)
        self.answer: bytes | None = None
        self.passed = False

    @property
    def command(self) -> bytes:
        """What is sent."""
        return tell(self.code, self.value)

    @property
    def granted(self) -> bool:
        """Whether it was answered with what was asked for. One server puts zeros behind a baud rate (sredird)."""
        return self.answer is not None and self.answer[: len(self.value)] == self.value


def family_of(code: int, value: bytes) -> str:
    """What ``code`` with ``value`` speaks of."""
    if code == Code.CONTROL:
        return _FAMILY.get(value[0], "") if value else ""
    return _NAMES[code]


def asked_with(asked: Sequence[Question], question: Question) -> tuple[Question, ...]:
    """The questions ``asked`` that are open, and behind them ``question``.

    Some servers never answer some questions: of those that are not awaited, the last is enough.
    """
    still = [one for one in asked if one.answer is None and not one.passed]
    if not question.awaited:
        still = [one for one in still if one.awaited or one.family != question.family]
    return *still, question


class ComPort:
    """What the server has told of its port.

    Attributes:
        served: bytes that the server has taken from its connection, by the last query that it has answered.
        modem_state, line_state: as it last told; None before.
        modem_news: how often it has told the modem state.
        suspended: it has asked us to send nothing.
        signature: its text about itself; None before.
    """

    def __init__(self) -> None:
        self.served = 0
        self.modem_state: int | None = None
        self.modem_news = 0
        self.line_state: int | None = None
        self.suspended = False
        self.signature: str | None = None
        self._taken: tuple[bytes, Question] | None = None  # the last answer, and whose it is

    def receive(self, said: bytes, asked: Sequence[Question]) -> bytes:
        """Take in what the server says: an answer to one question, or news. The command to send, if there is one.

        Args:
            said: by the server. The same object given again has no other effect: the handler of a signal may have
                interrupted the first time.
            asked: all questions, in their order.
        """
        if not said:
            return b""
        code, value = said[0] - SERVER if said[0] >= SERVER else said[0], said[1:]
        if code == Code.BAUDRATE:  # at once: what a write waits for
            self._answer(said, "baudrate", value, asked)
        elif code == Code.SIGNATURE:
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
            self._answer(said, family_of(code, value), value, asked)
        return b""

    def _answer(self, said: bytes, family: str, value: bytes, asked: Sequence[Question]) -> None:
        """Find the question that ``value`` answers. A server answers in the order of the questions.

        It may leave some out, and be late with others. So an answer that is just what a later question asks for, is
        that one's, and those before it are not answered any more. Not so of baud rates, where some questions are
        proofs: there an answer is always the next one's, as an early one would prove what is not so.
        """
        if self._taken is None or self._taken[0] is not said:
            candidates = [one for one in asked if one.answer is None and not one.passed and one.family == family]
            if not candidates:
                return
            chosen = candidates[0]
            if family != "baudrate":
                chosen = next((one for one in candidates if one.value == value[: len(one.value)]), chosen)
                for one in candidates[: candidates.index(chosen)]:
                    one.passed = True
            self._taken = said, chosen  # in this store it is that one's
        chosen = self._taken[1]
        chosen.answer = value
        if chosen.position is not None and chosen.position > self.served:
            self.served = chosen.position


def tell(code: Code, value: bytes = b"") -> bytes:
    """The command that says ``value`` of ``code``."""
    return subnegotiation(COM_PORT_OPTION, bytes((code,)) + value)

"""Rfc2217Line: settings and lines that are set by the server, which answers with what it has granted."""

from __future__ import annotations

import time
from typing import Any

import serial

from ..serial._device import ModemLines
from ..serial._drain import seconds_per_byte
from ..serial._read_back import BAUD_TOLERANCE
from ..serial._settings import Settings, asked_of
from ._answers import unanswered, wait_until
from ._com_port import (
    ALL_LINES,
    CD,
    CTS,
    DSR,
    LINE_ERRORS,
    PARITIES,
    PURGE_INPUT,
    PURGE_OUTPUT,
    RI,
    STOP_SIZES,
    Code,
    Control,
    Question,
    tell,
)
from ._connection import Connection
from ._network_line import NetworkLine

# What may be accepted and not served, where the caller does not say: seconds of the line, and bytes at the least.
IN_FLIGHT_TIME, LEAST_IN_FLIGHT = 0.1, 512
# Seconds for which a modem state is fresh, where the URL says poll_modem.
FRESH = 0.3
# Seconds that the server has for an answer, where the URL does not say.
ANSWER_TIMEOUT_S = 3.0

_LINES = {
    "rts": (Control.RTS_OFF, Control.RTS_ON),
    "dtr": (Control.DTR_OFF, Control.DTR_ON),
    "break": (Control.BREAK_OFF, Control.BREAK_ON),
}
_FLOWS = {"xonxoff": Control.XON_XOFF, "rtscts": Control.RTS_CTS, "dsrdtr": Control.DSR_FLOW}
_CODES = {"baudrate": Code.BAUDRATE, "bytesize": Code.DATASIZE, "parity": Code.PARITY, "stopbits": Code.STOPSIZE}


class Rfc2217Line(NetworkLine):
    """What pyserial's properties mean on ``rfc2217://``.

    Args:
        url: of the port, with its options: ``ign_set_control``, ``poll_modem``, ``timeout``.
        options: these, by name.
        settings: pyserial's, by their names.
        connection: agreed on as Telnet with COM-PORT-OPTION.
        in_flight: bytes; None for no limit, 0 for what the baud rate makes of it.
    """

    def __init__(
        self,
        url: str,
        options: dict[str, str],
        settings: dict[str, Any],
        connection: Connection,
        in_flight: int | None,
    ) -> None:
        super().__init__(url, settings)
        self.stands_on(connection.socket)
        self._connection = connection
        self._unchecked = "ign_set_control" in options
        self._polls = "poll_modem" in options
        self._polled_at = -FRESH
        self.patience = float(options.get("timeout", ANSWER_TIMEOUT_S))
        self._in_flight = in_flight
        self.granted: Settings = asked_of(self)

    def begin(self, rts: bool | None, dtr: bool | None, seconds: float) -> None:
        """Set everything for the first time, within ``seconds``. The lines are checked where the caller names them.

        Raises:
            ValueError: the server has set something else.
            serial.SerialTimeoutException: it has not answered something.
        """
        self.patience, patience = min(self.patience, seconds), self.patience
        for name, given in (("dtr", dtr), ("rts", rts)):
            on = given is None or bool(given)
            self._lines[name] = on
            if given is None:
                self._connection.ask(Code.CONTROL, bytes((_LINES[name][on],)), awaited=False)
        self._rts_state, self._dtr_state = self._lines["rts"], self._lines["dtr"]
        for told, value in ((Code.LINESTATE_MASK, LINE_ERRORS), (Code.MODEMSTATE_MASK, ALL_LINES)):
            self._connection.send(tell(told, bytes((value,))))
        self._connection.send(tell(Code.SIGNATURE))
        self.change(asked_of(self), list(Settings._fields), {"rts": rts, "dtr": dtr})
        self.patience = patience
        self.is_open = True

    # -- settings -------------------------------------------------------------------------------------------------

    def change(self, asked: Settings, changed: list[str], lines: dict[str, bool | None] | None = None) -> None:
        ask = self._connection.ask
        questions: dict[str, Question] = {}
        for name in changed:
            if name in _CODES:
                questions[name] = ask(_CODES[name], _encoded(name, getattr(asked, name)))
        controls: dict[str, int] = {}
        if not _FLOWS.keys().isdisjoint(changed):
            flows = [name for name in _FLOWS if getattr(asked, name)]
            if len(flows) > 1:
                raise ValueError(f"{', '.join(flows)}: RFC 2217 has one flow control at a time; pass one of them")
            name = flows[0] if flows else "flow control"
            controls[name] = _FLOWS.get(name, Control.NO_FLOW)
        controls |= {name: _LINES[name][bool(on)] for name, on in (lines or {}).items() if on is not None}
        for name, value in controls.items():
            question = ask(Code.CONTROL, bytes((value,)), awaited=not self._unchecked)
            if not self._unchecked:
                questions[name] = question
        self._check(questions, {**asked._asdict(), **(lines or {}), "flow control": "none"})
        baudrate = asked.baudrate
        if "baudrate" in questions and (answer := questions["baudrate"].answer):
            baudrate = int.from_bytes(answer[:4])
        self.granted = asked._replace(baudrate=baudrate)
        window = max(LEAST_IN_FLIGHT, int(IN_FLIGHT_TIME / seconds_per_byte(self)))
        self._connection.window = window if self._in_flight == 0 else self._in_flight

    def _check(self, questions: dict[str, Question], asked: dict[str, Any]) -> None:
        """Wait for the answers to ``questions``, and see that they grant what was asked for."""
        server = self._connection.name
        missing = unanswered(self._connection, tuple(questions.values()), self.patience)
        for name, question in questions.items():
            if question is missing:
                hint = "; append ?ign_set_control to the URL" if question.code == Code.CONTROL else ""
                raise serial.SerialTimeoutException(
                    f"{name}={asked[name]!r}: the server {server} has not answered that{hint}"
                )
            if not _grants(name, question):
                raise ValueError(
                    f"{name}={asked[name]!r}: the server {server} has set {_decoded(question)} instead; "
                    "pass one that it takes"
                )

    # -- lines ----------------------------------------------------------------------------------------------------

    def set_line(self, name: str, on: bool) -> None:
        question = self.ask_line(name, on)
        # ser2net 4.3 answers the end of a break with the code of its beginning: only that it answers is looked at.
        self._check({} if self._unchecked else {name: question}, {name: on})

    def ask_line(self, name: str, on: bool) -> Question:
        """Have the line ``name`` set, and wait for nothing."""
        return self._connection.ask(Code.CONTROL, bytes((_LINES[name][on],)), awaited=not self._unchecked)

    def modem_lines(self) -> ModemLines | None:
        """The modem lines as the server last told them; None where it never has."""
        connection = self._connection
        connection.receive()
        com_port = connection.com_port
        if self._polls and time.monotonic() - self._polled_at >= FRESH:
            news = com_port.modem_news
            connection.send(tell(Code.MODEMSTATE))
            wait_until(connection, lambda: com_port.modem_news > news, self.patience)
            self._polled_at = time.monotonic()
        state = com_port.modem_state
        if state is None:
            return None
        cts, dsr, cd, ri = (bool(state & bit) for bit in (CTS, DSR, CD, RI))
        return ModemLines(cts, dsr, cd, ri, self._lines["rts"], self._lines["dtr"])

    def _modem_line(self, name: str) -> bool:
        lines = self.modem_lines()
        if lines is None:
            raise serial.SerialException(f"{name}: the server {self._connection.name} has not told its modem lines")
        return bool(getattr(lines, name))

    @property
    def cts(self) -> bool:
        return self._modem_line("cts")

    @property
    def dsr(self) -> bool:
        return self._modem_line("dsr")

    @property
    def cd(self) -> bool:
        return self._modem_line("cd")

    @property
    def ri(self) -> bool:
        return self._modem_line("ri")

    # -- buffers --------------------------------------------------------------------------------------------------

    @property
    def in_waiting(self) -> int:
        return self._connection.unread

    @property
    def out_waiting(self) -> int:
        return self._connection.accepted - self._connection.served

    def reset_input_buffer(self) -> None:
        self._connection.send(tell(Code.PURGE, bytes((PURGE_INPUT,))))
        self._connection.discard_input()

    def reset_output_buffer(self) -> None:
        """Ask for it. It can't overtake what is on its way to a device that takes nothing."""
        self._connection.send(tell(Code.PURGE, bytes((PURGE_OUTPUT,))))


def _encoded(name: str, value: Any) -> bytes:
    if name == "baudrate":
        if not 0 < value < 1 << 32:
            raise ValueError(f"baudrate={value}: RFC 2217 has 32 bits for it; pass less")
        return int(value).to_bytes(4)
    tables: dict[str, dict[Any, int]] = {"parity": PARITIES, "stopbits": STOP_SIZES}
    return bytes([tables[name][value] if name in tables else int(value)])


def _decoded(question: Question) -> object:
    """The answer, by pyserial's values."""
    assert question.answer is not None
    if question.code == Code.BAUDRATE:
        return int.from_bytes(question.answer[:4])
    number = question.answer[0]
    tables: dict[Code, dict[Any, int]] = {Code.PARITY: PARITIES, Code.STOPSIZE: STOP_SIZES}
    back = {value: key for key, value in tables.get(question.code, {}).items()}
    return repr(back.get(number, number))


def _grants(name: str, question: Question) -> bool:
    if question.granted or name == "break":
        return True
    if name != "baudrate" or question.answer is None:
        return False
    asked, got = int.from_bytes(question.value), int.from_bytes(question.answer[:4])
    return abs(got - asked) <= BAUD_TOLERANCE * asked

"""Connection: Telnet with COM-PORT-OPTION over a socket. It needs no thread and no event loop: each call does I/O."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, TypeVarTuple

from ..._errors import of_the_system
from ._com_port import QUERY, Code, ComPort, Question, tell
from ._connect import PortSocket
from ._input import Input
from ._link import Link
from ._output import Output
from ._telnet import COM_PORT_OPTION, DO, DONT, SB, WILL, WONT, Command, NotTelnet, Options, nothing

# Bytes that a server takes from its connection at a time. It answers what stands in them before it gives the data
# among them to its port (ser2net 4.3 and pyserial's own: 1,024). So a question that proves something is as far behind.
PADDING_SIZE = 1024
PROOF = nothing(PADDING_SIZE) + tell(Code.BAUDRATE, QUERY)
# The most bytes after which the server is asked how far it is, and the largest window that goes out at once: while its
# answer is on its way, the server's port sends what its queue holds. Each answer costs a turn of the event loop.
QUERY_SIZE = 1 << 16
# The most buffers of one send, which must not hold up the event loop. The system takes 1,024, and those are fewer: what
# ends a half, and a question, are buffers, too.
BUFFER_COUNT = 256
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_WORDS = {DO: "DO", DONT: "DONT", WILL: "WILL", WONT: "WONT", SB: "SB"}


class Connection:
    """What one remote port is written to, read from and asked by. From any thread.

    Args:
        sock: connected. It becomes non-blocking, and this object's.
        name: of the server, for messages.

    Attributes:
        window: the most bytes that may be accepted and not served; None for no limit.
        lost: why nothing goes out or comes in any more; None while the connection lives.
        link: how its dead link is noticed.
        on_news: called once something came for a waiting operation: ``on_news(data, credit)`` says what.
    """

    def __init__(self, sock: PortSocket, name: str) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.link = Link(sock)
        self.name = name
        self.window: int | None = None
        self.lost: OSError | None = None
        self.on_news: Callable[[bool, bool], object] = lambda data, credit: None
        self.logger: logging.Logger | None = None
        self.options = Options()
        self.com_port = ComPort()
        self.lock = threading.RLock()
        self._output = Output(sock)
        self._input = Input(sock, self._handle)

    # -- what comes in ----------------------------------------------------------------------------------------

    def receive(self, *, reading: bool = False, writing: bool = False) -> bool:
        """Take in what has come, by one receive: whether something has. What ends the connection is kept in ``lost``.

        ``reading``, ``writing``: the direction that the caller works for, which needs no call about its own news. A
        writing one has it acknowledged, too: most often by the data that it sends.
        """
        with self.lock:
            source = self._input
            if source.ended:
                return False
            before, blocked = source.received, not writing and self._blocked(self.accepted)
            try:
                came = source.receive()
            except OSError as error:
                self._lose(error)
                came = source.ended = True
            except NotTelnet as error:
                came = source.ended = True
                self._lose(OSError(errno.EPROTO, f"{self.name} does not speak Telnet: {error}"))
            if not came:
                return False
            if not writing:
                self.link.received()
            if ended := source.ended:
                self._lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            data = not reading and (ended or source.received != before)
            credit = not writing and (ended or (blocked and not self._blocked(self.accepted)))
        if data or credit:
            self.on_news(data, credit)
        return True

    def _lose(self, error: OSError) -> None:
        """Keep ``error``, which has ended the connection. One that the handler of a signal has raised is raised on."""
        if not of_the_system(error):
            raise error
        if self.lost is None:
            self.lost = error

    def _handle(self, command: Command) -> None:
        kind, option, said = command
        if self.logger is not None:
            self.logger.debug("received %s %s %r", _WORDS[kind], option, said)
        answer = b""
        if kind != SB:
            answer = self.options.receive(kind, option)
        elif option == COM_PORT_OPTION:
            answer = self.com_port.receive(said, self._output.state.asked)
        if answer:
            self.send(answer)

    @property
    def unread(self) -> int:
        """Bytes of data that have come, and wait to be read."""
        self.receive()
        return self._input.unread

    def read_some(self, buffers: Sequence[Any]) -> int:
        """Read what is there: how many bytes. BlockingIOError where nothing is; in the end, what ended it all."""
        with self.lock:
            if not self._input.unread:
                if not any(map(len, buffers)):
                    return 0
                self.receive(reading=True)
            if n := self._input.read(buffers):
                return n
            if self.lost is not None:
                raise self.lost.with_traceback(None)
            if not any(map(len, buffers)):
                return 0
        raise BlockingIOError(errno.EAGAIN, "nothing has come")

    def discard_input(self) -> int:
        """Drop what waits to be read: how many bytes that was."""
        with self.lock:
            self.receive()
            return self._input.discard()

    # -- what goes out ----------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """Bytes of data that the system has taken."""
        with self.lock:
            return self._output.state.accepted

    @property
    def served(self) -> int:
        """Bytes of data that the server is known to have taken from the connection. It is asked for the rest."""
        with self.lock:
            self.receive()
            if self.lost is None:
                self._ask_for_rest()
                self._send(self._output.flush)  # what the socket had no room for, which no write may come behind
            return self.com_port.served

    @property
    def unserved(self) -> int:
        """Bytes accepted, and not known to be served."""
        return self.accepted - self.com_port.served

    @property
    def full(self) -> bool:
        """Whether what a write waits for is room in the socket; otherwise it is something that the server says."""
        with self.lock:
            state = self._output.state
            return bool(state.commands) or not self._blocked(state.accepted)

    @property
    def input_full(self) -> bool:
        """Whether nothing is received, since so much waits to be read."""
        return self._input.full

    def _blocked(self, accepted: int) -> bool:
        """Whether the server has to speak before more data goes out than is ``accepted``."""
        com_port, window = self.com_port, self.window
        return com_port.suspended or (window is not None and accepted - com_port.served >= window)

    def write_some(self, buffers: Sequence[Any]) -> int:
        """Send what may go out of ``buffers`` in one send: how many bytes. BlockingIOError where none may."""
        chosen: list[memoryview] = []
        with self.lock:
            came = self.receive(writing=True)
            try:
                return self._write_some(buffers, chosen)
            except BaseException as error:
                for view in chosen:  # what the handler of a signal raises has a traceback, which would keep them
                    view.release()
                if came and isinstance(error, BlockingIOError):
                    self.link.received()
                raise

    def _write_some(self, buffers: Sequence[Any], chosen: list[memoryview]) -> int:
        if self.lost is not None:
            raise self.lost.with_traceback(None)
        output, window, size = self._output, self.window, 0
        accepted, _, commands, _, asked_at = output.state
        if window is None:
            left = most = often = QUERY_SIZE
        else:
            left = window - (accepted - self.com_port.served)
            often = min(QUERY_SIZE, (window + 1) // 2)
            most = left if window <= QUERY_SIZE else min(often, left)
        for one in buffers:
            if size >= most or len(chosen) == BUFFER_COUNT:
                break
            if len(one):
                chosen.append(memoryview(one)[: most - size])
                size += len(chosen[-1])
        if not chosen and not any(map(len, buffers)):
            return 0
        if not chosen:  # the window may have become smaller than what is out
            self._ask_for_rest()
        if (commands and not self._attempt(output.flush)) or not chosen or self.com_port.suspended:
            raise BlockingIOError(errno.EAGAIN, "the server is not ready")
        position = accepted + size
        if size == left or position - asked_at >= often:
            question = Question(Code.BAUDRATE, QUERY, position=position)
            n = self._attempt(output.write, chosen, PROOF, question)
        else:
            n = self._attempt(output.write, chosen)
        return n

    def _ask_for_rest(self) -> None:
        """Ask how far the server is, unless it was asked behind the last byte."""
        accepted, _, _, _, asked_at = self._output.state
        if accepted > asked_at:
            self.send(PROOF, Question(Code.BAUDRATE, QUERY, position=accepted))

    def send(self, command: bytes, question: Question | None = None) -> None:
        """Send ``command``, which asks ``question`` perhaps, as soon as the socket takes it."""
        with self.lock:
            self._send(self._output.add, command, question)

    def _send(self, sending: Callable[[*Ts], object], *args: *Ts) -> None:
        try:
            self._attempt(sending, *args)
        except OSError as error:  # the next user of the connection gets it
            if not of_the_system(error):
                raise

    def _attempt(self, sending: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            result = sending(*args)
        except BlockingIOError:
            raise
        except OSError as error:
            self._lose(error)
            raise
        self.link.sent()
        return result

    def flush(self) -> bool:
        """Send the commands that wait, as far as the socket takes them: whether none waits any more.

        Raises:
            OSError: as the operating system raised it.
        """
        with self.lock:
            return self._attempt(self._output.flush)

    def ask(self, code: Code, value: bytes, *, awaited: bool = True) -> Question:
        """Ask something of the server."""
        with self.lock:
            question = Question(code, value, awaited=awaited)
            self.send(question.command, question)
            return question

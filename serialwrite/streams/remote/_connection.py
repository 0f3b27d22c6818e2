"""Connection: Telnet with COM-PORT-OPTION over a socket. It needs no thread and no event loop: each call does I/O."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..._buffers import first_bytes
from ._com_port import QUERY, Code, ComPort, Question
from ._input import Input
from ._link import Link
from ._output import Output
from ._telnet import COM_PORT_OPTION, DO, DONT, SB, WILL, WONT, Command, Options, nothing

# Bytes that a server takes from its connection at a time. It answers what stands in them before it gives the data
# among them to its port (ser2net 4.3 and pyserial's own: 1,024). So a question that proves something is as far behind.
PADDING_SIZE = 1024
# The most bytes after which the server is asked how far it is.
QUERY_SIZE = 1 << 16
# Seconds for which a question may stay unanswered once a later one was answered; and the longest of one poll, as
# another thread may have received what this one waits for.
OVERTAKEN, LONGEST_POLL = 0.25, 0.02

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

    def __init__(self, sock: socket.socket, name: str) -> None:
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
        self._asked_at = 0  # bytes that were accepted when the server was last asked how far it is

    # -- what comes in ----------------------------------------------------------------------------------------

    def receive(self, *, reading: bool = False, writing: bool = False) -> None:
        """Take in what has come, by one receive. What ends the connection is kept in ``lost``.

        ``reading``, ``writing``: the direction that the caller works for, which needs no call about its own news.
        """
        with self.lock:
            if self._input.ended:
                return
            unread, blocked = self._input.unread, self._blocked()
            try:
                self._input.receive()
            except OSError as error:
                self._input.ended = True
                self._lose(error)
            except ValueError as error:
                self._input.ended = True
                self._lose(OSError(errno.EPROTO, f"{self.name} does not speak Telnet: {error}"))
            self.link.received()
            ended = self._input.ended
            if ended:
                self._lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            data, credit = self._input.unread != unread or ended, (blocked and not self._blocked()) or ended
        if (data and not reading) or (credit and not writing):
            self.on_news(data and not reading, credit and not writing)

    def _lose(self, error: OSError) -> None:
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
            answer = self.com_port.receive(said)
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
        return self._output.accepted

    @property
    def served(self) -> int:
        """Bytes of data that the server is known to have taken from the connection. It is asked for the rest."""
        with self.lock:
            self.receive()
            if self.lost is None and self.accepted > self._asked_at:
                self.query()
            return self.com_port.served

    @property
    def unserved(self) -> int:
        """Bytes accepted, and not known to be served."""
        return self.accepted - self.com_port.served

    @property
    def full(self) -> bool:
        """Whether what a write waits for is room in the socket; otherwise it is something that the server says."""
        return self._output.waiting or not self._blocked()

    @property
    def input_full(self) -> bool:
        """Whether nothing is received, since so much waits to be read."""
        return self._input.full

    def _blocked(self) -> bool:
        """Whether the server has to speak before more data goes out."""
        return self.com_port.suspended or (self.window is not None and self.unserved >= self.window)

    def write_some(self, buffers: Sequence[Any]) -> int:
        """Send what may go out of ``buffers`` in one send: how many bytes. BlockingIOError where none may."""
        with self.lock:
            self.receive(writing=True)
            if self.lost is not None:
                raise self.lost.with_traceback(None)
            often = QUERY_SIZE if self.window is None else max(1, min(QUERY_SIZE, self.window // 2))
            most = often if self.window is None else min(often, self.window - self.unserved)
            chunk = _first(buffers, max(most, 0))
            if not chunk and not any(map(len, buffers)):
                return 0
            self._flush()
            if self._output.waiting or not chunk or self.com_port.suspended:
                raise BlockingIOError(errno.EAGAIN, "the server is not ready")
            n: int = self._attempt(lambda: self._output.write(chunk))
            self.link.moved()
            if self.accepted - self._asked_at >= often or self._blocked():
                self.query()
            return n

    def query(self) -> None:
        """Ask how far the server is: once it answers, it has given all that was accepted before to its port."""
        with self.lock:
            self._asked_at = self.accepted
            _, command = self.com_port.ask(Code.BAUDRATE, QUERY, position=self._asked_at)
            self.send(nothing(PADDING_SIZE) + command)

    def send(self, command: bytes) -> None:
        """Send ``command`` as soon as the socket takes it."""
        with self.lock, suppress(OSError):  # the next user of the connection gets the error
            self._attempt(lambda: self._output.add(command))

    def _flush(self) -> None:
        self._attempt(self._output.flush)

    def _attempt(self, sending: Callable[[], Any]) -> Any:
        try:
            return sending()
        except BlockingIOError:
            raise
        except OSError as error:
            self._lose(error)
            raise

    # -- questions ------------------------------------------------------------------------------------------------

    def ask(self, code: Code, value: bytes, *, awaited: bool = True) -> Question:
        """Ask something of the server."""
        with self.lock:
            question, command = self.com_port.ask(code, value, awaited=awaited)
            self.send(command)
            return question

    def wait_for(self, questions: Sequence[Question], seconds: float) -> Question | None:
        """Block until all of ``questions`` were answered: the first that was not, within ``seconds`` or for good.

        Raises:
            OSError: the connection has ended.
        """
        # A server that leaves a question out goes on to the next; this one all of them answer.
        last = self.ask(Code.BAUDRATE, QUERY)
        overtaken: float | None = None

        def over() -> bool:
            nonlocal overtaken
            if last.answer is not None and overtaken is None:
                overtaken = time.monotonic() + OVERTAKEN
            done = all(one.answer is not None for one in questions)
            return done or (overtaken is not None and time.monotonic() >= overtaken)

        self.wait(over, seconds)
        missing = next((one for one in questions if one.answer is None), None)
        if missing is not None:
            missing.awaited = False
        return missing

    def wait(self, over: Callable[[], bool], seconds: float) -> bool:
        """Block until ``over()``, for ``seconds`` at most: whether it is.

        Raises:
            OSError: the connection has ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.receive()
            if over():
                return True
            if self.lost is not None:
                raise self.lost.with_traceback(None)
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self.lock:
                self._flush()
            self.poll(min(left, LONGEST_POLL))

    def poll(self, seconds: float) -> bool:
        """Block until something comes, or what waits can be sent: whether it does, within ``seconds``."""
        poller = select.poll()
        poller.register(self.socket, select.POLLIN | (select.POLLOUT if self._output.waiting else 0))
        return bool(poller.poll(max(1, int(seconds * 1000))))


def _first(buffers: Sequence[Any], size: int) -> bytes:
    """The first ``size`` bytes of ``buffers``, as one object; the same one where that is possible."""
    if len(buffers) == 1 and type(buffers[0]) is bytes and len(buffers[0]) <= size:
        return buffers[0]
    return b"".join(first_bytes(buffers, size))

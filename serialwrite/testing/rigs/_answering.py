"""Answering: a virtual port with a device behind it that answers by rule."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from types import TracebackType
from typing import ClassVar

from serialwrite.testing._answers import Answers, Rules
from serialwrite.testing.rigs._links import Link
from serialwrite.testing.rigs._pty import PTY_QUIRKS
from serialwrite.testing.rigs._pty_end import PtyEnd
from serialwrite.testing.rigs._pump import Lane, Pump
from serialwrite.testing.rigs._rig import NO_STALL, PathRig


class Answering(PathRig):
    r"""A virtual port whose device answers: ``with Answering({b"AT\r": b"OK\r\n"}) as modem:``, on ``modem.port``.

    It answers while your test, or the program under test, does something else or blocks: no thread is needed.

    Args:
        rules: what is asked, and the answer. Asked: bytes, or a compiled pattern of bytes. The answer: bytes; None for
            silence; a function of the match that returns one of these; or a list of answers. A list gives its answers
            one after the other, and the last one from then on: ``[None, b"OK\r\n"]`` is silent once. Of two rules, the
            one whose match ends first answers. What comes before a match is noise.
        link: a name for a symbolic link to the port; ``port`` is then that name.

    Attributes:
        received: all that was written to the port so far, up to what the device has taken.

    Raises:
        what a function of yours raised, on leaving the ``with`` block. From then on nothing was answered.
    """

    name = "answering"
    needs: ClassVar[tuple[str, ...]] = (*PathRig.needs, "os.openpty")
    quirks: frozenset[str] = PTY_QUIRKS | {NO_STALL}

    def __init__(self, rules: Rules, link: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._answers = Answers(rules)
        self._link = link

    def _open(self, resources: ExitStack) -> tuple[str, str]:
        self._end = PtyEnd()
        resources.callback(self._end.close)
        self._device = DeviceLane(self._end, self._answers)
        self._pump = Pump((self._device,), name="serialwrite Answering")
        resources.callback(self._pump.close)
        path = self._end.device
        if self._link is not None:
            link = Link(self._link, path)
            resources.callback(link.close)
            path = str(link.path)
        return path, path

    def open_peer(self) -> io.FileIO:
        raise NotImplementedError("the peer of Answering is the device that answers; use say() and received")

    @property
    def received(self) -> bytes:
        self._opened()
        return self._pump.call(lambda: bytes(self._device.received))

    @property
    def asked(self) -> list[bytes]:
        """What was recognised so far, in order."""
        self._opened()
        return self._pump.call(lambda: list(self._answers.asked))

    def say(self, data: bytes) -> None:
        """Send ``data`` unasked: behind the answers that are on their way."""
        self._opened()
        self._pump.call(lambda: self._device.say(data))

    def hang_up(self, end: str = "port") -> None:
        """Cut the line: the port's writes fail, and its reads, once what was said is read."""
        self._opened()

        def cut() -> None:
            self._pump.forget(self._end)
            self._end.hang_up()

        self._pump.call(cut)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._device.failure is not None and error is None:
            raise self._device.failure

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class DeviceLane(Lane):
    """What the port's user has written, to the answers; and what these say, back."""

    def __init__(self, end: PtyEnd, answers: Answers) -> None:
        super().__init__(end, end)
        self._answers = answers
        self._saying = bytearray()
        self.received = bytearray()
        self.failure: Exception | None = None  # of a function that was to give an answer

    def wants_to_read(self) -> bool:
        return self.source.alive

    def wants_to_write(self) -> bool:
        return self.target.alive and bool(self._saying)

    def say(self, data: bytes) -> None:
        self._saying += data
        self.move()

    def move(self) -> None:
        if self.wants_to_read() and (data := self.source.read()):
            self.received += data
            if self.failure is None:
                try:
                    self._saying += self._answers.feed(data)
                except Exception as error:  # the test gets it when it leaves the block
                    self.failure = error
        if self.wants_to_write():
            del self._saying[: self.target.write(self._saying)]

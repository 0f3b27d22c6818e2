"""Waiting for what the server of a remote port answers, on this thread."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from ._com_port import QUERY, Code, Question
from ._connection import Connection

# Seconds for which a question may stay unanswered once a later one was answered; and the longest of one poll, as
# another thread may have received what this one waits for.
OVERTAKEN, LONGEST_POLL = 0.25, 0.02


def unanswered(connection: Connection, questions: Sequence[Question], seconds: float) -> Question | None:
    """Block until all of ``questions`` were answered: the first that was not, within ``seconds`` or for good.

    Raises:
        OSError: the connection has ended.
    """
    # A server that leaves a question out goes on to the next; this one all of them answer.
    last = connection.ask(Code.BAUDRATE, QUERY)
    overtaken: float | None = None

    def over() -> bool:
        nonlocal overtaken
        if last.answer is not None and overtaken is None:
            overtaken = time.monotonic() + OVERTAKEN
        done = all(one.answer is not None for one in questions)
        return done or (overtaken is not None and time.monotonic() >= overtaken)

    wait_until(connection, over, seconds)
    missing = next((one for one in questions if one.answer is None), None)
    if missing is not None:
        missing.awaited = False
    return missing


def wait_until(connection: Connection, over: Callable[[], bool], seconds: float) -> bool:
    """Block until ``over()``, for ``seconds`` at most: whether it is.

    Raises:
        OSError: the connection has ended.
    """
    deadline = time.monotonic() + seconds
    while True:
        connection.receive()
        if over():
            return True
        if connection.lost is not None:
            raise connection.lost.with_traceback(None)
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        sent = connection.flush()
        events = select.POLLIN if sent else select.POLLIN | select.POLLOUT
        poller = select.poll()
        poller.register(connection.socket, events)
        poller.poll(max(1, int(min(left, LONGEST_POLL) * 1000)))

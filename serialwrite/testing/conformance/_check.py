"""check_write_stream and check_read_stream check that a stream keeps the rules that async_write and async_read need."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..._cancellation import CancellationType
from ..._errors import OperationAborted
from ._read_case import MakeReadStream, ReadCase
from ._read_rules import READ_RULES
from ._recorder import PATTERN, SILENCE_S, Probe, require, run_rules
from ._write_case import Clog, MakeWriteStream, WriteCase
from ._write_rules import WRITE_RULES


async def check_write_stream(
    make_stream: MakeWriteStream,
    *,
    clog: Clog | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 # for each of many waits, not for this call
    rules: Collection[int] | None = None,
) -> None:
    """Check that a stream keeps the rules that ``async_write`` builds on; run it inside the stream's event loop.

    Args:
        make_stream: makes a new stream each time it is called: a context manager, asynchronous or not, that gives
            ``(stream, receive)``. ``receive()`` returns the bytes that have come at the far end since it was last
            called, ``b""`` for none.
        clog: makes a stream take nothing more until ``receive()`` is called. It returns how many bytes will come before
            those that are written next. :func:`clog_by_writing` is one. It may be asynchronous.
            Without it, the rules about a stream that waits (4, 6, 8, 10, and half of 5) are not checked.
        timeout: seconds that each step of a check may take.
        rules: the numbers of the rules to check; all by default. Rules 1 to 4: Asio's loop, never inline, the count is
            the truth, no zombies. Rules 5 to 8: cancellation by type, task cancellation, one write at a time, nothing
            spins or blocks. Rules 9 to 11: fair, closing is bounded, foreign threads.

    Raises:
        AssertionError: a rule is broken; the message gives its number and name, and what was seen.

    In the spirit of trio's ``check_one_way_stream``.
    """
    await run_rules(WRITE_RULES, rules, WriteCase(make_stream, clog, timeout))


async def check_read_stream(
    make_stream: MakeReadStream,
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 # for each of many waits, not for this call
    rules: Collection[int] | None = None,
) -> None:
    """Check that a stream keeps the rules that ``async_read`` builds on; run it inside the stream's event loop.

    Args:
        make_stream: makes a new stream each time it is called: a context manager, asynchronous or not, that gives
            ``(stream, send)``. ``send(data)`` makes the bytes come in at the far end, and returns at once.
        timeout: seconds that each step of a check may take.
        rules: the numbers of the rules to check, as for :func:`check_write_stream`; all by default.

    Raises:
        AssertionError: a rule is broken; the message gives its number and name, and what was seen.
    """
    await run_rules(READ_RULES, rules, ReadCase(make_stream, timeout))


async def clog_by_writing(stream: Any) -> int:
    """Write to ``stream`` until it takes nothing more, for ``check_write_stream(..., clog=clog_by_writing)``.

    Returns:
        The bytes that it has taken.

    The stream must support total or partial cancellation, which is what ends the write that waits.
    """
    total = stuck = 0
    while stuck < 2:  # a socket that is not ready may still take what is tried: only the second wait is for nothing
        probe = Probe(stream, 10.0)
        probe.initiate(lambda handler: stream.async_write_some([memoryview(PATTERN)], handler))
        if not await probe.ends_within(SILENCE_S):
            probe.signal.emit(CancellationType.PARTIAL | CancellationType.TOTAL)
        error, n = await probe.result("a write_some that fills the stream")
        aborted = isinstance(error, OperationAborted)
        require(error is None or aborted, f"a write_some that fills the stream ended with {error!r}")
        stuck = stuck + 1 if aborted else 0
        total += n
    return total

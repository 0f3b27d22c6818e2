"""WRITE_RULES: the rules of a stream that is written to; here are those that only writing has."""

from __future__ import annotations

from ..._errors import StreamBusy
from ._recorder import PATTERN, Rule, require
from ._rules import RULES_OF_BOTH_WAYS, rule_4
from ._write_case import WriteCase


async def _count(case: WriteCase) -> None:
    async with case.made() as (stream, sink):
        for size in (1, 100, 10_000):
            data = PATTERN[:size]
            error, n = await case.start_some(stream, [memoryview(data)]).result(f"write_some of {size:,} bytes")
            require(error is None, f"write_some of {size:,} bytes ended with {error!r}")
            require(1 <= n <= size, f"write_some of {size:,} bytes reported {n:,}")
            await sink.moved(data[:n], f"write_some of {size:,} bytes reported {n:,}")
    async with case.made() as (stream, sink):
        pieces: list[bytes | bytearray | memoryview] = [
            PATTERN[:3],
            b"",
            memoryview(PATTERN[3:70_003]),
            bytearray(PATTERN[70_003:70_004]),
        ]
        pieces += [PATTERN[i : i + 100] for i in range(70_004, len(PATTERN), 100)]
        operation, probe = case.start(stream, pieces)
        await sink.pull_until(lambda: probe.ended, "async_write of many buffers did not end")
        found = await probe.result("async_write of many buffers")
        require(found == (None, len(PATTERN)), f"async_write of {len(PATTERN):,} bytes ended with {found!r}")
        counts = "the operation and its handler were given different counts"
        require(operation.bytes_transferred == len(PATTERN), counts)
        await sink.moved(PATTERN, "async_write of many buffers")
    if hasattr(stream, "write_some_nowait"):
        await _count_nowait(case)


async def _count_nowait(case: WriteCase) -> None:
    async with case.made() as (stream, sink):
        try:
            n = stream.write_some_nowait([memoryview(PATTERN)])
        except BlockingIOError:
            n = 0
        require(0 <= n <= len(PATTERN), f"write_some_nowait of {len(PATTERN):,} bytes reported {n:,}")
        await sink.moved(PATTERN[:n], f"write_some_nowait reported {n:,} bytes")


async def _one_at_a_time(case: WriteCase) -> None:
    async with case.made() as (stream, sink):
        _, first = case.start(stream, PATTERN)
        expected, probes = PATTERN, [first]
        try:
            _, second = case.start(stream, b"second")
        except StreamBusy:
            pass
        else:  # then it stands in line
            expected, probes = PATTERN + b"second", [first, second]
        await sink.pull_until(lambda: all(probe.ended for probe in probes), "two overlapping writes did not end")
        found = await first.result("the first of two overlapping writes")
        require(found == (None, len(PATTERN)), f"the first of two overlapping writes ended with {found!r}")
        await sink.moved(expected, "two overlapping writes, of which the second is to be refused, or to follow whole")


WRITE_RULES: dict[int, Rule] = RULES_OF_BOTH_WAYS | {
    3: ("the count is the truth", _count),
    4: ("no zombies", rule_4),
    7: ("one write at a time", _one_at_a_time),
}

"""READ_RULES: the rules of a stream that is read from; here are those that only reading has."""

from __future__ import annotations

from ..._errors import StreamBusy
from ._read_case import ReadCase, check_untouched, progressed, untouched
from ._recorder import PATTERN, Rule, broken, require
from ._rules import RULES_OF_BOTH_WAYS, rule_4


async def _count(case: ReadCase) -> None:
    async with case.made() as (stream, source):
        left = 3000
        await source.send(PATTERN[:left])
        while left > 0:
            one, two = untouched(10), untouched(2000)
            error, n = await case.start_some(stream, [memoryview(one), memoryview(two)]).result("read_some")
            require(error is None, f"read_some ended with {error!r}")
            require(1 <= n <= 2010, f"read_some into 2,010 bytes reported {n:,}")
            check_untouched(one + two, n, "read_some")
            await source.moved((one + two)[:n], "read_some")
            left -= n
    async with case.made() as (stream, source):
        into = [untouched(3), bytearray(), untouched(50_000)]
        operation, probe = case.start(stream, into)
        for at in range(0, 60_000, 1000):
            await source.send(PATTERN[at : at + 1000])
            await progressed(operation, min(at + 1000, 50_003), case)
        error, n = await probe.result("async_read into many buffers")
        require((error, n) == (None, 50_003), f"async_read of 50,003 bytes ended with ({error!r}, {n:,})")
        await source.moved(b"".join(into), "async_read into many buffers")
        await case.transfer(stream, source, untouched(9_997), "a read of what was left")


async def _one_at_a_time(case: ReadCase) -> None:
    async with case.made() as (stream, source):
        into = untouched(3)
        _, probe = case.start(stream, into)
        try:
            case.operation(stream, bytearray(3))(lambda error, n: None)
        except StreamBusy:
            pass
        else:
            broken("a second async_read began while the first was in progress")
        await source.send(b"abc")
        found = await probe.result("the first of two overlapping reads")
        require(found == (None, 3), f"the first of two overlapping reads ended with {found!r}")
        await source.moved(into, "the first of two overlapping reads")


READ_RULES: dict[int, Rule] = RULES_OF_BOTH_WAYS | {
    3: ("the count is the truth", _count),
    4: ("nothing lost", rule_4),
    7: ("one read at a time", _one_at_a_time),
}

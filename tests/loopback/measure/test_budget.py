"""Every phase of a test ends: within seconds that the line's rate gives, and at once when it is stopped."""

import asyncio
import socket
import threading
import time

import pytest

from serialwrite import loopback
from serialwrite.loopback import Outcome, Verdict
from serialwrite.loopback.measure import _budget
from serialwrite.loopback.measure._budget import HELD_LINE_S, PEER_STALL_S
from serialwrite.testing import PtyPair, SimulatedUart


def accounting_of(result):
    return next(check for check in result.checks if check.name.startswith("accounting"))


def settings(baud, **amount):
    return loopback.Settings(("a", "b"), "prbs31", baud, **amount)


@pytest.mark.parametrize("baud", [300, 9600, 115_200, 3_000_000])
def test_budget_of_the_accounting_is_bounded_at_any_rate(baud):
    budget = _budget.accounting(settings(baud), 2.0)
    assert budget.expected <= 4
    assert budget.most <= 20


def test_budget_of_data_follows_the_bytes_or_the_seconds():
    by_bytes = [_budget.data(settings(baud, bytes_to_send=6_000), 2.0, paced=True) for baud in (600, 6_000)]
    assert [round(budget.expected) for budget in by_bytes] == [100, 10]
    assert all(
        3 * seconds < budget.most < 3 * seconds + 12 for budget, seconds in zip(by_bytes, (100, 10), strict=True)
    )
    by_time = [_budget.data(settings(baud, seconds=2.0), 2.0, paced=True) for baud in (300, 115_200)]
    assert all(2 < budget.expected < 3 for budget in by_time)
    assert all(budget.most < 12 for budget in by_time)


def test_run_by_time_puts_no_more_on_a_slow_line_than_fits():
    """At 600 Bd the queues of a driver hold minutes of line: they are not filled, in no phase."""
    told = []
    began = time.monotonic()
    result = loopback.run(rig="uart", baudrate=600, seconds=1, trips=3, progress=told.append)
    took = time.monotonic() - began
    assert result.verdict is Verdict.PASS, result.runs[0].reasons
    assert all(30 <= way.account.sent <= 60 for way in result.runs[0].directions)
    accounting = accounting_of(result)
    assert accounting.outcome is Outcome.PASS
    assert int(accounting.detail.split()[6]) <= 60 * (HELD_LINE_S + PEER_STALL_S) + 2
    assert told[0].phase == "opening"  # stated beforehand
    assert told[0].whole.expected < 12
    assert took < told[0].whole.most < 60


def test_run_by_time_fills_the_port_of_a_fast_line():
    (run,) = loopback.run(rig="pty", seconds=1, trips=0, checks=False).runs
    assert all(way.account.sent > 2 * 11_520 for way in run.directions)  # nothing paces it: more than it could say


def test_line_slower_than_said_times_out_with_what_came():
    with SimulatedUart(1_200) as rig:
        result = loopback.run(rig, baudrate=115_200, bytes_to_send=2_000, both_ways=False, patience=0.5)
    (run,) = result.runs
    assert (result.verdict, run.verdict, result.verdict.exit_code) == (Verdict.TIMED_OUT, Verdict.TIMED_OUT, 3)
    (way,) = run.directions
    assert way.account.clean
    assert 0 < way.account.received < 2_000 == way.account.received + way.on_its_way
    assert "of 2,000 bytes had come, all right: the line is slower than 115200 8N1" in run.reasons[0]
    assert accounting_of(result).outcome is Outcome.NOT_TESTED


def test_accounting_ends_at_its_bound_and_is_no_pass(monkeypatch):
    slow = _budget.Budget(0.0, 1.0)
    monkeypatch.setattr(_budget, "accounting", lambda *_: slow)
    with SimulatedUart(300) as rig:
        result = loopback.run(rig, baudrate=300, bytes_to_send=5, both_ways=False, trips=0)
    check = accounting_of(result)
    assert (check.outcome, check.detail) == (Outcome.UNKNOWN, "ended after 1 s: the line is slower than 300 8N1")


@pytest.mark.parametrize("phase", ["settling", "data", "round trips", "accounting", "wiring"])
async def test_stop_ends_each_phase_with_what_was_found(phase, monkeypatch):
    """Nothing here would end by itself within the time that is waited for it."""
    monkeypatch.setattr(
        "serialwrite.loopback.measure._accounting.SETTLE_TIMEOUT_S", 600.0 if phase == "settling" else 1.0
    )
    monkeypatch.setattr("serialwrite.loopback.measure._accounting.LATE_BYTES_S", 600.0)
    monkeypatch.setattr("serialwrite.loopback.measure._budget.ROUND_TRIPS_S", 600.0)
    monkeypatch.setattr("serialwrite.loopback.measure._wiring.LINE_FOLLOW_S", 600.0)
    stop = asyncio.Event()
    if phase == "wiring":
        monkeypatch.setattr("serialwrite.loopback.measure._accounting.LATE_BYTES_S", 0.1)
    trips = 10**9 if phase == "round trips" else 0
    amount = {"seconds": 600} if phase == "data" else {"bytes_to_send": 1_000}
    running = loopback.async_run(
        "loop://",
        trips=trips,
        patience=300.0,
        stop=stop,
        progress=lambda now: stop.set() if now.phase == phase and (now.sent or phase != "data") else None,
        **amount,
    )
    result = await asyncio.wait_for(running, 60)
    assert result.verdict is Verdict.STOPPED
    assert [bool(run.directions) for run in result.runs] == [phase != "settling"]
    assert any(check.name.startswith("accounting") for check in result.checks) is (phase == "wiring")


async def test_stop_waits_for_nothing_that_a_stalled_line_holds():
    stop = asyncio.Event()
    async with PtyPair() as rig:
        rig.stall("peer")
        running = loopback.async_run(
            rig,
            bytes_to_send=1_000_000,
            both_ways=False,
            patience=300.0,
            stop=stop,
            progress=lambda now: stop.set() if now.sent else None,
        )
        result = await asyncio.wait_for(running, 60)
    (way,) = result.runs[0].directions
    assert result.verdict is Verdict.STOPPED
    assert way.on_its_way > 0
    assert not way.account.sent_is_known
    assert f"{way.on_its_way:,} more were on their way" in result.runs[0].reasons[0]


async def test_stop_ends_a_remote_line_whose_server_is_deaf():
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def accept():
        with server, server.accept()[0]:
            over.wait(60)

    thread = threading.Thread(target=accept)
    thread.start()
    stop = asyncio.Event()
    try:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        running = loopback.async_run(
            url,
            bytes_to_send=100_000_000,
            patience=300.0,
            stop=stop,
            progress=lambda now: stop.set() if now.phase == "data" and now.elapsed > 1 else None,
        )
        result = await asyncio.wait_for(running, 60)
    finally:
        over.set()
        thread.join(10)
    assert result.verdict is Verdict.STOPPED
    assert result.runs[0].directions[0].on_its_way > 0

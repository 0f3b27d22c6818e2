"""The measured run: faults that are planted on a simulated line are each reported as what they are, where they are."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from waiting import until

import serialwrite as sw
from serialwrite import loopback
from serialwrite.loopback import FaultKind, Outcome, Verdict
from serialwrite.loopback._line_ends import open_line
from serialwrite.loopback._result import Writes
from serialwrite.loopback.measure._accounting import _all_that_comes, _flow, check_baud
from serialwrite.loopback.measure._arrivals import Arrivals
from serialwrite.loopback.measure._loop_lag import LoopLag
from serialwrite.testing import PtyPair, SimulatedUart

SHORT = {"trips": 0, "checks": False, "patience": 4.0, "both_ways": False}  # patience for a busy machine


def over_uart(faults="", *, size=1_000_000, baud=None, **options):
    """One way over a simulated UART that goes wrong as told; reading keeps up, as it has flow control."""
    with SimulatedUart(baud, faults=faults, flow_control="rts-cts") as rig:
        result = loopback.run(rig, bytes_to_send=size, baudrate=115200, **{**SHORT, **options})
    return result, result.runs[0], result.runs[0].directions[0]


def measured(attempt):
    """The first of some attempts in which this machine kept up with the line, or the last."""
    for _ in range(5):
        run, found = attempt()
        if run.kept_waiting < 0.005 and found:
            break
    return run, found


def only_fault(direction):
    assert direction.account.fault_count == 1, direction.account.faults
    return direction.account.faults[0]


def check_named(result, beginning):
    return next(check for check in result.checks if check.name.startswith(beginning))


def test_a_clean_line_passes_both_ways_with_every_figure():
    result = loopback.run(rig="pty", bytes_to_send=300_000, trips=20)
    assert result.verdict is Verdict.PASS
    (run,) = result.runs
    assert [direction.account.clean for direction in run.directions] == [True, True]
    assert [direction.account.received for direction in run.directions] == [300_000, 300_000]
    assert all(direction.account.sent_is_known and direction.throughput for direction in run.directions)
    assert all(direction.writes.calls >= 300_000 / 4096 for direction in run.directions)  # the first tries, too
    assert run.latency.count == 20
    assert run.cpu_seconds > 0
    assert check_named(result, "accounting").outcome is Outcome.PASS
    skipped = [check for check in result.checks if check.outcome is Outcome.NOT_TESTED]
    assert {check.name.partition(",")[0] for check in skipped} >= {"RTS → CTS", "DTR → DSR", "break"}
    assert all(check.detail for check in skipped)


def test_one_flipped_bit_in_a_million_bytes():
    result, run, direction = over_uart("at byte 654_321: flip bit 3")
    fault = only_fault(direction)
    assert (fault.kind, fault.offset, fault.length, fault.flipped_bits) == (FaultKind.CORRUPTED, 654_321, 1, 1)
    assert fault.expected[0] ^ fault.received[0] == 8
    assert direction.error_rate.errors == 1
    assert result.verdict is Verdict.FAIL
    assert "1 byte corrupted" in run.reasons[0]
    assert "654,321" in run.reasons[0]


def test_a_dropped_byte():
    _, run, direction = over_uart("at byte 400_000: drop")
    fault = only_fault(direction)
    assert (fault.kind, fault.offset, fault.length) == (FaultKind.LOST, 400_000, 1)
    assert direction.account.received == direction.account.sent - 1
    assert run.verdict is Verdict.FAIL


def test_a_dropped_last_byte_is_seen_as_the_totals_are_compared():
    _, run, direction = over_uart("at byte 99_999: drop", size=100_000)
    fault = only_fault(direction)
    assert (fault.kind, fault.offset, fault.length) == (FaultKind.TRUNCATED, 99_999, 1)
    assert run.verdict is Verdict.FAIL


def test_a_duplicated_byte():
    _, _, direction = over_uart("at byte 123_456: duplicate")
    fault = only_fault(direction)
    assert (fault.kind, fault.length) == (FaultKind.DUPLICATED, 1)
    assert fault.offset in (123_455, 123_456)
    assert direction.account.received == direction.account.sent + 1


def test_two_swapped_bytes():
    _, _, direction = over_uart("at byte 200_000: swap")
    account = direction.account
    assert account.reordered in (1, 2)
    assert account.lost == account.duplicated == account.corrupted == 0
    assert {fault.kind for fault in account.faults} == {FaultKind.REORDERED}
    assert account.faults[0].offset in (200_000, 200_001)


def test_a_stall_of_300_ms_is_a_gap_at_its_offset():
    """A machine that is busy adds gaps of its own; the planted one is at its offset all the same."""

    def stalled():
        _, run, direction = over_uart("at byte 5_000: stall 0.3 s", size=12_000, baud=115200)
        return run, [gap for gap in direction.gaps.longest if gap.offset == 5_000]

    run, found = measured(stalled)
    assert run.verdict is Verdict.PASS, run.reasons
    (gap,) = found
    assert gap.seconds > 0.25 - run.kept_waiting


def test_a_stall_fails_where_gaps_are_limited():
    _, run, _ = over_uart("at byte 5_000: stall 0.3 s", size=12_000, baud=115200, max_gap=0.2)
    assert run.verdict is Verdict.FAIL
    assert "0.2 s are allowed" in run.reasons[0]


def test_gap_limit_may_be_shorter_than_the_default():
    _, run, _ = over_uart("at byte 5_000: stall 0.06 s", size=12_000, baud=115200, max_gap=0.05)
    assert run.verdict is Verdict.FAIL
    assert "0.05 s are allowed" in run.reasons[0]


@pytest.mark.parametrize(
    ("line", "kept_waiting", "outcome", "words"),
    [
        (112_896, 0.0, Outcome.FAIL, "112,896 bit/s, 2.0% below the 115,200 set"),
        (112_896, 0.5, Outcome.UNKNOWN, "too busy to tell"),
        (115_200, 0.0, Outcome.PASS, "115,200 bit/s"),
        (115_200, 0.5, Outcome.UNKNOWN, "too busy to tell"),
    ],
)
def test_line_2_percent_slow_is_reported_unless_machine_was(line, kept_waiting, outcome, words):
    """The figures of a run without a clock: when 30,000 bytes arrive over a line of 112,896 bit/s for 115,200."""
    arrivals = Arrivals(threshold=0.1, line_rate=11_520)
    for byte in range(0, 30_000, 30):
        arrivals.add(byte * 10 / line, 30)
    account = loopback.Checker(loopback.make_pattern("prbs31")).finish(0)
    writes = Writes(calls=10, short=3, blocked=7, smallest=100)
    direction = loopback.Direction(
        "there", account, 2.7, arrivals.throughput(), arrivals.gaps(), arrivals.baud(10), writes
    )
    settings = loopback.Settings(("a", "b"), "prbs31", 115_200)
    check = check_baud(direction, settings, frozenset(), kept_waiting)
    assert check.outcome is outcome
    assert words in check.detail


@pytest.mark.parametrize(("seconds", "outcome"), [(1.1, Outcome.UNKNOWN), (3.5, Outcome.FAIL)])
def test_slow_line_is_measured_by_enough_bytes(seconds, outcome):
    """At 600 Bd a byte is 1.6 % of a second: one that is late must not make the rate another."""
    account = loopback.Checker(loopback.make_pattern("prbs31")).finish(0)
    writes = Writes(calls=10, short=3, blocked=7, smallest=1)
    rates = (loopback.Rate(0.0, seconds, 588 * seconds / 10),)
    direction = loopback.Direction("there", account, seconds, rates, baud=588.0, writes=writes)
    check = check_baud(direction, loopback.Settings(("a", "b"), "prbs31", 600), frozenset())
    assert check.outcome is outcome, check


@pytest.mark.parametrize(("baud", "right"), [(115_200, Outcome.PASS), (115_200 * 0.98, Outcome.FAIL)])
def test_the_real_baud_rate_is_measured_over_a_line(baud, right):
    def timed():
        result, run, _ = over_uart(size=30_000, baud=baud)
        assert run.verdict is Verdict.PASS  # the data is right
        check = check_named(result, "real baud rate")
        assert (result.verdict is Verdict.FAIL) is (check.outcome is Outcome.FAIL)
        return run, check

    run, check = measured(timed)
    if run.kept_waiting < 0.005:
        assert check.outcome is right, check
    else:  # a busy machine is told apart from a slow line, and no fault of the line's
        assert check.outcome in (right, Outcome.UNKNOWN), check


def test_newline_translation_is_named():
    _, run, direction = over_uart("always: newline lf to crlf", size=200_000)
    assert [cause.name for cause in direction.account.diagnoses] == ["newline translation"]
    sent = loopback.make_pattern("prbs31").block(0, 200_000)
    assert direction.account.inserted == sent.count(b"\n")
    assert "newline translation" in run.reasons[0]


def test_an_eaten_xoff_is_named_at_its_first_offset():
    _, _, direction = over_uart("always: eat 0x13", size=100_000, pattern="all256")
    assert [cause.name for cause in direction.account.diagnoses] == ["XOFF eaten"]
    assert (direction.account.faults[0].kind, direction.account.faults[0].offset) == (FaultKind.LOST, 0x13)


def test_a_sender_that_stalls_for_good_is_told_with_its_count():
    with PtyPair() as rig:
        rig.stall("peer")
        result = loopback.run(rig, bytes_to_send=1_000_000, **{**SHORT, "patience": 0.3})
    (run,) = result.runs
    (direction,) = run.directions
    assert run.verdict is Verdict.FAIL
    assert "the sender stopped after" in run.reasons[0]
    assert direction.writes.short
    assert 0 < direction.writes.smallest < 4096
    assert 0 < direction.account.sent < 1_000_000
    assert direction.account.lost == direction.account.sent - direction.account.received


@pytest.mark.time_limit(60)
def test_sender_stalled_for_good_is_reported_on_a_late_machine(monkeypatch):
    monkeypatch.setattr(LoopLag, "clock", lambda lag: time.monotonic() / 3)
    with PtyPair() as rig:
        rig.stall("peer")
        result = loopback.run(rig, bytes_to_send=1_000_000, **{**SHORT, "patience": 0.1})
    assert "the sender stopped after" in result.runs[0].reasons[0]


def test_a_sender_that_is_only_slow_has_not_stopped(monkeypatch):
    """A write that runs out of patience with some bytes taken went somewhere; one that took none has stalled."""
    honest = sw.async_write

    async def slow(port, data, *token, **options):
        n = await honest(port, data[:100], *token, **options)
        if n == len(data):
            return n
        error = sw.TransferTimeout()
        error.bytes_transferred = n
        raise error

    monkeypatch.setattr("serialwrite.async_write", slow)
    (run,) = loopback.run(rig="pty", bytes_to_send=1_000, **SHORT).runs
    assert run.reasons == ()
    assert run.directions[0].account.correct == 1_000


async def test_patience_clock_stands_still_while_the_loop_is_late():
    lag = LoopLag()
    async with lag.measured():
        await asyncio.sleep(0)  # it looks at the clock from now on
        began, clock = time.monotonic(), lag.clock()
        time.sleep(0.3)
        await until(lambda: lag.seconds)
        assert lag.clock() - clock < time.monotonic() - began - 0.2


def test_hang_up_in_the_middle_is_a_failure_with_an_account():
    _, run, direction = over_uart("at byte 50_000: hang up port", size=200_000)
    assert run.verdict is Verdict.FAIL
    assert direction.account.sent == direction.account.correct + direction.account.lost


@pytest.mark.parametrize("end", ["port", "peer"])
def test_port_that_is_gone_is_not_checked_and_does_not_pass(end):
    result, run, _ = over_uart(f"at byte 50_000: hang up {end}", size=200_000, checks=True)
    assert run.verdict is Verdict.FAIL
    assert check_named(result, "accounting").outcome is Outcome.NOT_TESTED
    assert not any(check.outcome is Outcome.PASS for check in result.checks)


def test_port_that_takes_no_byte_proves_no_accounting(monkeypatch):
    async def takes_nothing(port, data, *token, **options):
        raise sw.TransferTimeout

    monkeypatch.setattr("serialwrite.loopback.measure._accounting.sw.async_write", takes_nothing)
    result = loopback.run(rig="pty", bytes_to_send=1, trips=0, patience=0.3)
    assert check_named(result, "accounting").outcome is Outcome.UNKNOWN


def test_a_run_by_time_ends_with_an_exact_total():
    result = loopback.run(rig="pty", seconds=0.3, trips=0, checks=False)
    assert result.verdict is Verdict.PASS
    assert all(d.account.sent == d.account.received > 0 for d in result.runs[0].directions)


def test_one_port_with_a_plug():
    result = loopback.run("loop://", bytes_to_send=20_000, trips=5, checks=False)
    assert result.verdict is Verdict.PASS, result.runs[0].reasons
    assert [direction.name for direction in result.runs[0].directions] == ["port → itself"]


def test_a_missing_port_could_not_run(tmp_path):
    result = loopback.run(str(tmp_path / "ttyNONE"), seconds=0.1)
    assert result.verdict is Verdict.NOT_RUN
    assert "does not exist" in result.reasons[0]


def test_sweep_runs_all_combinations_and_names_what_it_left():
    result = loopback.run(
        rig="pty", bytes_to_send=5_000, trips=0, checks=False, sweep={"baud": [9600, 115200], "parity": ["N", "E"]}
    )
    assert [axis.values for axis in result.axes] == [("9600", "115200"), ("N", "E")]
    settings = [(run.settings.baudrate, run.settings.parity) for run in result.runs]
    assert settings == [(9600, "N"), (9600, "E"), (115200, "N"), (115200, "E")]
    assert [run.verdict for run in result.runs] == [Verdict.PASS, Verdict.NOT_TESTED] * 2
    assert "port: parity E was asked for, and N is in force" in result.runs[1].reasons[0]
    assert (result.verdict, result.exit_code) == (Verdict.NOT_TESTED, 3)


def test_a_sweep_stops_early_where_that_is_asked_for():
    result = loopback.run(
        rig="pty", bytes_to_send=5_000, trips=0, checks=False, sweep={"parity": ["E", "N"]}, stop_early=True
    )
    assert len(result.runs) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sweep": {"colour": ["red"]}},
        {"sweep": {"baud": ["fast"]}},
        {"flow": "maybe"},
        {"parity": "Q"},
        {"bytes_to_send": 0},
        {"bytes_to_send": None, "seconds": float("nan")},
        {"seconds": 1},
        {"pattern": "plaid"},
        {"data_bits": 9},
        {"patience": float("nan")},
        {"max_gap": -1},
        {"trips": -1},
        {"rig": "cloud"},
    ],
)
def test_senseless_arguments_are_refused_before_opening(wrong):
    with pytest.raises(ValueError):
        loopback.run(**{"bytes_to_send": 10, **wrong})


def test_xonxoff_leaves_its_characters_out_of_the_pattern():
    result = loopback.run(rig="pty", bytes_to_send=50_000, flow="xonxoff", trips=0, checks=False)
    assert result.verdict is Verdict.PASS
    assert "1113" in result.runs[0].directions[0].account.pattern


async def test_progress_that_raises_is_told_once_and_the_run_goes_on():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["message"]))
    calls = []

    def progress(now):
        calls.append(now)
        raise OSError("no space left")

    with PtyPair() as rig:
        result = await loopback.async_run(rig, bytes_to_send=10_000, trips=0, checks=False, progress=progress)
    assert result.verdict is loopback.Verdict.PASS
    assert len(calls) == len(told) == 1
    assert "this run does not call it again" in told[0]


async def test_the_async_form_and_its_progress():
    seen = []
    async with PtyPair() as rig:
        result = await loopback.async_run(rig, seconds=0.3, trips=0, checks=False, progress=seen.append)
    assert result.verdict is Verdict.PASS
    assert seen
    assert (seen[-1].phase, seen[-1].runs) == ("data", 1)


async def stopped_after(size, rig, **options):
    """A test of a rig, stopped once so many bytes have arrived."""
    stop = asyncio.Event()

    def watch(progress):
        if progress.phase == "data" and progress.received >= size:
            stop.set()

    return await loopback.async_run(rig, stop=stop, progress=watch, **options)


async def test_a_run_that_is_stopped_tells_what_it_found_until_then():
    async with PtyPair() as rig:
        result = await stopped_after(50_000, rig, seconds=600)
    (run,) = result.runs
    assert (result.verdict, run.verdict, result.verdict.exit_code) == (Verdict.STOPPED, Verdict.STOPPED, 130)
    assert all(direction.account.clean for direction in run.directions)
    assert all(direction.account.sent_is_known for direction in run.directions)
    right = sum(direction.account.sent for direction in run.directions)
    assert right >= 50_000
    assert f"all {right:,} bytes sent until then arrived once" in run.reasons[0]
    assert (run.latency, [check for check in result.checks if check.name.startswith("acc")]) == (None, [])


async def test_a_stop_ends_a_write_that_is_stalled_with_its_count():
    async with PtyPair() as rig:
        rig.stall("peer")
        stop = asyncio.Event()

        def watch(progress):
            if progress.sent > 4096:  # the first write went through, so that the next one hangs
                stop.set()

        running = loopback.async_run(
            rig, bytes_to_send=1_000_000, both_ways=False, block_size=4096, patience=60, stop=stop, progress=watch
        )
        task = asyncio.create_task(running)
        await asyncio.wait_for(stop.wait(), 20)
        rig.resume("peer")
        result = await asyncio.wait_for(task, 20)
    account = result.runs[0].directions[0].account
    assert result.verdict is Verdict.STOPPED, result.runs[0].reasons
    assert account.clean
    assert account.sent < 1_000_000


async def test_a_stopped_run_that_had_gone_wrong_is_a_failure():
    with SimulatedUart(None, faults="at byte 30_000: flip bit 0") as rig:
        result = await stopped_after(60_000, rig, seconds=600, both_ways=False)
    assert result.verdict is Verdict.FAIL
    assert "1 byte corrupted" in result.runs[0].reasons[0]


async def test_a_stopped_sweep_keeps_the_runs_it_made():
    async with PtyPair() as rig:
        options = {"seconds": 0.2, "trips": 0, "checks": False, "sweep": {"baud": [9600, 19200, 38400]}}
        stop = asyncio.Event()
        result = await loopback.async_run(
            rig, stop=stop, progress=lambda now: stop.set() if now.run == 2 else None, **options
        )
    assert [run.verdict for run in result.runs] == [Verdict.PASS, Verdict.STOPPED]
    assert result.verdict is Verdict.STOPPED


def test_bytes_before_the_test_are_discarded_and_reported(monkeypatch):
    @contextlib.contextmanager
    def greeted(*arguments):
        with open_line(*arguments) as line:
            line.peer.serial.write(b"login: ")
            yield line

    monkeypatch.setattr("serialwrite.loopback._run.open_line", greeted)
    result = loopback.run(rig="pty", bytes_to_send=20_000, trips=0, checks=False)
    assert result.verdict is Verdict.PASS
    assert ("thrown away before run 1", "7 bytes") in [(fact.name, fact.value) for fact in result.facts]


def test_a_count_that_lies_is_caught_by_the_accounting_check(monkeypatch):
    """A library that tells less than it sent: what every other one does on a timeout."""
    honest = sw.async_write

    async def liar(port, data, *token, **options):
        try:
            return await honest(port, data, *token, **options)
        except sw.TransferTimeout as error:
            error.bytes_transferred -= 100
            raise

    monkeypatch.setattr("serialwrite.async_write", liar)
    result = loopback.run(rig="pty", bytes_to_send=5_000, trips=0)
    check = check_named(result, "accounting")
    assert check.outcome is Outcome.FAIL
    assert "100 went out uncounted" in check.detail
    assert result.verdict is Verdict.FAIL


def test_modem_line_of_a_plug_that_does_not_follow_is_named():
    """pyserial's loop:// has RTS on CTS and DTR on DSR; its DCD is always on."""
    result = loopback.run("loop://", bytes_to_send=2_000, trips=0, patience=0.5)
    assert check_named(result, "RTS → CTS").outcome is Outcome.PASS
    lines = check_named(result, "DTR → DSR, DCD")
    assert (lines.outcome, "DCD did not follow" in lines.detail) == (Outcome.UNKNOWN, True)
    assert result.verdict is Verdict.PASS
    result = loopback.run("loop://", bytes_to_send=2_000, trips=0, patience=0.5, require_lines=True)
    assert check_named(result, "DTR → DSR, DCD").outcome is Outcome.FAIL
    assert result.verdict is Verdict.FAIL


def test_flow_control_of_unknown_cause_does_not_pass():
    result = loopback.run(rig="pty", bytes_to_send=2_000, trips=0, patience=0.5, flow="rtscts")
    assert check_named(result, "flow control").outcome is Outcome.UNKNOWN
    assert check_named(result, "RTS → CTS").outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize(("speed", "outcome"), [(115_200, Outcome.PASS), (117_500, Outcome.FAIL)])
def test_driver_that_set_another_baud_rate_fails(speed, outcome, monkeypatch):
    monkeypatch.setattr("serialwrite.streams.serial._tty.Tty.output_speed", lambda tty: speed)
    with SimulatedUart(115_200) as rig:
        result = loopback.run(rig, bytes_to_send=500, **SHORT)
    assert check_named(result, "baud rate set, port").outcome is outcome
    assert result.verdict.value == outcome.value


def test_ports_that_nothing_paces_have_no_baud_rate_either():
    with PtyPair() as rig:
        result = loopback.run(*rig, bytes_to_send=50_000, trips=0, checks=False)
    assert [direction.baud for direction in result.runs[0].directions] == [None, None]
    assert check_named(result, "real baud rate").outcome is Outcome.NOT_TESTED
    assert result.verdict is Verdict.PASS


def test_accounting_is_checked_per_flow_control_and_wiring_once():
    sweep = {"parity": ["E", "N"], "flow": ["none", "rtscts"]}
    result = loopback.run(rig="pty", bytes_to_send=2_000, trips=0, patience=0.5, sweep=sweep)
    names = [check.name for check in result.checks]
    assert names.count("accounting on this line") == names.count("accounting on this line, flow rtscts") == 1
    assert names.count("flow control stops the sender") == names.count("break, port → peer") == 1
    assert [run.verdict for run in result.runs] == [Verdict.NOT_TESTED] * 2 + [Verdict.PASS] * 2


@pytest.mark.parametrize(
    ("stopped", "outcome"),
    [
        (None, Outcome.UNKNOWN),
        ((None, "CTS low"), Outcome.UNKNOWN),  # nobody knows what is queued
        ((4095, None), Outcome.UNKNOWN),  # it was still sending
        ((4095, "CTS low"), Outcome.PASS),
    ],
)
def test_flow_control_stop_is_known_only_from_the_driver(stopped, outcome):
    error = None
    if stopped is not None:
        error = sw.TransferTimeout()
        error.queued, error.stall = stopped
    check = _flow(error, loopback.Settings(("a", "b"), "prbs31", 115_200, flow="rtscts"))
    assert check.outcome is outcome
    assert ("CTS low" in check.detail) is (outcome is Outcome.PASS)


def test_a_line_without_a_pace_has_no_baud_rate():
    result = loopback.run(rig="pty", bytes_to_send=50_000, trips=0, checks=False)
    assert [direction.baud for direction in result.runs[0].directions] == [None, None]


def test_a_remote_port_that_sends_back_what_it_gets():
    server = socket.create_server(("127.0.0.1", 0))

    def echo():
        with server, server.accept()[0] as peer:
            while data := peer.recv(4096):
                peer.sendall(data)

    thread = threading.Thread(target=echo)
    thread.start()
    try:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        result = loopback.run(url, bytes_to_send=100_000, trips=5, checks=False)
    finally:
        thread.join(10)
    assert result.verdict is Verdict.PASS, result.runs[0].reasons
    assert result.runs[0].directions[0].account.correct == 100_000
    assert result.runs[0].latency.count == 5


@contextlib.contextmanager
def talker(pause):
    """The URL of a device that hears nothing and talks for ever: without a pause (0), or now and then."""
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def talk():
        with server, server.accept()[0] as peer, contextlib.suppress(OSError):
            while not over.wait(pause):
                peer.sendall(b"Warning: \x1b[31mhot\r\n" * (1 if pause else 100))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    finally:
        over.set()
        thread.join(10)


@pytest.mark.parametrize(("pause", "size"), [(0, 1_000), (0.002, 1_000), (0.002, 1_000_000)])
async def test_device_that_never_stops_talking_fails_in_bounded_time(pause, size):
    with talker(pause) as url:
        result = await asyncio.wait_for(loopback.async_run(url, bytes_to_send=size, trips=0, patience=0.5), 100)
    assert result.verdict is Verdict.FAIL
    account = result.runs[0].directions[0].account
    assert account.correct < max(account.received, account.sent) / 2
    assert check_named(result, "accounting").outcome is not Outcome.PASS


@pytest.mark.parametrize(
    ("arrives", "right"),
    [
        (b"0123456789", True),
        (b"01234567", True),
        (b"0123456789abc", True),  # sent, and not counted
        (b"0123456789 login:", False),  # somebody else's: no lie of the count
        (b"01234x6789", False),
    ],
)
async def test_bytes_that_arrive_after_a_cut_write_are_judged(arrives, right):
    here, there = socket.socketpair()
    with here, there:
        there.sendall(arrives)
        there.shutdown(socket.SHUT_WR)
        assert await _all_that_comes(here, b"0123456789abcdef", 10, 5.0, 5.0) == (len(arrives), right)

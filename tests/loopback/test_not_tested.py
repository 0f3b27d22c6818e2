"""What was not tested never passes: settings that are not in force, and checks that a line can't have."""

import contextlib
import json
import socket
import threading
import xml.etree.ElementTree as ET

import pytest

import serialwrite as sw
from serialwrite import loopback
from serialwrite.loopback import Check, Outcome, Verdict
from serialwrite.loopback._line_test import _complaints
from serialwrite.loopback._result import Direction, KernelCounters, Result, Run
from serialwrite.loopback.check._checker import Checker
from serialwrite.loopback.measure._accounting import _flow, check_baud
from serialwrite.loopback.measure._in_force import not_in_force
from serialwrite.loopback.measure._wiring import _check_break, _check_line
from serialwrite.loopback.patterns._patterns import make_pattern
from serialwrite.loopback.report._junit import junit
from serialwrite.loopback.report._page import render
from serialwrite.loopback.report._words import deviation, sentence
from serialwrite.testing import PtyPair, SimulatedUart

QUICK = {"bytes_to_send": 2_000, "trips": 0, "patience": 0.5}
ODD = [("parity", "E"), ("data_bits", 7), ("flow", "dsrdtr"), ("stop_bits", 1.5)]


@contextlib.contextmanager
def server(answer):
    """The URL of a raw TCP server that calls ``answer(peer, data)`` with what it gets."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listening, listening.accept()[0] as peer, contextlib.suppress(OSError):
            while data := peer.recv(65_536):
                answer(peer, data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError), socket.create_connection(listening.getsockname(), 1):
            pass
        thread.join(10)


def echo(peer, data):
    peer.sendall(data)


def held(**settings):
    usual = sw.Settings(9600, 8, "N", 1, xonxoff=False, rtscts=False, dsrdtr=False)
    return usual._replace(**settings)


def asked(**settings):
    return loopback.Settings(("a",), "prbs31", 9600, **settings)


def check_named(result, beginning):
    return next(check for check in result.checks if check.name.startswith(beginning))


def assert_not_tested(result):
    (run,) = result.runs
    assert (result.verdict, run.verdict, result.exit_code) == (Verdict.NOT_TESTED, Verdict.NOT_TESTED, 3)
    assert not run.directions
    assert not any(check.outcome is Outcome.PASS for check in result.checks)


@pytest.mark.parametrize(("name", "value"), ODD)
def test_pty_with_settings_not_in_force_is_not_tested(name, value):
    result = loopback.run(rig="pty", **QUICK, **{name: value})
    assert_not_tested(result)
    assert f" {value} was asked for, and " in result.runs[0].reasons[0]
    assert result.runs[0].in_force[0].parity == "N"


def test_ports_by_path_with_settings_not_in_force_are_not_tested():
    with PtyPair() as rig:
        result = loopback.run(rig.port, rig.peer, **QUICK, parity="E")
    assert_not_tested(result)
    assert "peer: parity E" in result.runs[0].reasons[0]


@pytest.mark.parametrize(("name", "value"), [*ODD, ("flow", "rtscts"), ("flow", "xonxoff")])
@pytest.mark.parametrize("url", ["loop://", "socket"])
def test_port_without_settings_does_not_test_others(url, name, value):
    with server(echo) if url == "socket" else contextlib.nullcontext(url) as port:
        result = loopback.run(port, **QUICK, **{name: value})
    assert_not_tested(result)
    assert result.runs[0].in_force == (None,)
    assert "this port has no line settings" in result.runs[0].reasons[0]


def test_port_without_settings_passes_with_the_usual_ones():
    result = loopback.run("loop://", **QUICK, checks=False)
    assert result.verdict is Verdict.PASS
    assert "a port has no line settings" in render(result)


def test_sweep_of_a_port_without_settings_tests_nothing():
    sweep = {"baud": [9600, 115_200], "parity": ["N"]}
    result = loopback.run("loop://", **QUICK, checks=False, sweep=sweep)
    assert [run.verdict for run in result.runs] == [Verdict.NOT_TESTED] * 2
    assert "parity N, baud rate 9600 can't be tested" in result.runs[0].reasons[0]


def test_simulated_uart_has_the_format_that_it_was_made_with():
    assert loopback.run(rig="uart", **QUICK, checks=False, parity="E", data_bits=7).verdict is Verdict.PASS
    with SimulatedUart(115_200) as rig:
        result = loopback.run(rig, **QUICK, checks=False, parity="E")
    assert_not_tested(result)


def test_setting_that_a_driver_refuses_is_not_tested(monkeypatch):
    def refuse(*_, **__):
        raise ValueError("parity='M': the driver of /dev/ttyX has set 'N' instead; pass one it can make")

    monkeypatch.setattr("serialwrite.loopback._line_ends.sw.SerialPort", refuse)
    result = loopback.run("/dev/ttyX", **QUICK, parity="M")
    assert_not_tested(result)
    assert sentence(result).startswith("parity='M': the driver of /dev/ttyX has set 'N'")


def test_url_of_no_known_kind_could_not_run():
    result = loopback.run("nonsense://x", **QUICK)
    assert (result.verdict, result.exit_code) == (Verdict.NOT_RUN, 2)


@pytest.mark.parametrize(
    ("settings", "port", "words"),
    [
        ({}, held(), []),
        ({}, held(baudrate=9700), []),
        ({}, held(baudrate=None), []),
        ({}, held(baudrate=19_200), ["port: baud rate 9600 was asked for, and 19200 is in force"]),
        ({}, held(rtscts=True), ["port: flow none was asked for, and rtscts is in force"]),
        ({"stop_bits": 2}, held(stopbits=1), ["port: stop bits 2 was asked for, and 1 is in force"]),
        ({"stop_bits": 1.0}, held(), []),
        ({"flow": "rtscts"}, held(rtscts=True), []),
    ],
)
def test_settings_in_force_are_those_that_are_read_back(settings, port, words):
    assert not_in_force(asked(**settings), (port,), ()) == words


def test_not_tested_has_its_own_cell_in_every_result():
    sweep = {"parity": ["N", "E"]}
    result = loopback.run(rig="pty", **QUICK, checks=False, sweep=sweep)
    plain = json.loads(json.dumps(loopback.to_json(result)))
    assert [run["verdict"] for run in plain["runs"]] == ["pass", "not tested"]
    assert plain["runs"][1]["in_force"][0]["parity"] == "N"
    assert sentence(result) == "1 of 2 runs passed, 1 not tested."
    suite = ET.fromstring(junit(result))[0]
    assert [len(case.findall("skipped")) for case in suite.findall("testcase[@classname='loopback.data']")] == [0, 1]
    page = render(result)
    assert 'class="not_tested"' in page
    assert "<h3>Not tested</h3>" in page


def test_dead_line_says_to_check_the_plug():
    with server(lambda peer, data: None) as url:
        result = loopback.run(url, **QUICK)
    (way,) = result.runs[0].directions
    assert result.verdict is Verdict.FAIL
    assert result.runs[0].reasons == ("port → itself: nothing came back: check the plug, TX/RX",)
    assert way.gaps is None
    assert check_named(result, "accounting").outcome is Outcome.NOT_TESTED


def test_dead_cable_is_told_for_the_way_that_is_dead():
    with PtyPair() as rig:
        rig.stall("peer")
        result = loopback.run(rig, **QUICK, checks=False)
    assert result.runs[0].reasons == ("port → peer: nothing came back: check the cable, TX/RX",)


@pytest.mark.parametrize("stall", ["peer not reading", "output stopped", "XOFF received or peer not reading"])
@pytest.mark.parametrize("flow", ["rtscts", "xonxoff"])
def test_flow_control_passes_only_by_its_own_stall(flow, stall):
    error = sw.TransferTimeout()
    error.queued, error.stall = 4095, stall
    check = _flow(error, asked(flow=flow))
    assert (check.outcome, stall in check.detail) == (Outcome.UNKNOWN, True)


def test_nothing_sent_proves_nothing():
    nothing = Direction("port → peer", Checker(make_pattern("prbs31")).finish(0), seconds=1.0)
    (reason,) = _complaints(nothing, None, stopped=False, plugged=False)
    assert "nothing was sent" in reason
    assert _complaints(nothing, None, stopped=True, plugged=False) == []


def test_errors_that_the_driver_counted_are_a_reason():
    counters = KernelCounters(frame=2, overrun=0, parity=0, breaks=1, buffer_overrun=1_000)
    account = Checker(make_pattern("prbs31")).finish(0)
    way = Direction("port → peer", account, seconds=1.0, kernel=counters)
    (reason,) = _complaints(way, None, stopped=True, plugged=False)
    assert reason == "port → peer: the driver counted errors: 2 framing, 1,000 buffer overrun"


def test_unknown_check_is_skipped_in_junit():
    result = Result((Run(asked(), Verdict.PASS),), (Check("c", Outcome.UNKNOWN, "why"),))
    (skipped,) = ET.fromstring(junit(result)).findall(".//testcase[@classname='loopback.checks']/skipped")
    assert skipped.get("message") == "why"


def test_flow_control_of_a_sender_that_still_sent_does_not_pass():
    error = sw.TransferTimeout()
    error.queued, error.stall = 4095, None
    check = _flow(error, asked(flow="rtscts"))
    assert (check.outcome, "still sending" in check.detail) == (Outcome.UNKNOWN, True)


async def test_check_of_a_line_leaves_it_as_it_was():
    with sw.SerialPort("loop://") as port:
        port.rts = True
        check = await _check_line("RTS", port, port, "rts", ("cts",), asked(), required=False)
        assert (check.outcome, port.rts) == (Outcome.PASS, True)


async def test_break_that_is_counted_no_more_is_no_pass():
    class Counting:
        line_counters = sw.LineCounters(*[0] * len(sw.LineCounters._fields))

        async def async_send_break(self, seconds, timeout):
            self.line_counters = None

    port = Counting()
    assert (await _check_break("break", port, port)).outcome is Outcome.NOT_TESTED


def test_baud_rate_is_unknown_where_the_check_says_so():
    """200 bytes are over too soon to tell a rate by."""
    with SimulatedUart(115_200) as rig:
        result = loopback.run(rig, bytes_to_send=200, trips=0, checks=False)
    assert check_named(result, "real baud rate").outcome is Outcome.UNKNOWN
    assert [way.baud for way in result.runs[0].directions] == [None, None]
    assert "unknown<small>see the checks" in render(result)


def test_deviation_that_rounds_to_zero_has_no_sign():
    assert [deviation(share, 2) for share in (-0.000_01, 0.0, 0.000_01, -0.015, 0.015)] == [
        "0.00%",
        "0.00%",
        "0.00%",
        "-1.50%",
        "+1.50%",
    ]
    account = loopback.Checker(loopback.make_pattern("prbs31")).finish(0)
    rates = (loopback.Rate(0.0, 2.0, 1920),)
    direction = Direction("there", account, 2.0, rates, baud=9599.9)
    assert check_baud(direction, asked(), frozenset()).detail == "9,600 bit/s, as set"
    assert "-0.00" not in render(Result((Run(asked(), Verdict.PASS, directions=(direction,)),)))


@pytest.mark.parametrize("end", ["port", "peer"])
def test_hang_up_is_a_failure_with_exit_code_4(end):
    with SimulatedUart(None, faults=f"at byte 5_000: hang up {end}") as rig:
        result = loopback.run(rig, bytes_to_send=20_000, trips=0, both_ways=False, patience=0.5)
    assert (result.verdict, result.disconnected, result.exit_code) == (Verdict.FAIL, True, 4)


def test_failed_check_fails_the_result_of_a_run_that_passed():
    run = Run(asked(), Verdict.PASS)
    assert Result((run,), (Check("c", Outcome.NOT_TESTED, "no"),)).verdict is Verdict.PASS
    assert sentence(Result((run,), (Check("c", Outcome.FAIL, "no"),))) == "The data arrived, but 1 check failed."
    assert Result((run, Run(asked(), Verdict.NOT_TESTED))).verdict is Verdict.NOT_TESTED
    assert Result((run, Run(asked(), Verdict.NOT_TESTED)), (Check("c", Outcome.FAIL, "no"),)).verdict is Verdict.FAIL

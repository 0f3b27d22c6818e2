"""SimulatedUart: paced, finite, faulty on demand; the log accounts for every byte that isn't as it was sent."""

import fcntl
import math
import os
import tempfile
import termios
import threading
import time
from pathlib import Path

import pytest
import serial
from waiting import wait_until

from serialwrite.testing import (
    Fault,
    Rule,
    SimulatedUart,
    fill,
    random_script,
    receive,
    receive_available,
    receive_only,
    send,
    what_arrives,
)
from serialwrite.testing.uart import _uart_line
from serialwrite.testing.uart._uart_settings import UartSettings
from serialwrite.testing.uart._uart_wire import OTHER_END

DIGITS = b"0123456789" * 10


def send_in_pieces(end, data, size):
    for start in range(0, len(data), size):
        send(end, data[start : start + size])


def cross(faults, data=DIGITS, *, sender="port", prepare=None, size=1 << 20, **arguments):
    """Send data, in pieces of this size, over an unpaced line with these faults; return what arrived and the log."""
    with (
        SimulatedUart(baud=None, faults=faults, **arguments) as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        source, target = (port, peer) if sender == "port" else (peer, port)
        if prepare:
            prepare(target)
        sending = threading.Thread(target=send_in_pieces, args=(source, data, size))
        reading = Reader(target)
        sending.start()
        sending.join(30)
        assert not sending.is_alive()
        wait_until(lambda: getattr(rig.sent, f"{sender}_to_{OTHER_END[sender]}") == len(data))
        expected = what_arrives(data, sender, rig.log)
        wait_until(lambda: len(reading.data) >= len(expected))
        assert reading.stop() + receive_available(target, quiet=0.05) == expected
        return expected, rig.log


class Reader:
    """Reads an end on a thread of its own until it is stopped."""

    def __init__(self, end):
        self.data = bytearray()
        self._end = end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop.is_set():
            self.data += receive_available(self._end, quiet=0.02)

    def stop(self):
        self._stop.set()
        self._thread.join(10)
        return bytes(self.data)


def has_come_to_rest(count):
    """Whether something has moved, and nothing does any more."""
    before = count()
    time.sleep(0.2)
    return before == count() > 0


# Pace


@pytest.mark.parametrize(
    ("settings", "bits"),
    [(("N", 8, 1), 10), (("E", 8, 1), 11), (("O", 7, 2), 11), (("M", 8, 1.5), 11.5), (("S", 5, 1), 8)],
)
def test_bits_of_a_character(settings, bits):
    parity, bytesize, stopbits = settings
    made = UartSettings(
        baud=1000, bytesize=bytesize, parity=parity, stopbits=stopbits,
        fifo=16, queue=4095, receive=4096, flow_control="none",
    )  # fmt: skip
    assert made.character_seconds == bits / 1000


@pytest.mark.parametrize("baud", [300, 9600, 115200])
def test_bytes_take_their_time(baud):
    data = bytes(int(baud / 10 * 0.4))  # 0.4 s
    with SimulatedUart(baud=baud) as rig, rig.open_port() as port, rig.open_peer() as peer:
        started = time.monotonic()
        send(port, data)
        assert receive(peer, len(data)) == data
        assert 0.39 < time.monotonic() - started < 5


def test_a_pause_is_not_saved_up_as_line_time():
    """A line that was silent, stalled or throttled for a while carries no faster afterwards."""
    with SimulatedUart(baud=9600) as rig, rig.open_port() as port, rig.open_peer() as peer:
        for pause, go_on in ((rig.stall, rig.resume), (rig.throttle, rig.release), (None, None)):
            if pause:
                pause("peer")
                send(port, bytes(200))
            time.sleep(0.2)  # the line's time that must not count
            started = time.monotonic()
            if go_on:
                go_on("peer")
            else:
                send(port, bytes(200))
            receive(peer, 200)
            assert time.monotonic() - started > 0.17  # 200 characters less a FIFO-full


def test_a_stall_before_the_first_byte_is_not_saved_up_either():
    with (
        SimulatedUart(baud=9600, faults="at byte 0: stall 0.3 s") as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        started = time.monotonic()
        send(port, bytes(200))
        receive(peer, 200)
        assert time.monotonic() - started > 0.3 + 0.2


def test_a_fast_line_is_carried_in_portions(monkeypatch):
    """Carried byte by byte, a line of some megabaud would keep a core busy."""
    carried = []
    carry = _uart_line.UartLane._carry
    monkeypatch.setattr(_uart_line.UartLane, "_carry", lambda lane, n: (carried.append(n), carry(lane, n)))
    with SimulatedUart(baud=3_000_000) as rig, rig.open_port() as port, rig.open_peer() as peer:
        sending = threading.Thread(target=send, args=(port, bytes(150_000)))
        sending.start()
        receive(peer, 150_000)
        sending.join(10)
    assert sum(carried) == 150_000
    assert len(carried) < 600


# Queues and flow control


def test_eagain_comes_where_a_real_driver_says_it():
    """To a writer that leaves the driver time to speak: after its ring and its FIFO, not after the kernel's pty."""
    with (
        SimulatedUart(baud=115200, queue=4095, fifo=16) as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        rig.stall("peer")
        accepted = 0
        with pytest.raises(BlockingIOError):
            while accepted < 20_000:
                accepted += os.write(port.fileno(), b"x" * 16)
                _ = rig.counters, rig.counters  # two answers of the pump: it has moved in between
        assert 4095 + 16 <= accepted <= 4095 + 16 + 64
        rig.resume("peer")
        assert receive(peer, accepted) == b"x" * accepted
        wait_until(lambda: os.write(port.fileno(), b"y") == 1)


def test_a_burst_is_bounded_and_nothing_of_it_is_lost():
    with SimulatedUart(baud=None) as rig, rig.open_port() as port, rig.open_peer() as peer:
        rig.stall("peer")
        accepted = fill(port, DIGITS)
        assert 4111 <= accepted < 40_000
        rig.resume("peer")
        assert receive(peer, accepted) == DIGITS * (accepted // 100) + DIGITS[: accepted % 100]


@pytest.mark.parametrize("flow_control", ["rts-cts", "xon-xoff"])
def test_flow_control_loses_nothing_to_a_peer_that_does_not_read(flow_control):
    with (
        SimulatedUart(baud=3_000_000, flow_control=flow_control) as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        accepted = fill(port, DIGITS)
        receive_only(peer, accepted)
        assert rig.log == []


def test_without_flow_control_a_peer_that_does_not_read_overruns():
    data = os.urandom(100_000)
    with (
        SimulatedUart(baud=None, flow_control="none", receive=1024) as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        send(port, data)
        wait_until(lambda: rig.sent.port_to_peer == len(data))
        expected = what_arrives(data, "port", rig.log)
        assert {record.kind for record in rig.log} == {"overrun"}
        assert len(expected) < len(data)
        assert receive_only(peer, len(expected)) == expected


def test_a_throttled_sender_still_sends_its_fifo():
    with SimulatedUart(baud=None, fifo=16) as rig, rig.open_port() as port, rig.open_peer() as peer:
        rig.throttle("peer")
        send(port, DIGITS)
        assert receive_only(peer, 16) == DIGITS[:16]
        rig.release("peer")
        assert receive(peer, 84) == DIGITS[16:]


def test_throttling_needs_flow_control():
    with (
        SimulatedUart(flow_control="none") as rig,
        pytest.raises(RuntimeError, match="uses no flow control"),
    ):
        rig.throttle("peer")
    with pytest.raises(ValueError, match="throttle needs flow control"):
        SimulatedUart(flow_control="none", faults="at byte 1: throttle 1 s")


def test_xoff_in_the_data_stops_the_other_direction_and_is_eaten():
    with (
        SimulatedUart(baud=None, flow_control="xon-xoff") as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        send(peer, b"ab\x13cd")
        assert receive(port, 4) == b"abcd"
        send(port, DIGITS)
        assert receive_only(peer, 16) == DIGITS[:16]
        send(peer, b"\x11")
        assert receive(peer, 84) == DIGITS[16:]
        assert [(r.sender, r.offset, r.kind, r.before) for r in rig.log] == [
            ("peer", 2, "flow control", b"\x13"),
            ("peer", 5, "flow control", b"\x11"),
        ]


@pytest.mark.parametrize(
    ("port_settings", "peer_settings", "lossless"),
    [
        ({"rtscts": True}, {"rtscts": True}, True),
        ({"rtscts": True}, {}, False),
        ({}, {"rtscts": True}, False),
        ({"xonxoff": True}, {"xonxoff": True}, True),
        ({}, {}, False),
    ],
)
def test_flow_control_by_the_ports_own_settings(port_settings, peer_settings, lossless):
    data = DIGITS * 1000
    with (
        SimulatedUart(baud=None, flow_control="settings") as rig,
        serial.Serial(rig.port, **port_settings) as port,
        serial.Serial(rig.peer, **peer_settings) as peer,
    ):
        sending = threading.Thread(target=send, args=(port, data))
        sending.start()
        # A reader that comes late: the line either waits for it or has gone on without it.
        wait_until(lambda: rig.sent.port_to_peer > 10_000)
        if not lossless:
            wait_until(lambda: rig.log)
        reading = Reader(peer)
        sending.join(10)
        wait_until(lambda: rig.sent.port_to_peer == len(data))
        expected = what_arrives(data, "port", rig.log)
        wait_until(lambda: len(reading.data) >= len(expected))
        assert reading.stop() == expected
        assert (expected == data) is lossless


# Faults


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ("flip bit 0", b"0023456789"),
        ("parity bit 0", b"0023456789"),
        ("framing bit 7", b"0\xb123456789"),
        ("drop", b"023456789"),
        ("drop 3", b"0456789"),
        ("duplicate", b"01123456789"),
        ("duplicate 2", b"012123456789"),
        ("swap", b"0213456789"),
        ("break 1 ms", b"0\x00123456789"),
        ("stall 10 ms", b"0123456789"),
        ("throttle 10 ms", b"0123456789"),
    ],
)
@pytest.mark.parametrize("sender", ["port", "peer"])
def test_each_fault_at_its_byte(fault, arrived, sender):
    got, log = cross(f"at byte 1 from {sender}: {fault}", b"0123456789", sender=sender)
    assert got == arrived
    assert [(record.sender, record.offset) for record in log] == [(sender, 1)]
    assert log[0].rule.startswith(f"at byte 1 from {sender}: {fault.split()[0]}")


def test_a_fault_of_several_bytes_makes_do_with_the_last_ones():
    assert cross("at byte 9: swap", b"0123456789")[0] == b"0123456789"
    assert cross("at byte 8: drop 5", b"0123456789")[0] == b"01234567"


def test_a_fault_of_several_bytes_waits_for_them(monkeypatch):
    monkeypatch.setattr(_uart_line, "FAULT_BYTES_TIMEOUT_S", 10)
    with (
        SimulatedUart(baud=None, faults="at byte 4: swap") as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        send(port, b"01234")
        assert receive_only(peer, 4) == b"0123"
        send(port, b"56789")
        assert receive_only(peer, 6) == b"546789"


def test_faults_in_one_place_strike_one_after_the_other():
    got, log = cross("at byte 1: drop; at byte 1: drop; at byte 1: duplicate", b"0123456789")
    assert got == b"033456789"
    assert [record.offset for record in log] == [1, 2, 3]


def test_parity_errors_are_what_the_readers_settings_say():
    def check_parity(target):
        settings = termios.tcgetattr(target.fileno())
        settings[0] |= termios.INPCK
        termios.tcsetattr(target.fileno(), termios.TCSANOW, settings)

    assert cross("at byte 2: parity", b"abcdef", prepare=check_parity)[0] == b"ab\0def"


def test_newlines_are_translated_and_bytes_eaten():
    assert cross("always: newline lf to crlf", b"a\nb\n\nc")[0] == b"a\r\nb\r\n\r\nc"
    got, log = cross("always: eat 0x11 0x13", b"a\x11b\x13c")
    assert got == b"abc"
    assert [(record.offset, record.kind) for record in log] == [(1, "eat"), (3, "eat")]


def test_a_break_that_the_program_sends():
    with SimulatedUart(baud=None) as rig, rig.open_port() as port, rig.open_peer() as peer:
        send(port, b"before")
        assert receive(peer, 6) == b"before"
        rig.send_break("port", 0.05)
        send(port, b"after")
        assert receive(peer, 6) == b"\0after"
        assert rig.log[0].rule == "at byte 6 from port: break 0.05 s"


def test_a_stall_holds_all_that_comes_after():
    with (
        SimulatedUart(baud=None, faults="at byte 50: stall 0.5 s") as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        started = time.monotonic()
        send(port, DIGITS)
        assert receive(peer, 50) == DIGITS[:50]
        assert receive(peer, 50) == DIGITS[50:]
        assert time.monotonic() - started > 0.45


def test_the_same_seed_is_the_same_run_however_the_bytes_are_cut():
    script = "at rate 1e-3: flip; at rate 1e-3: drop 3; at rate 1e-3: swap; every 999 bytes: duplicate 2"
    data = os.urandom(50_000)
    whole, log = cross(script, data, seed=11)
    assert len(log) > 100
    for size in (7, 1000):
        assert cross(script, data, seed=11, size=size) == (whole, log)
    assert cross(script, data, seed=12)[0] != whole


def test_a_run_can_be_replayed_from_its_log():
    data = os.urandom(50_000)
    with (
        SimulatedUart(baud=None, faults="at rate 1e-3: flip; at rate 1e-4: drop 2; at rate 1e-4: stall 1 ms") as rig,
        rig.open_port() as port,
        rig.open_peer() as peer,
    ):
        reading = Reader(peer)
        send(port, data)
        wait_until(lambda: rig.sent.port_to_peer == len(data))
        assert repr(rig.seed) in repr(rig)
        log, script = rig.log, rig.replay_script()
        arrived = what_arrives(data, "port", log)
        wait_until(lambda: len(reading.data) >= len(arrived))
        assert reading.stop() == arrived
    again, same_log = cross(script, data)
    assert again == arrived
    assert same_log == log


def test_what_a_line_always_does_is_replayed_too():
    data = b"a\x11b\n" * 100
    arrived, log = cross("at rate 0.1: flip; always: eat 0x11; always: newline lf to crlf", data, seed=1)
    with SimulatedUart(None, faults="at rate 0.1: flip; always: eat 0x11; always: newline lf to crlf", seed=1) as rig:
        assert rig.replay_script().splitlines() == [
            "always from port: eat 0x11",
            "always from port: newline lf to crlf",
        ]
        with rig.open_port() as port, rig.open_peer() as peer:
            send(port, data)
            assert receive_only(peer, len(arrived)) == arrived
        script = rig.replay_script()
    assert cross(script, data) == (arrived, log)


def test_faults_may_be_rules_instead_of_a_script():
    arrived, _ = cross([Rule(Fault("drop"), at=1), Rule(Fault("swap"), "peer", at=0)], b"abc")
    assert arrived == b"ac"


@pytest.mark.parametrize("seed", range(12))
def test_random_scripts_lose_nothing_that_the_log_does_not_tell(seed):
    data = os.urandom(30_000)
    cross(random_script(seed, len(data), faults=30), data)


# Ends that go away


def test_hang_up_ends_the_write_and_the_path_opens_again():
    with SimulatedUart(baud=None, faults="at byte 1000: hang up") as rig, rig.open_peer() as peer:
        accepted = 0
        with rig.open_port() as port, pytest.raises(OSError, match="Input/output error"):
            while True:
                accepted += port.write(b"x" * 100) or 0
        assert receive_only(peer, 1000) == b"x" * 1000
        assert sum(len(record.before) for record in rig.log if record.kind == "lost") == accepted - 1000
        assert what_arrives(b"x" * accepted, "port", rig.log) == b"x" * 1000
        with rig.open_port() as port:
            send(port, b"back again")
            assert receive(peer, 10) == b"back again"


@pytest.mark.parametrize("end", ["port", "peer"])
def test_unplug_and_plug_under_the_same_path(end):
    with SimulatedUart(baud=None) as rig:
        path = getattr(rig, end)
        open_this, open_other = (rig.open_port, rig.open_peer) if end == "port" else (rig.open_peer, rig.open_port)
        with open_this() as old:
            rig.unplug(end)
            with pytest.raises(OSError, match="Input/output error"):
                os.write(old.fileno(), b"x")
            with pytest.raises(FileNotFoundError):
                open_this()
            rig.unplug(end)
            rig.plug(end)
        rig.plug(end)
        assert getattr(rig, end) == path
        with open_this() as this, open_other() as other:
            send(this, b"out")
            assert receive(other, 3) == b"out"
            send(other, b"in")
            assert receive(this, 2) == b"in"
        assert [record.kind for record in rig.log] == ["unplug", "plug"]


def test_an_unplug_by_script_is_mended_after_its_time():
    with SimulatedUart(baud=None, faults="at byte 10: unplug 50 ms") as rig, rig.open_peer() as peer:
        with rig.open_port() as port:
            send(port, b"0123456789abc")
            assert receive(peer, 10) == b"0123456789"
        wait_until(lambda: rig.log[-1].kind == "plug")
        with rig.open_port() as port:
            send(port, b"back")
            assert receive(peer, 4) == b"back"
        assert [(record.kind, record.before) for record in rig.log] == [
            ("unplug", b""),
            ("lost", b"abc"),
            ("plug", b""),
        ]


def test_plugging_in_does_not_overwrite_what_took_the_path(tmp_path):
    path = tmp_path / "dut"
    with SimulatedUart(links=(path, None)) as rig:
        rig.unplug("port")
        path.write_text("someone else's")
        with pytest.raises(FileExistsError, match="dut"):
            rig.plug("port")
        assert path.read_text() == "someone else's"
        path.unlink()
        rig.plug("port")
        assert path.is_symlink()
    assert not path.is_symlink()


def test_plugging_in_by_script_does_not_either_and_is_logged(tmp_path):
    path = tmp_path / "dut"
    with SimulatedUart(baud=None, links=(path, None), faults="at byte 0: unplug 200 ms") as rig:
        with rig.open_port() as port:
            send(port, b"x")
            wait_until(lambda: not path.is_symlink())
            path.write_text("someone else's")
        wait_until(lambda: rig.log[-1].kind == "plug failed")
        with pytest.raises(FileExistsError, match="dut"):
            rig.plug("port")
    assert path.read_text() == "someone else's"


def test_bytes_to_an_unplugged_end_wait_for_cts_or_are_lost():
    with SimulatedUart(baud=None) as rig, rig.open_peer() as peer:
        rig.unplug("port")
        accepted = fill(peer, b"patient")
        rig.plug("port")
        with rig.open_port() as port:
            assert receive(port, accepted) == (b"patient" * accepted)[:accepted]
    with SimulatedUart(baud=None, flow_control="none") as rig, rig.open_peer() as peer:
        rig.unplug("port")
        send(peer, b"into the void")
        wait_until(lambda: rig.sent.peer_to_port == 13)
        assert [(record.kind, record.before) for record in rig.log if record.before] == [("lost", b"into the void")]


def test_what_an_unplugged_end_had_received_goes_with_it():
    with SimulatedUart(baud=None) as rig, rig.open_port() as port:
        accepted = fill(port, DIGITS)
        sent = rig.sent.port_to_peer
        rig.unplug("peer")
        assert [(record.kind, len(record.before) > 0) for record in rig.log] == [
            ("unplug", False),
            ("lost by the receiver", True),
        ]
        rig.plug("peer")
        with rig.open_peer() as peer:
            assert receive_only(peer, accepted - sent) == (DIGITS * accepted)[sent:accepted]


@pytest.mark.skipif(os.geteuid() != 0, reason="vhangup needs root")
def test_a_vhangup_as_getty_makes_it_does_no_harm():
    tiocvhangup = 0x5437
    with SimulatedUart(baud=None, flow_control="settings") as rig:
        with rig.open_port() as port:
            fcntl.ioctl(port.fileno(), tiocvhangup)
        with serial.Serial(rig.port, timeout=5) as port, rig.open_peer() as peer:
            port.write(b"still there")
            assert receive(peer, 11) == b"still there"
            send(peer, b"yes")
            assert port.read(3) == b"yes"


# Behaviour as a rig


@pytest.mark.parametrize("trouble", ["nothing", "stall", "throttle", "unplug", "hang_up", "no reader"])
def test_it_sleeps_while_nothing_can_move(trouble):
    with SimulatedUart(baud=115200) as rig, rig.open_port() as port, rig.open_peer() as peer:
        if trouble == "no reader":
            fill(port)
            wait_until(lambda: has_come_to_rest(lambda: rig.counters.port_to_peer))  # how much a pty takes varies
        elif trouble != "nothing":
            getattr(rig, trouble)("peer")
            if trouble != "hang_up":
                fill(port)
        _ = peer
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.02


def test_it_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # other tests use the usual one at the same time
    with SimulatedUart() as rig:
        assert Path(rig.port).is_symlink()
        assert Path(rig.port).parent.stat().st_mode & 0o777 == 0o700
        assert Path(rig.port).stat().st_mode & 0o777 == 0o600
        assert Path(rig.port).parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_closing_succeeds_when_the_directory_is_gone():
    with SimulatedUart() as rig:
        Path(rig.port).unlink()
        Path(rig.peer).unlink()
        Path(rig.port).parent.rmdir()


def test_quirks_say_what_it_can_do():
    plain = SimulatedUart().quirks
    assert plain == {"no-modem-lines", "no-character-format", "no-output-queue"}
    assert SimulatedUart(baud=None).quirks == plain | {"no-pacing"}
    assert SimulatedUart(flow_control="none").quirks == plain | {"lossy"}
    assert SimulatedUart(faults="at rate 0.1: flip").quirks == plain | {"lossy"}
    assert SimulatedUart(faults="at byte 1: stall 1 s").quirks == plain


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"baud": 0}, "baud=0: pass a number above 0"),
        ({"bytesize": 9}, "bytesize=9: pass 5"),
        ({"parity": "X"}, "parity='X': pass"),
        ({"stopbits": 3}, "stopbits=3: pass 1"),
        ({"fifo": 0}, "fifo=0, queue="),
        ({"receive": 63}, "receive=63: pass at least"),
        ({"flow_control": "dtr"}, "flow_control='dtr': pass one of"),
        ({"faults": "nonsense"}, "can't read the fault"),
        ({"faults": [Rule(Fault("drop"))]}, "drop never happens `always`"),
        ({"faults": [Rule(Fault("stall"), at=1)]}, "no fault is called 'stall'"),
        ({"faults": [Rule(Fault("drop"), every=0)]}, "every 0 bytes"),
        ({"faults": [Rule(Fault("drop"), sender="far", at=1)]}, "does not say when"),
        ({"baud": math.inf}, "baud=inf: pass a number above 0, or None for no pacing"),
    ],
)
def test_bad_arguments_are_named(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        SimulatedUart(**arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"faults": ["at byte 1: drop"]}, "faults: got 'at byte 1: drop' among them; pass a script, or rules"),
        ({"faults": 5}, "faults: got 5; pass a script, or rules"),
        ({"baud": "fast"}, "baud='fast': pass a number above 0"),
        ({"queue": 1.5}, "queue=1.5: pass a whole number of bytes"),
    ],
)
def test_arguments_of_another_kind_are_named(arguments, complaint):
    with pytest.raises(TypeError, match=complaint):
        SimulatedUart(**arguments)

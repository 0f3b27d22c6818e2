"""Fault scripts, schedules and the log: the same seed is the same run, and the log says what must have arrived."""

import termios

import pytest

from serialwrite.testing import (
    Fault,
    FaultRecord,
    FaultScriptError,
    Rule,
    parse_faults,
    random_script,
    what_arrives,
)
from serialwrite.testing.uart._corruption import apply_fault, break_mark, split_at
from serialwrite.testing.uart._injected_faults import BYTE_KINDS, EVENT_KINDS, FaultPlan


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("at byte 10_000: stall 0.3 s", Rule(Fault("stall", seconds=0.3), at=10_000)),
        ("at byte 0 from peer: flip bit 7", Rule(Fault("flip", bit=7), "peer", at=0)),
        ("every 1000 bytes: flip", Rule(Fault("flip"), every=1000)),
        ("at rate 1e-5: parity", Rule(Fault("parity"), rate=1e-5)),
        ("at rate 0.5 from port: framing bit 0", Rule(Fault("framing", bit=0), rate=0.5)),
        ("at byte 5: drop 3", Rule(Fault("drop", count=3), at=5)),
        ("at byte 5: duplicate", Rule(Fault("duplicate"), at=5)),
        ("at byte 5: swap", Rule(Fault("swap"), at=5)),
        ("at byte 5: break", Rule(Fault("break", seconds=0.25), at=5)),
        ("at byte 5: break 10 ms", Rule(Fault("break", seconds=0.01), at=5)),
        ("at byte 5: throttle 1 s", Rule(Fault("throttle", seconds=1), at=5)),
        ("at byte 5: hang up", Rule(Fault("hang up"), at=5)),
        ("AT  byte 5 :  hang-up peer", Rule(Fault("hang up", end="peer"), at=5)),
        ("at byte 5: unplug port 500 ms", Rule(Fault("unplug", end="port", seconds=0.5), at=5)),
        ("at byte 5: unplug", Rule(Fault("unplug"), at=5)),
        ("always: eat 0x11 0x13", Rule(Fault("eat", table=((0x11, b""), (0x13, b""))))),
        ("always from peer: newline lf to crlf", Rule(Fault("newline", table=((10, b"\r\n"),)), "peer")),
    ],
)
def test_a_rule_is_read_and_written_back(text, rule):
    assert parse_faults(text) == [rule]
    assert parse_faults(str(rule)) == [rule]


def test_a_script_has_lines_semicolons_blanks_and_comments():
    script = "# a bad day\nat byte 1: drop; at byte 2: drop\n\n  at byte 3: drop # and that was that\n"
    assert [rule.at for rule in parse_faults(script)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stall 0.3 s", "does not say when"),
        ("at byte ten: drop", "does not say when"),
        ("at byte 5: explode", "no fault is called 'explode'"),
        ("at byte 5: stall", "no fault is called 'stall'"),
        ("at byte 5: flip bit 8", "no fault is called"),
        ("at byte 5: drop 0", "does nothing"),
        ("every 0 bytes: drop", "the distance is 0"),
        ("at rate 2: drop", "at most 1"),
        ("always: drop", "drop never happens `always`"),
        ("at byte 1: eat 0x13", "eat always happens `always`"),
        ("always: newline lf to lf", "changes nothing"),
    ],
)
def test_unreadable_script_is_quoted_with_what_is_possible(text, complaint):
    with pytest.raises(FaultScriptError, match=complaint) as caught:
        parse_faults(text)
    assert text in str(caught.value)
    assert "WHAT  flip [bit B]" in str(caught.value)


def strikes(script, seed, until=20_000):
    schedule = FaultPlan(parse_faults(script), seed)
    found = []
    while (offset := schedule.next_offset) < until:
        found.append((offset, schedule.take()))
    return found


def test_the_same_seed_strikes_the_same_bytes():
    script = "at rate 1e-3: flip; at rate 1e-3: drop"
    assert strikes(script, 1) == strikes(script, 1)
    assert strikes(script, 1) != strikes(script, 2)


def test_a_rate_strikes_about_so_often():
    assert 120 < len(strikes("at rate 1e-2: flip", seed=7)) < 280  # 200 expected
    assert [offset for offset, _ in strikes("at rate 1: flip", 0, until=4)] == [0, 1, 2, 3]


def test_every_and_at_strike_where_they_say():
    found = strikes("every 100 bytes: drop; at byte 150: swap", 0, until=300)
    assert [(offset, fault.kind) for offset, fault in found] == [
        (99, "drop"),
        (150, "swap"),
        (199, "drop"),
        (299, "drop"),
    ]


def test_rules_do_not_disturb_each_others_dice():
    alone = [offset for offset, _ in strikes("at rate 1e-3: flip", 3)]
    together = [o for o, fault in strikes("at rate 1e-3: flip; at rate 1e-2: drop", 3) if fault.kind == "flip"]
    assert alone == together


def test_what_arrives_applies_the_log():
    log = [
        FaultRecord("port", 1, "drop", b"bc", b""),
        FaultRecord("peer", 2, "flip", b"?", b"!"),
        FaultRecord("port", 4, "stall", seconds=1.0),
        FaultRecord("port", 5, "duplicate", b"f", b"ff"),
        FaultRecord("port", 6, "break", b"", b"\0"),
        FaultRecord("port", 6, "swap", b"gh", b"hg"),
        FaultRecord("port", 8, "lost by the receiver", b"hg"),  # what had arrived
    ]
    assert what_arrives(b"abcdefghij", "port", log) == b"adeff\0hgij"
    with pytest.raises(ValueError, match="not about these bytes"):
        what_arrives(b"other bytes", "port", log)


def test_a_random_script_is_the_seeds():
    assert random_script(5, 1000) == random_script(5, 1000)
    assert random_script(5, 1000) != random_script(6, 1000)
    rules = parse_faults(random_script("five", 1000, faults=20, kinds=("drop", "unplug")))
    assert len(rules) == 20
    assert {rule.fault.kind for rule in rules} == {"drop", "unplug"}


@pytest.mark.parametrize("kind", [*BYTE_KINDS, *EVENT_KINDS])
def test_a_random_script_can_have_every_kind(kind):
    rules = parse_faults(random_script(1, 1000, faults=3, kinds=[kind]))
    assert [rule.fault.kind for rule in rules] == [kind] * 3


def test_a_random_script_has_no_kind_that_is_always():
    with pytest.raises(ValueError, match="newline"):
        random_script(1, 1000, kinds=["drop", "newline"])


def test_what_a_tty_makes_of_line_errors():
    parity = Fault("parity", bit=0)
    assert apply_fault(parity, b"A", 0) == b"@"
    assert apply_fault(parity, b"A", termios.INPCK) == b"\0"
    assert apply_fault(parity, b"A", termios.INPCK | termios.IGNPAR) == b""
    assert apply_fault(Fault("flip", bit=0), b"A", termios.INPCK) == b"@"
    assert break_mark(0) == b"\0"
    assert break_mark(termios.IGNBRK) == b""


def test_split_at():
    assert list(split_at(b"ab\ncd\n\n", b"\n")) == [
        (0, b"ab"),
        (2, b"\n"),
        (3, b"cd"),
        (5, b"\n"),
        (6, b"\n"),
    ]
    assert list(split_at(b"abc", b"\n")) == [(0, b"abc")]
    assert list(split_at(b"", b"\n")) == []

"""Telnet and COM-PORT-OPTION with no I/O: every cut of every byte, options, and which answer belongs to what."""

import random
from itertools import accumulate, pairwise

import pytest

from serialwrite.streams.remote._com_port import Code, ComPort, Question, asked_with, tell
from serialwrite.streams.remote._telnet import (
    BINARY,
    COM_PORT_OPTION,
    DO,
    DONT,
    ECHO,
    SB,
    WILL,
    WONT,
    Options,
    command,
    covered,
    escaped,
    split,
)

QUERY = tell(Code.BAUDRATE, bytes(4))
HOSTILE = [0xFF, 0xFF, 0x00, 0x01, 0xF0, 0xF1, 0xFA, 0x41]  # IAC, SE, NOP and SB among them


def sent_and_counted(choose, data):
    """What is on the wire, what of ``data`` was counted, and the commands, when every send ends anywhere."""
    wire, counted, commands, half, at = b"", b"", 0, False, 0
    while at < len(data):
        if choose.random() < 0.2:
            wire, half, commands = wire + command(QUERY, half), False, commands + 1
        if choose.random() < 0.1:  # a write is given up, and the next one has other bytes
            at += choose.randrange(3)
        sizes = choose.choices(range(1, 5), k=choose.randrange(1, 4))  # of buffers that are gathered
        ends = [min(end, len(data)) for end in accumulate(sizes, initial=at)]
        buffers = [memoryview(data)[one:end] for one, end in pairwise(ends) if one < end]
        if not buffers:
            continue
        form, payload = escaped(buffers, half)
        behind = choose.choice((b"", QUERY))
        out = b"".join([*payload, behind])[: choose.randrange(sum(map(len, payload)) + len(behind) + 1)]
        n, half, beyond = covered(form, half, len(out))
        wire, counted, at = wire + out, counted + data[at : at + n], at + n
        if beyond is not None and behind:  # a command that has begun is ended
            wire, commands = wire + behind[beyond:], commands + 1
    return wire + command(QUERY, half), counted, commands + 1


def received(choose, wire):
    """The data and the commands of ``wire``, which comes in pieces."""
    data, commands, held, at = b"", [], b"", 0
    while at < len(wire):
        size = choose.randrange(1, 7)
        came, found, held = split(held, wire[at : at + size])
        data, commands, at = data + came, commands + list(found), at + size
    return data, commands, held


@pytest.mark.parametrize("seed", range(20))
def test_what_is_counted_is_what_comes_wherever_it_is_cut(seed):
    choose = random.Random(seed)
    for _ in range(300):
        data = bytes(choose.choices(HOSTILE, k=choose.randrange(1, 40)))
        wire, counted, commands = sent_and_counted(choose, data)
        assert received(choose, wire) == (counted, [(SB, COM_PORT_OPTION, b"\1\0\0\0\0")] * commands, b"")


def test_a_command_without_end_is_not_telnet():
    _, _, held = split(b"", b"\xff\xfa\x2c" + bytes(5000)[:4000])
    with pytest.raises(ValueError, match="no command of Telnet's is longer"):
        split(held, bytes(200))


# -- options -----------------------------------------------------------------------------------------------


def test_options_are_agreed_on_by_either_who_begins():
    first, second = Options(), Options()
    assert first.begin() == bytes.fromhex("fffb2c fffb00 fffb03 fffd00 fffd03")
    assert first.missing() == "COM-PORT-OPTION (RFC 2217)"
    for kind, option in ((DO, COM_PORT_OPTION), (DO, BINARY), (WILL, BINARY)):
        assert first.receive(kind, option) == b""
    assert second.receive(DO, COM_PORT_OPTION) == bytes.fromhex("fffb2c")
    assert second.receive(DO, BINARY) == bytes.fromhex("fffb00")
    assert second.receive(WILL, BINARY) == bytes.fromhex("fffd00")
    assert second.begin() == bytes.fromhex("fffb03 fffd03")
    for options in (first, second):
        assert (options.missing(), options.refused()) == (None, None)
        assert options.receive(DO, BINARY) == b""  # said twice: no answer, or it would go on for ever


def test_options_refused_or_unknown_are_told():
    options = Options()
    options.begin()
    assert options.receive(WILL, ECHO) == bytes.fromhex("fffd01")
    assert options.receive(DO, 99) == bytes.fromhex("fffc63")
    assert options.receive(WILL, 99) == bytes.fromhex("fffe63")
    assert options.receive(DONT, COM_PORT_OPTION) == b""
    assert options.refused() == "COM-PORT-OPTION (RFC 2217)"
    options = Options()
    options.begin()
    options.receive(WONT, BINARY)
    assert options.refused() == "binary transmission (RFC 856)"


def test_an_option_that_is_taken_back_is_agreed_to():
    options = Options()
    options.receive(DO, BINARY)
    assert options.receive(DONT, BINARY) == bytes.fromhex("fffc00")
    assert options.receive(DONT, BINARY) == b""


# -- answers -----------------------------------------------------------------------------------------------


class Exchange:
    """What is asked of a server, and what it answers."""

    def __init__(self):
        self.port, self.asked = ComPort(), ()

    def ask(self, code, value, **how):
        question = Question(code, value, **how)
        self.asked = asked_with(self.asked, question)
        return question

    def answer(self, code, *value):
        self.hear(bytes((code + 100, *value)))

    def hear(self, said):
        assert self.port.receive(said, self.asked) == b""


def test_answers_belong_to_questions_of_their_family():
    server = Exchange()
    rts = server.ask(Code.CONTROL, b"\x0b")
    flow = server.ask(Code.CONTROL, b"\x01")
    baud = server.ask(Code.BAUDRATE, (9600).to_bytes(4))
    server.answer(Code.CONTROL, 1)
    server.answer(Code.BAUDRATE, 0, 0, 0x25, 0x80, 0, 0, 0, 0)  # sredird adds zeros
    assert (rts.answer, flow.granted, baud.granted) == (None, True, True)
    server.answer(Code.CONTROL, 12)
    assert (rts.answer, rts.granted) == (b"\x0c", False)


def test_a_late_answer_is_not_the_next_questions():
    server = Exchange()
    late = server.ask(Code.PARITY, b"\1")
    late.awaited = False  # given up
    later = server.ask(Code.PARITY, b"\3")
    server.answer(Code.PARITY, 1)
    assert later.answer is None
    server.answer(Code.PARITY, 3)
    assert later.granted


def test_an_answer_that_never_comes_does_not_hold_the_next():
    server = Exchange()
    server.ask(Code.CONTROL, b"\x0b", awaited=False)
    later = server.ask(Code.CONTROL, b"\x0c")
    server.answer(Code.CONTROL, 12)
    assert later.granted


def test_of_questions_never_answered_the_last_is_kept():
    server = Exchange()
    for on in (11, 12) * 50:
        last = server.ask(Code.CONTROL, bytes((on,)), awaited=False)
    assert server.asked == (last,)


def test_served_is_what_was_accepted_before_an_answered_query():
    server = Exchange()
    server.ask(Code.BAUDRATE, bytes(4), position=100)
    refused = server.ask(Code.BAUDRATE, (12345).to_bytes(4))
    server.ask(Code.BAUDRATE, bytes(4), position=250)
    served = [server.port.served]
    for _ in range(3):  # the second, what is in force as the other was refused, proves nothing
        said = bytes((101, 0, 0, 0x25, 0x80))
        server.hear(said)
        served.append(server.port.served)
        server.hear(said)  # again, as the handler of a signal had come
        assert server.port.served == served[-1]
    assert (served, refused.granted) == ([0, 100, 100, 250], False)


def test_a_proof_is_not_passed_over_for_a_rate_asked_later():
    server = Exchange()
    server.ask(Code.BAUDRATE, bytes(4), position=100)
    later = server.ask(Code.BAUDRATE, (9600).to_bytes(4))
    server.answer(Code.BAUDRATE, 0, 0, 0x25, 0x80)  # the rate in force, which happens to be the same
    assert (server.port.served, later.answer) == (100, None)


def test_news_signature_and_suspend():
    server = Exchange()
    port = server.port
    for said in (b"\x6b\x90", b"\x6a\x10", b"\x64some server", b"\x6c"):
        server.hear(said)
    assert (port.modem_state, port.line_state, port.signature, port.suspended) == (0x90, 0x10, "some server", True)
    server.hear(b"\x6d")
    assert not port.suspended
    assert port.receive(b"\0", ()) == tell(Code.SIGNATURE, b"serialwrite")
    for nonsense in (b"", b"\x6b", b"\x69", b"\xff\1", b"\x71"):
        server.hear(nonsense)

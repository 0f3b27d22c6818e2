"""Answering and AnsweringStream: a device that answers by rule, for programs that block and for those that await."""

import re
import subprocess
import sys

import pytest

import serialwrite as sw
from serialwrite.testing import Answering, AnsweringStream, VirtualTime, check_read_stream

BOUND = 10
MODEM = {b"AT\r": b"OK\r\n", re.compile(rb"ATD(\d+)\r"): lambda match: b"CALLING " + match[1] + b"\r\n", b"+++": None}


def test_a_blocking_program_gets_its_answers():
    with Answering(MODEM) as modem, sw.SerialPort(modem.port) as port:
        lines = sw.Buffered(port)
        for asked, answer in ((b"AT\r", b"OK\r\n"), (b"ATD12\r", b"CALLING 12\r\n"), (b"AT\r", b"OK\r\n")):
            sw.write(port, asked)
            assert lines.readline(timeout=BOUND) == answer
        assert (modem.asked, modem.received) == ([b"AT\r", b"ATD12\r", b"AT\r"], b"AT\rATD12\rAT\r")


def test_a_program_of_another_process_gets_its_answers():
    code = "import serial, sys; p = serial.Serial(sys.argv[1], timeout=10); p.write(b'AT\\r'); print(p.readline())"
    with Answering(MODEM) as modem:
        done = subprocess.run([sys.executable, "-c", code, modem.port], capture_output=True, text=True, check=True)
    assert done.stdout == "b'OK\\r\\n'\n"


@pytest.fixture(params=["port", "stream"])
def device(request):
    if request.param == "stream":
        stream = AnsweringStream({**MODEM, b"slow\r": [None, b"at last\n", b"again\n"]})
        yield stream, stream
    else:
        rules = {**MODEM, b"slow\r": [None, b"at last\n", b"again\n"]}
        with Answering(rules) as modem, sw.SerialPort(modem.port) as port:
            yield modem, port


async def test_answers_and_unasked_lines_come_in_order(device):
    modem, stream = device
    lines = sw.Buffered(stream)
    modem.say(b"RING\r\n")
    assert await lines.async_readline(timeout=BOUND) == b"RING\r\n"
    await sw.async_write(lines, b"noise AT\r")
    assert await lines.async_readline(timeout=BOUND) == b"OK\r\n"
    modem.say(b"RING\r\n")
    assert await lines.async_readline(timeout=BOUND) == b"RING\r\n"
    assert modem.received == b"noise AT\r"


async def test_a_request_in_two_parts_is_one_request(device):
    modem, stream = device
    lines = sw.Buffered(stream)
    await sw.async_write(lines, b"A")
    with pytest.raises(sw.TransferTimeout):
        await lines.async_readline(timeout=0.01)
    await sw.async_write(lines, b"T\rATD5\r")
    assert [await lines.async_readline(timeout=BOUND) for _ in range(2)] == [b"OK\r\n", b"CALLING 5\r\n"]
    assert modem.asked == [b"AT\r", b"ATD5\r"]


async def test_a_list_is_one_answer_after_the_other(device):
    lines = sw.Buffered(device[1])
    await sw.async_write(lines, b"slow\r")
    with pytest.raises(sw.TransferTimeout):
        await lines.async_readline(timeout=0.05)
    for answer in (b"at last\n", b"again\n", b"again\n"):
        await sw.async_write(lines, b"slow\r")
        assert await lines.async_readline(timeout=BOUND) == answer


async def test_the_rule_whose_match_ends_first_has_it():
    stream = AnsweringStream({b"hello\r": b"late", b"ll": b"early"})
    await sw.async_write(stream, b"hello\r")
    assert stream.asked == [b"ll"]
    assert await sw.async_read(stream, 5, timeout=BOUND) == b"early"


async def test_a_second_read_of_the_stream_is_refused():
    stream = AnsweringStream({})
    first = stream.async_read_some([memoryview(bytearray(1))], sw.use_promise)
    with pytest.raises(sw.StreamBusy):
        stream.async_read_some([memoryview(bytearray(1))], lambda error, n: None)
    stream.say(b"x")
    assert await first == 1


async def test_a_closed_stream_gives_nothing_of_what_was_said():
    stream = AnsweringStream({})
    stream.say(b"said before")
    stream.close()
    with pytest.raises(sw.StreamClosed):
        await sw.async_read(stream, 4)
    with pytest.raises(sw.StreamClosed):
        await sw.async_write(stream, b"AT\r")
    assert stream.received == b""


async def test_what_was_said_is_read_before_the_hang_up(device):
    modem, stream = device
    lines = sw.Buffered(stream)
    await sw.async_write(lines, b"AT\r")
    assert await lines.async_readline(timeout=BOUND) == b"OK\r\n"
    modem.hang_up()
    with pytest.raises((sw.EndOfFile, sw.Disconnected)):
        await lines.async_readline(timeout=BOUND)


def test_what_a_function_raises_comes_out_of_the_block():
    def broken(match):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Answering({b"x": broken}) as modem, sw.SerialPort(modem.port) as port:
        sw.write(port, b"x")
        with pytest.raises(sw.TransferTimeout):
            sw.read(port, 1, timeout=0.2)


def test_the_stream_lives_on_virtual_time():
    clock = VirtualTime()
    stream = AnsweringStream(MODEM, executor=clock)
    ends = []
    sw.async_write(stream, b"AT\r", lambda error, n: ends.append((error, n)))
    sw.async_read(stream, 4, lambda error, data: ends.append((error, data)))
    sw.async_read(
        AnsweringStream({b"x": None}, executor=clock), 1, lambda error, data: ends.append(type(error)), timeout=3600
    )
    clock.run()
    assert ends == [(None, 3), (None, b"OK\r\n"), sw.TransferTimeout]


async def test_the_stream_keeps_the_rules_of_reading():
    def made():
        stream = AnsweringStream({b"x": None})

        class Made:
            async def __aenter__(self):
                return stream, stream.say

            async def __aexit__(self, *error):
                stream.close()

        return Made()

    await check_read_stream(made)


@pytest.mark.parametrize(
    ("rules", "error"),
    [({"AT": b"OK"}, TypeError), ({b"": b"OK"}, TypeError), ({b"AT": "OK"}, TypeError), ({b"AT": []}, ValueError)],
)
def test_what_are_no_rules(rules, error):
    for kind in (Answering, AnsweringStream):
        with pytest.raises(error, match=r"answer|asked"):
            kind(rules)


def test_the_peer_of_a_device_that_answers_can_not_be_opened():
    with Answering(MODEM) as modem, pytest.raises(NotImplementedError, match=r"use say\(\) and received"):
        modem.open_peer()

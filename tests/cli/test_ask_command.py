"""`serialwrite ask`: a query, its reply, and what it says if none comes."""

import re
import signal

import pytest

from serialwrite.cli._ask_command import Query
from serialwrite.testing import AnsweringStream, send

from .conftest import PATIENCE, receive, report


def test_reply_is_printed_up_to_the_pattern(program, line, device):
    process = program.start("ask", line.port, "AT+CSQ", "--until", "OK\r\n|ERROR\r\n", "--timeout", 30)
    assert receive(device, 7) == b"AT+CSQ\r"
    send(device, b"\r\n+CSQ: 20,99\r\n\r\nOK\r\nRING\r\n")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "\n+CSQ: 20,99\n\nOK\n", "")


async def test_reply_to_a_retry_has_nothing_of_the_try_before():
    query = Query(b"AT\r", re.compile(b"\n"), timeout=0.1, retries=1)
    await query.run(AnsweringStream({b"AT\r": [b"half", b"OK\n"]}))
    assert (query.attempts, query.reply) == (2, b"OK\n")


@pytest.mark.parametrize(("eol", "sent"), [("lf", b"X\n"), ("crlf", b"X\r\n"), ("none", b"X")])
def test_eol_and_json(program, line, device, eol, sent):
    process = program.start("ask", line.port, "X", "--eol", eol, "--json", "--timeout", 30)
    assert receive(device, len(sent)) == sent
    send(device, b"a\xff\n")
    code, out, err = program.end(process)
    answer = report(out)
    assert (code, err, answer["reply"], answer["reply_hex"]) == (0, "", "a\\xff\n", "61ff0a")
    assert (answer["outcome"], answer["sent"], answer["attempts"]) == ("complete", len(sent), 1)


def test_no_reply_is_3_and_tells_what_came(program, line, device):
    process = program.start("ask", line.port, "X", "--until", "OK", "--timeout", 0.5)
    receive(device, 2)
    send(device, b"ERROR\r\n")
    code, out, err = program.end(process)
    assert (code, out) == (3, "")
    assert "serialwrite: no reply: 7 bytes came, and no match of 'OK' in " in err
    assert r": b'ERROR\r\n'" in err


def test_retries_send_again(program, line, device):
    process = program.start("ask", line.port, "X", "--timeout", 0.3, "--retries", 100, "--json")
    assert receive(device, 6) == b"X\rX\rX\r"
    send(device, b"late\n")
    code, out, _ = program.end(process)
    assert (code, report(out)["reply"]) == (0, "late\n")
    assert report(out)["attempts"] >= 3


def test_retries_that_are_in_vain_are_counted(program, line, device):
    code, _, err = program.run("ask", line.port, "X", "--timeout", 0.05, "--retries", 2)
    assert code == 3
    assert "at 3 attempts" in err
    assert receive(device, 6) == b"X\rX\rX\r"


def test_device_that_takes_nothing_is_3(program, line):
    code, _, err = program.run("ask", line.port, "X" * 100_000, "--timeout", 0.3)
    assert code == 3
    assert "serialwrite: timed out: " in err
    assert "of 100,001 bytes accepted" in err


def test_ctrl_c_is_130(program, line, device):
    process = program.start("ask", line.port, "X", "--timeout", 60)
    receive(device, 2)
    process.send_signal(signal.SIGINT)
    code, out, err = program.end(process)
    assert (code, out) == (130, "")
    assert "serialwrite: interrupted: nothing came" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/dev/nowhere", "X"], "nothing was sent: port '/dev/nowhere' does not exist"),
        (["PORT", "X", "--until", "["], "is not a regular expression"),
        (["PORT", "X", "--eol", "tab"], "'tab' is not one of"),
        (["PORT"], "Missing argument 'TEXT'"),
    ],
)
def test_bad_usage_is_2(program, line, words, said):
    code, out, err = program.run("ask", *(line.port if word == "PORT" else word for word in words))
    assert (code, out) == (2, "")
    assert said in err

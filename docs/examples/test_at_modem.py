"""The AT modem's driver, tested with pytest and no modem: the fixture ``answering`` plays it."""

import asyncio
import re

import pytest
from at_modem import Modem

import serialwrite as sw


def with_modem(device, use):
    """Run ``use(modem)`` on a modem at the port of ``device``; return its result and what came unasked."""

    async def run():
        unasked = []
        async with sw.SerialPort(device.port, 115200) as port:
            modem = Modem(port, unasked.append)
            try:
                return await use(modem), unasked
            finally:
                modem.reader.cancel()

    return asyncio.run(run())


def test_the_lines_of_a_reply_are_returned(answering):
    device = answering({b"ATI\r": b"\r\nACME\r\nModel 1\r\n\r\nOK\r\n"})
    assert with_modem(device, lambda modem: modem.command("ATI")) == (["ACME", "Model 1"], [])


def test_a_line_that_comes_unasked_is_not_a_reply(answering):
    device = answering({re.compile(rb"AT\+CSQ\r"): b"+CSQ: 23\r\nRING\r\nOK\r\n"})
    assert with_modem(device, lambda modem: modem.command("AT+CSQ")) == (["+CSQ: 23"], ["RING"])


def test_an_error_is_raised(answering):
    device = answering({b"AT+CPIN?\r": b"\r\n+CME ERROR: 10\r\n"})
    with pytest.raises(RuntimeError, match=r"AT\+CPIN\?: \+CME ERROR: 10"):
        with_modem(device, lambda modem: modem.command("AT+CPIN?"))


def test_a_modem_that_is_silent_once_is_asked_again(answering):
    device = answering({b"AT\r": [None, b"OK\r\n"]})
    assert with_modem(device, lambda modem: modem.command("AT", timeout=0.2)) == ([], [])
    assert device.asked == [b"AT\r", b"AT\r"]


def test_a_modem_that_is_silent_for_good_is_given_up(answering):
    device = answering({b"AT\r": None})
    with pytest.raises(TimeoutError, match="AT: no reply in 2 attempts"):
        with_modem(device, lambda modem: modem.command("AT", timeout=0.1, attempts=2))

"""`serialwrite demo`: it proves what it says, and fails where that is untrue."""

import re
import sys

import pytest

PROOFS = 7


def test_it_proves_every_step(program):
    code, out, err = program.run("demo")
    assert (code, err) == (0, "")
    assert re.findall(r"^ (\d)  ", out, re.MULTILINE) == ["1", "2", "3", "4"]
    assert len(re.findall("^    ✓ ", out, re.MULTILINE)) == PROOFS
    count, arrived = (
        re.search(pattern, out)[1] for pattern in (r"bytes_transferred is ([\d,]+)", r"([\d,]+) bytes arrived: exactly")
    )
    assert count == arrived
    assert "nothing lost, nothing sent twice" in out
    assert "\x1b" not in out


def test_where_there_is_no_utf8(program):
    program.env |= {"PYTHONIOENCODING": "ascii"}
    code, out, _ = program.run("demo")
    assert code == 0
    assert len(re.findall("^    ok ", out, re.MULTILINE)) == PROOFS


# Each replaces a part of the library by one that lies; run before the command is.
LIES = {
    "a byte too many in the count": """
from serialwrite import TransferTimeout as T
T.bytes_transferred = property(lambda self: self.__dict__["n"] + 1, lambda self, n: self.__dict__.update(n=n))
""",
    "a byte that got lost": """
import serialwrite.testing as t
real = t.receive
t.receive = lambda device, n: real(device, n)[1:]
""",
    "bytes that come later": """
import serialwrite.testing as t
calls, real = [], t.receive_available
t.receive_available = lambda device, quiet: real(device, quiet) + b"zombie" * (calls.append(0) or len(calls) == 2)
""",
    "no timeout": """
import serialwrite as s
async def async_write(port, data, timeout): return len(data)
s.async_write = async_write
""",
    "unplugged": """
import serialwrite as s
async def async_write(port, data, timeout): raise s.Disconnected()
s.async_write = async_write
""",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_out(program, lie):
    program.words = [sys.executable, "-c", f"{LIES[lie]}\nfrom serialwrite.cli import main\nmain()\n"]
    code, out, err = program.run("demo")
    assert (code, err) == (1, "")
    assert "NOT TRUE" in out
    assert "nothing lost" not in out

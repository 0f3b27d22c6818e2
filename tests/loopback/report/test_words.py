"""How figures read, and that text from elsewhere can't do anything."""

import subprocess
import sys

import pytest

from serialwrite.loopback.measure._confidence import bit_error_rate
from serialwrite.loopback.report._words import brief, duration, error_rate, plural, printable, rate, size, small


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (8.3e-7, "830 ns"),
        (9.996e-7, "1.00 µs"),
        (1.254e-5, "12.5 µs"),
        (0.0032, "3.20 ms"),
        (0.09996, "100 ms"),
        (41, "41.0 s"),
        (3599, "3599 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 B/s"),
        (960, "960 B/s"),
        (999.6, "1.00 kB/s"),
        (11_520, "11.5 kB/s"),
        (1.2e6, "1.20 MB/s"),
        (5e9, "5.00 GB/s"),
    ],
)
def test_rates(value, words):
    assert rate(value) == words


def test_other_figures():
    assert (size(512), size(1500), size(100e6)) == ("512 B", "1.5 kB", "100 MB")
    assert (brief("5.20 s"), brief("100 ms"), brief("8.00 kB/s")) == ("5.2 s", "100 ms", "8 kB/s")
    assert (plural(1, "byte"), plural(2000, "byte"), plural(0, "byte")) == (
        "1 byte",
        "2,000 bytes",
        "0 bytes",
    )
    assert (small(3.74e-9), small(0.05), small(0)) == ("3.7e-9", "5.0e-2", "0")
    assert error_rate(bit_error_rate(0, 10**9)) == "below 3.0e-9 (95% sure)"
    assert error_rate(bit_error_rate(1, 10**6)) == "1.0e-6 (between 2.5e-8 and 5.6e-6, 95% sure)"
    assert error_rate(bit_error_rate(0, 0)) == "no bit compared"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("FT232R → µC 𝄞", "FT232R → µC 𝄞"),
        ("\x1b]0;x\x07\r\n\t\x00", r"\x1b]0;x\x07\r\n\t\x00"),
        ("a\u202eb\u2066\u200f\ufeff\u2028", r"a\u202eb\u2066\u200f\ufeff\u2028"),
        ("\x9b31m\udc80\ue000", r"\x9b31m\udc80\ue000"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


def test_importing_it_stays_light():
    heavy = "{'numpy', 'matplotlib', 'rich', 'typer', 'greenlet', 'scipy'}"
    code = f"import sys, serialwrite.loopback; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"

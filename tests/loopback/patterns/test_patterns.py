"""Every pattern: random access, its period, its content, and what a line can carry."""

import threading

import pytest
from hypothesis import given, strategies as st

from serialwrite.loopback.patterns._patterns import PATTERN_NAMES, Repeating, for_line, make_pattern

NAMES = [name for name in PATTERN_NAMES if "…" not in name] + ["hex:DEADBEEF00", "random:7"]


@pytest.mark.parametrize("name", NAMES)
@given(offset=st.integers(0, 10**7), sizes=st.lists(st.integers(0, 40_000), max_size=5))
def test_blocks_join_into_one_stream(name, offset, sizes):
    pattern = make_pattern(name)
    whole = make_pattern(name).block(offset, sum(sizes))
    parts, at = [], offset
    for size in sizes:
        parts.append(pattern.block(at, size))
        at += size
    assert b"".join(parts) == whole
    assert len(whole) == sum(sizes)


@pytest.mark.parametrize("name", NAMES)
def test_the_period_is_the_period(name):
    pattern = make_pattern(name)
    if pattern.period is None:
        assert pattern.block(0, 64) != pattern.block(64, 64)
        return
    assert pattern.block(3, 500) == pattern.block(3 + pattern.period, 500)
    if isinstance(pattern, Repeating):
        cycle = pattern.block(0, pattern.period)
        assert (cycle + cycle).find(cycle, 1) == pattern.period  # and no shorter one


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("counting", bytes.fromhex("00000000 00000001 00000002")),
        ("walking", bytes.fromhex("0102040810204080 fefdfbf7efdfbf7f 01")),
        ("all256", bytes(range(256)) + b"\x00\x01"),
        ("0x55", b"UUU"),
        ("0xaa", b"\xaa\xaa"),
        ("55aa", b"\x55\xaa\x55"),
        ("hex:C0FFEE", b"\xc0\xff\xee\xc0"),
        # SHAKE-128 of b"serialwrite:7:0", so that a device can make the same stream
        ("random:7", bytes.fromhex("ad178dba4232484075867231b0c05533")),
    ],
)
def test_first_bytes(name, first):
    assert make_pattern(name).block(0, len(first)) == first


def test_counting_goes_round_at_2_to_the_32():
    assert make_pattern("counting").block((1 << 34) - 4, 8) == b"\xff\xff\xff\xff\x00\x00\x00\x00"
    assert make_pattern("counting").block(4 * 0x01020304, 4) == b"\x01\x02\x03\x04"


@given(st.integers(0, (1 << 34) - 20))
def test_counting_locates_itself(offset):
    pattern = make_pattern("counting")
    assert pattern.locate(pattern.block(offset, 16), near=offset + 1000) == offset


def test_random_depends_on_the_seed_alone():
    assert make_pattern("random", seed=7).block(50_000, 99) == make_pattern("random:7").block(50_000, 99)
    assert make_pattern("random:7").block(0, 99) != make_pattern("random:8").block(0, 99)


def test_file(tmp_path):
    path = tmp_path / "firmware.bin"
    path.write_bytes(b"abc")
    assert make_pattern(f"file:{path}").block(1, 7) == b"bcabcab"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        make_pattern(f"file:{path}")
    with pytest.raises(FileNotFoundError):
        make_pattern(f"file:{path}.missing")


@pytest.mark.parametrize("name", ["", "prbs8", "file:", "hex:", "hex:zz", "random:x", "Counting"])
def test_unknown_names(name):
    with pytest.raises(ValueError):
        make_pattern(name)


@pytest.mark.parametrize("name", NAMES)
def test_for_line(name):
    pattern = make_pattern(name)
    assert for_line(pattern) is pattern
    narrow = for_line(pattern, data_bits=7, avoid=b"\x11\x13")
    plain, mapped = pattern.block(1000, 4096), narrow.block(1000, 4096)
    assert max(mapped) < 0x80
    assert not {0x11, 0x13} & set(mapped)
    assert all(
        b == a & 0x7F or (a & 0x7F, b) in {(0x11, 0x31), (0x13, 0x33)} for a, b in zip(plain, mapped, strict=True)
    )
    assert narrow.name.startswith(pattern.name)


def test_for_line_refuses_the_impossible():
    with pytest.raises(ValueError, match="data_bits"):
        for_line(make_pattern("all256"), data_bits=9)
    with pytest.raises(ValueError, match="can't be avoided"):
        for_line(make_pattern("all256"), data_bits=5, avoid=b"\x11")


def test_two_threads_read_one_pattern():
    pattern, wanted = make_pattern("prbs31"), make_pattern("prbs31").block(0, 1 << 20)
    got = {}

    def read(step):
        got[step] = b"".join(pattern.block(at, min(step, (1 << 20) - at)) for at in range(0, 1 << 20, step))

    threads = [threading.Thread(target=read, args=(step,)) for step in (1000, 4096, 30_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(got[step] == wanted for step in (1000, 4096, 30_000))

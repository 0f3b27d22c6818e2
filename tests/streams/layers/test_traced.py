"""Traced: every write_some and read_some with its time, count, ending and bytes, to a function, a logger or a file."""

import asyncio
import json
import logging
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from scripted import STREAMS, stream_of

import serialwrite as sw
from serialwrite.testing import PtyPair, ScriptedStream, VirtualTime


@pytest.mark.parametrize("kind", STREAMS)
async def test_each_step_is_told(kind):
    events = []
    with stream_of(kind, 2, 3, OSError(5, "unplugged")) as stream:
        traced = sw.Traced(stream, events.append)
        error, n = await sw.async_write(traced, [b"abc", b"defgh"], sw.as_tuple())
        assert (type(error), n, stream.written) == (sw.Disconnected, 5, b"abcde")
    told = [(event.direction, event.asked, event.count, event.data, type(event.error)) for event in events]
    assert told == [
        ("write", 8, 2, b"ab", type(None)),
        ("write", 6, 3, b"cde", type(None)),
        ("write", 3, 0, b"", sw.Disconnected),
    ]
    assert all(event.elapsed >= 0 for event in events)
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert events[0].summary.startswith("write 2 of 8 bytes in ")


async def test_reads_and_cancellation_are_told():
    events = []
    with PtyPair() as rig, sw.SerialPort(rig.port) as port, rig.open_peer() as peer:
        traced = sw.Traced(port, events.append)
        peer.write(b"hello")
        assert await sw.async_read(traced, bytearray(5), timeout=10) == 5
        with pytest.raises(sw.TransferTimeout):
            await sw.async_read(traced, bytearray(5), timeout=0.01)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(traced, bytes(100_000), timeout=0.05)
    assert b"".join(event.data for event in events if event.direction == "read") == b"hello"
    assert sum(event.count for event in events if event.direction == "write") == caught.value.bytes_transferred
    assert isinstance(events[-1].error, sw.OperationAborted)


async def test_printed_an_event_shows_time_hex_and_text(capsys):
    with stream_of("plain") as stream:
        await sw.async_write(sw.Traced(stream, print), b"AT+CSQ\r\n" + bytes(range(0x78, 0x88)))
    head, *dump = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} write 24 of 24 bytes in [\d.]+ ms", head)
    assert dump == [
        "  41 54 2b 43 53 51 0d 0a 78 79 7a 7b 7c 7d 7e 7f  AT+CSQ..xyz{|}~.",
        "  80 81 82 83 84 85 86 87                          ........",
    ]


def test_the_time_of_an_event_is_never_rounded_up():
    event = sw.TraceEvent("read", 59.9999999, 0.0, 1, 0, sw.EndOfFile(), b"")
    assert re.fullmatch(r"\d\d:\d\d:59\.999999 read 0 of 1 bytes in 0\.0 ms, EndOfFile: .*", str(event))


async def test_a_logger_is_told(caplog):
    with stream_of("plain") as stream:
        caplog.set_level(logging.DEBUG)
        await sw.async_write(sw.Traced(stream, logging.getLogger("line")), b"abc")
    assert "write 3 of 3 bytes in" in caplog.records[0].getMessage()
    assert caplog.records[0].name == "line"


async def test_a_sink_that_raises_disturbs_nothing(loop_errors):
    with stream_of("plain", 1) as stream:
        assert await sw.async_write(sw.Traced(stream, lambda event: event.nothing), b"abc") == 3
        assert stream.written == b"abc"
    assert len(loop_errors) == 2
    assert "the sink of <Traced over" in loop_errors[0]
    loop_errors.clear()


def test_sink_that_raises_without_a_loop_is_logged(caplog):
    clock = VirtualTime()
    stream = ScriptedStream(executor=clock)
    sw.async_write(sw.Traced(stream, lambda event: event.nothing), b"abc", sw.detached)
    clock.run()
    assert stream.written == b"abc"
    (record,) = caplog.records
    assert record.name == "serialwrite"
    assert record.getMessage().startswith("the sink of <Traced over")


async def test_a_json_file(tmp_path):
    path = tmp_path / "trace.jsonl"
    with PtyPair() as rig, rig.open_peer() as peer, sw.Traced(sw.SerialPort(rig.port), path) as traced:
        await sw.async_write(traced, b"\x00abc")
        lines = path.read_text().splitlines()  # before it is closed: a trace is for when things go wrong
        assert json.loads(lines[0])["data"] == "00616263"
        with pytest.raises(sw.TransferTimeout):
            await sw.async_write(traced, bytes(100_000), timeout=0.05)
        peer.close()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert events[0].keys() == {"time", "direction", "asked", "count", "elapsed", "error", "data"}
    assert (events[0]["error"], events[0]["count"], events[0]["asked"]) == (None, 4, 4)
    assert events[-1]["error"].startswith("OperationAborted: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_disk_that_is_full_disturbs_nothing(loop_errors):
    with stream_of("plain", 1) as stream:
        traced = sw.Traced(stream, "/dev/full")
        assert await sw.async_write(traced, b"abc") == 3
        traced.close_trace()
    assert len(loop_errors) == 2
    assert "No space left" in loop_errors[0]
    loop_errors.clear()


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.pcapng"])
def test_trace_on_full_disk_keeps_whole_records(tmp_path, name):
    """A file may not grow beyond a limit here: the last record fits in part only."""
    code = (
        "import asyncio, resource, signal, sys, serialwrite as sw\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from serialwrite.testing import PtyPair\n"
        "with PtyPair() as rig, sw.Traced(sw.SerialPort(rig.port), sys.argv[1]) as port:\n"
        "    print([sw.write(port, b'x' * 50) for _ in range(20)] == [50] * 20)\n"
    )
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert "File too large" in done.stderr
    data = path.read_bytes()
    assert 500 < len(data) < 1000
    if name == "trace.jsonl":
        assert {json.loads(line)["count"] for line in data.decode().splitlines()} == {50}
        assert data.endswith(b"\n")
    else:
        assert len(list(blocks(data))) > 5


def blocks(data):
    """The blocks of a pcapng file: type and body."""
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, size - 4) == (size,)
        yield kind, data[8 : size - 4]
        data = data[size:]


async def test_a_pcapng_file(tmp_path):
    path = tmp_path / "trace.pcapng"
    await write_capture(path)
    kinds = [kind for kind, _ in blocks(path.read_bytes())]
    assert kinds == [0x0A0D0D0A, 1, 6, 6, 6]


async def write_capture(path):
    with stream_of("plain", 2, 1, OSError(5, "unplugged")) as stream:
        traced = sw.Traced(stream, path)
        await sw.async_write(traced, b"abcdef", sw.as_tuple())
        traced.close_trace()


async def test_wireshark_opens_it(tmp_path, need_tool):
    path = tmp_path / "trace.pcapng"
    await write_capture(path)
    command = [
        need_tool("tshark"),
        "-r",
        path,
        "-T",
        "fields",
        "-e",
        "rtacser.eventtype",
        "-e",
        "data",
        "-e",
        "frame.comment",
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["0x01"] * 3  # TX data
    assert lines[0][1] == "6162"
    assert "unplugged" in lines[2][2] or "Disconnected" in lines[2][2]


async def test_traced_is_the_stream_itself_for_everything_else():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        traced = sw.Traced(port, lambda event: None)
        assert (traced.queued, traced.proof_levels, traced.is_open) == (None, port.proof_levels, True)
        assert traced.get_executor() is port.get_executor()
        assert traced.close() is None
        assert not port.is_open


@pytest.mark.parametrize("sink", [3, None, sys.stderr, ["a list"]], ids=repr)
def test_what_is_no_sink(sink):
    with pytest.raises(TypeError, match=r"^sink: .* pass a function of an event, a logging.Logger, or a file's name"):
        sw.Traced(ScriptedStream(), sink)


async def test_a_file_by_any_kind_of_name(tmp_path):
    for name in (tmp_path / "a", str(tmp_path / "b"), os.fsencode(tmp_path / "c.pcapng")):
        traced = sw.Traced(ScriptedStream(), name)
        await sw.async_write(traced, b"hello")
        traced.close_trace()
    assert [json.loads(line)["data"] for line in (tmp_path / "a").read_text().splitlines()] == [b"hello".hex()]
    assert (tmp_path / "c.pcapng").read_bytes().startswith(b"\x0a\x0d\x0d\x0a")

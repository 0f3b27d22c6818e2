"""rfc2217:// against a scripted server: opening, what is granted, the window, what was served, cuts in every byte."""

import asyncio
import io
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import serial
from rfc2217_server import rfc2217_server
from telnet_server import BINARY, COM_PORT, subnegotiation, telnet_server
from waiting import until, wait_until

import serialwrite as sw

DATA = random.Random(2217).randbytes(3000) + b"\xff" * 40


# -- opening -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["server first", "client first"])
def test_opening_either_may_begin(first):
    with telnet_server(first=first) as server, sw.SerialPort(server.url, 19200, parity="E", stopbits=2) as port:
        assert port.in_force == (19200, 8, "E", 2, False, False, False)
        assert (port.rts, port.dtr) == (True, True)
        assert (port.serial, port.socket.getpeername()) == (None, server.connection.getsockname())
        assert {(1, 0, 0, 0x4B, 0), (2, 8), (3, 3), (4, 2), (5, 1), (5, 8), (5, 11)} <= set(server.questions)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n", b"Port already in use\r\n", b""])
def test_what_is_not_telnet_is_refused_unsent(said):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = "rfc2217://{}:{}".format(*listening.getsockname())
        got = []

        def serve():
            with listening.accept()[0] as connection:
                connection.sendall(said)
                connection.settimeout(30)
                with suppress(OSError):  # the client has perhaps gone already
                    connection.shutdown(socket.SHUT_WR)
                    got.append(connection.recv(100))

        thread = threading.Thread(target=serve)
        thread.start()
        why = "does not speak Telnet, it says .*; for bare bytes use socket://" if said else "has closed the connection"
        with pytest.raises(serial.SerialException, match=f"^port '{url}' can't be opened: the server .* {why}"):
            sw.SerialPort(url)
        thread.join()
    assert not any(got)


@pytest.mark.parametrize(
    ("script", "error", "says"),
    [
        ({"refused": {COM_PORT}}, serial.SerialException, r"refuses COM-PORT-OPTION \(RFC 2217\)$"),
        ({"refused": {BINARY}}, serial.SerialException, r"refuses binary transmission \(RFC 856\)$"),
        ({"grants": {1: b"\0\0\x25\x80"}}, ValueError, "^baudrate=115200: the server .* has set 9600 instead"),
        ({"grants": {3: b"\2"}}, ValueError, "^parity='N': the server .* has set 'O' instead"),
        (
            {"silent": {(5, 1)}},
            serial.SerialException,
            "flow control='none': .* not answered that; append .ign_set_con",
        ),
        ({"silent": {2}}, serial.SerialException, "bytesize=8: the server 127.* has not answered that$"),
    ],
    ids=["COM-PORT", "BINARY", "baudrate", "parity", "flow unanswered", "bytesize unanswered"],
)
def test_who_refuses_what_is_named(script, error, says):
    with telnet_server(**script) as server:
        with pytest.raises(error, match=says):
            sw.SerialPort(server.url, 115200)
        assert not server.data


def test_lines_are_checked_where_they_are_named():
    with telnet_server(silent={(5, 11), (5, 8), (5, 12)}) as server:
        with sw.SerialPort(server.url) as port:  # which it sets, and nobody has asked for
            with pytest.raises(sw.TransferError, match=r"rts=False: the server .* has not answered that; append"):
                port.rts = False
            assert port.rts
    with telnet_server(silent={(5, 12)}) as server:
        with pytest.raises(serial.SerialException, match=r"rts=False: .* append \?ign_set_control to the URL"):
            sw.SerialPort(server.url, rts=False)
    with telnet_server(silent={5}) as server, sw.SerialPort(f"{server.url}?ign_set_control", rts=False) as port:
        assert not port.rts
        port.dtr = False
        assert not port.dtr


def test_a_server_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = "rfc2217://{}:{}?timeout=0.2".format(*listening.getsockname())
        started = time.monotonic()
        with pytest.raises(serial.SerialException, match=r"has not agreed to COM-PORT-OPTION \(RFC 2217\) in time$"):
            sw.SerialPort(url)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "rfc2217://127.0.0.1:1?nonsense",
            "unknown option 'nonsense'; rfc2217:// has ign_set_control, logging, poll_m",
        ),
        ("rfc2217://127.0.0.1:1?timeout=never", "timeout=never: pass seconds above 0"),
        ("rfc2217://127.0.0.1:1?logging=loud", "logging=loud: pass debug, info, warning or error"),
        ("rfc2217://127.0.0.1:99999", "write it rfc2217://HOST:PORT"),
        ("rfc2217://127.0.0.1:1", "connecting to 127.0.0.1:1: Connection refused$"),
        ("socket://[::1]:1", r"connecting to \[::1\]:1: "),
        ("socket://no-such-host.invalid:1", "the host 'no-such-host.invalid' was not found: "),
    ],
)
def test_a_url_that_can_not_be_opened_says_why(url, says):
    with pytest.raises(serial.SerialException, match=r"^port '.*' can't be opened: ") as caught:
        sw.SerialPort(url)
    assert re.search(says, str(caught.value)), caught.value


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
@pytest.mark.parametrize(("listens", "host"), [("127.0.0.1", "localhost"), ("::1", "[::1]")])
def test_names_and_ipv6_are_connected_to(listens, host):
    with telnet_server(listens) as server:
        with sw.SerialPort(f"rfc2217://{host}:{server.url.rpartition(':')[2]}") as port:
            assert port.in_force is not None


def test_settings_that_are_no_settings_are_refused_unopened():
    for wrong in ({"bytesize": 9}, {"baudrate": 0}, {"in_flight": -1}, {"in_flight": True}, {"low_latency": True}):
        with pytest.raises(ValueError, match=r".+"):
            sw.SerialPort("rfc2217://127.0.0.1:1", **{"baudrate": 9600, **wrong})
    for url in ("socket://127.0.0.1:1", "loop://"):
        with pytest.raises(io.UnsupportedOperation, match=r"^in_flight: nothing proves what "):
            sw.SerialPort(url, in_flight=1000)


def test_a_later_change_is_checked_and_undone_where_refused():
    with telnet_server(grants={3: b"\1"}) as server, sw.SerialPort(server.url, 9600) as port:
        line = port.driver.line
        line.baudrate = 300
        assert (port.in_force.baudrate, port.driver.connection.window) == (300, 512)
        with pytest.raises(ValueError, match=r"^parity='E': the server .* has set 'N' instead"):
            line.parity = "E"
        assert (line.parity, port.in_force.parity) == ("N", "N")
        with pytest.raises(ValueError, match=r"^xonxoff, rtscts: RFC 2217 has one flow control at a time"):
            line.apply_settings({"xonxoff": True, "rtscts": True})


def test_a_late_answer_does_not_spoil_the_next_setting():
    with telnet_server() as server, sw.SerialPort(f"{server.url}?timeout=0.1") as port:
        server.answer.clear()
        with pytest.raises(serial.SerialTimeoutException, match=r"^parity='E': .* has not answered that$"):
            port.driver.line.parity = "E"
        server.answer.set()
        port.driver.line.parity = "O"
        assert port.in_force.parity == "O"


def test_modem_lines_are_as_last_told():
    with telnet_server() as server, sw.SerialPort(server.url) as port:
        assert port.modem_lines is None  # it has never told them
        server.say(subnegotiation(107, 0xB0))
        deadline = time.monotonic() + 30
        while port.modem_lines is None and time.monotonic() < deadline:
            time.sleep(0.001)
        assert port.modem_lines == (True, True, True, False, True, True)


def test_modem_lines_are_asked_for_where_the_url_says_so():
    with telnet_server() as server, sw.SerialPort(f"{server.url}?poll_modem&timeout=30") as port:
        genuine, states = server._question, iter([0x10, 0x20])

        def answered(body):
            genuine(body)
            if body[1] == 7:  # NOTIFY-MODEMSTATE, which the server is asked for
                server.say(subnegotiation(107, next(states)))

        server._question = answered
        assert (port.cts, port.dsr) == (True, False)
        assert port.cts  # not asked for again at once
        port.driver.line._polled_at -= 1
        assert (port.cts, port.dsr) == (False, True)


def test_telnet_is_logged_where_the_url_says_so(caplog):
    with telnet_server() as server, caplog.at_level("DEBUG", "pySerial.rfc2217"):
        with sw.SerialPort(f"{server.url}?logging=debug"):
            pass
        assert {"received DO 44 b''", "received SB 44 b'e\\x00\\x00%\\x80'"} <= set(caplog.messages)
        assert {record.name for record in caplog.records} == {"pySerial.rfc2217"}


def test_line_state_is_as_last_told():
    with telnet_server() as server, sw.SerialPort(server.url) as port:
        assert (10, 0x1E) in server.questions  # errors and breaks alone are to be told
        com_port = port.driver.connection.com_port
        assert com_port.line_state is None
        server.say(subnegotiation(106, 0x04))
        wait_until(lambda: port.driver.connection.receive() or com_port.line_state is not None)
        assert com_port.line_state == 0x04


# -- exact -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_flight", [None, 7, 1000])
async def test_cut_in_every_byte_both_ways_it_is_exact(in_flight):
    with telnet_server(cut=1, echo=True) as server:
        async with sw.SerialPort(server.url, in_flight=in_flight) as port:
            port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            reading = sw.async_read(port, got := bytearray(len(DATA)), sw.use_promise, timeout=60)
            assert await sw.async_write(port, DATA, timeout=60) == len(DATA)
            assert await reading == len(DATA)
            assert got == DATA
            assert await port.async_drain(level=sw.ProofLevel.SERVED, timeout=30) >= 0
            assert port.served == port.accepted == len(DATA)


@pytest.mark.parametrize("in_flight", [None, 4096, 8])
async def test_small_sends_of_escaped_bytes_are_counted_whole(in_flight, monkeypatch):
    """A send that ends amid a pair leaves half of it out, which a timeout and another write may follow."""
    choose = random.Random(3)
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=in_flight) as port:
            output = port.driver.connection._output
            sock = port.socket

            class Cutting:
                def sendmsg(self, pieces, _, flags):
                    if choose.random() < 0.3:
                        raise BlockingIOError
                    return sock.send(b"".join(pieces)[: choose.choice((1, 2, 3, 1500))], flags)

            output._sock = Cutting()
            sent = b""
            for _ in range(60):
                piece = bytes(choose.choices([0xFF, 0xFF, 0xF0, 0xF1, 0x41], k=choose.randrange(1, 60)))
                operation = sw.async_write(port, piece, sw.as_tuple(sw.deferred), timeout=choose.choice([1e-4, 5e-3]))
                _, n = await operation
                sent += piece[:n]
                assert port.served <= len(sent)  # it sends a command, which may come behind a half
            output._sock = sock
            sent += b"end"
            await sw.async_write(port, b"end", timeout=30)
            await until(lambda: server.data.endswith(b"end"))
            assert server.data == sent
            await port.async_drain(timeout=30)
            assert port.served == len(sent)


async def test_no_more_than_the_window_is_accepted_ahead():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=600) as port:
            server.answer.clear()
            assert await sw.async_write(port, DATA[:250]) == 250
            operation = sw.async_write(port, DATA[250:], timeout=0.3)
            with pytest.raises(sw.TransferTimeout, match=r"^350 of 2,790 bytes accepted in .*; 0 served; ") as caught:
                await operation
            assert (caught.value.queued, caught.value.served, port.accepted, port.served) == (600, 0, 600, 0)
            server.answer.set()
            await until(lambda: port.served == 600)
            assert await sw.async_write(port, operation.remaining, timeout=30) == 2440
            await port.async_drain(timeout=30)
            assert server.data == DATA


async def test_a_server_is_asked_once_a_window():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=32768) as port:
            assert await sw.async_write(port, bytes(4 * 32768), timeout=60) == 4 * 32768
            await port.async_drain(timeout=60)
            assert server.questions.count((1, 0, 0, 0, 0)) == 1 + 4  # the first when it was opened


async def test_more_buffers_than_the_system_takes_at_once():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=None) as port:
            given = [b"\xff" + b"A" * 63] * 2100  # 1,024 of them, and a question, are one buffer too many
            assert await sw.async_write(port, given, timeout=60) == 64 * 2100
            await port.async_drain(timeout=60)
            assert server.data == b"".join(given)


async def test_data_behind_many_empty_buffers_goes_out():
    with telnet_server() as server:
        async with sw.SerialPort(server.url) as port:
            assert port.write_some_nowait([b""] * 300 + [b"data"]) == 4
            assert await sw.async_write(port, [b"a"] * 1024 + [b""] * 300 + [b"tail"], timeout=30) == 1028
            await port.async_drain(timeout=30)
            assert server.data == b"data" + b"a" * 1024 + b"tail"


async def test_a_count_that_is_asked_amid_a_send_changes_nothing():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=None) as port:
            output, counts, sock = port.driver.connection._output, [], port.socket

            class Interrupted:
                def sendmsg(self, *args):
                    counts.append(port.accepted)  # as the handler of a signal may
                    sent = sock.sendmsg(*args)
                    counts.append(port.accepted)
                    return sent

            output._sock = Interrupted()
            assert await sw.async_write(port, b"hello", timeout=30) == port.accepted == 5
            output._sock = sock
            await port.async_drain(timeout=30)
            assert (counts[0], server.data) == (0, b"hello")


async def test_a_count_asked_by_a_thread_waits_for_the_send():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=None) as port:
            output, counts, sock = port.driver.connection._output, [], port.socket
            asking = threading.Thread(target=lambda: counts.append(port.accepted))

            class Watched:
                def sendmsg(self, *args):
                    if not asking.ident:
                        asking.start()
                        asking.join(0.2)  # until it waits
                        assert asking.is_alive()
                    return sock.sendmsg(*args)

            output._sock = Watched()
            assert await sw.async_write(port, b"hello", timeout=30) == 5
            output._sock = sock
            asking.join()
            await port.async_drain(timeout=30)
            assert (counts, server.data) == ([5], b"hello")


async def test_a_window_that_becomes_smaller_than_what_is_out():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, 3_000_000) as port:
            await sw.async_write(port, DATA)  # less than half of the window: the server is not asked about it
            port.driver.line.baudrate = 300
            assert port.driver.connection.window == 512
            assert await asyncio.wait_for(sw.async_write(port, DATA), 30) == len(DATA)


async def test_what_has_nothing_to_be_escaped_is_not_copied():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=None) as port:
            sent, sock = [], port.socket

            class Watching:
                def sendmsg(self, pieces, _, flags):
                    sent.extend(pieces)
                    return sock.sendmsg(pieces, (), flags)

            port.driver.connection._output._sock = Watching()
            given = [bytearray(b"A" * 3000), b"\xff", memoryview(b"B" * 5000), b""]
            assert await sw.async_write(port, given, timeout=30) == 8001
            port.driver.connection._output._sock = sock
            assert [bytes(piece) for piece in sent] == [b"A" * 3000, b"\xff\xff", b"B" * 5000]
            assert [isinstance(piece, memoryview) for piece in sent] == [True, False, True]
            sent.clear()
            given[0].append(0)  # it is the caller's again


async def test_suspended_it_sends_nothing_until_resumed():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=None) as port:
            server.say(subnegotiation(108))
            await until(lambda: port.driver.connection.receive() or port.driver.connection.com_port.suspended)
            before = server.raw
            with pytest.raises(sw.TransferTimeout) as caught:
                await sw.async_write(port, b"x", timeout=0.05)
            assert (caught.value.stall, caught.value.bytes_transferred) == ("suspended by the server", 0)
            writing = sw.async_write(port, DATA, sw.use_promise)
            await asyncio.sleep(0.05)
            assert server.raw <= before + 20  # the questions that a look asks
            server.say(subnegotiation(109))
            assert await asyncio.wait_for(writing, 30) == len(DATA)
            await port.async_drain(timeout=30)
            assert server.data == DATA


async def test_on_server_counts_what_was_served():
    with telnet_server() as server:
        async with sw.SerialPort(server.url, in_flight=500) as port:
            assert await sw.async_write(port.on_server, DATA, timeout=30) == len(DATA) == port.served
            server.answer.clear()
            with pytest.raises(sw.TransferTimeout, match=r"^0 of 3,040 bytes served in ") as caught:
                await sw.async_write(port.on_server, DATA, timeout=0.2)
            assert (caught.value.bytes_transferred, caught.value.served, caught.value.queued) == (0, 0, 500)
            server.answer.set()


def test_nothing_else_counts_what_was_served():
    with sw.SerialPort("loop://") as port:
        assert (port.accepted, port.served, port.socket) == (None, None, None)
        with pytest.raises(io.UnsupportedOperation, match=r"^on_server: nothing proves what "):
            port.on_server  # noqa: B018
        with pytest.raises(io.UnsupportedOperation, match=r"^level=.*served.*: nothing proves what "):
            port.async_drain(level=sw.ProofLevel.SERVED)


async def test_a_write_goes_on_while_nobody_reads_what_comes():
    with telnet_server(echo=True) as server:
        async with sw.SerialPort(server.url) as port:
            assert await sw.async_write(port, DATA, timeout=30) == len(DATA)
            await port.async_drain(timeout=30)
            assert await sw.async_read(port, got := bytearray(len(DATA)), timeout=30) == len(DATA)
            assert got == DATA


def test_two_threads_write_and_read_without_a_loop():
    with telnet_server(echo=True) as server, sw.SerialPort(server.url) as port:
        got = bytearray(len(DATA))
        thread = threading.Thread(target=sw.read, args=(port, got), kwargs={"timeout": 60})
        thread.start()
        assert sw.write(port, DATA, timeout=60) == len(DATA)
        thread.join()
        assert got == DATA


async def test_a_dead_server_ends_what_waits():
    with telnet_server() as server:
        port = sw.SerialPort(server.url, in_flight=100)
        server.answer.clear()
        writing = sw.async_write(port, DATA, sw.as_tuple(sw.use_promise))
        reading = sw.async_read(port, bytearray(1), sw.as_tuple(sw.use_promise))
        await until(lambda: writing.bytes_transferred == 100)
        server.connection.shutdown(socket.SHUT_RDWR)
        for promise in (writing, reading):
            error, _ = await asyncio.wait_for(promise, 30)
            assert isinstance(error, sw.Disconnected)
        error, _ = await writing
        assert (error.bytes_transferred, error.served, error.queued) == (100, 0, 100)
        assert port.close() == 100


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
async def test_a_close_of_the_socket_ends_what_waits(scheme):
    with telnet_server(first=False) as server:
        url = server.url.replace("rfc2217", scheme)
        port = await asyncio.to_thread(sw.SerialPort, url, **({"in_flight": 100} if scheme == "rfc2217" else {}))
        server.go.clear()
        payload = bytes(8 << 20)  # more than TCP takes
        writing = sw.async_write(port, payload, sw.as_tuple(sw.use_promise))
        reading = sw.async_read(port, bytearray(1), sw.as_tuple(sw.use_promise))
        await until(lambda: writing.bytes_transferred)
        port.socket.close()
        for promise in (writing, reading):
            error, _ = await asyncio.wait_for(promise, 30)
            assert isinstance(error, sw.StreamClosed)
        assert not port.is_open
        with pytest.raises(sw.StreamClosed):
            await sw.async_write(port, b"x")
        port.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux alone has TCP_QUICKACK")
def test_raw_tcp_acknowledges_at_once_what_was_read():
    """A server that does not set TCP_NODELAY keeps its last small piece until then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with sw.SerialPort("socket://{}:{}".format(*server.getsockname())) as port:
            peer, _ = server.accept()
            with peer:
                for _ in range(3):  # answers that ride on data: TCP acknowledges late from now on
                    sw.write(port, b"question", timeout=30)
                    peer.sendall(peer.recv(100))
                    assert sw.read(port, 8, timeout=30) == b"question"
                assert port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


def test_a_close_of_the_socket_ends_a_read_without_a_loop():
    with telnet_server() as server, sw.SerialPort(server.url) as port:
        closing = threading.Timer(0.05, port.socket.close)
        closing.start()
        with pytest.raises(sw.StreamClosed):
            sw.read(port, bytearray(1), timeout=30)
        closing.join()


async def test_pyserials_own_server_serves_it():
    with rfc2217_server() as server:
        async with sw.SerialPort(server.url, 9600, rts=True, dtr=False) as port:
            assert (port.rts, port.dtr, port.in_force.baudrate) == (True, False, 9600)
            assert port.modem_lines is not None
            assert await sw.async_write(port, DATA[:400], timeout=30) == 400
            await port.async_drain(timeout=30)
            assert port.served == 400
            assert await port.async_send_break(0.01, timeout=30) == 0
        server.serve_no_more().close()


# -- a dead link --------------------------------------------------------------------------------------------


def test_a_dead_link_ends_a_port_and_a_stopped_device_does_not():
    own_network = [shutil.which("unshare") or "unshare", "-n"]
    if subprocess.run([*own_network, "ip", "link"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be had here")
    program = Path(__file__).parents[2] / "support/dead_link.py"
    command = [*own_network, sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in told] == ["Disconnected"] * 2, done.stdout
    assert all(float(seconds) < 20 for _, seconds in told), done.stdout  # about 10; a busy machine may be late

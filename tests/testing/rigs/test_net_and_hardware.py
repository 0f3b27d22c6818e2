"""Socket rigs stay on this machine; the hardware rig opens nothing that isn't a port of ours."""

import io
import os
import socket

import pytest

from serialwrite.testing import HardwarePair, PtyPair, RigUnavailable, TcpPair, UnixPair, fill, receive, send


def test_tcp_stays_on_the_loopback_interface():
    with TcpPair() as rig:
        assert rig.port.getsockname()[0] == rig.peer.getsockname()[0] == "127.0.0.1"
        assert rig.port.getpeername() == rig.peer.getsockname()


def test_tcp_takes_only_its_own_connection(monkeypatch):
    """A stranger that finds the listening port first is turned away."""
    strangers = []
    connect = socket.create_connection

    def connect_after_a_stranger(address, timeout):
        strangers.append(connect(address, timeout))
        return connect(address, timeout)

    real_server = socket.create_server
    monkeypatch.setattr(socket, "create_server", lambda address, backlog: real_server(address, backlog=8))
    monkeypatch.setattr(socket, "create_connection", connect_after_a_stranger)
    with TcpPair() as rig:
        send(rig.port, b"ours")
        assert receive(rig.peer, 4) == b"ours"
        strangers[0].settimeout(5)
        assert strangers[0].recv(1) == b""
        strangers[0].close()


def test_it_says_where_its_ends_are():
    with TcpPair() as rig:
        port, peer = (end.getsockname()[1] for end in rig)
        assert repr(rig) == f"<TcpPair 127.0.0.1:{port} <-> 127.0.0.1:{peer}>"
        rig.port.close()
        assert repr(rig) == f"<TcpPair closed <-> 127.0.0.1:{peer}>"
    assert repr(rig) == "<TcpPair closed>"
    with UnixPair() as rig:
        port, peer = (end.fileno() for end in rig)
        assert repr(rig) == f"<UnixPair fd={port} <-> fd={peer}>"
    with PtyPair() as pty:
        assert repr(pty) == f"<PtyPair {pty.port} <-> {pty.peer}>"


@pytest.mark.parametrize("make", [TcpPair, UnixPair])
def test_a_small_send_buffer_fills_early(make):
    with make() as rig:
        normal = fill(rig.port, bytes(65536))
    with make(send_buffer=4096) as rig:
        assert fill(rig.port, bytes(65536)) < normal


@pytest.mark.parametrize("make", [TcpPair, UnixPair])
def test_a_socket_that_the_test_has_closed_is_no_trouble(make):
    with make() as rig:
        rig.port.close()
        rig.hang_up("peer")


def test_hardware_two_ports():
    with PtyPair() as wire, HardwarePair(wire.port, wire.peer, quirks={"no-modem-lines"}) as rig:
        assert tuple(rig) == tuple(wire)
        assert rig.quirks == {"no-modem-lines", "no-stall", "no-hang-up"}
        with rig.open_port() as port, rig.open_peer() as peer:
            send(port, b"over the cable")
            assert receive(peer, 14) == b"over the cable"
        with pytest.raises(NotImplementedError, match="no-hang-up"):
            rig.hang_up("port")


def test_hardware_loopback_plug():
    with PtyPair() as wire, HardwarePair(wire.port) as rig:
        assert rig.port == rig.peer
        assert "loopback" in rig.quirks


@pytest.mark.parametrize(("url", "lacks"), [("rfc2217://lab:1", set()), ("socket://lab:1", {"no-modem-lines"})])
def test_hardware_behind_a_server_is_given_by_its_url(url, lacks):
    with PtyPair() as wire, HardwarePair(url, wire.peer) as rig:
        assert tuple(rig) == (url, wire.peer)
        assert rig.quirks & {"no-descriptor", "no-modem-lines", "loopback"} == {"no-descriptor"} | lacks
        with pytest.raises(io.UnsupportedOperation, match=r"^.*://lab:1 has no descriptor .*: open it with SerialPort"):
            rig.open_port()
        rig.open_peer().close()


@pytest.mark.parametrize("url", ["loop://", "spy:///dev/null", "hwgrep://x", "tcp://lab:1"])
def test_hardware_with_a_url_of_another_kind_is_refused(url):
    with pytest.raises(
        RigUnavailable, match=r"is not a port that a cable joins .*: give a device, rfc2217://HOST:PORT"
    ):
        HardwarePair(url).open()


def test_hardware_that_is_not_there_or_no_port(tmp_path):
    with pytest.raises(RigUnavailable, match="is not there"):
        HardwarePair(str(tmp_path / "ttyUSB0")).open()
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RigUnavailable, match="not a serial port"):
        HardwarePair(str(file)).open()
    with HardwarePair(os.devnull) as rig, pytest.raises(RigUnavailable, match="/dev/null is not a serial port"):
        rig.open_port()  # which can be told only by opening it


def test_quirks_are_words_not_one_str():
    with pytest.raises(TypeError, match="pass several words"):
        HardwarePair(os.devnull, quirks="no-modem-lines")

"""A port's card: what is told of it, and what is measured to be true or not."""

import socket
import subprocess
import sys
import termios
import threading

import pytest
from fake_uart import simulated_port

from serialwrite import SerialPort
from serialwrite.loopback import lock_holders, probe
from serialwrite.loopback.card._card import _driver_facts
from serialwrite.loopback.card._card_measure import measured
from serialwrite.testing import PtyPair, SimulatedUart, receive_available


def facts_of(facts):
    return {fact.name: fact.value for fact in facts}


def test_nothing_is_sent_unless_that_is_asked_for():
    with PtyPair() as rig, rig.open_peer() as peer:
        card = probe(rig.port)
        assert card.opened
        assert receive_available(peer, 0.1) == b""
        facts = facts_of(card.facts)
    assert facts["driver"].startswith("pty")
    assert facts["output queue"] == "not reported (a pty: always 0)"
    assert "not measured" in facts["queue, discard, drain"]


def test_the_queue_of_a_pty_is_measured_by_filling_it():
    with PtyPair() as rig:
        facts = facts_of(probe(rig.port, measure=True).facts)
    count = int(facts["queue depth"].partition(" ")[0].replace(",", ""))
    assert count > 4_000


def test_a_missing_port_has_a_card_that_says_so(tmp_path):
    card = probe(str(tmp_path / "ttyNONE"))
    assert not card.opened
    assert "does not exist" in facts_of(card.facts)["opening"]


HOLDER = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"


def test_who_holds_a_port_is_told():
    with PtyPair() as rig:
        words = [sys.executable, "-c", HOLDER, rig.port]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"open\n"
            assert any(f"(process {child.pid})" in holder for holder in lock_holders(rig.port))
            child.stdin.close()


@pytest.mark.parametrize("works", [True, False])
def test_a_held_uart_gives_its_depth_and_the_truth_about_discard(works):
    advice = []
    with simulated_port(flush_works=works) as port:
        facts = facts_of(measured(port, advice))
        sent = len(port.uart.wire)
        assert not port.uart.stopped  # let go again
    assert facts["queue depth"] == "4,095 bytes taken before EAGAIN"
    assert facts["output queue when full"] == "4,095 of 4,095"
    assert facts["discard"] == ("4,095 bytes dropped" if works else "ignored: 4,095 bytes are still there")
    assert bool(advice) is not works
    assert sent == 0


def test_a_queue_that_counts_too_high_is_found_by_filling_it():
    advice = []
    with simulated_port(queue_unit=4096) as port:
        facts = facts_of(measured(port, advice))
    assert facts["output queue when full"] == "4,096 of 4,095"
    assert advice == ["TIOCOUTQ counts more than there is: take it for `not empty`, not for a number"]


def test_what_to_set_is_told():
    advice = []
    with simulated_port(has_lsr=False) as port:
        facts = facts_of(_driver_facts(port, advice))
    assert facts["closing_wait"] == "30 s"
    assert facts["transmitter empty"] == "not reported"
    assert any("drain proves that the queue is empty" in line for line in advice)
    assert any("closing_wait" in line for line in advice)


def test_a_port_in_use_is_told_as_such():
    with PtyPair() as rig, SerialPort(rig.port) as port:
        card = probe(rig.port)
        assert port.is_open
    assert not card.opened
    assert "in use" in facts_of(card.facts)["opening"]


@pytest.mark.parametrize("honest", [True, False])
def test_whether_tcdrain_waits_is_measured(monkeypatch, honest):
    let_go = threading.Event()
    monkeypatch.setattr(termios, "tcdrain", lambda fd: honest and let_go.wait(60))
    advice = []
    with simulated_port() as port:
        facts = facts_of(measured(port, advice))
    let_go.set()
    assert facts["drain"] == (
        "waits, as it should: nothing can leave"
        if honest
        else "untrue: it said that all is sent, with 4,095 bytes queued"
    )
    assert any("tcdrain" in line for line in advice) is not honest


def test_on_a_pty_tcdrain_is_found_to_be_untrue():
    with PtyPair() as rig:
        assert "untrue" in facts_of(probe(rig.port, measure=True).facts)["drain"]


def unplugged(rig, pull, **options):
    """The card of a port that `pull` takes away once that is asked for."""
    asked = threading.Event()
    with rig:
        puller = threading.Thread(target=lambda: asked.wait(60) and pull(rig))
        puller.start()
        card = probe(rig.port, unplug=60, ask=asked.set, **options)
        puller.join()
    return facts_of(card.facts)["errno of an unplug"]


def test_what_an_unplug_gives_is_measured_once_it_is_asked_for():
    assert unplugged(PtyPair(), lambda rig: rig.hang_up("port")) == (
        "read end-of-file, write EIO, write EIO, modem lines EIO"
    )
    assert unplugged(SimulatedUart(), lambda rig: rig.unplug("port")).endswith("write EIO, write EIO, modem lines EIO")


def test_an_unplug_that_nobody_does_is_unknown():
    with PtyPair() as rig, rig.open_peer() as peer:
        assert "not unplugged within 0.1 s" in facts_of(probe(rig.port, unplug=0.1).facts)["errno of an unplug"]
        assert receive_available(peer, 0.1) == b""  # and nothing was sent to find out
        assert "not asked for" in facts_of(probe(rig.port).facts)["errno of an unplug"]


def test_a_remote_port_has_a_card_without_what_nobody_measured():
    with socket.create_server(("127.0.0.1", 0)) as server:
        card = probe(f"socket://127.0.0.1:{server.getsockname()[1]}", measure=True)
    facts, sources = facts_of(card.facts), {fact.name: fact.source for fact in card.facts}
    assert facts["output queue"].startswith("0 bytes not acknowledged")
    assert sources["output queue"] == "SIOCOUTQ"
    assert sources["modem lines"] == "raw TCP has none"
    assert facts["proof of acknowledged"] == "SIOCOUTQ"
    assert "closing_wait" not in facts
    assert "no driver of this machine" in facts["queue, discard, drain"]

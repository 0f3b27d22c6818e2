"""The helpers at an end say how far they got, on devices and on sockets."""

import select
import threading

import pytest

from serialwrite.testing import PtyPair, UnixPair, fill, receive, receive_available, receive_only, send


@pytest.fixture(params=[PtyPair, UnixPair])
def ends(request):
    with request.param() as rig, rig.open_port() as port, rig.open_peer() as peer:
        yield port, peer


def test_receive_says_how_much_came(ends):
    port, peer = ends
    send(port, b"abc")
    assert select.select([peer], [], [], 10)[0]
    with pytest.raises(TimeoutError, match=r"3 of 10 bytes received in 0\.2 s"):
        receive(peer, 10, timeout=0.2)


def test_send_says_how_far_it_got(ends):
    port, peer = ends
    with pytest.raises(TimeoutError, match=r"[\d,]+ of 1,000,000 bytes sent in 0\.2 s") as caught:
        send(port, bytes(1_000_000), timeout=0.2)
    sent = int(str(caught.value).split()[0].replace(",", ""))
    receive_only(peer, sent)


def test_fill_repeats_its_chunk(ends):
    port, peer = ends
    accepted = fill(port, b"0123456789")
    assert receive_only(peer, accepted) == b"0123456789" * (accepted // 10) + b"0123456789"[: accepted % 10]


def test_fill_gives_up_where_somebody_reads():
    with UnixPair() as rig:
        stop = threading.Event()

        def read():
            while not stop.is_set():
                receive_available(rig.peer, quiet=0.01)

        reading = threading.Thread(target=read)
        reading.start()
        try:
            with pytest.raises(TimeoutError, match=r"not full: [\d,]+ bytes accepted in 0\.3 s"):
                fill(rig.port, timeout=0.3)
        finally:
            stop.set()
            reading.join(10)


def test_receive_only_objects_to_more(ends):
    port, peer = ends
    send(port, b"abcd")
    with pytest.raises(AssertionError, match="1 bytes more than the expected 3: b'd'"):
        receive_only(peer, 3)


def test_receive_says_that_the_line_ended():
    with UnixPair() as rig:
        send(rig.port, b"abc")
        rig.port.close()
        with pytest.raises(EOFError, match="3 of 10 bytes received, then end-of-file"):
            receive(rig.peer, 10)
        assert receive_available(rig.peer) == b""

"""The helpers at an end say how far they got, on devices and on sockets."""

import pytest

from serialwrite.testing import PtyPair, UnixPair, fill, receive, receive_available, send


@pytest.fixture(params=[PtyPair, UnixPair])
def ends(request):
    with request.param() as rig, rig.open_port() as port, rig.open_peer() as peer:
        yield port, peer


def test_receive_says_how_much_came(ends):
    port, peer = ends
    send(port, b"abc")
    with pytest.raises(TimeoutError, match=r"3 of 10 bytes received in 0\.2 s"):
        receive(peer, 10, timeout=0.2)


def test_send_says_how_far_it_got(ends):
    port, peer = ends
    with pytest.raises(TimeoutError, match=r"[\d,]+ of 1,000,000 bytes sent in 0\.2 s") as caught:
        send(port, bytes(1_000_000), timeout=0.2)
    sent = int(str(caught.value).split()[0].replace(",", ""))
    assert len(receive_available(peer)) == sent


def test_fill_repeats_its_chunk(ends):
    port, peer = ends
    accepted = fill(port, b"0123456789")
    assert receive_available(peer) == b"0123456789" * (accepted // 10) + b"0123456789"[: accepted % 10]


def test_receive_says_that_the_line_ended():
    with UnixPair() as rig:
        send(rig.port, b"abc")
        rig.port.close()
        with pytest.raises(EOFError, match="3 of 10 bytes received, then end-of-file"):
            receive(rig.peer, 10)
        assert receive_available(rig.peer) == b""

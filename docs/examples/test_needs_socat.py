"""A tool that a test needs: missing, it skips at home, and fails in CI."""

import os
import shutil

import pytest

import serialwrite as sw
from serialwrite.testing import SocatPair, receive


@pytest.fixture
def socat_pair():
    if shutil.which("socat") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("socat is not installed")
    with SocatPair() as pair:
        yield pair


def test_over_socat(socat_pair):
    with sw.SerialPort(socat_pair.port) as port, socat_pair.open_peer() as peer:
        assert sw.write(port, b"hello", timeout=5.0) == 5
        assert receive(peer, 5) == b"hello"


# end

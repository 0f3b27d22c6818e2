"""Remote ports through the whole command: ser2net on loopback, by RFC 2217 and as plain TCP."""

import json
import subprocess
import sys

import pytest
from ser2net import RAW, RFC2217, ser2net

from serialwrite.testing import SimulatedUart, SocatPair

URLS = {RFC2217: "rfc2217://127.0.0.1:{}?ign_set_control", RAW: "socket://127.0.0.1:{}"}


def serialwrite(*words):
    command = [sys.executable, "-m", "serialwrite", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.fixture(params=[RFC2217, RAW], ids=["rfc2217", "socket"])
def accepter(request, need_tool):
    need_tool("ser2net")
    return request.param


def test_both_ways_with_checks_over_a_remote_port(accepter, need_tool, tmp_path):
    need_tool("socat")
    with SocatPair() as rig, ser2net(need_tool("ser2net"), tmp_path, rig.port, accepter) as number:
        url = URLS[accepter].format(number)
        code, result, err = serialwrite("loopback", url, rig.peer, "-n", 50_000, "--trips", 20, "--json")
    assert (code, result["verdict"]) == (0, "pass"), (result, err)
    (run,) = result["runs"]
    assert [way["account"]["correct"] for way in run["directions"]] == [50_000, 50_000]
    assert run["settings"]["ports"][0] == url
    assert run["latency"]["count"] == 20
    (accounting,) = [check for check in result["checks"] if check["name"].startswith("accounting")]
    assert accounting["outcome"] == "pass"


def test_a_fault_behind_a_remote_port_is_told_at_its_offset(accepter, need_tool, tmp_path):
    with (
        SimulatedUart(None, faults="at byte 30_000: flip bit 0") as rig,
        ser2net(need_tool("ser2net"), tmp_path, rig.port, accepter) as number,
    ):
        url = URLS[accepter].format(number)
        words = ("-n", 60_000, "--one-way", "--trips", 0, "--no-checks", "--json")
        code, result, _ = serialwrite("loopback", url, rig.peer, *words)
    assert code == 1
    (fault,) = result["runs"][0]["directions"][0]["account"]["faults"]
    assert (fault["kind"], fault["offset"], fault["flipped_bits"]) == ("corrupted", 30_000, 1)


def test_remote_paced_line_ends_in_proportion_to_its_rate(accepter, need_tool, tmp_path):
    """A server and its network hold megabytes, which are minutes of line: they are not filled."""
    with (
        SimulatedUart(9_600, flow_control="none") as rig,
        ser2net(need_tool("ser2net"), tmp_path, rig.port, accepter) as number,
    ):
        url = URLS[accepter].format(number)
        code, result, _ = serialwrite("loopback", url, rig.peer, "-b", 9600, "-s", 1, "--trips", 3, "--json")
    assert (code, result["verdict"]) == (0, "pass"), result["runs"]
    assert all(way["account"]["sent"] <= 1_500 for way in result["runs"][0]["directions"])
    (accounting,) = [check for check in result["checks"] if check["name"].startswith("accounting")]
    assert accounting["outcome"] == "pass"
    assert int(accounting["detail"].split()[6].replace(",", "")) <= 3_000

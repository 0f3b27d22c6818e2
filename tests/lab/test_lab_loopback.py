"""serialwrite lab loopback, against labgrid's coordinator and exporter."""

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from .conftest import ADDRESS, Plug, client, corrupting, joined, losing

COMMAND = [sys.executable, "-m", "serialwrite", "lab", "loopback", "--coordinator", ADDRESS, "--no-checks"]
QUICK = ["-n", "20000", "--trips", "0"]


def prove(*words):
    return subprocess.run([*COMMAND, *words], check=False, capture_output=True, text=True, timeout=300)


def held():
    """The places that a client holds."""
    return {line.split()[2] for line in client("who").splitlines()[1:]}


@pytest.mark.time_limit(300)
def test_each_place_is_named_with_what_was_found(lab, tmp_path):
    lab({"good": Plug(), "bent": Plug(corrupting), "lossy": Plug(losing), "cut": Plug(cut_at=9000), "busy": Plug()})
    client("-p", "busy", "acquire")
    files = {name: tmp_path / f"lab.{name}" for name in ("json", "xml", "html")}
    done = prove(*QUICK, "--json-file", files["json"], "--junit", files["xml"], "--report", files["html"])
    assert done.returncode == 1, done.stderr
    rows = {row["place"]: row for row in json.loads(files["json"].read_text())["rows"]}
    assert {name: row["state"] for name, row in rows.items() if name != "cut"} == {
        "good": "pass", "bent": "fail", "lossy": "fail", "busy": "busy",
    }  # fmt: skip
    assert rows["cut"]["state"] in {"fail", "disconnected"}, rows["cut"]["reason"]
    assert "20,000 bytes" in rows["good"]["reason"]
    accounts = {name: rows[name]["result"]["runs"][0]["directions"][0]["account"] for name in ("bent", "lossy", "cut")}
    assert [fault["offset"] for fault in accounts["bent"]["faults"]] == [5000]
    assert [(fault["offset"], fault["length"]) for fault in accounts["lossy"]["faults"]] == [(6000, 10)]
    assert accounts["cut"]["correct"] <= 9000
    assert "acquired by" in rows["busy"]["reason"]
    suite = ET.fromstring(files["xml"].read_text())[0]
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["5", "3", "0", "1"]
    page = files["html"].read_text()
    assert all(name in page for name in rows)
    assert rows["lossy"]["reason"] in page
    assert held() == {"busy"}


@pytest.mark.time_limit(300)
def test_ctrl_c_releases_every_place(lab):
    lab({"one": Plug(), "two": Plug()})
    with subprocess.Popen([*COMMAND, "--seconds", "200", "--json"], stdout=-1, stderr=-1, text=True) as running:
        for _ in range(2):
            assert "testing" in running.stderr.readline()
        assert held() == {"one", "two"}
        running.send_signal(signal.SIGINT)
        printed, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert {row["state"] for row in json.loads(printed)["rows"]} == {"stopped"}
    assert held() == set()


@pytest.mark.time_limit(300)
def test_a_crash_of_one_test_harms_no_other(lab):
    lab({"crashing": Plug(), "good": Plug()})
    with subprocess.Popen(
        [*COMMAND, "--seconds", "8", "--jobs", "2", "--json"], stdout=-1, stderr=-1, text=True
    ) as running:
        for _ in range(2):
            assert "testing" in running.stderr.readline()
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        ports = {open_url(child): int(child) for child in children}
        os.kill(ports["crashing"], signal.SIGKILL)
        printed, said = running.communicate(timeout=120)
    states = {row["place"]: row["state"] for row in json.loads(printed)["rows"]}
    assert states == {"crashing": "could not run", "good": "pass"}, said
    assert running.returncode == 3
    assert held() == set()


def open_url(pid):
    """The place whose port the process ``pid`` tests."""
    url = next(word for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0") if "://" in word)
    port = int(url.rpartition(":")[2].split("?")[0])
    return next(name for name in ("crashing", "good") if f"'port': {port}" in client("-p", name, "show"))


@pytest.mark.time_limit(300)
def test_port_and_peer_are_one_line(lab):
    lab({"pair": joined()})
    done = prove(*QUICK, "--json", "pair")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert len(row["line"]["urls"]) == 2
    assert [way["account"]["correct"] for way in row["result"]["runs"][0]["directions"]] == [20_000, 20_000]


def test_a_place_that_is_not_there_is_refused(lab):
    lab({"good": Plug()})
    done = prove("god")
    assert done.returncode == 2
    assert "no place is called god" in " ".join(done.stderr.split())


def test_no_coordinator_is_refused(lab):
    done = prove()
    assert done.returncode == 2
    assert "no labgrid coordinator answers" in " ".join(done.stderr.split())

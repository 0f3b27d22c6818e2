"""A whole lab on this machine: labgrid's coordinator and exporter, and lines that behave or misbehave.

``make lab-test`` runs these tests in a network namespace of their own, with labgrid installed.
"""

import os
import pty
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ADDRESS = "127.0.0.1:20408"
HOST = "192.0.2.9"  # of the namespace's loopback interface: the exporter publishes it


# -- lines: what a plug does to the data that goes through it -----------------------------------------


def corrupting(data, at):
    """Flip one bit of byte 5,000."""
    return bytes([byte ^ (0x10 if at + i == 5000 else 0) for i, byte in enumerate(data)])


def losing(data, at):
    """Drop bytes 6,000 to 6,009."""
    return bytes(byte for i, byte in enumerate(data) if not 6000 <= at + i < 6010)


class Plug:
    """A pty whose far end sends back what ``fault(data, offset)`` makes of what arrives; at ``cut_at`` it hangs up."""

    def __init__(self, fault=None, cut_at=None):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.master)
        self.path = os.ttyname(self.slave)
        self.fault = fault
        self.cut_at = cut_at
        self.back = self.master
        self.thread = threading.Thread(target=self._echo, daemon=True)
        self.thread.start()

    def _echo(self):
        at = 0
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                return None
            if self.cut_at is not None and at + len(data) > self.cut_at:
                return os.close(self.master)
            back = self.fault(data, at) if self.fault else data
            at += len(data)
            while back:
                back = back[os.write(self.back, back) :]

    def close(self):
        os.close(self.slave)  # the echo's read ends with EIO once ser2net has closed it, too
        self.thread.join(10)
        if self.cut_at is None:
            os.close(self.master)


def joined():
    """Two ports that are wired together."""
    one, other = Plug(), Plug()
    one.back, other.back = other.master, one.master
    return one, other


def client(*words):
    return subprocess.run(
        [BIN / "labgrid-client", "-x", ADDRESS, *words], check=True, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.fixture
def lab(tmp_path):
    """``lab({"place": Plug()})`` makes the places, of one port or of two: ``{"pair": joined()}``."""
    pytest.importorskip("labgrid", reason="labgrid is not installed: run `make lab-test`")
    started, plugs = [], []

    def start(*words, ready):
        path = tmp_path / f"{Path(words[0]).name}.log"
        with path.open("w") as log:
            process = subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
        started.append(process)
        deadline = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, path.read_text()
            assert time.monotonic() < deadline, path.read_text()
            time.sleep(0.1)

    def answers():
        try:
            client("places")
        except subprocess.CalledProcessError:
            return False
        return True

    def make(places):
        ports = {}  # the name of a resource's group: the port
        for place, port in places.items():
            ports |= (
                {place: port}
                if isinstance(port, Plug)
                else dict(zip((f"{place}-port", f"{place}-peer"), port, strict=True))
            )
        plugs.extend(ports.values())
        config = tmp_path / "exporter.yaml"
        config.write_text("".join(f"{n}:\n  RawSerialPort:\n    port: {p.path}\n" for n, p in ports.items()))
        start(BIN / "labgrid-coordinator", "-l", ADDRESS, ready=answers)
        exporter = (BIN / "labgrid-exporter", "-c", ADDRESS, "--name", "bench", "--hostname", HOST, config)
        start(*exporter, ready=lambda: client("resources").count("NetworkSerialPort") == len(ports))
        for name, port in places.items():
            client("-p", name, "create")
            if isinstance(port, Plug):
                client("-p", name, "add-match", f"bench/{name}/*")
            else:
                for end in ("port", "peer"):
                    client("-p", name, "add-named-match", f"bench/{name}-{end}/NetworkSerialPort", end)

    yield make
    for process in reversed(started):
        process.terminate()
        process.wait(30)
    for plug in plugs:
        plug.close()

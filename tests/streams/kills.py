"""A server is killed at a random time, amid writes: what was said to be served is no more than its tty had.

``python -m tests.streams.kills --runs 1000``; it ends with 1 where that was not so.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import tty
from pathlib import Path

import serialwrite as sw

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from ser2net import ser2net

PAYLOADS = (random.Random(1).randbytes(1 << 20), b"\xff" * (1 << 20), b"A" * (1 << 20))
WINDOWS = (256, 1152, 4096, 65536, None)


class Tty:
    """The far end of the server's device: it reads at a pace of its own, and some of it late."""

    def __init__(self, choose, *, reads=True):
        self.master, self.slave = os.openpty()  # the slave stays open here: what it holds is not lost with the server
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.name = os.ttyname(self.slave)
        self.data = bytearray()
        self._choose, self._over = choose, not reads
        self._lazy = choose.random() < 0.5
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while not self._over:
            if self._lazy:
                time.sleep(self._choose.random() * 0.02)
            self._take()
            time.sleep(0.0005)

    def _take(self):
        while True:
            try:
                self.data += os.read(self.master, 4096)
            except BlockingIOError:
                return

    def rest(self):
        """All that had come to the tty."""
        self._over = True
        self._thread.join()
        quiet = time.monotonic() + 0.05
        while time.monotonic() < quiet:
            before = len(self.data)
            self._take()
            if len(self.data) != before:
                quiet = time.monotonic() + 0.05
        return bytes(self.data)

    def close(self):
        self._over = True
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)


def run(program, folder, seed):
    """Kill the server once: what was served, accepted, and what the tty had got."""
    choose = random.Random(seed)
    payload, window = choose.choice(PAYLOADS), choose.choice(WINDOWS)
    device = Tty(choose)
    try:
        with ser2net(program, folder, device.name) as number:
            url = f"rfc2217://127.0.0.1:{number}?ign_set_control"
            port = sw.SerialPort(url, 115200, in_flight=window)
            killing = threading.Timer(choose.random() * 0.15, number.kill)
            killing.start()
            error = None
            try:
                while error is None:
                    sw.write(port, payload, timeout=30)
            except sw.TransferError as ended:
                error = ended
            killing.join()
            served, accepted = port.served, port.accepted
            port.close("abort")
        got = device.rest()
    finally:
        device.close()
    assert isinstance(error, sw.Disconnected), repr(error)
    assert error.served <= error.bytes_transferred
    assert error.queued == accepted - served
    whole = payload * (len(got) // len(payload) + 1)
    assert whole.startswith(got), f"seed {seed}: other bytes arrived"
    assert len(got) <= accepted, f"seed {seed}: {len(got):,} arrived, {accepted:,} accepted"
    assert served <= len(got), f"seed {seed}: {served:,} served, {len(got):,} arrived; window {window}"
    return served, accepted, len(got)


def stalled(program, folder, window):
    """Kill the server once nothing goes on: what was served, and what the tty had got."""
    payload = PAYLOADS[0]
    device = Tty(random.Random(1), reads=False)
    try:
        with ser2net(program, folder, device.name) as number:
            url = f"rfc2217://127.0.0.1:{number}?ign_set_control"
            port = sw.SerialPort(url, 115200, in_flight=window)
            try:
                sw.write(port, payload, idle_timeout=0.5)
            except sw.TransferTimeout as error:
                served = error.served
            number.kill()
            port.close("abort")
        return served, len(device.rest())
    finally:
        device.close()


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.streams.kills", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (%(default)s)")
    given = parser.parse_args(arguments)
    program = shutil.which("ser2net") or "/usr/sbin/ser2net"
    wrong = exact = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seed, given.seed + given.runs):
            try:
                served, _, got = run(program, Path(folder), seed)
            except AssertionError as error:
                wrong += 1
                print(error, flush=True)
            else:
                exact += served == got
    print(f"{given.runs:,} kills, {wrong} wrong; {exact:,} times, served was all that had arrived")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

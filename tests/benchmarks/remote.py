"""Remote ports behind ser2net, ours, pyserial's and serialx's: ``python -m tests.benchmarks.remote``; about a minute."""

import asyncio
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tty
from contextlib import contextmanager
from pathlib import Path

import serial

import serialwrite as sw
from serialwrite.testing import SimulatedUart

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from ser2net import RFC2217, ser2net

PROGRAM = shutil.which("ser2net") or "/usr/sbin/ser2net"
QUICK = "telnet(rfc2217=true),tcp(nodelay=true)", ", chardelay: false"
MEGABYTE = 1 << 20


def line(what, ours, theirs="", reach="", serialx=""):
    print(f"| {what} | {ours} | {theirs} | {serialx} | {reach} |", flush=True)


@contextmanager
def echo():
    """A pty for the server; what comes to it is sent back by another process, which has an interpreter of its own."""
    master, slave = os.openpty()
    tty.setraw(slave)
    program = f"import os\nwhile True:\n os.write({master}, os.read({master}, 65536))"
    with subprocess.Popen([sys.executable, "-c", program], pass_fds=[master]) as child:
        try:
            yield os.ttyname(slave)
        finally:
            child.kill()
    os.close(master)
    os.close(slave)


@contextmanager
def device():
    """A pty for the server; what comes to it is counted."""
    master, slave = os.openpty()
    tty.setraw(slave)
    counts, over = [0], threading.Event()

    def read():
        while not over.is_set():
            data = os.read(master, 65536)
            counts[0] += len(data)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave), counts
    finally:
        over.set()
        os.write(slave, b"\0")  # ends the read that waits
        thread.join()
        os.close(master)
        os.close(slave)


@contextmanager
def server(folder, name, accepter=RFC2217, options=""):
    with ser2net(PROGRAM, folder, name, accepter, options) as number:
        yield f"rfc2217://127.0.0.1:{number}?ign_set_control"


def milliseconds(work, times=1):
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1e3)
    return statistics.median(took)


def calls(folder):
    """Opening, a setting, RTS, closing."""
    with device() as (name, _), server(folder, name) as url:
        found = {"open": [], "close": []}
        for made in (lambda: sw.SerialPort(url, 115200), lambda: serial.serial_for_url(url, 115200)):
            times = [], []
            for _ in range(9 if made().close() is None else 3):
                time.sleep(0.05)  # ser2net closes its device first
                started = time.perf_counter()
                port = made()
                times[0].append(time.perf_counter() - started)
                started = time.perf_counter()
                port.close()
                times[1].append(time.perf_counter() - started)
            for key, each in zip(found, times, strict=True):
                found[key].append(f"{statistics.median(each) * 1e3:.2f} ms")
        line("open", *found["open"], "≤ 5 ms", asyncio.run(serialx_open(url.partition("?")[0])))
        line("close", *found["close"], "")
        with sw.SerialPort(url, 115200) as port:
            settings, rts = port.driver.line, port
            rates = iter([9600, 19200] * 100)
            ours = milliseconds(lambda: setattr(settings, "baudrate", next(rates)), 51)
            ours_rts = milliseconds(lambda: setattr(rts, "rts", not rts.rts), 51)
        with serial.serial_for_url(url, 115200) as other:
            theirs = milliseconds(lambda: setattr(other, "baudrate", next(rates)), 5)
            theirs_rts = milliseconds(lambda: setattr(other, "rts", not other.rts), 5)
        line("set the baud rate", f"{ours:.2f} ms", f"{theirs:.0f} ms", "≤ 1 ms")
        line("set RTS", f"{ours_rts:.2f} ms", f"{theirs_rts:.0f} ms", "≤ 1 ms")


async def serialx_open(url):
    """What serialx takes to open it, or how it fails."""
    try:
        import serialx  # noqa: PLC0415 # it may not be installed
    except ImportError:
        return "not installed"
    started = time.perf_counter()
    try:
        async with asyncio.timeout(10):
            _, writer = await serialx.open_serial_connection(url, baudrate=115200)
    except Exception as error:  # whatever that may be
        return f"can't: {type(error).__name__} after {time.perf_counter() - started:.1f} s"
    took = time.perf_counter() - started
    writer.close()
    return f"{took * 1e3:.2f} ms"


def round_trips(folder):
    for what, how in (("as Debian has it", ()), ("chardelay: false, tcp(nodelay=true)", QUICK)):
        with echo() as name, server(folder, name, *how) as url, sw.SerialPort(url, 115200) as port:

            def trip(port=port):
                sw.write(port, b"x", timeout=10)
                sw.read(port, 1, timeout=10)

            trip()
            took = sorted(milliseconds(trip) for _ in range(200))
            line(f"round trip, {what}", f"{took[100]:.2f} ms, worst {took[-1]:.1f} ms")


def cpu(folder):
    payload = random.Random(1).randbytes(MEGABYTE)
    for what, window, reach in (("no window", None, "≤ 2.5"), ("64 KiB", 65536, "≤ 2.5"), ("4 KiB", 4096, "≤ 15")):
        with device() as (name, counts), server(folder, name) as url:
            used = asyncio.run(_cpu(url, payload, window, counts))
        line(f"CPU a MB, {what}", f"{used:.1f} ms", "", f"{reach} ms")
    with device() as (name, counts), server(folder, name) as url:
        port = serial.serial_for_url(url, 115200)
        before, started = counts[0], _used()
        for at in range(0, len(payload), 65536):
            port.write(payload[at : at + 65536])
        line("CPU a MB, 64 KiB a write", "", f"{(_used() - started) * 1e3:.1f} ms")
        while counts[0] - before < len(payload):
            time.sleep(0.01)
        port.close()


def _used():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


async def _cpu(url, payload, window, counts):
    async with await asyncio.to_thread(sw.SerialPort, url, 115200, in_flight=window) as port:
        await sw.async_write(port, payload, timeout=60)
        before, started = counts[0], _used()
        for _ in range(4):
            await sw.async_write(port, payload, timeout=60)
        used = _used() - started
        await port.async_drain(timeout=60)
        assert counts[0] - before >= 0
        return used / 4 * 1e3 * 1e6 / MEGABYTE


async def breaks(folder):
    with device() as (name, _), server(folder, name) as url:
        async with await asyncio.to_thread(sw.SerialPort, url, 115200) as port:
            sent = []
            genuine = port.driver.line.ask_line

            def ask(name, on):
                sent.append(time.perf_counter())
                return genuine(name, on)

            port.driver.line.ask_line = ask
            for _ in range(9):
                await port.async_send_break(0.005)
            lengths = [(off - on) * 1e3 for on, off in zip(sent[::2], sent[1::2], strict=True)]
            line("a break of 5 ms", f"{min(lengths):.2f} to {max(lengths):.2f} ms", "", "within 1 ms")


async def slow_line(folder):
    """100,000 bytes at 9600 Bd with a timeout of 5 s."""
    with SimulatedUart(9600, flow_control="none") as rig, rig.open_peer() as peer, server(folder, rig.port) as url:
        arrived = [0]
        async with await asyncio.to_thread(sw.SerialPort, url, 9600) as port:

            def read():
                try:
                    while data := os.read(peer.fileno(), 65536):
                        arrived[0] += len(data)
                except BlockingIOError:
                    pass

            asyncio.get_running_loop().add_reader(peer.fileno(), read)
            error, n = await sw.async_write(port, bytes(100_000), sw.as_tuple(sw.deferred), timeout=5)
            left = n - arrived[0]
            line(
                "100,000 B at 9600 Bd, timeout 5 s",
                f"{type(error).__name__} after {error.elapsed:.3f} s, {n:,} accepted, {error.served:,} served, "
                f"{left:,} still to come",
                "succeeds after 0.02 s",
                "within 50 ms of 5 s",
            )
            asyncio.get_running_loop().remove_reader(peer.fileno())
            started = time.perf_counter()
            await port.async_close(policy="abort")
            line("close with that on its way", f"{(time.perf_counter() - started) * 1e3:.1f} ms")


async def reset(folder):
    with device() as (name, _), ser2net(PROGRAM, folder, name) as number:
        port = await asyncio.to_thread(sw.SerialPort, f"rfc2217://127.0.0.1:{number}?ign_set_control", 115200)
        await sw.async_write(port, bytes(1000))
        number.kill()
        started = time.perf_counter()
        await port.async_close()
        line("close after a reset", f"{(time.perf_counter() - started) * 1e3:.1f} ms", "300 ms", "< 50 ms")


async def held_up(folder):
    """The longest that the loop did not turn while all of it was done there; and while nothing was, as the machine is."""
    with echo() as name, server(folder, name) as url:
        doing, worst, idle = "nothing", (0.0, ""), 0.0

        async def watch():
            nonlocal worst
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0)
                worst = max(worst, (time.perf_counter() - before, doing))

        port = await asyncio.to_thread(sw.SerialPort, url, 115200)
        watching = asyncio.ensure_future(watch())
        await asyncio.sleep(1)
        idle, worst = worst[0], (0.0, "")
        for rate in (9600, 115200) * 5:
            await asyncio.sleep(0.01)
            doing = "a setting"
            port.driver.line.baudrate = rate
            await asyncio.sleep(0)
            doing = "RTS"
            port.rts = not port.rts
            await asyncio.sleep(0)
            doing = "a write"
            await sw.async_write(port, bytes(20_000), timeout=30)
            doing = "a drain"
            await port.async_drain(timeout=30)
            doing = "a read"
            await sw.async_read(port, bytearray(20_000), timeout=30)
            doing = "a break"
            await port.async_send_break(0.005)
        doing = "closing"
        await port.async_close()
        watching.cancel()
        line("loop held up", f"{worst[0] * 1e3:.2f} ms, in {worst[1]}; idle {idle * 1e3:.2f} ms", "", "≤ 5 ms")


def loopback(folder):
    with SimulatedUart(115200, flow_control="none") as rig, tempfile.TemporaryDirectory() as second:
        with server(folder, rig.port) as one, server(Path(second), rig.peer) as other:
            started = time.perf_counter()
            command = [sys.executable, "-m", "serialwrite", "loopback", one, other, "--baud", "115200", "-n", "30000"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            took = time.perf_counter() - started
            line("loopback URL URL --baud 115200 -n 30000", f"{took:.1f} s, exit code {done.returncode}", "", "< 15 s")


def main():
    if not Path(PROGRAM).exists():
        print("Remote ports are not measured: ser2net is not installed.")
        return
    print("| what | serialwrite | pyserial | serialx | reach |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for work in (calls, round_trips, cpu, loopback):
            work(folder)
        for work in (breaks, slow_line, reset, held_up):
            asyncio.run(work(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nPeak memory: {peak / 1024:.0f} MB; load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()

"""Remote ports behind ser2net, ours, pyserial's and serialx's: ``python -m tests.benchmarks.remote``; about a minute."""

import asyncio
import itertools
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from contextlib import contextmanager
from pathlib import Path

import serial

import serialwrite as sw
from serialwrite.streams.remote._connection import PROOF
from serialwrite.testing import SimulatedUart
from serialwrite.testing.conformance._recorder import seconds_kept

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from ser2net import RFC2217, ser2net

PROGRAM = shutil.which("ser2net") or "/usr/sbin/ser2net"
QUICK = "telnet(rfc2217=true),tcp(nodelay=true)", ", chardelay: false"
MEGABYTE, RUNS = 1 << 20, 5


def line(what, ours, theirs="", reach="", serialx=""):
    print(f"| {what} | {ours} | {theirs} | {serialx} | {reach} |", flush=True)


@contextmanager
def device(answer="os.read({0}, 65536)"):
    """A pty for the server, whose other end a process has, with an interpreter of its own. It drops what comes."""
    master, slave = os.openpty()
    tty.setraw(slave)
    program = f"import os\nwhile True:\n {answer.format(master)}"
    with subprocess.Popen([sys.executable, "-c", program], pass_fds=[master]) as child:
        try:
            yield os.ttyname(slave)
        finally:
            child.kill()
    os.close(master)
    os.close(slave)


def echo():
    """A device that sends back what comes to it."""
    return device("os.write({0}, os.read({0}, 65536))")


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
    with device() as name, server(folder, name) as url:
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
    servers = {
        "as Debian has it": (),
        "chardelay: false": (RFC2217, QUICK[1]),
        "chardelay: false, tcp(nodelay=true)": QUICK,
    }
    for (what, how), size in itertools.product(servers.items(), (1, 3000)):
        with echo() as name, server(folder, name, *how) as url, sw.SerialPort(url, 115200) as port:

            def trip(port=port, size=size):
                sw.write(port, bytes(size), timeout=10)
                sw.read(port, size, timeout=10)

            trip()
            took = sorted(milliseconds(trip) for _ in range(200))
            line(f"round trip of {size:,} B, {what}", f"{took[100]:.2f} ms, worst {took[-1]:.1f} ms")


def cpu(folder):
    """The least of some runs: whatever else runs here makes each of them longer."""
    payload = random.Random(1).randbytes(MEGABYTE)
    for what, window, reach in (("no window", None, "≤ 2.5"), ("64 KiB", 65536, "≤ 2.5"), ("4 KiB", 4096, "≤ 15")):
        with device() as name, server(folder, name) as url:
            used = sorted(asyncio.run(_cpu(url, payload, window)))
        line(f"CPU a MB, {what}", f"{used[0]:.1f} ms, median {used[len(used) // 2]:.1f} ms", "", f"{reach} ms")
    with device() as name, server(folder, name) as url:
        used = min(asyncio.run(_bare(url, payload, 4096)) for _ in range(RUNS))
    line("CPU a MB, 4 KiB, a bare socket on asyncio", f"{used:.1f} ms")
    with device() as name, server(folder, name) as url, serial.serial_for_url(url, 115200) as port:
        used = []
        for _ in range(RUNS):
            started = _used()
            for at in range(0, MEGABYTE, 65536):
                port.write(payload[at : at + 65536])
            used.append(_a_megabyte(started, MEGABYTE))
        line("CPU a MB, 64 KiB a write", "", f"{min(used):.1f} ms")


def _used():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def _a_megabyte(started, size):
    return (_used() - started) * 1e3 * 1e6 / size


async def _cpu(url, payload, window):
    async with await asyncio.to_thread(sw.SerialPort, url, 115200, in_flight=window) as port:
        used = []
        for _ in range(1 + RUNS):
            started = _used()
            for _ in range(4):  # more than what the buffers between here and there hold
                await sw.async_write(port, payload, timeout=60)
            used.append(_a_megabyte(started, 4 * MEGABYTE))
        await port.async_drain(timeout=60)
        return used[1:]


async def _bare(url, payload, size):
    """The least that an event loop can do: send so many bytes and a question, wait for what comes, and so on."""
    with await asyncio.to_thread(sw.SerialPort, url, 115200) as port:
        loop, sock, at, over = asyncio.get_running_loop(), port.socket, 0, asyncio.Event()

        def send():
            nonlocal at
            sock.sendmsg([payload[at : at + size].replace(b"\xff", b"\xff\xff"), PROOF])
            at += size

        def answered():
            sock.recv(65536)
            over.set() if at >= MEGABYTE else send()

        started = _used()
        loop.add_reader(sock, answered)
        send()
        await over.wait()
        loop.remove_reader(sock)
        return _a_megabyte(started, MEGABYTE)


async def breaks(folder):
    with device() as name, server(folder, name) as url:
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
    with device() as name, ser2net(PROGRAM, folder, name) as number:
        port = await asyncio.to_thread(sw.SerialPort, f"rfc2217://127.0.0.1:{number}?ign_set_control", 115200)
        await sw.async_write(port, bytes(1000))
        number.kill()
        started = time.perf_counter()
        await port.async_close()
        line("close after a reset", f"{(time.perf_counter() - started) * 1e3:.1f} ms", "300 ms", "< 50 ms")


async def held_up(folder):
    """How long the loop did not turn while each of these was done there, beside how long it did not for nothing.

    The longest callback is measured in CPU time, because the machine may stop this process in any of them.
    The longest turn is measured by the clock, without the time for which others, such as the servers, had the cores.
    The longest of as many turns of an idle loop stands beside it.
    """
    turns, busiest, doing = dict[str, list[float]](), (0.0, ""), "nothing"
    genuine = asyncio.Handle._run

    def run(handle):
        nonlocal busiest
        what, started = doing, _used()
        genuine(handle)
        busiest = max(busiest, ((_used() - started) * 1e3, what))

    async def watch():
        while True:
            what, before = doing, time.perf_counter() - seconds_kept()
            await asyncio.sleep(0)
            turns.setdefault(what, []).append((time.perf_counter() - seconds_kept() - before) * 1e3)

    with echo() as name, device() as other, server(folder, name) as url, tempfile.TemporaryDirectory() as second:
        with server(Path(second), other) as sink:
            port = await asyncio.to_thread(sw.SerialPort, url, 115200)
            large = await asyncio.to_thread(sw.SerialPort, sink, 115200, in_flight=None)
            payload = random.Random(1).randbytes(3 * MEGABYTE) + b"\xff" * MEGABYTE
            watching = asyncio.ensure_future(watch())
            await asyncio.sleep(1)
            asyncio.Handle._run = run
            try:
                for rate in (9600, 115200) * 5:
                    for what, work in {
                        "a setting": lambda rate=rate: setattr(port.driver.line, "baudrate", rate),
                        "RTS": lambda: setattr(port, "rts", not port.rts),
                        "a write": lambda: sw.async_write(port, bytes(20_000), timeout=30),
                        "a drain": lambda: port.async_drain(timeout=30),
                        "a read": lambda: sw.async_read(port, bytearray(20_000), timeout=30),
                        "a break": lambda: port.async_send_break(0.005),
                        "a write of 4 MB": lambda: sw.async_write(large, payload, timeout=30),
                        "a write of 20,000 buffers": lambda: sw.async_write(large, [b"buffer"] * 20_000, timeout=30),
                    }.items():
                        doing = what
                        if (begun := work()) is not None:
                            await begun
                        await asyncio.sleep(0)
                doing = "closing"
                await port.async_close()
                await large.async_close(policy="abort")
            finally:
                asyncio.Handle._run = genuine
            watching.cancel()
    line("loop held up, CPU of the longest callback", f"{busiest[0]:.2f} ms, in {busiest[1]}", "", "≤ 5 ms")
    idle = turns.pop("nothing")
    what, most = max(turns.items(), key=lambda each: max(each[1]))
    alike = max(random.Random(1).sample(idle, min(len(most), len(idle))))
    line(
        "loop held up, by the clock less what others took",
        f"{max(most):.2f} ms, in {what}; idle {alike:.2f} ms",
        "",
        "≤ 5 ms",
    )


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

"""On a system that lacks what Linux has: everything imports, the core works, what can't be had says so by name.

Windows and macOS are played here: what they lack is taken away from a fresh interpreter.
"""

import subprocess
import sys

import pytest

HIDE = """
import importlib, os, pkgutil, select, signal, socket, sys

def hide(module, *names):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""
# Taken away after what others made was imported: it chooses its own ways by the same signs.
WINDOWS = """
import asyncio, multiprocessing, pytest, rich.live, rich.progress, serial.tools.list_ports, subprocess, tempfile, typer, zoneinfo
asyncio.new_event_loop().close()  # newer Pythons choose a policy here
sys.platform = "win32"
for module in ("fcntl", "termios", "tty", "pty", "resource", "grp", "pwd"):
    sys.modules[module] = None
hide(select, "poll", "epoll")
hide(os, "writev", "readv", "pread", "pwrite", "set_blocking", "getuid", "geteuid", "openpty", "fork", "forkpty",
     "waitid", "O_NOCTTY", "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "timerfd_create")
hide(signal, "SIGURG", "SIGHUP", "SIGALRM", "SIGKILL", "pthread_kill", "pthread_sigmask", "setitimer")
hide(socket, "MSG_NOSIGNAL", "MSG_DONTWAIT")
"""
MACOS = """
hide(select, "epoll")  # before asyncio, which then takes poll
import asyncio, fcntl, pytest, serial.tools.list_ports, termios, zoneinfo
sys.platform = "darwin"
hide(os, "waitid", "pipe2", "timerfd_create", "timerfd_settime", "pidfd_open", "posix_fadvise")
hide(socket, "MSG_NOSIGNAL", "SO_PEERCRED", "SOCK_NONBLOCK", "SOCK_CLOEXEC")
hide(termios, "TIOCGSERIAL", "TIOCSSERIAL", "TCGETS2", "TIOCGICOUNT", "TIOCSERGETLSR")
real = fcntl.ioctl
def ioctl(fd, request, *rest):
    if request in (0x5411, 0x541B) and socket_at(fd):
        raise OSError(25, "not on macOS")
    return real(fd, request, *rest)
def socket_at(fd):
    import stat
    return stat.S_ISSOCK(os.fstat(fd if isinstance(fd, int) else fd.fileno()).st_mode)
fcntl.ioctl = ioctl
"""
EVERYTHING = """
import serialwrite
for found in pkgutil.walk_packages(serialwrite.__path__, "serialwrite."):
    if not found.name.endswith(("__main__", ".labgrid", "._coordinator")):  # these need an extra that is not in `all`
        importlib.import_module(found.name)
"""
TALK = """
import serialwrite as sw
from serialwrite.testing import TcpPair, UnixPair, PtyPair, receive

async def on_a_loop(stream, far):
    operation = sw.async_write(stream, bytes(1 << 22), timeout=0.2)
    try:
        await operation
    except sw.TransferTimeout as error:
        assert 0 < error.bytes_transferred < 1 << 22, error
        assert receive(far, error.bytes_transferred) == bytes(error.bytes_transferred)
    else:
        raise AssertionError("it should have filled up")
    reader = asyncio.create_task(sw.async_read(stream, buffer := bytearray(5), timeout=10))
    await asyncio.sleep(0)
    os.write(far.fileno(), b"hello")
    assert await reader == 5 and buffer == b"hello"

def both(stream, far):
    asyncio.run(on_a_loop(stream, far))
    assert sw.write(stream, b"again", timeout=10) == 5 and receive(far, 5) == b"again"
    stream.close()
"""


def on(system, code):
    """What ``code`` prints, line by line, in an interpreter that has only what ``system`` has."""
    command = [sys.executable, "-W", "error", "-c", HIDE + system + code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("system", [WINDOWS, MACOS], ids=["windows", "macos"])
def test_every_module_imports(system):
    assert on(system, EVERYTHING + "print('all')") == ["all"]


@pytest.mark.parametrize("system", [WINDOWS, MACOS], ids=["windows", "macos"])
def test_a_port_without_a_descriptor_works(system):
    code = """
import serialwrite as sw
with sw.SerialPort(serial.serial_for_url("loop://")) as port:
    print(sw.write(port, b"hello", timeout=10), sw.read(port, buffer := bytearray(5), timeout=10), buffer)
    async def main():
        print(await sw.async_write(port, b"hello", timeout=10))
        print(await sw.async_read(port, buffer, timeout=10))
    asyncio.run(main())
"""
    assert on(system, code) == ["5 5 bytearray(b'hello')", "5", "5"]


def test_on_windows_a_connection_is_written_by_its_transport():
    code = """
import serialwrite as sw
from serialwrite.testing import TcpPair
async def main():
    with TcpPair() as pair:
        reader, writer = await asyncio.open_connection(sock=pair.port)
        pair.peer.setblocking(True)
        print(type(sw.as_stream(writer)).__name__, await sw.async_write(writer, b"hello", timeout=10))
        print(pair.peer.recv(5))
        writer.close()
        await writer.wait_closed()
asyncio.run(main())
"""
    assert on(WINDOWS, code) == ["BufferedTransportStream 5", "b'hello'"]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("t.PtyPair().open()", "RigUnavailable: PtyPair needs termios.tcsetattr, os.O_NOCTTY, os.openpty"),
        ("t.SimulatedUart().open()", "RigUnavailable: SimulatedUart needs termios.tcsetattr"),
        ("t.SocatPair().open()", "RigUnavailable: SocatPair needs termios.tcsetattr"),
        ("t.HardwarePair('COM3').open()", "RigUnavailable: HardwarePair needs termios.tcsetattr"),
        ("del socket.AF_UNIX; t.UnixPair().open()", "RigUnavailable: UnixPair needs socket.AF_UNIX"),
        ("t.PortLease(['COM3'])", "UnsupportedOperation: PortLease needs fcntl.flock, os.getuid"),
        ("sw.DescriptorStream(1)", "UnsupportedOperation: DescriptorStream needs os.writev, select.poll"),
        ("sw.write(socket.socket(), b'hello')", "UnsupportedOperation: SocketStream needs os.writev, select.poll"),
        ("_posix.termios.tcdrain", "UnsupportedOperation: termios.tcdrain: this system (win32) has no termios"),
    ],
)
def test_on_windows_what_is_missing_is_named(use, said):
    code = f"""
import serialwrite as sw, serialwrite.testing as t
from serialwrite import _posix
try:
    {use}
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""
    (line,) = on(WINDOWS, code)
    assert line.startswith(said), line
    assert "this system (win32)" in line


@pytest.mark.parametrize("rig", ["TcpPair", "UnixPair"])
def test_on_macos_a_socket_is_written_and_read(rig):
    code = f"""
with {rig}() as pair:
    print(sw.SocketStream(pair.port).queued)
    both(sw.SocketStream(pair.port), pair.peer)
"""
    assert on(MACOS, TALK + code) == ["None"]


def test_on_macos_a_tty_is_written_and_read():
    code = """
with PtyPair() as pair, pair.open_peer() as far:
    both(sw.SerialPort(pair.port), far)
"""
    assert on(MACOS, TALK + code) == []


@pytest.mark.parametrize("system", [WINDOWS, MACOS], ids=["windows", "macos"])
def test_the_command_line_and_the_leak_check_work(system, tmp_path):
    (tmp_path / "data").write_bytes(b"hello")
    code = f"""
from serialwrite.testing._leaks import Held
print(Held().since(Held()))
from serialwrite.cli import main
sys.argv = ["serialwrite", "write", "loop://", {str(tmp_path / "data")!r}]
main()
"""
    leaked, written = on(system, code)
    assert leaked == "[]"
    assert "5 bytes accepted" in written

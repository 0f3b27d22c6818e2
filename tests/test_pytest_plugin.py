"""The pytest plugin, as a project that has installed serialwrite uses it: pytest runs in processes of their own."""

import fcntl
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ser2net import RAW, RFC2217, ser2net

import serialwrite
from serialwrite.testing import PortLease, PtyPair
from serialwrite.testing._leaks import Held

pytest_plugins = ["pytester"]
ROOT = Path(serialwrite.__file__).parent.parent
HEAVY = {"typer", "rich", "numpy", "matplotlib", "greenlet", "serialwrite.testing"}
ALONE = ("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:xdist")


@pytest.fixture
def project(pytester, monkeypatch):
    """A project whose pytest is strict about everything; returns what runs it."""
    # Installed, as far as pytest can tell: the entry point comes from pyproject.toml, whatever this venv has.
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    meta = pytester.path / "site" / "serialwrite-0.1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: serialwrite\nVersion: 0.1.0\n")
    (meta / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()))
    monkeypatch.setenv("PYTHONPATH", f"{meta.parent}{os.pathsep}{ROOT}")
    monkeypatch.setenv("TMPDIR", str(pytester.path))  # where leases are
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config -W error\n")

    def run(code, *options):
        pytester.makepyfile(test_it=code)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *(options or ALONE), timeout=60)

    return run


def test_loading_it_is_cheap():
    code = f"import sys, serialwrite.pytest_plugin; print(*({HEAVY!r} & set(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.strip(), said.stderr) == (0, "", "")


FIXTURES = """
import pytest
from serialwrite import async_write, use_future
from serialwrite.testing import VirtualTime, receive, send, what_arrives

def test_pair(serial_pair):
    with serial_pair.open_port() as port, serial_pair.open_peer() as peer:
        send(port, b"hello")
        assert receive(peer, 5) == b"hello"

def test_port(serial_port, serial_pair):
    assert serial_port.serial.baudrate == 115200
    serial_port.serial.write(b"hello")
    with serial_pair.open_peer() as peer:
        assert receive(peer, 5) == b"hello"

def test_uart(simulated_uart):
    uart = simulated_uart(None, faults="at byte 2: drop 1", seed=1)
    with uart.open_port() as port, uart.open_peer() as peer:
        send(port, b"hello")
        assert receive(peer, 4) == b"helo" == what_arrives(b"hello", "port", uart.log)

def test_scripted(scripted_stream):
    clock = VirtualTime()
    stream = scripted_stream(2, executor=clock)
    done = async_write(stream, b"hello", use_future)
    clock.run()
    assert done.result(0) == 5 and stream.asked == [5, 3]

@pytest.mark.serial_hardware
def test_hardware(serial_port):
    raise AssertionError("there is none")
"""


def test_fixtures_without_pytest_asyncio_warn_of_nothing(project):
    result = project(FIXTURES, *ALONE, "-rs")
    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(["*needs a real serial port: give --serial-port*"])


def test_the_fixtures_in_async_tests(project):
    pytest.importorskip("pytest_asyncio")
    result = project(
        """
        from serialwrite import async_write
        from serialwrite.testing import receive

        async def test_port(serial_port, serial_pair):
            assert await async_write(serial_port, b"hello", timeout=10) == 5
            with serial_pair.open_peer() as peer:
                assert receive(peer, 5) == b"hello"

        async def test_scripted(scripted_stream):
            assert await async_write(scripted_stream(1, 2), b"hello") == 5
        """,
        "--asyncio-mode=auto",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
    )
    result.assert_outcomes(passed=2)


def test_a_failure_says_the_seed_and_what_happened(project):
    result = project(
        """
        from serialwrite.testing import receive, send

        def test_uart(simulated_uart):
            uart = simulated_uart(None, faults="at byte 2: drop 1", seed=4711)
            with uart.open_port() as port, uart.open_peer() as peer:
                send(port, b"hello")
                assert receive(peer, 4) == b"hell"
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*simulated UART*", "seed=4711", "at byte 2 from port: drop 1"])


KIND = """
import pytest
from serialwrite import Disconnected, write
from serialwrite.testing import receive, receive_available

def test_it(serial_port, serial_pair):
    with serial_pair.open_peer() as peer:
        assert write(serial_port, b"hello", timeout=10) == 5
        assert receive(peer, 5) == b"hello"
        if "no-hang-up" not in serial_pair.quirks:
            serial_pair.hang_up("port")
            with pytest.raises(Disconnected):
                write(serial_port, bytes(1 << 20), timeout=10)
    assert ("not-a-tty" in serial_pair.quirks) == (not hasattr(serial_port, "serial"))
    print("it ran on", serial_pair.name)
"""


@pytest.mark.parametrize("rig", ["pty", "socat", "uart", "tcp", "unix"])
def test_the_same_tests_on_another_rig_by_option(project, need_tool, rig):
    if rig == "socat":
        need_tool("socat")
    result = project(KIND, *ALONE, f"--serial-rig={rig}", "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"it ran on {rig}"])


def test_a_rig_that_is_none_and_a_rig_in_place_of_a_real_port(project):
    result = project(KIND, *ALONE, "--serial-rig=rope")
    result.stderr.fnmatch_lines(["*--serial-rig: invalid choice: 'rope' (choose from*"])
    result = project(KIND, *ALONE, "--serial-rig=uart", "--serial-port=/dev/no-such-port")
    result.stderr.fnmatch_lines(["ERROR: got --serial-rig and --serial-port: pass one of them"])


def test_a_rig_that_this_machine_does_not_have_is_no_silent_skip(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    result = project(KIND, *ALONE, "--serial-rig=socat")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*socat*not*"])


def test_real_ports_by_option(project):
    with PtyPair() as real:  # stand in for two ports with a cable
        result = project(
            """
            import pytest

            @pytest.mark.serial_hardware
            def test_it(serial_port, serial_pair):
                assert serial_pair.name == "hardware" and "no-modem-lines" in serial_pair.quirks
                assert serial_port.serial.baudrate == 9600
            """,
            *ALONE,
            f"--serial-port={real.port}",
            f"--serial-peer={real.peer}",
            "--serial-baud=9600",
            "--serial-quirks=no-modem-lines,no-line-errors",
        )
    result.assert_outcomes(passed=1)


def test_a_real_port_that_is_not_there_fails(project):
    result = project("def test_it(serial_port): pass", *ALONE, "--serial-port=/dev/no-such-port")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the serial port /dev/no-such-port is not there*"])


OVER_A_SERVER = """
import pytest
from serialwrite import SerialPort, read, write

@pytest.mark.serial_hardware
@pytest.mark.parametrize("payload", [b"hello", b"\\xff\\xf0"], ids=["text", "IAC"])
def test_it(serial_port, serial_pair, payload):
    assert "no-descriptor" in serial_pair.quirks and serial_port.baudrate == 9600
    with SerialPort(serial_pair.peer, 9600) as peer:
        assert write(serial_port, payload, timeout=10) == len(payload)
        assert read(peer, len(payload), timeout=10) == payload
"""


@pytest.mark.parametrize("scheme", ["rfc2217", "socket"])
def test_a_port_behind_a_server_by_option(project, need_tool, tmp_path, scheme):
    program, how = need_tool("ser2net"), RFC2217 if scheme == "rfc2217" else RAW
    with PtyPair() as real, ser2net(program, tmp_path, real.port, how) as number:
        url = f"{scheme}://127.0.0.1:{number}" + "?ign_set_control" * (scheme == "rfc2217")
        options = f"--serial-port={url}", f"--serial-peer={real.peer}", "--serial-baud=9600"
        project(OVER_A_SERVER, *ALONE, *options).assert_outcomes(passed=2)


def test_a_url_of_another_kind_or_without_a_server_fails(project):
    result = project("def test_it(serial_port): pass", *ALONE, "--serial-port=spy:///dev/null")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*spy:///dev/null is not a port that a cable joins *: give a device, rfc2217://*"])
    result = project("def test_it(serial_port): pass", *ALONE, "--serial-port=socket://127.0.0.1:1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*port 'socket://127.0.0.1:1' can't be opened: *refused*"])


def test_a_peer_without_a_port_is_refused(project):
    result = project("", *ALONE, "--serial-peer=/dev/no-such-port")
    result.stderr.fnmatch_lines(["ERROR: got --serial-peer without --serial-port: pass both"])


LEAKY = """
import os

def test_leaky():
    os.open(os.devnull, os.O_RDONLY)

def test_tidy(serial_port):
    pass
"""


@pytest.mark.parametrize("how", [(), ("--serial-leak-check",), ("-o", "serial_leak_check=true")], ids=str)
def test_the_leak_check_is_for_those_who_ask(project, pytester, how):
    pytester.makeconftest("import serialwrite.pytest_plugin as plugin\nplugin.SETTLE = 0.1\n")
    result = project(LEAKY, *ALONE, *how)
    result.assert_outcomes(passed=2, errors=1 if how else 0)
    if how:
        result.stdout.fnmatch_lines(["*the test leaked descriptor * -> /dev/null*"])


def test_leak_check_of_code_held_open_by_itself_says_nothing():
    before = Held()
    with Path(__file__).open("rb") as file:
        assert Held().since(before) == [f"descriptor {file.fileno()} -> {__file__}"]
    with Path(sys.executable).open("rb"):  # mapped as code, as libffi is, which keeps its own file open for good
        assert Held().since(before) == []


def test_workers_take_turns_on_a_real_port(project):
    pytest.importorskip("xdist")
    with PtyPair() as real:
        result = project(
            """
            import os, pathlib, pytest, time

            @pytest.mark.parametrize("number", range(6))
            def test_it(serial_pair, number):
                mine = pathlib.Path(os.environ["TMPDIR"], "in-use")
                mine.touch(exist_ok=False)
                time.sleep(0.05)
                mine.unlink()
            """,
            *("-p", "no:asyncio", "-p", "no:hypothesispytest", "-n2"),
            f"--serial-port={real.port}",
        )
    result.assert_outcomes(passed=6)


def test_workers_take_turns_on_a_url(project):
    pytest.importorskip("xdist")
    result = project(
        """
        import os, pathlib, pytest, time
        from serialwrite.testing import PortLease

        @pytest.mark.parametrize("url", ["rfc2217://LOCALHOST:2217", "rfc2217://localhost:2217?logging", "socket://localhost:2217"] * 2)
        def test_it(url):
            with PortLease([url]):
                mine = pathlib.Path(os.environ["TMPDIR"], "in-use")
                mine.touch(exist_ok=False)
                time.sleep(0.05)
                mine.unlink()
        """,
        *("-p", "no:asyncio", "-p", "no:hypothesispytest", "-n2"),
    )
    result.assert_outcomes(passed=6)


def test_what_simulated_uart_made_is_closed_after_the_test(project):
    result = project(
        """
        import pytest
        made = []

        def test_first(simulated_uart):
            made.extend((simulated_uart(None), simulated_uart(None)))
            made[0].replay_script()

        def test_second():
            for uart in made:
                with pytest.raises(RuntimeError):
                    uart.replay_script()
        """,
        *ALONE,
    )
    result.assert_outcomes(passed=2)


def test_the_peer_of_a_real_port_is_leased_too(project):
    with PtyPair() as real, PtyPair() as other:
        result = project(
            f"""
            import pytest
            from serialwrite.testing.rigs._lease import PortLease

            @pytest.mark.parametrize("path", [{real.port!r}, {other.port!r}])
            def test_it(serial_pair, path):
                with pytest.raises(TimeoutError):
                    PortLease([path], timeout=0.01).__enter__()
            """,
            *ALONE,
            f"--serial-port={real.port}",
            f"--serial-peer={other.port}",
        )
    result.assert_outcomes(passed=2)


# -- the lease itself ----------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_lease_is_for_one_and_says_who_has_it(temporary):
    (temporary / "port").symlink_to("/dev/null")
    with PortLease(["/dev/null"]):
        with pytest.raises(TimeoutError, match=f"/dev/null was not free within 0.1 s: process {os.getpid()} has"):
            PortLease([str(temporary / "port")], timeout=0.1).__enter__()
        with PortLease(["/dev/zero"], timeout=0.1):
            pass
    with PortLease(["/dev/null", str(temporary / "port")], timeout=0.1):  # one device, by two names
        pass


def test_a_lease_of_a_url_is_of_its_place():
    with PortLease(["rfc2217://Lab:4001?ign_set_control", "/dev/null"]):
        for same in ("rfc2217://lab:4001", "socket://lab:4001?logging=debug"):
            with pytest.raises(TimeoutError, match=r"^lab:4001 was not free within 0.1 s: process"):
                PortLease([same], timeout=0.1).__enter__()
        with PortLease(["rfc2217://lab:4002", "rfc2217://lab2:4001", "loop://"], timeout=0.1):
            pass


def test_a_lease_does_not_lock_the_device(temporary):
    with PtyPair() as rig, rig.open_port() as port, PortLease([rig.port]):
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as pyserial's exclusive=True does


def test_a_folder_of_leases_that_is_not_ours_alone_is_refused(temporary):
    with PortLease(["/dev/null"]):
        (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="is not a folder of this user alone"):
        PortLease(["/dev/null"]).__enter__()

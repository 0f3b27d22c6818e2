"""SerialWriteDriver, as a labgrid program uses it: over a local port, and over a place of a coordinator."""

import os
import subprocess
import sys
import textwrap

import pytest
import serial

from .conftest import ADDRESS, Plug, client


@pytest.fixture
def console():
    """A driver over one end of a pty, and the number of the other end."""
    pytest.importorskip("labgrid", reason="labgrid is not installed: run `make lab-test`")
    from labgrid import Target
    from labgrid.resource import RawSerialPort

    from serialwrite.labgrid import SerialWriteDriver

    far, near = os.openpty()
    target = Target("board")
    RawSerialPort(target, name=None, port=os.ttyname(near))
    driver = SerialWriteDriver(target, name=None)
    target.activate(driver)
    os.close(near)
    yield driver, far
    target.cleanup()
    os.close(far)


def test_write_gives_the_count_and_expect_finds(console):
    driver, far = console
    assert driver.write(b"version\n") == 8
    assert os.read(far, 100) == b"version\n"
    os.write(far, b"U-Boot 2026\n=> ")
    assert driver.expect("=> ", timeout=5)[1] == b"U-Boot 2026\n"
    driver.sendline("boot")
    assert os.read(far, 100) == b"boot\n"


def test_read_takes_a_size_and_a_limit_or_times_out(console):
    from pexpect import TIMEOUT

    driver, far = console
    os.write(far, b"abcde")
    assert driver.read(size=2, max_size=3, timeout=5) == b"abc"
    assert driver.read(size=3, timeout=0.1) == b"de"  # less than the size is given, as labgrid's driver gives it
    with pytest.raises(TIMEOUT, match="no byte came"):
        driver.read(timeout=0.1)
    assert driver.settle(0.1)


@pytest.mark.parametrize("pacing", [{}, {"txdelay": 0.001, "txchunk": 4096}])
def test_a_stalled_write_counts_every_byte(console, pacing):
    import serialwrite as sw

    driver, far = console
    driver.idle_timeout = 0.5
    for name, value in pacing.items():
        setattr(driver, name, value)
    payload = bytes(range(256)) * 4096
    with pytest.raises(sw.TransferTimeout) as caught:
        driver.write(payload)
    count = caught.value.bytes_transferred
    os.set_blocking(far, False)
    arrived = b""
    with pytest.raises(BlockingIOError):
        while True:
            arrived += os.read(far, 1 << 16)
    assert 0 < count < len(payload)
    assert arrived == payload[:count]


def test_an_overwritten_serial_package_is_named(console, monkeypatch):
    from serialwrite.labgrid import serial_clash

    assert serial_clash() is None, "make lab-test puts pyserial-labgrid's package back"
    monkeypatch.setattr(serial, "__version__", "3.5")
    assert "pip install --force-reinstall --no-deps pyserial-labgrid" in serial_clash()


@pytest.mark.time_limit(300)
def test_a_remote_place_is_driven_from_an_environment(lab, tmp_path):
    lab({"board": Plug()})
    client("-p", "board", "acquire")
    environment = tmp_path / "env.yaml"
    environment.write_text(
        "targets:\n  main:\n    resources:\n      RemotePlace: {name: board}\n"
        "    drivers:\n      SerialWriteDriver: {}\nimports: [serialwrite.labgrid]\n"
    )
    program = textwrap.dedent(f"""
        from labgrid import Environment
        target = Environment({str(environment)!r}).get_target("main")
        console = target.get_driver("ConsoleProtocol")
        assert type(console).__name__ == "SerialWriteDriver"
        assert console.write(b"ping\\xff\\r\\n") == 7  # 0xFF is escaped on the way, and counted once
        print(console.expect(b"\\xff\\r\\n", timeout=10)[1])
        target.cleanup()
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, env=os.environ | {"LG_COORDINATOR": ADDRESS},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    client("-p", "board", "release")
    assert done.stdout.strip() == "b'ping'", done.stderr

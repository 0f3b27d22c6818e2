"""ports and async_wait_for_port: what a match means, and how a port that is plugged in is noticed."""

import asyncio
import os
import time

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair

SOON = 0.001  # seconds


def adapter(device, vid, pid, serial_number, description="FT232R USB UART"):
    port = ListPortInfo(device, skip_link_detection=True)
    port.vid, port.pid, port.serial_number = vid, pid, serial_number
    port.description = description
    port.hwid = f"USB VID:PID={vid:04X}:{pid:04X} SER={serial_number} LOCATION=1-1"
    return port


ADAPTERS = [
    adapter("/dev/ttyUSB10", 0x0403, 0x6001, "A10"),
    adapter("/dev/ttyUSB2", 0x0403, 0x6001, "A2"),
    adapter("/dev/ttyACM0", 0x2341, 0x0043, "7543", "Arduino Uno"),
]


class Machine(list):
    """The ports that this machine has, as far as pyserial tells; and how often it was asked."""

    looks = 0
    unplugged_meanwhile = 0

    def comports(self, include_links=False):
        self.looks += 1
        if self.unplugged_meanwhile:
            self.unplugged_meanwhile -= 1
            raise TypeError("int() can't convert non-string with explicit base")  # as pyserial does
        return list(self)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(list_ports, "comports", machine.comports)
    return machine


def test_ports_are_listed_in_order(machine):
    machine.extend(ADAPTERS)
    machine.unplugged_meanwhile = 1
    assert sw.ports() == [
        ("/dev/ttyACM0", "Arduino Uno", 0x2341, 0x0043, "7543"),
        ("/dev/ttyUSB2", "FT232R USB UART", 0x0403, 0x6001, "A2"),
        ("/dev/ttyUSB10", "FT232R USB UART", 0x0403, 0x6001, "A10"),
    ]
    assert os.fspath(sw.ports()[0]) == sw.ports()[0].device == "/dev/ttyACM0"


@pytest.mark.parametrize(
    ("match", "device"),
    [
        ("0403:6001", "/dev/ttyUSB2"),
        ("403:6001", "/dev/ttyUSB2"),
        ("2341:0043", "/dev/ttyACM0"),
        ("0403:6010", None),
        ("A10", "/dev/ttyUSB10"),
        ("A1", None),
        ("/dev/ttyUSB10", "/dev/ttyUSB10"),
        ("hwgrep://0403:6001", "/dev/ttyUSB2"),
        ("hwgrep://ft232r&n=2", "/dev/ttyUSB10"),
        ("hwgrep://ft232r&n=3", None),
        ("hwgrep://arduino|ser=a2", "/dev/ttyACM0"),
    ],
)
async def test_a_match_means_a_listed_port(machine, match, device):
    machine.extend(ADAPTERS)
    error, port = await sw.async_wait_for_port(match, sw.as_tuple(), timeout=0)
    assert (port and port.device) == device
    assert isinstance(error, TimeoutError) == (device is None)


@pytest.mark.parametrize(
    ("match", "refusal", "said"),
    [
        (None, TypeError, "match: got None; pass a path"),
        (b"/dev/ttyUSB0", TypeError, "pass a path"),
        (0x0403, TypeError, "'VID:PID'"),
        ("", ValueError, "matches no port"),
        ("socket://localhost:1", ValueError, "is not on this machine"),
        ("hwgrep://(", ValueError, "is not a regular expression"),
        ("hwgrep://x&skip_busy", ValueError, "the option 'skip_busy'"),
        ("hwgrep://x&n=0", ValueError, "the option 'n=0'"),
    ],
)
def test_what_cannot_match_is_refused_at_once(match, refusal, said):
    with pytest.raises(refusal, match=r"^match: ") as caught:
        sw.async_wait_for_port(match)
    assert said in str(caught.value)


async def test_a_path_or_pattern_is_looked_for_itself(machine, tmp_path):
    """Ptys are not listed; and a link that leads nowhere is not a port."""
    with PtyPair() as rig:
        for name in ("dut9", "dut10"):
            (tmp_path / name).symlink_to(rig.port)
        (tmp_path / "dut1").symlink_to(tmp_path / "nowhere")
        (tmp_path / "dut2").write_bytes(b"not a device")
        assert (await sw.async_wait_for_port(str(tmp_path / "dut*"))).device == str(tmp_path / "dut9")
        port = await sw.async_wait_for_port(tmp_path / "dut10")
        assert port == (str(tmp_path / "dut10"), "", None, None, None)
        with sw.SerialPort(port, 115200) as opened:
            assert opened.serial.port == port.device


async def test_a_stable_name_keeps_what_the_list_says(machine, tmp_path):
    with PtyPair() as rig:
        machine.append(adapter(rig.port, 0x0403, 0x6001, "A2"))
        link = tmp_path / "by-id"
        link.symlink_to(rig.port)
        assert await sw.async_wait_for_port(link) == (str(link), "FT232R USB UART", 0x0403, 0x6001, "A2")


async def test_a_port_that_comes_is_found(machine):
    waiting = asyncio.ensure_future(sw.async_wait_for_port("A2", timeout=30))
    await until(lambda: machine.looks >= 2)
    assert not waiting.done()
    machine.unplugged_meanwhile = 3  # no look can tell
    machine.extend(ADAPTERS)
    assert (await waiting).device == "/dev/ttyUSB2"


async def test_timed_out_it_says_what_did_not_come(machine):
    with pytest.raises(
        sw.TransferTimeout, match=r"^waited \d+\.\d\d s for a port that matches '0403:6001'; timed out$"
    ):
        await sw.async_wait_for_port("0403:6001", timeout=0.01)
    signal = sw.CancellationSignal()
    waiting = sw.async_wait_for_port("A2", sw.bind_cancellation_slot(signal.slot, sw.use_promise))
    signal.emit(sw.CancellationType.TOTAL)
    with pytest.raises(sw.OperationAborted, match=r"^waited .* for a port that matches 'A2'; cancelled$"):
        await waiting


async def test_all_that_wait_share_few_looks(machine):
    started = time.monotonic()
    waiting = [asyncio.ensure_future(sw.async_wait_for_port(f"none-{i}")) for i in range(50)]
    await until(lambda: machine.looks >= 4)
    assert machine.looks <= 1 + (time.monotonic() - started) / 0.2
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_nothing_looks_while_nothing_waits(machine, monkeypatch):
    loop = asyncio.get_running_loop()
    later = []
    monkeypatch.setattr(loop, "call_later", lambda seconds, *call: later.append((seconds, call)))
    machine.extend(ADAPTERS)
    await sw.async_wait_for_port("A2")
    assert machine.looks == 1
    [(seconds, (turn, *arguments))] = later
    assert seconds == 0.2
    turn(*arguments)
    assert (machine.looks, len(later)) == (1, 1)


async def test_a_short_wait_after_a_look_has_its_own(machine):
    machine.extend(ADAPTERS)
    for _ in range(3):
        assert (await sw.async_wait_for_port("A10", timeout=0.005)).device == "/dev/ttyUSB10"
    machine.clear()
    with pytest.raises(TimeoutError):
        await sw.async_wait_for_port("A10", timeout=0.005)


def test_each_event_loop_looks_for_itself(machine):
    machine.extend(ADAPTERS)

    async def wait():
        return (await sw.async_wait_for_port("7543", timeout=30)).device

    assert [asyncio.run(wait()) for _ in range(2)] == ["/dev/ttyACM0"] * 2

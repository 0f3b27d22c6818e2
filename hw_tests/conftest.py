"""The ``device`` fixture: every test runs on each port of the rig's guest, or on the wired one that the options name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hw_tests import planted, quirks
from hw_tests.device import Device
from hw_tests.emulated import DEVICES
from hw_tests.record import Recorder
from hw_tests.rig.guest.host import in_guest
from hw_tests.wired import LoopbackPlug, WiredPair
from serialwrite import pytest_plugin

NO_DEVICE = "no serial port: run `python -m hw_tests.rig`, or give --serial-port (see hw_tests/README.md)"

if in_guest():
    collect_ignore = ["test_rig.py"]  # it boots guests of its own


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Name the wired ports by the options of serialwrite's own pytest plugin, also where it is not installed."""
    if not pluginmanager.is_registered(pytest_plugin):
        pluginmanager.register(pytest_plugin, "serialwrite")
    parser.addoption("--devices", help="in the rig's guest: the devices to run on, with commas between them (all)")
    parser.addoption("--plant", choices=list(planted.BUGS), help="a bug to plant in serialwrite, to see it caught")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker that makes a row of the table of promises by device."""
    config.addinivalue_line(
        "markers", "promise(text): what serialwrite promises, as the table of promises by device words it"
    )
    if folder := os.environ.get("RIG_RESULTS"):
        config.pluginmanager.register(Recorder(Path(folder)))
    if plant := config.getoption("--plant"):
        planted.BUGS[plant](pytest.MonkeyPatch())

    port, peer = config.getoption("--serial-port"), config.getoption("--serial-peer")
    if peer and not port:
        raise pytest.UsageError("got --serial-peer without --serial-port: pass both")
    for path in filter(None, (port, peer)):
        if not Path(path).is_char_device():
            raise pytest.UsageError(f"{path}: no such serial port")
    if unknown := _own_quirks(config) - quirks.ALL.keys():
        raise pytest.UsageError(f"no such quirk: {', '.join(sorted(unknown))}; known: {', '.join(quirks.ALL)}")


def _own_quirks(config: pytest.Config) -> frozenset[str]:
    return frozenset(filter(None, (config.getoption("--serial-quirks") or "").split(",")))


def _makers(config: pytest.Config) -> dict[str, Callable[[], Device] | None]:
    path, peer = config.getoption("--serial-port"), config.getoption("--serial-peer")
    if path:
        own = _own_quirks(config)
        if peer:
            return {"wired-pair": lambda: WiredPair("wired-pair", path, peer, own)}
        return {"plug": lambda: LoopbackPlug("plug", path, own)}
    if in_guest():
        chosen = config.getoption("--devices")
        return {name: maker for name, maker in DEVICES.items() if not chosen or name in chosen.split(",")}
    return {"no-device": None}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes ``device`` on each device."""
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", list(_makers(metafunc.config)), indirect=True, scope="function")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test's report say which promise it is about, and which device."""
    for item in items:
        if spec := getattr(item, "callspec", None):
            item.user_properties.append(("device", spec.params.get("device")))
        if marker := item.get_closest_marker("promise"):
            item.user_properties.append(("promise", marker.args[0]))


@pytest.fixture(scope="session")
def _devices(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Device]]:
    """Make each device once, when it is first asked for."""
    made: dict[str, Device] = {}
    makers = _makers(request.config)

    def get(name: str) -> Device:
        if name not in made:
            maker = makers[name]
            if maker is None:
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(NO_DEVICE)
            made[name] = maker()
        return made[name]

    yield get
    for device in made.values():
        device.close()


@pytest.fixture
def device(request: pytest.FixtureRequest, _devices: Callable[[str], Device]) -> Iterator[Device]:
    """A port under test, idle and empty; after the test nothing of this process may hold it open."""
    device = _devices(request.param)
    request.node.user_properties.append(("quirks", sorted(device.quirks)))
    device.reset()
    yield device
    if "own-far-end" in device.quirks:  # which holds it open
        return
    port = os.path.realpath(device.path)
    held = [fd.name for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd).startswith(port)]
    if held:
        pytest.fail(f"the test left {device.path} open, as fd {', '.join(held)}")

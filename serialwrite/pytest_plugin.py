"""The pytest plugin: serial lines as fixtures. Their modules are imported when a test first uses one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from serialwrite import SerialPort, SocketStream
    from serialwrite.testing import Answering, Rig, ScriptedStream, SimulatedUart

LEASE_TIMEOUT_S = 300.0  # seconds to wait for a real port that another process tests on
LEAK_SETTLE_S = (
    5.0  # seconds that what a test has let go of may take to be gone: a thread that ends, a child that is reaped
)
LEAK_FIXTURE = "serial_leak_check"
NO_PORT_REASON = "needs a real serial port: give --serial-port"

uarts: pytest.StashKey[list[SimulatedUart]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("serialwrite", "serial ports")
    group.addoption(
        "--serial-rig",
        choices=["pty", "socat", "uart", "tcp", "unix"],
        help="what serial_pair is made of: pty (the default), socat, uart, or the sockets of tcp or unix",
    )
    group.addoption(
        "--serial-port",
        metavar="DEVICE",
        help="the real serial port to test on: a device, or the rfc2217:// or socket:// URL of one behind a server",
    )
    group.addoption(
        "--serial-peer",
        metavar="DEVICE",
        help="the port at the other end of its cable; without it, the port is wired to itself (a loopback plug)",
    )
    group.addoption(
        "--serial-baud",
        metavar="BAUD",
        type=int,
        default=115200,
        help="its speed, in bits per second (default: 115200)",
    )
    group.addoption(
        "--serial-quirks", metavar="QUIRK,...", help="what the port or its cable can't do, such as no-modem-lines"
    )
    group.addoption("--serial-leak-check", action="store_true", help="the ini option serial_leak_check, for this run")
    parser.addini(
        LEAK_FIXTURE,
        "fail every test that leaves a descriptor, a thread or a child process behind",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "serial_hardware: the test needs a real serial port; skipped without --serial-port"
    )
    if config.getoption("--serial-peer") and not config.getoption("--serial-port"):
        raise pytest.UsageError("got --serial-peer without --serial-port: pass both")
    if config.getoption("--serial-rig") and config.getoption("--serial-port"):
        raise pytest.UsageError("got --serial-rig and --serial-port: pass one of them")
    if config.getoption("--serial-leak-check") or config.getini(LEAK_FIXTURE):
        config.pluginmanager.register(LeakCheck(), LEAK_FIXTURE)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("serial_hardware") and not item.config.getoption("--serial-port"):
        pytest.skip(NO_PORT_REASON)


@pytest.fixture
def serial_pair(request: pytest.FixtureRequest) -> Iterator[Rig[Any]]:
    """Two ends of a serial line: a ``PtyPair``, what --serial-rig names, or with --serial-port real ports, leased.

    Its ``port`` is a path, or the URL given; on the rigs made of sockets, whose quirks say "not-a-tty", a socket.
    """
    from serialwrite.testing import (  # noqa: PLC0415 # see the top
        HardwarePair,
        PtyPair,
        SimulatedUart,
        SocatPair,
        TcpPair,
        UnixPair,
    )
    from serialwrite.testing.rigs._lease import PortLease  # noqa: PLC0415 # see the top

    option: Callable[[str], Any] = request.config.getoption
    port, peer = option("--serial-port"), option("--serial-peer")
    if port is None:
        kinds: tuple[type[Rig[Any]], ...] = (PtyPair, SocatPair, SimulatedUart, TcpPair, UnixPair)
        named = {kind.name: kind for kind in kinds}
        with _opened(named[option("--serial-rig") or "pty"]()) as rig:
            yield rig
        return
    quirks = filter(None, (option("--serial-quirks") or "").split(","))
    with (
        PortLease([port] if peer is None else [port, peer], LEASE_TIMEOUT_S),
        _opened(HardwarePair(port, peer, quirks)) as rig,
    ):
        yield rig


def _opened(rig: Rig[Any]) -> Rig[Any]:
    from serialwrite.testing import RigUnavailable  # noqa: PLC0415 # see the top

    try:
        return rig.open()
    except RigUnavailable as missing:  # the user named it: fail, do not skip
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def serial_port(request: pytest.FixtureRequest, serial_pair: Rig[Any]) -> Iterator[SerialPort | SocketStream]:
    """The port of ``serial_pair``, open: a ``SerialPort`` at --serial-baud, or a ``SocketStream`` for sockets."""
    from serialwrite import SerialPort, SocketStream  # noqa: PLC0415 # see the top
    from serialwrite.testing import PathRig  # noqa: PLC0415 # see the top

    if isinstance(serial_pair, PathRig):
        with SerialPort(serial_pair.port, baudrate=request.config.getoption("--serial-baud")) as port:
            yield port
    else:
        with SocketStream(serial_pair.port) as stream:
            yield stream


@pytest.fixture
def simulated_uart(request: pytest.FixtureRequest) -> Iterator[Callable[..., SimulatedUart]]:
    """``simulated_uart(baud=..., faults=..., seed=...)`` makes an open ``SimulatedUart``, as often as it is called.

    A test that fails says the seeds, and the faults that happened as a script that makes them happen again.
    """
    from serialwrite.testing import SimulatedUart  # noqa: PLC0415 # see the top

    made: list[SimulatedUart] = request.node.stash.setdefault(uarts, [])

    def make(*args: Any, **options: Any) -> SimulatedUart:
        uart = SimulatedUart(*args, **options).open()
        made.append(uart)
        return uart

    yield make
    while made:
        made.pop().close()


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    """``answering({b"AT": b"OK"})`` makes an open ``Answering``: a virtual port whose device answers by rule."""
    from serialwrite.testing import Answering  # noqa: PLC0415 # see the top

    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Answering(*args, **options))


@pytest.fixture
def scripted_stream() -> type[ScriptedStream]:
    """``scripted_stream(3, Step(5, after=0.5), error, executor=...)`` makes a ``ScriptedStream``."""
    from serialwrite.testing import ScriptedStream  # noqa: PLC0415 # see the top

    return ScriptedStream


class LeakCheck:
    """Registered where it was asked for: every test is looked at."""

    @pytest.fixture(autouse=True)
    def serial_leak_check(self) -> Iterator[None]:
        """No test leaks a descriptor, a thread or a child process."""
        from serialwrite.testing._leaks import Held, leaked_since  # noqa: PLC0415 # see the top

        before = Held()
        yield
        if leaked := leaked_since(before, LEAK_SETTLE_S):
            pytest.fail(f"the test leaked {', '.join(leaked)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and call.when == "call":
        for uart in item.stash.get(uarts, ()):
            try:
                said = f"seed={uart.seed!r}\n{uart.replay_script() or '(no faults happened)'}"
            except RuntimeError:  # closed by the test
                said = f"seed={uart.seed!r}"
            report.sections.append(("simulated UART", said))
    return report

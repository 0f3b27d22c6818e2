"""SerialWriteDriver: a labgrid console driver whose writes report exactly how far they got (extra ``labgrid``).

Name this module in the environment file's ``imports:``; labgrid has no entry points for drivers.
"""
# labgrid, attrs and pexpect are installed with the extra only, and labgrid ships no types.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import warnings
from importlib import metadata

import serial

from . import Paced, SerialPort, TransferTimeout, read, transfer_at_least, write

try:
    import attr
    from labgrid.driver import Driver
    from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
    from labgrid.factory import target_factory
    from labgrid.protocol import ConsoleProtocol
    from labgrid.resource import SerialPort as LocalSerialPort
    from labgrid.step import step
    from labgrid.util.proxy import proxymanager
    from pexpect import TIMEOUT
except ImportError as error:
    raise ImportError(f"serialwrite.labgrid needs labgrid ({error}): install serialwrite[labgrid]") from error

REMEDY = "pip install --force-reinstall --no-deps pyserial-labgrid"
READ_SIZE = 1 << 16  # bytes that one read returns at most, where its caller sets no limit


def serial_clash() -> str | None:
    """Say what is wrong if pyserial has overwritten the ``serial`` package of pyserial-labgrid; None if it has not."""
    try:
        expected = metadata.version("pyserial-labgrid")
    except metadata.PackageNotFoundError:
        return None
    if serial.__version__ == expected:
        return None
    return (
        f"pyserial {serial.__version__} has overwritten pyserial-labgrid {expected}: both own the package 'serial', "
        f"and labgrid's own SerialDriver needs the second. Run: {REMEDY}"
    )


if clash := serial_clash():
    warnings.warn(clash, RuntimeWarning, stacklevel=2)


@target_factory.reg_driver
@attr.s(eq=False)
class SerialWriteDriver(ConsoleExpectMixin, Driver, ConsoleProtocol):  # type: ignore[misc]  # labgrid is untyped
    """A ConsoleProtocol driver over :class:`serialwrite.SerialPort`, instead of labgrid's ``SerialDriver``.

    Bindings: port, a ``SerialPort`` (``RawSerialPort``, ``USBSerialPort``) or a ``NetworkSerialPort``.

    Args:
        txdelay: seconds after each chunk of a write.
        txchunk: bytes in a chunk, if there is a ``txdelay``.
        timeout: seconds that opening a network port may take.
        idle_timeout: seconds without a byte moved, after which a write ends.

    ``write`` returns the bytes accepted. If the console stops taking them, it raises
    :class:`serialwrite.TransferTimeout` with ``bytes_transferred`` and ``remaining``; no more bytes go out then.
    ``read`` returns ``size`` bytes or more, and raises pexpect's TIMEOUT if none came in time. If the port has gone it
    raises :class:`serialwrite.Disconnected`, where labgrid's driver reports a timeout.
    Follows labgrid's ``SerialDriver``.
    """

    bindings = {"port": {"SerialPort", "NetworkSerialPort"}}  # noqa: RUF012 # as labgrid reads it

    txdelay: float = attr.ib(default=0.0, validator=attr.validators.instance_of(float))
    txchunk: int = attr.ib(default=1, validator=attr.validators.instance_of(int))
    timeout: float = attr.ib(default=3.0, validator=attr.validators.instance_of(float))
    idle_timeout: float = attr.ib(default=30.0, validator=attr.validators.instance_of(float))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._stream: SerialPort | None = None

    def on_activate(self) -> None:
        """Open the port, as labgrid does when the driver is activated."""
        self.open()

    def on_deactivate(self) -> None:
        """Close the port, as labgrid does when the driver is deactivated."""
        self.close()

    @property
    def stream(self) -> SerialPort:
        """The open port, for the rest of serialwrite: ``async_drain``, ``on_wire``, ``modem_lines``."""
        if self._stream is None:
            raise RuntimeError(f"{self} has no open port: activate the driver, or call open()")
        return self._stream

    def open(self) -> None:
        """Open the port. Does nothing if it is open."""
        if self._stream is None:
            self._stream = SerialPort(self._address(), self.port.speed)

    def close(self) -> None:
        """Close the port, within a bounded time. Does nothing if it is closed."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    @Driver.check_bound  # type: ignore[untyped-decorator]
    def get_export_vars(self) -> dict[str, str]:
        """What ``labgrid-client export`` gives: where the port is, and its speed."""
        exported = {"speed": str(self.port.speed)}
        if isinstance(self.port, LocalSerialPort):
            return exported | {"port": str(self.port.port)}
        host, port = proxymanager.get_host_and_port(self.port)
        return exported | {"host": host, "port": str(port), "protocol": self.port.protocol}

    def _address(self) -> str:
        if isinstance(self.port, LocalSerialPort):
            return str(self.port.port)
        host, port = proxymanager.get_host_and_port(self.port)
        host = f"[{host}]" if ":" in host else host
        if self.port.protocol == "rfc2217":
            return f"rfc2217://{host}:{port}?ign_set_control&timeout={self.timeout}"
        if self.port.protocol == "raw":
            return f"socket://{host}:{port}"
        raise ValueError(f"protocol={self.port.protocol!r}: pass 'rfc2217' or 'raw'")

    # ConsoleExpectMixin builds read, write, sendline, sendcontrol, expect and settle on these two.

    def _read(self, size: int = 1, timeout: float = 0.0, max_size: int | None = None) -> bytes:
        buffer = bytearray(max_size or max(size, READ_SIZE))
        try:
            n = read(
                self.stream, buffer, completion_condition=transfer_at_least(min(size, len(buffer))), timeout=timeout
            )
        except TransferTimeout as error:
            n = error.bytes_transferred
            if n == 0:
                raise TIMEOUT(f"no byte came in {timeout:.2f} seconds") from None
        return bytes(buffer[:n])

    def _write(self, data: bytes) -> int:
        paced = Paced(self.stream, chunk_size=self.txchunk, chunk_gap=self.txdelay) if self.txdelay else self.stream
        return write(paced, data, idle_timeout=self.idle_timeout)

    @Driver.check_active  # type: ignore[untyped-decorator]
    @step(args=["data"], tag="console")  # type: ignore[untyped-decorator]
    def write(self, data: bytes) -> int:
        """Write ``data``, all of it; an error counts the bytes of every chunk, where the mixin's counts the last."""
        self.logger.debug("Write %i bytes: %s", len(data), data)
        return self._write(data)

    def __str__(self) -> str:
        return f"SerialWriteDriver({self.target.name})"

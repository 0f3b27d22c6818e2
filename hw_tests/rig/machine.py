"""The emulated machine: the QEMU command, its process, and the time limits that it is held to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw_tests.rig import initramfs, nullmodem
from hw_tests.rig.control import Control
from hw_tests.rig.kernel import CACHE, PROJECT, Kernel
from hw_tests.rig.pump import Pump

GUEST_FILES = Path(__file__).with_name("guest")


class MachineError(Exception):
    """The guest did not boot, died, or did not end in time."""


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@dataclass(frozen=True)
class Machine:
    """A guest to be run once. Times in seconds; ``show`` is given what its command prints."""

    kernel: Kernel
    timeout: float = 600
    boot_timeout: float = 180
    memory_mb: int = 768
    processors: int = 1
    cache: Path = CACHE
    results: Path = CACHE / "results"  # what the guest leaves behind: there, it is /run/rig/results
    append: str = ""
    name: str = "console"
    show: Callable[[bytes], object] = _print

    @property
    def console(self) -> Path:
        """What the guest's kernel said, and QEMU itself."""
        return self.cache / f"{self.name}.log"

    async def run(self, command: list[str]) -> int:
        """Boot, run ``command`` in the project's folder, pass its output through; return its exit status.

        Raises MachineError when the guest doesn't boot within ``boot_timeout``, dies, or doesn't end within ``timeout``.
        """
        pump = Pump()
        pump.add_cable("isa")
        pump.add_cable("pci")
        control = Control(pump)
        tasks: list[asyncio.Task[None]] = []
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(pump.close)
            shared = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="rig-", dir=self.cache)))
            self._fill(shared, command)
            near_control, far_control = socket.socketpair()
            near_output, far_output = socket.socketpair()
            ends = {**pump.machine_ends, "control": far_control, "output": far_output}
            for end in ends.values():
                cleanup.callback(end.close)
            log = cleanup.enter_context(self.console.open("wb"))
            process = await asyncio.create_subprocess_exec(
                *self._command({name: end.fileno() for name, end in ends.items()}, shared),
                pass_fds=[end.fileno() for end in ends.values()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            try:
                tasks += [
                    asyncio.create_task(pump.run()),
                    asyncio.create_task(control.serve(*await asyncio.open_connection(sock=near_control))),
                    asyncio.create_task(self._pass_through(near_output)),
                ]
                status = await self._watch(process, control)
                self._pass_the_rest(near_output)
            finally:
                for task in tasks:
                    task.cancel()
                if process.returncode is None:
                    process.kill()
                await process.wait()
                shutil.rmtree(self.results, ignore_errors=True)
                shutil.copytree(shared / "results", self.results)
            return status

    async def _watch(self, process: asyncio.subprocess.Process, control: Control) -> int:
        """Wait for the exit status, the end of the machine or of the time."""
        ended = asyncio.ensure_future(process.wait())
        up = asyncio.ensure_future(control.up.wait())
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait([ended, up], timeout=self.boot_timeout, return_when=first)
        if not up.done() and not ended.done():
            raise MachineError(f"the guest did not boot within {self.boot_timeout:g} s")
        await asyncio.wait([ended, control.exit_status], timeout=self.timeout, return_when=first)
        if control.exit_status.done():
            return control.exit_status.result()
        if not ended.done():
            raise MachineError(f"the guest did not end within {self.timeout:g} s of its boot")
        when = "before its command ended" if up.done() else "while it booted"
        raise MachineError(f"the guest died {when} (QEMU's exit status {ended.result()})")

    async def _pass_through(self, output: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        output.setblocking(False)
        while data := await loop.sock_recv(output, 65536):
            self.show(data)

    def _pass_the_rest(self, output: socket.socket) -> None:
        """What the guest had said before it handed its exit status over: it is in the socket already."""
        with contextlib.suppress(OSError):
            while data := output.recv(65536):
                self.show(data)

    def _fill(self, shared: Path, command: list[str]) -> None:
        """Put into the shared folder what the guest starts from."""
        results = shared / "results"
        results.mkdir()
        image = shared / "initramfs"
        initramfs.write(self.kernel, nullmodem.build(self.kernel), image)
        shutil.copy(GUEST_FILES / "start.sh", shared)
        (shared / "settings.sh").write_text(f"RIG_SECONDS={self.timeout + 30:.0f}\n")
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")])),
            "RIG_RESULTS": "/run/rig/results",
            **({"CI": os.environ["CI"]} if "CI" in os.environ else {}),
        }  # fmt: skip
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        (shared / "command.sh").write_text(f"{exports}cd {shlex.quote(str(PROJECT))} && exec {shlex.join(command)}\n")

    def _command(self, fds: dict[str, int], shared: Path) -> list[str]:
        append = (
            # The kernel's messages on a serial port from its first moment, so that a guest that doesn't boot can say why.
            "earlycon=uart8250,io,0x3e8 console=ttyS2,115200 quiet panic=-1 oops=panic "
            # Time by the HPET alone: on a busy host, what counts cycles is calibrated wrongly at boot, and the guest's
            # seconds were a quarter of a second long.
            f"clocksource=hpet nolapic_timer 8250.nr_uarts=8 mitigations=off {self.append}"
        )
        # KVM is not asked for even where it could be had: everywhere the same machine, with the same timing.
        command = [
            *("qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-cpu", "max", "-smp", str(self.processors)),
            *("-m", str(self.memory_mb), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(self.kernel.image), "-initrd", str(shared / "initramfs"), "-append", append),
            *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
            *("-fsdev", f"local,id=rig,path={shared},security_model=none"),
            *("-device", "virtio-9p-pci,fsdev=rig,mount_tag=rig"),
            *("-chardev", f"file,id=console,path={self.console},append=on"),
            *("-device", "virtio-serial-pci"),
            *("-device", "virtserialport,chardev=control,name=rig.control"),
            *("-device", "virtserialport,chardev=output,name=rig.output"),
            *("-device", "isa-serial,chardev=isa0,iobase=0x3f8,irq=4"),  # ttyS0
            *("-device", "isa-serial,chardev=isa1,iobase=0x2f8,irq=3"),  # ttyS1
            *("-device", "isa-serial,chardev=console,iobase=0x3e8,irq=5"),  # ttyS2
            *("-device", "pci-serial,chardev=pci0,addr=0x10"),  # ttyS4
            *("-device", "pci-serial,chardev=pci1,addr=0x11"),  # ttyS5
        ]
        for name, fd in fds.items():
            command[1:1] = ["-chardev", f"socket,id={name},fd={fd}"]
        return command

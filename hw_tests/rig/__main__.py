"""Run pytest on emulated UART drivers: ``python -m hw_tests.rig [options] [-- pytest arguments]``."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from hw_tests import record
from hw_tests.rig import bytecode
from hw_tests.rig.kernel import CACHE, DEFAULT_PACKAGE, Kernel, UnavailableError, get_kernel, install_packages
from hw_tests.rig.machine import Machine, MachineError
from hw_tests.rig.nullmodem import BuildError

TAIL_LINES = 40
# A whole run is two machines side by side, each with some of the devices: most of the time a test waits.
SHARES = ("8250-isa,8250-pci,cdc_acm,plug", "ftdi_sio,nullmodem,wired-pair")
PYTEST = [
    *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist"),
    *("-o", "faulthandler_timeout=60"),
]
NO_STATUS = 125  # the guest left no exit status of its own


def main(arguments: list[str]) -> int:
    """The exit status of pytest in the guest; 125 when the guest failed; 0 when skipped, 1 in its place where CI=true."""
    options, pytest_arguments = _parse(arguments)
    started = time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one run at a time: they share the console log and the results
        try:
            if options.install:
                install_packages()
            kernel = get_kernel(options.kernel)
        except UnavailableError as reason:
            in_ci = os.environ.get("CI") == "true"
            print(f"{'FAILED' if in_ci else 'SKIPPED'}: the emulated machine can't be had: {reason}", file=sys.stderr)
            return 1 if in_ci else 0
        bytecode.make()
        if options.exec or pytest_arguments:
            command = pytest_arguments if options.exec else [*PYTEST, *pytest_arguments]
            status = asyncio.run(_run(_machine(kernel, options), command))
        else:
            status = asyncio.run(_run_whole(kernel, options))
    print(f"rig: kernel {kernel.release}, {time.monotonic() - started:.1f} s in all", file=sys.stderr)
    return status


def _machine(kernel: Kernel, options: argparse.Namespace, **others: Any) -> Machine:
    settings = {"results": options.results, "append": options.append, **others}
    return Machine(kernel, options.timeout, options.boot_timeout, **settings)


async def _run(machine: Machine, command: list[str]) -> int:
    """The exit status of a command in a machine."""
    try:
        return await machine.run(command)
    except BuildError as error:
        print(f"FAILED: {error}", file=sys.stderr)
    except MachineError as error:
        tail = machine.console.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        print(f"FAILED: {error}; the end of {machine.console}:", *tail, sep="\n  ", file=sys.stderr)
    return NO_STATUS


async def _run_whole(kernel: Kernel, options: argparse.Namespace) -> int:
    """Show what the first machine says as it says it, then what the others have said; the worst exit status."""
    shutil.rmtree(options.results, ignore_errors=True)
    said: list[list[bytes]] = [[] for _ in SHARES]
    running = [
        asyncio.create_task(
            _run(
                _machine(
                    kernel, options, name=f"console-{n}", results=options.results / str(n),
                    **({"show": words.append} if n else {}),
                ),
                [*PYTEST, "--devices", share, "hw_tests"],
            )
        )
        for n, (share, words) in enumerate(zip(SHARES, said, strict=True))
    ]  # fmt: skip
    statuses = []
    for task, words in zip(running, said, strict=True):
        statuses.append(await task)
        sys.stdout.buffer.write(b"".join(words))
        sys.stdout.buffer.flush()
    record.merge(options.results)
    return max(statuses)


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m hw_tests.rig", description="Boot an emulated machine and run pytest in it.",
        epilog="Everything after -- is given to pytest (default: hw_tests).",
    )  # fmt: skip
    parser.add_argument("--install", action="store_true", help="apt-get install what this machine lacks (needs root)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that the guest may take once booted")
    parser.add_argument("--boot-timeout", type=float, default=180, help="seconds that it may take to boot")
    parser.add_argument("--kernel", default=DEFAULT_PACKAGE, help="Debian package of the guest's kernel (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=CACHE / "results", help="folder for what the guest leaves behind"
    )
    parser.add_argument("--append", default="", help="more arguments for the guest's kernel")
    parser.add_argument("--exec", action="store_true", help="what follows -- is a command of its own, not for pytest")
    split = arguments.index("--") if "--" in arguments else len(arguments)
    return parser.parse_args(arguments[:split]), arguments[split + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

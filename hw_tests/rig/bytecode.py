"""Bytecode of what the guest imports, made on the host: in the guest it would take every process most of a minute."""

from __future__ import annotations

import os
import subprocess
import sys

from hw_tests.rig.kernel import PROJECT


def make() -> None:
    """Compile what has changed. It is left beside the sources, as Python does; where that can't be, the guest is slow."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    tests = ["pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--collect-only", "hw_tests"]
    for module in (["compileall", "-q", "serialwrite"], tests):  # pytest compiles its asserts in a way of its own
        subprocess.run(
            [sys.executable, "-m", *module], cwd=PROJECT, env=environment, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

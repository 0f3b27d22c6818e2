"""Builds module/nullmodem.c, our paced serial driver with modem lines, against the guest's kernel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from hw_tests.rig.kernel import Kernel

SOURCES = Path(__file__).with_name("module")


class BuildError(Exception):
    """The driver does not build; the message is the compiler's."""


def build(kernel: Kernel) -> Path:
    """The compiled module, kept beside the kernel under a name made of its source's hash."""
    source = (SOURCES / "nullmodem.c").read_bytes()
    built = kernel.folder / f"nullmodem-{hashlib.sha256(source).hexdigest()[:12]}.ko"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=kernel.folder) as folder:
            shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
            # CC: the headers name the compiler by the version that Debian used; any near one will do.
            # No BTF: nobody debugs it, and it would need pahole.
            settings = ("CC=gcc", "CONFIG_DEBUG_INFO_BTF_MODULES=")
            make = ["make", "-C", str(kernel.headers), f"M={folder}", *settings, "modules"]
            result = subprocess.run(make, capture_output=True, text=True, timeout=120, check=False)
            if result.returncode:
                raise BuildError(f"nullmodem.c does not build:\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
            shutil.move(Path(folder) / "nullmodem.ko", built)
    return built

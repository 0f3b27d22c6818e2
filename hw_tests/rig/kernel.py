"""What the guest takes from Debian: kernel, modules, headers and busybox, downloaded by apt into the cache, unprivileged."""

from __future__ import annotations

import functools
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PACKAGE = "linux-image-amd64"
PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "hw"
DOWNLOAD_SECONDS = 240

# Commands the host must have, and the Debian package each one is in.
HOST_PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "gcc": "gcc", "make": "make", "dpkg-deb": "dpkg"}


class UnavailableError(Exception):
    """The rig can't be had on this machine; the message says why and what to do."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked Debian kernel."""

    release: str
    folder: Path

    @property
    def image(self) -> Path:
        """What QEMU boots: the bare ELF image where it could be taken out (two seconds faster), else the bzImage."""
        bare = self.folder / "vmlinux"
        return bare if bare.exists() else next((self.folder / "root/boot").glob("vmlinuz-*"))

    @property
    def headers(self) -> Path:
        """The folder that an out-of-tree module is built in."""
        return self.folder / "headers/usr/src" / f"linux-headers-{self.release}"

    @property
    def busybox(self) -> Path:
        """A statically linked busybox."""
        return next(p for p in self.folder.glob("busybox/*bin/busybox"))

    @functools.cached_property
    def _modules(self) -> dict[str, Path]:
        found = (self.folder / "root/lib/modules").rglob("*.ko*")
        return {p.name.split(".")[0].replace("-", "_"): p for p in found}

    def load_order(self, *names: str) -> dict[str, bytes]:
        """The named modules and all they depend on, uncompressed, in the order to insert them."""
        order: dict[str, bytes] = {}

        def add(name: str) -> None:
            if name in order or name not in self._modules:  # not a file: built into the kernel
                return
            path = self._modules[name]
            code = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
            depends = re.search(rb"\0depends=([^\0]*)\0", code)
            for needed in filter(None, (depends[1] if depends else b"").decode().split(",")):
                add(needed.replace("-", "_"))
            order[name] = code

        for name in names:
            add(name)
        return order


def install_packages() -> None:
    """Install by apt what the host lacks. Needs root."""
    if missing := _missing_packages():
        _run("apt-get", "update", "-qq")
        wait_for_others = ("-o", "DPkg::Lock::Timeout=120")
        _run("apt-get", *wait_for_others, "install", "-y", "-qq", "--no-install-recommends", *missing)


def get_kernel(package: str = DEFAULT_PACKAGE, cache: Path = CACHE) -> Kernel:
    """The kernel of a Debian package, from the cache or downloaded into it (85 MB).

    Raises UnavailableError where this isn't x86-64 Linux, packages are missing, or nothing can be downloaded.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        here = f"{platform.machine()} {sys.platform}"
        raise UnavailableError(f"the guest runs this machine's own Python, which must be for x86-64 Linux, not {here}")
    if missing := _missing_packages():
        raise UnavailableError(f"not installed: {' '.join(missing)}; as root: apt-get install {' '.join(missing)}")
    for mark in sorted(cache.glob("kernel-*/complete"), key=lambda p: p.stat().st_mtime, reverse=True):
        if mark.read_text() == package:
            return Kernel(mark.parent.name.removeprefix("kernel-"), mark.parent)
    return _fetch(package, cache)


def _missing_packages() -> list[str]:
    return sorted({package for command, package in HOST_PACKAGES.items() if not shutil.which(command)})


def _fetch(package: str, cache: Path) -> Kernel:
    if not shutil.which("apt-get"):
        raise UnavailableError("no apt-get: the guest's kernel is downloaded from Debian's archive")
    depends = _depends(package)
    if not depends:
        raise UnavailableError(f"apt knows no {package} (is this Debian? as root: apt-get update)")
    image = next((p for p in depends if p.startswith("linux-image-")), package)
    release = image.removeprefix("linux-image-")
    kernel = Kernel(release, cache / f"kernel-{release}")
    headers = [f"linux-headers-{release}"]
    headers += [p for p in _depends(headers[0]) if p.startswith(("linux-headers-", "linux-kbuild-"))]
    debs = kernel.folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    print(f"rig: downloading {image}, its headers and busybox into {debs}", file=sys.stderr)
    # Unsandboxed: apt's own user may not be allowed into the project folder.
    download = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download")
    try:
        _run(*download, image, *headers, "busybox-static", cwd=debs)
    except UnavailableError as error:  # most often, Debian has replaced the version that apt last heard of
        raise UnavailableError(f"{error} (are apt's lists old? as root: apt-get update)") from None
    print(f"rig: downloaded in {time.monotonic() - started:.0f} s; unpacking", file=sys.stderr)
    _unpack_image(next(debs.glob("linux-image-*.deb")), kernel)
    for deb in [*debs.glob("linux-headers-*.deb"), *debs.glob("linux-kbuild-*.deb")]:
        _run("dpkg-deb", "-x", str(deb), str(kernel.folder / "headers"))
    _run("dpkg-deb", "-x", str(next(debs.glob("busybox-*.deb"))), str(kernel.folder / "busybox"))
    makefile = kernel.headers / "Makefile"  # names the common headers by the path they would be installed under
    makefile.write_text(re.sub(r"include /usr/src/", f"include {kernel.headers.parent}/", makefile.read_text()))
    (kernel.folder / "complete").write_text(package)
    return kernel


def _depends(package: str) -> list[str]:
    answer = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=False)
    return re.findall(r"Depends: (\S+)", answer.stdout)


def _unpack_image(deb: Path, kernel: Kernel) -> None:
    """Unpack the image and the modules, and take the bare ELF kernel out of the image."""
    wanted = re.compile(
        r"\./(boot/vmlinuz-|(usr/)?lib/modules/[^/]+/kernel/(drivers/(char|tty|usb|virtio)|fs|net/9p)/)"
    )
    root = kernel.folder / "root"
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpacker:
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tar:
            for member in tar:
                if wanted.match(member.name) and (content := tar.extractfile(member)):
                    target = root / member.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content.read())
    if (root / "usr/lib").is_dir() and not (root / "lib").exists():  # Debian 13 on
        (root / "lib").symlink_to("usr/lib")
    packed = next((root / "boot").glob("vmlinuz-*")).read_bytes()
    start = packed.find(b"\xfd7zXZ\0")
    if start >= 0:
        bare = lzma.LZMADecompressor().decompress(packed[start:])
        if bare.startswith(b"\x7fELF"):
            (kernel.folder / "vmlinux").write_bytes(bare)


def _run(*command: str, cwd: Path | None = None) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        subprocess.run(
            command, cwd=cwd, env=environment, check=True, text=True, timeout=DOWNLOAD_SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{' '.join(command)}: no end after {error.timeout:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise UnavailableError(
            f"{' '.join(command)}: exit status {error.returncode}: {error.stdout[-800:].strip()}"
        ) from None

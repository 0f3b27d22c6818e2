"""The initramfs: busybox, the modules that the guest needs, and the script that mounts the host's files as its root."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hw_tests.rig.kernel import Kernel

# In this order: what the root file system needs, then what the devices are made of.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
DEVICE_MODULES = ("configfs", "libcomposite", "usb_f_fs", "usb_f_acm", "ftdi_sio", "cdc_acm")
MODULE_OPTIONS = {
    # One controller for each USB device, at full speed as an FT232R and most CDC-ACM boards are.
    "dummy_hcd": "num=2 is_high_speed=0",
    # One with every control, one used as a wired pair, one with a plug on it, and twenty at once.
    "nullmodem": "pairs=23",
}

INIT = """\
#!/bin/busybox sh
export PATH=/bin
fail() {{ echo "rig: $*"; exec /bin/busybox poweroff -f; }}
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
{insmods}
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || fail "the host's files can't be mounted"
mount -t tmpfs -o mode=755 tmpfs /over; mkdir /over/upper /over/work
# The host's files, read-only, under a layer that takes the guest's own changes and is gone with it.
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work root /root || fail "no overlay"
for m in proc sys dev; do mount --move /$m /root/$m; done
mount -t tmpfs -o mode=755 tmpfs /root/run; mkdir /root/run/rig
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 rig /root/run/rig || fail "no folder shared with the host"
exec switch_root /root /bin/sh /run/rig/start.sh
"""


def write(kernel: Kernel, nullmodem: Path, target: Path) -> None:
    """Write the image to ``target``; a few megabytes, not compressed, so made anew for each run."""
    modules = kernel.load_order(*BOOT_MODULES, *DEVICE_MODULES, "dummy_hcd")
    modules["nullmodem"] = nullmodem.read_bytes()
    insmods = (f'insmod /modules/{name}.ko {MODULE_OPTIONS.get(name, "")} || fail "insmod {name}"' for name in modules)
    files = {
        "bin/busybox": kernel.busybox.read_bytes(),
        "init": INIT.format(insmods="\n".join(insmods)).encode(),
        **{f"modules/{name}.ko": code for name, code in modules.items()},
    }
    folders = ("bin", "dev", "host", "modules", "over", "proc", "root", "sys")
    with target.open("wb") as image:
        for chunk in _archive(folders, files):
            image.write(chunk)


def _archive(folders: tuple[str, ...], files: dict[str, bytes]) -> Iterator[bytes]:
    """Yield a cpio archive in the "newc" form (kernel: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    for number, folder in enumerate(folders, 1):
        yield _entry(number, folder, stat.S_IFDIR | 0o755, b"")
    for number, (name, content) in enumerate(files.items(), len(folders) + 1):
        yield _entry(number, name, stat.S_IFREG | 0o755, content)
    yield _entry(0, "TRAILER!!!", 0, b"")


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    # inode, mode, uid, gid, links, mtime, size, device and rdevice (major, minor), name size, checksum
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)

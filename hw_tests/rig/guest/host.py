"""Asks the host's side of the rig, over a virtio serial port; one JSON object a line, each way."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

CHANNEL = Path("/dev/virtio-ports/rig.control")
LOCK = Path("/run/lock-of-rig.control")


def in_guest() -> bool:
    """Whether this process runs in the rig's guest."""
    return CHANNEL.exists()


def ask(op: str, **arguments: Any) -> dict[str, Any]:
    """The host's answer; raises RuntimeError when it refuses."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests run in several processes, and one at a time may open the channel
        with CHANNEL.open("r+b", buffering=0) as channel:
            channel.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                answer += channel.read(4096)
    decoded: dict[str, Any] = json.loads(answer)
    if "error" in decoded:
        raise RuntimeError(f"the rig refused {op} {arguments}: {decoded['error']}")
    return decoded

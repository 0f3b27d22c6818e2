"""Answers what the guest asks of the host: one JSON object a line, each way."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_tests.rig.pump import Pump


class Control:
    """The host's side of the channel that hw_tests/rig/guest/host.py speaks on."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self.up = asyncio.Event()
        self.exit_status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the guest hands over its exit status, or the channel is closed."""
        while line := await reader.readline():
            if (answer := self.answer(line)) is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    def answer(self, line: bytes) -> dict[str, Any] | None:
        """Do what one line asks for; None where nobody waits for an answer."""
        try:
            return self._answer(json.loads(line))
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        match asked["op"]:
            case "up":  # from the shell, as "exit" is: nobody reads an answer
                self.up.set()
                return None
            case "exit":
                if not self.exit_status.done():
                    self.exit_status.set_result(int(asked["status"]))
                return None
            case "stall":
                self._pump.lanes[asked["port"]].stall(bool(asked["stalled"]))
            case "pace":
                self._pump.lanes[asked["port"]].pace(asked["bytes_per_second"])
            case "taken":
                return {"taken": self._pump.lanes[asked["port"]].taken}
            case op:
                return {"error": f"unknown op {op!r}"}
        return {}

"""Bugs to plant in serialwrite: what a library does that believes the kernel. ``--plant NAME`` runs any test with one."""

from __future__ import annotations

import asyncio
import contextlib
import termios
import threading
from collections.abc import Callable

import pytest

from serialwrite.streams.serial import _close as _closing, _drain, _tty_stream


def trust_tcdrain(patch: pytest.MonkeyPatch) -> None:
    """Drain by tcdrain(), on a thread, and believe its success."""

    def drain(self: _drain.Drain) -> None:
        with contextlib.suppress(termios.error):
            termios.tcdrain(self._tty.fileno())

    async def wait(self: _drain.Drain, note: Callable[[], object] = lambda: None, **_: bool) -> None:
        # A thread of its own that nobody waits for: tcdrain() can't be cancelled.
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def work() -> None:
            drain(self)
            with contextlib.suppress(RuntimeError):
                ended.get_loop().call_soon_threadsafe(lambda: ended.done() or ended.set_result(None))

        threading.Thread(target=work, daemon=True).start()
        await ended
        note()

    def block(self: _drain.Drain) -> None:
        draining = threading.Thread(target=drain, args=(self,), daemon=True)
        draining.start()
        draining.join(5)

    patch.setattr(_drain.Drain, "wait", wait)
    patch.setattr(_drain.Drain, "block", block)


def trust_tcoflush(patch: pytest.MonkeyPatch) -> None:
    """Discard by TCOFLUSH, and believe that what was queued is gone."""

    def discard(tty: _drain.Device, *, hold: bool) -> int:
        before = tty.output_queue()
        tty.flush_output()
        return before or 0

    for module in (_closing, _tty_stream):
        patch.setattr(module, "discard", discard)


def close_without_closing_wait(patch: pytest.MonkeyPatch) -> None:
    """Close as everybody does: leave the kernel's closing_wait of 30 s as it is."""
    patch.setattr(_closing, "_close_with_a_queue", lambda tty, port: port.close())


BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "trust-tcdrain": trust_tcdrain,
    "trust-tcoflush": trust_tcoflush,
    "close-without-closing-wait": close_without_closing_wait,
}

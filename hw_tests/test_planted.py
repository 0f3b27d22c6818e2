"""The bugs of planted.py, each planted for one test of a promise, which has to catch it. ``--plant`` does it to all tests."""

from __future__ import annotations

import os

import pytest

from hw_tests import planted, raw, test_promises_close as close, test_promises_drain as drain
from hw_tests.device import Device

CAUGHT = (AssertionError, pytest.fail.Exception)


async def test_trusting_tcdrain_with_the_fifo_stuck(device: Device, monkeypatch):
    device.without("no-lsr")
    if "tcdrain-early" not in device.quirks:
        pytest.skip("tcdrain waits for the FIFO here")
    planted.trust_tcdrain(monkeypatch)
    with pytest.raises(CAUGHT, match="DID NOT RAISE"):
        await drain.test_drain_with_the_fifo_stuck(device, 16)


async def test_trusting_tcdrain_during_an_unplug(device: Device, monkeypatch):
    device.without("no-unplug")
    planted.trust_tcdrain(monkeypatch)
    with pytest.raises(CAUGHT, match="DID NOT RAISE"):
        await drain.test_drain_during_unplug(device)


def test_trusting_tcoflush(device: Device, monkeypatch):
    if "tcflush-is-noop" not in device.quirks:
        pytest.skip("TCOFLUSH does what it says here")
    planted.trust_tcoflush(monkeypatch)
    with pytest.raises(CAUGHT, match=r"assert \d+ <= \("):
        drain.test_discard_output(device)


def test_closing_without_closing_wait(device: Device, monkeypatch):
    device.without("own-far-end")
    if os.geteuid():
        pytest.skip("only root may set closing_wait, and 30 s would have to be waited")
    planted.close_without_closing_wait(monkeypatch)
    # Both shorter than the kernel's 30 s and the test's 12 s, in the same order.
    with raw.opened(device.path) as fd:
        raw.set_closing_wait(fd, 300)
    monkeypatch.setattr(close, "BOUND_SECONDS", 2)
    with pytest.raises(CAUGHT, match=r"assert .* < 2"):
        close.test_close(device, "abort")

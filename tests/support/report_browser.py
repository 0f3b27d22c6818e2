"""A headless Chromium to look at the report with, driven over a pipe: no port, no network, no extra package."""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def find_chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """Opens pages, and answers what they look like at a given width, colour scheme and medium."""

    def __init__(self, program, timeout=60.0):
        self.timeout = timeout
        self._home = tempfile.TemporaryDirectory(prefix="serialwrite-browser-", ignore_cleanup_errors=True)
        pipes = (*os.pipe(), *os.pipe())
        # out of the way of 3 and 4, where Chromium expects its two ends
        far_in, self._out, self._in, far_out = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in pipes)
        for fd in pipes:
            os.close(fd)

        def wire():
            os.dup2(far_in, 3)
            os.dup2(far_out, 4)

        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._home.name}", "about:blank"],
            preexec_fn=wire,  # noqa: PLW1509  # no other thread runs when the browser starts
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(far_in)
        os.close(far_out)
        self._numbers, self._pending, self.events = itertools.count(1), b"", []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self._call("Browser.close")
        os.close(self._in)
        os.close(self._out)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._home.cleanup()

    def open(self, path, *, width, dark=False, medium="screen", height=900):
        """Load a local page anew, with everything but its own file refused."""
        self.events.clear()
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until(lambda: any(event.get("method") == "Page.loadEventFired" for event in self.events))

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self):
        """Return the whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def requests(self):
        """Return the addresses that the page asked for, itself included."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        return [e["params"] for e in self.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def call(self, method, **parameters):
        return self._call(method, self._session, **parameters)

    def _call(self, method, session=None, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answers = []

        def answered():
            answers.extend(event for event in self.events if event.get("id") == number)
            return bool(answers)

        self._until(answered)
        self.events = [event for event in self.events if event.get("id") != number]
        assert "error" not in answers[0], answers[0]
        return answers[0]["result"]

    def _until(self, condition):
        end = time.monotonic() + self.timeout
        while not condition():
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium did not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "Chromium ended"
            *whole, self._pending = (self._pending + data).split(b"\0")
            self.events += [json.loads(message) for message in whole]

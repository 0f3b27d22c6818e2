"""The script that measures can't rot: a short run of it, whose counts must be right. No times."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_run():
    command = [sys.executable, "-m", "tests.streams.figures", "--seconds", "0.3", "--seeds", "1", "--policies", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    for words in ("Paced, pipe", "Paced, pty", "Paced, socket", "Queued, pty", "stalled simulated UART", "stalled pty"):
        assert words in run.stdout
    if os.environ.get("CI") == "true":
        assert "rfc2217://, ser2net" in run.stdout

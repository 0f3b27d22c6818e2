"""A forked child touches nothing of what its parent opened, however it ends (rule 14)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "support/forked_child.py"
KINDS = ["serial", "descriptor", "socket", "socket://"]
ENDINGS = ["exit", "close", "async_close", "collected", "multiprocessing", "multiprocessing close", "preexec_fn"]
WAITING = ["exit while it waits", "close while it waits"]  # socket:// waits on a thread, which no fork takes along


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(kind, end) for kind in KINDS for end in ENDINGS] + [(kind, end) for kind in KINDS[:3] for end in WAITING],
)
def test_a_forked_child_leaves_its_parents_stream_alone(kind, ending):
    """In a program of its own: a process that has threads is not to be forked."""
    ran = subprocess.run(
        [sys.executable, PROGRAM, kind, ending], check=False, capture_output=True, text=True, timeout=100
    )
    assert ran.stdout == "over\n", ran.stderr

"""Compiles what is in ``native/``, once for each state of its sources; a machine without a compiler does without."""

import functools
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "native"
BUILT = Path(__file__).parents[2] / "build" / "benchmarks"


@dataclass(frozen=True)
class Program:
    """A program, or the reason why there is none."""

    path: Path | None = None
    missing: str | None = None


@functools.cache
def build(source: str) -> Program:
    """The program made of ``native/<source>``."""
    cplusplus = source.endswith(".cpp")
    wanted = os.environ.get("CXX" if cplusplus else "CC")
    compiler = wanted or shutil.which("c++" if cplusplus else "cc")
    if compiler is None:
        return Program(missing=f"no compiler for {source}")
    flags = ["-O2", "-std=c++20", "-pthread"] if cplusplus else ["-O2"]
    state = hashlib.sha256(" ".join([compiler, *flags]).encode())
    for file in (HERE / source, HERE / "measure.h"):
        state.update(file.read_bytes())
    program = BUILT / f"{Path(source).stem}-{state.hexdigest()[:12]}"
    if not program.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        made = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run(
            [compiler, *flags, "-o", made, HERE / source], capture_output=True, text=True, check=False
        )
        if done.returncode:
            why = next((line for line in done.stderr.splitlines() if "error" in line), "the compiler failed")
            return Program(missing=f"{source} does not compile: {why}")
        made.replace(program)  # at once: another run may be building it too
    return Program(program)

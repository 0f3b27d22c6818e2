"""`python -m tests.mutants [PART] [--jobs 2]`: plant each slip in a copy of the repository; do its tests find it?"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import ALL
from .slips import ROOT, Slip, StaleSlip

ENOUGH = 95  # of 100 slips that have to be found
LIMIT = (
    90.0  # seconds that the tests of one slip may take, unless another limit is given: a test that hangs has found it
)
CLEAN_LIMIT = 900.0  # seconds that all the tests may take, where no slip is planted
COPIED = ("serialwrite", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile")
PASSED, FAILED = 0, 1  # exit codes of pytest


def main() -> int:
    """Plant the slips; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="of the name or the text of a slip (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once, each in a copy of its own (default: 2)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for the tests of one slip (default: 90)")
    parser.add_argument("--sample", type=int, help="plant so many of them, chosen at random, instead of all")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without any slip first")
    arguments = parser.parse_args()
    chosen = [one for one in ALL if arguments.part in f"{one.file} {one.old} {one.new}"]
    if arguments.sample is not None:
        chosen = random.sample(chosen, min(arguments.sample, len(chosen)))
    try:
        for one in chosen:
            one.applied()
    except StaleSlip as stale:
        print(stale, file=sys.stderr)
        return 2
    if not chosen:
        print(f"no slip has {arguments.part!r} in its file or its texts", file=sys.stderr)
        return 2
    with copies(max(1, arguments.jobs)) as free, concurrent.futures.ThreadPoolExecutor(free.maxsize) as pool:
        if not arguments.trust and (wrong := without_a_slip(free, pool, chosen)):
            print(f"without any slip these tests fail:\n{wrong}", file=sys.stderr)
            return 2
        outcomes = list(pool.map(lambda one: planted(free, one, arguments.limit), chosen))
    return report(chosen, outcomes)


class Outcome(NamedTuple):
    """What came of one slip."""

    word: str  # found, survived, broken
    output: str


def report(chosen: list[Slip], outcomes: list[Outcome]) -> int:
    """Print what came of the slips; return the exit code."""
    counts = collections.Counter(outcome.word for outcome in outcomes)
    for one, outcome in zip(chosen, outcomes, strict=True):
        if outcome.word == "survived":
            print(f"survived: {one}\n          tests: {' '.join(one.tests)}")
        elif outcome.word == "broken":
            print(f"its tests could not be run: {one}\n{outcome.output}")
    print(f"{counts['found']} of {len(chosen)} slips found")
    return 0 if counts["found"] * 100 >= ENOUGH * len(chosen) else 1


@contextlib.contextmanager
def copies(count: int) -> Iterator[queue.Queue[Path]]:
    """``count`` copies of the repository in a temporary folder, to be taken and put back."""
    free: queue.Queue[Path] = queue.Queue(count)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(count):
            copy = Path(folder, str(number))
            copy.mkdir()
            for name in COPIED:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
                elif source.exists():
                    shutil.copy2(source, copy / name)
            free.put(copy)
        yield free


def without_a_slip(
    free: queue.Queue[Path], pool: concurrent.futures.ThreadPoolExecutor, chosen: list[Slip]
) -> str | None:
    """What the tests of all the slips say where no slip is planted; None where they pass."""
    files: dict[tuple[bool, str], set[str]] = collections.defaultdict(set)
    for one in chosen:
        for test in one.tests:
            files[one.compiled, test.partition("::")[0]].add(test)

    def run_file(each: tuple[tuple[bool, str], set[str]]) -> str | None:
        (compiled, _), names = each
        copy = free.get()
        try:
            if compiled and (failed := build(copy)):
                return failed
            code, output = run(copy, tuple(sorted(names)), CLEAN_LIMIT, compiled=compiled)
        finally:
            free.put(copy)
        return None if code == PASSED else output

    return "\n".join(filter(None, pool.map(run_file, files.items()))) or None


def planted(free: queue.Queue[Path], one: Slip, limit: float) -> Outcome:
    """Plant a slip in a copy that is free, run its tests, and take it out again."""
    copy = free.get()
    path = copy / "serialwrite" / one.file
    before = path.read_text()
    try:
        _write(path, one.applied(copy))
        if one.compiled and (failed := build(copy)):
            return Outcome("broken", failed)
        code, output = run(copy, one.tests, limit, compiled=one.compiled)
    finally:
        _write(path, before)
        free.put(copy)
    word = "survived" if code == PASSED else "found" if code is None or code == FAILED or code < 0 else "broken"
    print(f"{word}{f' by taking more than {limit:g} s' if code is None else ''}: {one}", flush=True)
    return Outcome(word, output)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):  # it may look as new as the text
        compiled.unlink()


def build(copy: Path) -> str:
    """Compile what is compiled of the library in ``copy``; what was printed where that failed."""
    for old in copy.glob("serialwrite/*.so"):
        old.unlink()
    done = subprocess.run(
        [sys.executable, "-c", "from setuptools import setup; setup()", "build_ext", "--inplace", "--force"],
        cwd=copy,
        env={**os.environ, "CFLAGS": "-O0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if any(copy.glob("serialwrite/*.so")) else done.stdout  # it is optional: there is no other sign


def run(copy: Path, tests: tuple[str, ...], limit: float, *, compiled: bool) -> tuple[int | None, str]:
    """Run ``tests`` in ``copy``: the exit code, None after ``limit`` seconds, and what was printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly"]
    process = subprocess.Popen(
        [*command, *(f"tests/{test}" for test in tests)],
        cwd=copy,
        # The copy comes before the repository itself, which may be installed.
        env={**os.environ, "PYTHONPATH": str(copy), "SERIALWRITE_PURE": "" if compiled else "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return None, f"more than {limit} s"
    finally:
        with contextlib.suppress(ProcessLookupError):  # what it started, too
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return process.returncode, output


if __name__ == "__main__":
    sys.exit(main())

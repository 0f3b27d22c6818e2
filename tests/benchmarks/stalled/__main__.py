"""``python -m tests.benchmarks.stalled [--only NAME] [--update]``: the table of what becomes of a write that times out."""

import argparse
import platform
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .findings import Finding, look_at
from .libraries import LIBRARIES, OURS, Library

README = Path(__file__).parents[3] / "README.md"
BEGIN, END = "<!-- make peers -->\n", "<!-- end -->\n"
AT_A_TIME = 3  # libraries
HEAD = ["", "bytes reported on the timeout", "sent after it", "close while stalled", "besides"]


def main() -> int:
    """Look at every library that is installed, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stalled", description=__doc__)
    parser.add_argument("--only", action="append", help="a library's name, repeatable")
    parser.add_argument("--update", action="store_true", help="put the table into the README; all have to be installed")
    given = parser.parse_args()
    chosen = [library for library in LIBRARIES if not given.only or library.name in given.only]
    absent = [f"without {one.name}: not installed: {', '.join(one.missing())}" for one in chosen if one.missing()]
    print(*absent, sep="\n", end="\n" if absent else "", file=sys.stderr)
    if given.update and (absent or given.only):
        sys.exit("the README's table has all of them: make peers")
    present = [library for library in chosen if not library.missing()]
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # each of them mostly waits
        text = "\n".join([*table(pool.map(look_at, present)), "", machine(present), ""])
    print(text, end="")
    if given.update:
        readme = README.read_text(encoding="utf-8")
        before, rest = readme.split(BEGIN)
        README.write_text(before + BEGIN + text + END + rest.partition(END)[2], encoding="utf-8")
    return 0


def table(findings: Iterable[Finding]) -> list[str]:
    """Markdown, a library a row."""
    rows = [
        [f"**{one.library}**" if one.library == OURS else one.library, *list(vars(one).values())[1:]]
        for one in findings
    ]
    return [f"| {' | '.join(cells)} |" for cells in (HEAD, ["---"] * len(HEAD), *rows)]


def machine(libraries: Iterable[Library]) -> str:
    """What it was measured on, and with which versions."""
    versions = []
    for library in libraries:
        try:
            versions.append(f"{library.name} {version(library.name)}")
        except PackageNotFoundError:  # Python's own
            continue
    release = re.match(r"\d+\.\d+", platform.release())
    system = f"{platform.system()} {release[0] if release else platform.release()}"
    return f"{system}, Python {platform.python_version()}; {', '.join(versions)}."


if __name__ == "__main__":
    sys.exit(main())

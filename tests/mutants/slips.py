"""Slip: one wrong edit of the library, and the tests that find it."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent


class Slip(NamedTuple):
    """A text of one file with another text in its place, and the tests of which one at least then fails."""

    file: str  # in serialwrite/
    old: str  # in the file exactly once
    new: str
    tests: tuple[str, ...]  # files or node ids in tests/

    @property
    def compiled(self) -> bool:
        """Whether it is in what is compiled. The tests of all others run on the build in Python."""
        return self.file.endswith(".pyx")

    def __str__(self) -> str:
        return f"{self.file}: {_short(self.old)} -> {_short(self.new)}"

    def applied(self, root: Path = ROOT) -> str:
        """The text of the file with the slip in it.

        Raises:
            StaleSlip: the old text is not in it exactly once.
        """
        text = (root / "serialwrite" / self.file).read_text()
        if (times := text.count(self.old)) != 1:
            raise StaleSlip(f"{self}: the old text is in the file {times} times; write one that is there once")
        return text.replace(self.old, self.new)

    def missing_tests(self, root: Path = ROOT) -> list[str]:
        """Those of its tests that are not there."""
        missing: list[str] = []
        for test in self.tests:
            file, _, name = test.partition("::")
            path = root / "tests" / file
            if not path.is_file() or (name and f"def {name.partition('[')[0]}(" not in path.read_text()):
                missing.append(test)
        return missing


class StaleSlip(Exception):
    """The library has moved on: the slip has to be written anew."""


def slip(file: str, old: str, new: str, *tests: str) -> Slip:
    """A slip, with its tests one by one."""
    return Slip(file, old, new, tests)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= 50 else f"{words[:47]}...")

"""Prints a demonstration: numbered steps, and below each what it proved, or what turned out untrue."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ._console import is_watched

INDENT = Text("   ")
GAUGE_COLUMNS = 40  # columns, where there is room


class Steps:
    """Prints steps and proofs, and remembers whether every proof held.

    Attributes:
        untrue: how many proofs failed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self._wide = is_watched(console)  # elsewhere a line stays a line, for grep
        utf8 = console.encoding.startswith("utf")
        self._good, self._bad = ("✓", "✗") if utf8 else ("ok", "NO")
        self._full, self._empty = ("█", "░") if utf8 else ("#", ".")
        self.untrue = 0

    def title(self, title: str, subtitle: str) -> None:
        if self._wide:
            self._console.print(Rule(Text(title, style="bold"), align="left", style="cyan"))
        else:
            self._console.print(title)
        self._console.print(Text(subtitle, style="dim"))

    def step(self, what: str, code: str) -> None:
        """Begin a step: what is done, and the line of code that does it."""
        self._number += 1
        self._console.print()
        self._line(Text(f"{self._number:>2} ", style="bold cyan"), Text(what, style="bold"))
        self._line(INDENT, Text(code, style="cyan"))

    def saw(self, what: str) -> None:
        """Say what happened, in the library's own words."""
        self._line(INDENT, Text(what, style="yellow"))

    def shortened(self, digest: str) -> str:
        """A digest that fits beside a word, on a narrow terminal too."""
        fits = not self._wide or self._console.width >= len(digest) + 16
        return digest if fits else f"{digest[:16]} ... {digest[-16:]}"

    def gauge(self, done: int, total: int) -> None:
        """Draw how much of the whole that is, for those who watch."""
        if self._wide:
            width = min(GAUGE_COLUMNS, self._console.width - 12)
            full = round(width * done / total)
            bar = Text.assemble((self._full * full, "green"), (self._empty * (width - full), "dim"))
            self._line(INDENT, bar.append(f"  {done / total:.0%}"))

    def check(self, claim: str, *, holds: bool) -> None:
        """Print a claim, and whether it is true."""
        self.untrue += not holds
        mark, style = (self._good, "green") if holds else (self._bad, "bold red")
        self._line(Text(f"    {mark}", style=style), Text(claim if holds else f"NOT TRUE: {claim}"))

    @contextmanager
    def waiting(self, why: str) -> Generator[None]:
        """Show that something takes its time."""
        if self._wide:
            with self._console.status(Text(f" {why}", style="dim"), spinner_style="cyan"):
                yield
        else:
            yield

    def conclude(self, good: str) -> None:
        """The last line: ``good``, where everything was true."""
        self._console.print()
        if self.untrue:
            self._console.print(Text(f"{self.untrue} of these claims turned out untrue.", style="bold red"))
        else:
            self._console.print(Text(good, style="bold green"))

    def _line(self, mark: Text, text: Text) -> None:
        """``mark`` and ``text``; where that is too wide for the terminal, ``text`` wraps beside the mark."""
        if self._wide:
            columns = Table.grid(padding=(0, 1, 0, 0))
            columns.add_column(no_wrap=True)
            columns.add_row(mark, text)
            self._console.print(columns)
        else:
            self._console.print(Text.assemble(mark, " ", text))

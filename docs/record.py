"""Terminal sessions as pictures: each command runs on a terminal of its own, and what that shows in the end is drawn.

``make recordings`` makes them all anew; ``python docs/record.py demo`` only one.
"""

import os
import pty
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from fcntl import ioctl
from io import StringIO
from itertools import groupby
from pathlib import Path
from termios import TIOCSWINSZ

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

STATIC = Path(__file__).parent / "_static"
COLUMNS, ROWS = 92, 200  # more rows than any session needs: nothing scrolls away
SESSIONS = {
    "demo": "serialwrite demo",
    "loopback": "serialwrite loopback --bytes 200000",
}
COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow"}  # pyte's names: rich's


def screen_after(command: str) -> pyte.Screen:
    """What the terminal shows once the command has ended."""
    terminal, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = command.split()
    program = shutil.which(words[0], path=tools) or words[0]
    child = subprocess.Popen(
        [program, *words[1:]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"PATH": tools, "TERM": "xterm-256color", "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    os.close(theirs)
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    while True:
        try:
            stream.feed(os.read(terminal, 65536))
        except OSError:  # the command has ended, and its terminal with it
            break
    os.close(terminal)
    if status := child.wait():
        raise SystemExit(f"{command} ended with {status}")
    return screen


def lines_of(screen: pyte.Screen) -> Iterator[Text]:
    """The screen's lines in colour, down to the last that is not empty."""
    last = max(row for row, line in enumerate(screen.display) if line.strip())
    for row in range(last + 1):
        line = Text()
        cells = (screen.buffer[row][column] for column in range(COLUMNS))
        for (foreground, bold), alike in groupby(cells, lambda cell: (cell.fg, cell.bold)):
            line.append("".join(cell.data for cell in alike), Style(color=colour(foreground), bold=bold))
        line.rstrip()
        yield line


def colour(name: str) -> str | None:
    """Rich's name for a colour of pyte's."""
    if name == "default":
        return None
    return COLOURS.get(name) or (f"#{name}" if len(name) == 6 and name.isalnum() and not name.isalpha() else name)


def record(name: str) -> str:
    """The session as an SVG."""
    command = SESSIONS[name]
    screen = screen_after(command)
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False, force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    for line in lines_of(screen):
        console.print(line)
    drawn = console.export_svg(title=command, unique_id=f"session-{name}", code_format=FORMAT)
    return "".join(line.rstrip() + "\n" for line in drawn.splitlines())


# Rich's own format, but for the font that it would fetch from the net, and with words for those who can't see it.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
    <title>A terminal session</title>
    <style>
    .{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
        font-size: {char_height}px; line-height: {line_height}px; }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SESSIONS:
        (STATIC / f"session-{wanted}.svg").write_text(record(wanted), encoding="utf-8")

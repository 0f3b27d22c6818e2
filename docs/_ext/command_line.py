"""The reference of the command line, made from the commands: ``.. command:: write`` and ``.. exit-codes::``."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from serialwrite.cli._app import app
from serialwrite.cli._endings import EXIT_CODES, ExitCode


class Command(SphinxDirective):
    """Usage, help, arguments and options of one command, as ``--help`` says them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(described(self.arguments[0]))


class ExitCodes(SphinxDirective):
    """The table of the exit codes of all commands."""

    def run(self) -> list[nodes.Node]:
        rows = [f"   * - ``{code.value}``\n     - {code.meaning}" for code in ExitCode]
        return self.parse_text_to_nodes("\n".join([".. list-table::", "", *rows]))


def described(name: str) -> str:
    """A command as reStructuredText."""
    command = get_command(app).commands[name]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    words = ["serialwrite", name, *(["[OPTIONS]"] if options else []), *map(place, arguments)]
    lines = [".. code-block:: text", "", f"   {' '.join(words)}", "", plain(command.help), ""]
    lines += [f".. program:: serialwrite {name}", ""]
    for one in arguments:
        lines += [f"``{metavar(one)}``", f"   {plain(one.help)}", ""]
    for one in options:
        value = "" if one.is_flag else f" {metavar(one)}"
        names = ", ".join(spelling + value for spelling in (*one.opts, *one.secondary_opts))
        lines += [f".. option:: {names}", "", f"   {plain(one.help)}{default(one)}", ""]
    return "\n".join([*lines, *epilog(command)])


def place(argument) -> str:
    """Where an argument stands: in brackets, where it may be left out."""
    return metavar(argument) if argument.required else f"[{metavar(argument)}]"


def metavar(one) -> str:
    """The placeholder of the value: as declared, the values to choose from, or a name."""
    kind = getattr(one, "type_descriptor", None) or getattr(one, "type", None)  # of typer's own click, or of click
    choices = [getattr(choice, "value", choice) for choice in getattr(kind, "choices", None) or ()]
    return one.metavar or "|".join(choices) or (one.name or "").upper()


def default(one) -> str:
    """What holds where the option is not given."""
    said = one.show_default if isinstance(one.show_default, str) else one.default
    if one.is_flag or said is None or one.show_default is False or callable(said):
        return ""
    return f" Default: ``{getattr(said, 'value', said)}``."


def epilog(command) -> list[str]:
    """What stands below the options: words, and indented lines as they are. The exit codes have their own table."""
    text = (command.epilog or "").removeprefix(EXIT_CODES).replace("\b\n", "")
    lines: list[str] = []
    for block in re.split(r"\n\n", text):
        first, *rest = block.split("\n")
        if any(line.startswith("  ") for line in rest):
            lines += [plain(first), "", "::", "", *("   " + line for line in rest), ""]
        else:
            lines += [plain(block), ""]
    return lines


def plain(words: str | None) -> str:
    """Words for a terminal, made fit for reStructuredText; what stands in backquotes is code, and so are options."""
    text = re.sub(r"(?<![\w`-])--[a-z][\w-]*", r"`\g<0>`", words or "")
    text = re.sub(r"([*_|\\])", r"\\\1", text)
    return re.sub(r"`+([^`]*)`+", lambda code: "``" + code[1].replace("\\", "") + "``", text)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("command", Command)
    sphinx.add_directive("exit-codes", ExitCodes)
    return {"parallel_read_safe": True}

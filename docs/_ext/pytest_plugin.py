"""The reference of the pytest plugin, made from the plugin; and the words that faults are written in."""

import inspect
from importlib import import_module

from command_line import plain
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from serialwrite.testing import FAULT_SCRIPT_HELP


class Fixtures(SphinxDirective):
    """Every fixture of a module, with its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, words in fixtures(self.arguments[0]).items():
            lines += [f".. py:data:: {name}", "   :no-index-entry:", "", *("   " + plain(line) for line in words), ""]
        return self.parse_text_to_nodes("\n".join(lines))


class Options(SphinxDirective):
    """Every command-line option and ini option of a plugin, with its help."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = [".. program:: pytest", ""]
        for name, words in options(self.arguments[0]).items():
            lines += [f".. option:: {name}", "", f"   {plain(words)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class FaultScriptHelp(SphinxDirective):
    """The words of a fault script."""

    def run(self) -> list[nodes.Node]:
        return [nodes.literal_block(text=FAULT_SCRIPT_HELP, language="text")]


def fixtures(module: str) -> dict[str, list[str]]:
    """Name and docstring of what a test may ask for."""
    return {
        name: inspect.cleandoc(value.__doc__ or "").splitlines()
        for name, value in vars(import_module(module)).items()
        if type(value).__name__ == "FixtureFunctionDefinition"
    }


def options(module: str) -> dict[str, str]:
    """Option and help, as the plugin registers them with pytest."""
    told: dict[str, str] = {}

    class Parser:
        """What a plugin's ``pytest_addoption`` is given, here only to listen."""

        def getgroup(self, *_: str) -> "Parser":
            return self

        def addoption(self, name: str, *, help: str, metavar: str = "", **_: object) -> None:
            told[f"{name} {metavar}".strip()] = help

        def addini(self, name: str, help: str, **_: object) -> None:
            told[f"-o {name}=true"] = f"{help}; to be set in the ini file as well"

    import_module(module).pytest_addoption(Parser())
    return told


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("fixtures", Fixtures)
    sphinx.add_directive("pytest-options", Options)
    sphinx.add_directive("fault-script-help", FaultScriptHelp)
    return {"parallel_read_safe": True}

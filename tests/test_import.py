"""``import serialwrite`` is cheap: what is for extras is loaded by what uses it."""

import pickle
import subprocess
import sys
from importlib import import_module
from types import FunctionType

import pytest

import serialwrite

EXTRAS = ["typer", "click", "rich", "matplotlib", "greenlet", "numpy", "pytest", "uvloop", "hypothesis"]


def test_import_loads_no_extra():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import serialwrite"], capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "serialwrite" in loaded
    assert loaded.isdisjoint(EXTRAS)


def test_import_loads_nothing_dear_that_few_need():
    code = (
        "import sys, asyncio, serial; before = set(sys.modules); import serialwrite; "
        "print(*sorted({'ctypes', 'dataclasses', 'ssl', 'json'} & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_import_loads_no_remote_and_no_blocking_ports():
    code = "import sys, serialwrite; print(*(name for name in sys.modules if 'streams.remote' in name or 'threaded.' in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there_and_documented():
    names = [name for name in vars(serialwrite) if not name.startswith("_")]
    assert len(names) > 50
    for name in names:
        thing = getattr(serialwrite, name)
        if callable(thing) and type(thing).__module__ == "builtins":
            assert thing.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("extra", ["typer", "rich"])
def test_the_core_works_without(extra):
    code = f"import sys; sys.modules[{extra!r}] = None; import serialwrite; print(serialwrite.buffer_size(b'abc'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize("package", ["serialwrite", "serialwrite.testing", "serialwrite.loopback"])
def test_public_names_show_as_they_are_imported(package):
    for name, value in vars(import_module(package)).items():
        if isinstance(value, (type, FunctionType)) and not name.startswith("_"):
            assert f"{value.__module__}.{value.__qualname__}" == f"{package}.{name}"
            assert pickle.loads(pickle.dumps(value)) is value

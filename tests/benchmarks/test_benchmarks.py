"""The benchmarks can't rot: the small run works, its far end sees what is wrong, its arithmetic is right. No times."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import native
from tests.benchmarks.pattern import pattern
from tests.benchmarks.runner import Measurement
from tests.benchmarks.summary import exponent, paired_ratios

ROOT = Path(__file__).parents[2]


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def test_every_contestant_delivers_every_byte(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    command = python("tests.benchmarks", "--quick", "--json", str(file))
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    if os.environ.get("CI"):
        assert "without" not in run.stderr, "CI is to have a compiler"
    result = json.loads(file.read_text())
    ours = {one["work"] for one in result["measurements"] if one["contestant"] == "serialwrite"}
    assert {work.split()[0] for work in ours} == {"W1", "W2", "W3", "W4", "W5", "W6"}
    assert [one for one in result["measurements"] if not one["delivered"]] == []


@pytest.fixture(params=["C", "Python"])
def far_end(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "Python":
        return python("tests.benchmarks.drain")
    program = native.build("drain.c")
    if program.path is None:
        assert not os.environ.get("CI"), program.missing
        pytest.skip(str(program.missing))
    return [str(program.path)]


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize(
    ("sent", "delivered"),
    [
        pytest.param(lambda right: right, True, id="right"),
        pytest.param(lambda right: right[:-1], False, id="one byte missing"),
        pytest.param(lambda right: right[:5000] + right[5001:] + b"x", False, id="one byte lost"),
        pytest.param(lambda right: right[:4096] + right[:-4096], False, id="a chunk twice"),
    ],
)
def test_the_far_end_sees_what_is_wrong(far_end: list[str], streams: int, sent, delivered: bool) -> None:
    right = pattern(100_000, 65_521)
    pairs = [socket.socketpair() for _ in range(streams)]
    fds = [far.fileno() for _, far in pairs]
    command = [*far_end, str(len(right)), "65521", *map(str, fds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, pass_fds=fds, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    for number, (near, far) in enumerate(pairs):
        far.close()
        near.sendall(sent(right) if number == streams - 1 else right)
        near.close()
    report, _ = process.communicate(timeout=60)
    assert json.loads(report)["delivered"] is delivered


def test_ratios_are_of_one_round() -> None:
    def measured(contestant: str, number: int, seconds: float, error: str | None = None) -> Measurement:
        return Measurement("W1", contestant, number, seconds, error=error)

    rounds = [measured("base", 0, 1.0), measured("x", 0, 2.0), measured("base", 1, 10.0), measured("x", 1, 30.0)]
    unfinished = [measured("base", 2, 1.0), measured("x", 2, math.nan, "hung")]
    assert paired_ratios([*rounds, *unfinished], "x", "base") == [2.0, 3.0]


@pytest.mark.parametrize(("power", "expected"), [(1, 1.0), (2, 2.0)])
def test_the_exponent_is_not_hidden_by_a_fixed_cost(power: int, expected: float) -> None:
    points = [(10.0**i, 5_000 + 10.0 ** (i * power)) for i in range(8)]
    assert exponent(points) == pytest.approx(expected, abs=0.02)

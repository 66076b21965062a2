"""The gate fails where any of its steps fails, those beside the others too, and leaves nothing running."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

GATE = Path(__file__).parents[2] / ".ci" / "run"
STEPS = ("deploy/setup", "tests/peers/setup", "bin/mypy", "bin/ruff", "bin/lint-imports", "bin/deptry", "tests/run")
BESIDE = ("tests/peers/setup", "bin/mypy")


def gate(tree: Path, failing: str) -> subprocess.CompletedProcess[str]:
    """The real gate over steps that only say that they ended; those that run beside the others take longest."""
    for step in STEPS:
        script = tree / step
        script.parent.mkdir(parents=True, exist_ok=True)
        waits = "sleep 0.3\n" if step in BESIDE else ""
        script.write_text(f"#!/bin/sh\n{waits}echo {step} ended | tee -a ended\nexit {int(step == failing)}\n")
        script.chmod(0o755)
    (tree / ".ci").mkdir()
    shutil.copy(GATE, tree / ".ci" / "run")
    environment = {**os.environ, "CONNECTOR_VENV": "."}
    return subprocess.run([tree / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)


def test_the_gate_passes_when_every_step_does_and_tells_what_each_said(tmp_path: Path) -> None:
    done = gate(tmp_path, failing="")
    assert done.returncode == 0, done.stderr
    for step in STEPS:
        assert f"{step} ended" in done.stdout


@pytest.mark.parametrize("step", STEPS)
def test_the_gate_fails_with_any_step_and_ends_after_what_it_began(tmp_path: Path, step: str) -> None:
    done = gate(tmp_path, failing=step)
    assert done.returncode != 0
    assert f"{step} ended" in done.stdout
    assert step == "tests/run" or "tests/run ended" not in done.stdout, "what failed before stops the rest"
    ended = (tmp_path / "ended").read_text()
    assert step == "deploy/setup" or all(f"{one} ended" in ended for one in BESIDE), "a package manager runs on"

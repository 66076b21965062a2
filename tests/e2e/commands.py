"""Runs `connector` as a user does: as a process, with stdout, stderr and exit code apart."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from connector.__main__ import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def connector(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, **{f"CONNECTOR_{name.upper()}": value for name, value in environment.items()}},
    )  # fmt: skip


def connector_here(*arguments: object, **environment: str) -> Answer:
    """The same in this process, where it is about the answer alone: starting takes longer than refusing."""
    given = {f"CONNECTOR_{name.upper()}": value for name, value in environment.items()}
    done = CliRunner().invoke(main, list(map(str, arguments)), env=given, prog_name="connector")
    return Answer(done.exit_code, done.stdout, done.stderr)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

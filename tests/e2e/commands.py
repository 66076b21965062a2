"""Runs `connector` as a user does: as a process, with stdout, stderr and exit code apart."""

import os
import subprocess
import sys
from pathlib import Path


def connector(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, **{f"CONNECTOR_{name.upper()}": value for name, value in environment.items()}},
    )  # fmt: skip


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

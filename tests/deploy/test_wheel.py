"""The wheel holds all that runs, and starts in an environment where nothing else is."""

import os
import re
import shutil
import signal
import subprocess
import tomllib
import zipfile
from pathlib import Path

import httpx
import pytest
from state_peers import free_port, wait_until

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        check=False, timeout=540,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment with the wheel and what it declares; away from the checkout."""
    place = tmp_path_factory.mktemp("environment")
    run(UV, "venv", "--quiet", "--python", "python3", place)
    run(UV, "pip", "install", "--quiet", "--python", place / "bin" / "python", wheel)
    return place / "bin" / "connector"


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    there = {
        str(one.relative_to(ROOT)) for one in (ROOT / "connector").rglob("*")
        if one.is_file() and "__pycache__" not in one.parts
    }  # fmt: skip
    assert there - held == set()
    for needed in ("core/RULES.md", "console/templates/case.html", "console/static/console.css", "demo/data/liver.xz",
                   "conformance_dicom.md.jinja", "store/migrations/versions/0001_first_shape.py"):  # fmt: skip
        assert f"connector/{needed}" in held


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    assert {one.split("/")[0] for one in held if ".dist-info/" not in one} == {"connector"}
    assert not [one for one in held if "__pycache__" in one]


def test_the_lock_names_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text()
    for dependency in project["dependencies"]:
        named = re.split(r"[\[<>=!~ ]", dependency)[0]
        package = re.sub(r"[-_.]+", "-", named).lower()  # PEP 503: one package, many spellings
        assert f"\n{package}==" in "\n" + locked, f"{package}: make lock"


def test_the_installed_command_tells_its_help(installed: Path) -> None:
    assert "connector serve" in run(installed, "--help")
    assert "DICOM Conformance Statement" in run(installed, "conformance", "--dicom", "--format", "md")


def test_the_installed_service_migrates_and_serves(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        "CONNECTOR_DATA_DIR": str(tmp_path / "data"), "CONNECTOR_HTTP_PORT": str(port), "CONNECTOR_DICOM_PORT": "0",
        "CONNECTOR_DISK_RESERVE_MB": "16",
    }  # fmt: skip
    assert "revision" in run(installed, "migrate", **environment)
    service = subprocess.Popen(
        [installed, "serve"], env={**os.environ, **environment}, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{address}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, seconds=240, what="the start of the service")
        assert httpx.get(f"{address}/readyz").json() == {"database": "ok", "disk": "ok", "worker": "ok"}
        assert "connector_instances 0.0" in httpx.get(f"{address}/metrics").text
        assert "<html" in httpx.get(f"{address}/").text
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0

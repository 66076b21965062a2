"""The laws of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from connector import dose_files
from connector.contract import dose_map
from connector.core.dosimetry import prescriptions
from connector.core.dosimetry.request import METHODS
from connector.core.response.assess import criteria_of
from connector.core.response.case import CRITERIA, CriteriaName, Policies
from connector.dicom import codes
from connector.fhir.write_observations import RESPONSE_CODES

ROOT = Path(__file__).parent.parent
OURS = sorted((ROOT / "connector").rglob("*.py"))
EVERY = [*OURS, *(path for folder in ("tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py")))]
LONGEST_FILE = 350


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", EVERY, ids=_name)
def test_a_file_says_in_its_first_sentence_why_it_exists(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "open the file with one sentence on why it exists"
    assert docstring.splitlines()[0].endswith("."), "the first line is a whole sentence"


@pytest.mark.parametrize("path", EVERY, ids=_name)
def test_a_file_is_short_enough_to_know(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE, "split it by the second reason it exists"


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_fhir_resources_are_r4(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        assert module is None or not re.match(r"fhir\.resources(?!\.R4B)", module), "without R4B it is R5"


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_only_the_edges_read_the_clock_and_nothing_in_the_core_does(path: Path) -> None:
    if "core" not in path.relative_to(ROOT).parts:
        return
    text = path.read_text()
    assert not re.search(r"\b(datetime\.now|date\.today|time\.time|random\.|open\(|print\()", text)


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text), "do it, or delete it"


def test_the_locks_name_no_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / lock).read_text()


def test_a_part_that_draws_nothing_loads_no_drawing() -> None:
    """`listen` and `web` begin with these; a picture, when one is looked at, loads the rest."""
    loaded = "import sys, connector.app, connector.service; print(sorted({'matplotlib', 'typst'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_signpost_of_the_readme_leads_somewhere() -> None:
    table = (ROOT / "README.md").read_text().partition("| what is new |")[2].partition("\n\n")[0]
    named = re.findall(r"`([\w/.]+(?:/|\.py|\.json))`", table)
    assert len(named) > 20
    assert [name for name in named if not any((ROOT / base / name).exists() for base in ("connector", "."))] == []


def test_what_is_named_in_two_places_is_named_alike() -> None:
    """Whoever adds a method or criteria is told here which of the README's places was forgotten."""
    assert prescriptions._PRESCRIBE.keys() == set(METHODS)
    assert dose_files._DEPOSIT.keys() == dose_map.METHODS.keys()
    assert set(get_args(CriteriaName)) == CRITERIA.keys() == codes.CRITERIA.keys() == RESPONSE_CODES.keys()
    assert {criteria_of(name, Policies()).name for name in CRITERIA} == CRITERIA.keys()


def test_a_fault_that_changes_no_answer_is_named_by_a_line_that_is_there() -> None:
    """A line that was changed or moved has to be judged again: see benchmarks/mutants.py."""
    named = tomllib.loads((ROOT / "benchmarks/equivalent_mutants.toml").read_text())["mutant"]
    core = [(path.name, path.read_text()) for path in (ROOT / "connector/core").rglob("*.py")]
    there = [one for one in named if any(name == one["file"] and one["line"] in text for name, text in core)]
    assert [one for one in named if one not in there] == []

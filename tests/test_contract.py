"""The contract in step: what a schema publishes, the code reads, and the README names."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from connector.__main__ import COMMANDS, main
from connector.cli.schema import schemas
from connector.contract import respond, select
from connector.contract.reading import dumps, load

ROOT = Path(__file__).parent.parent
RUNS = {"respond": respond.run, "select": select.run_plain}


def _published(name: str) -> list[dict]:
    lines = (ROOT / "tests/published/response.jsonl").read_text().splitlines()
    vignettes = json.loads((ROOT / "tests/published/vignettes.json").read_text())["vignettes"]
    return {
        "respond": [json.loads(line)["input"] for line in lines],
        "select": [{"today": "2026-01-31", "facts": one["facts"]} for one in vignettes],
    }[name]


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_published_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])
    printed = CliRunner().invoke(main, ["schema", name])
    assert json.loads(printed.stdout) == json.loads(json.dumps(schemas()[name]))


@pytest.mark.parametrize("name", ["respond", "select"])
def test_published_cases_and_their_results_fit_the_schemas(name: str) -> None:
    case, result = schemas()[name], schemas()[f"{name}-result"]
    for given in _published(name)[:40]:
        jsonschema.validate(given, case)
        jsonschema.validate(json.loads(dumps(RUNS[name](load(json.dumps(given))))), result)


def test_an_unknown_schema_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["schema", "nonsense"])
    assert done.exit_code == 2
    assert "nonsense" in done.stderr


def test_every_command_of_the_readme_exists_and_explains_itself_by_example() -> None:
    named = set(re.findall(r"`connector ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= set(COMMANDS), named - set(COMMANDS)
    for name in COMMANDS:
        command = main.get_command(None, name)
        assert command.help, name
        leaves = getattr(command, "commands", {name: command}).values()
        for leaf in leaves:
            assert "Example" in (leaf.help or ""), f"{leaf.name}: --help teaches by an example"

"""What deploy/ ships is judged by the tools that will read it, and names only what exists."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_pods import pods, secrets_of
from prometheus_client import generate_latest

from connector.conformance import settings_table, table
from connector.settings import Settings, explain
from connector.store.engine import migrate, open_ledger
from connector.store.figures import LedgerFigures
from connector.store.trail import Trail
from connector.web.metrics import TOLD, Disk, metrics_table, registry

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOR_DEVELOPERS = {"setup", "demo", "print", "sbom"}
SHIPPED = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.name not in FOR_DEVELOPERS)
UNITS = sorted(DEPLOY.glob("systemd/connector*.service"))
SECRETS = {"connector_ehr_private_key", "connector_ehr_next_private_key"}  # read by their paths, not as settings
PARTS = ("listen", "worker", "beat", "web")


def name(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def run(*command: object, cwd: Path = DEPLOY) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# Names of settings, secrets and metrics


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_every_variable_named_is_a_setting(path: Path) -> None:
    settings = {variable for variable, _, _ in explain()}
    # A prefix, as in CONNECTOR_TLS_*, stands for several.
    named = set(re.findall(r"\bCONNECTOR_[A-Z][A-Z_]*[A-Z]\b(?!_?\*)", path.read_text()))
    assert named <= settings


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.env*")), ids=name)
def test_the_settings_files_are_settings(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in filter(None, path.read_text().splitlines()):
        if not line.startswith("#"):
            variable, _, value = line.partition("=")
            assert value, "an empty variable is not the same as none"
            monkeypatch.setenv(variable, value)
    settings = Settings()
    assert settings.pacs_host
    assert settings.issuers == {"HOSPITAL": "urn:oid:1.2.3.4"}


def secrets_named() -> Iterator[tuple[str, str]]:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for secret in compose["secrets"]:
        yield "compose.yaml", secret
    for pod in pods().values():
        for secret, is_optional in secrets_of(pod).items():
            if not is_optional:
                yield "kubernetes", secret


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an administrator makes first."""
    folder = tmp_path_factory.mktemp("site") / "secrets"
    run(DEPLOY / "make-secrets", folder)
    return folder


@pytest.mark.parametrize(("where", "secret"), sorted(set(secrets_named())))
def test_every_secret_is_made_and_is_a_setting(where: str, secret: str, secrets: Path) -> None:
    assert (secrets / secret).read_text().strip(), where
    fields = {f"connector_{field}" for field in Settings.model_fields}
    assert secret in fields | SECRETS | {"postgres_password"}


def test_secrets_are_made_once_and_kept_from_others(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    run(DEPLOY / "make-secrets", secrets)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert secrets.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("file", ["prometheus/alerts.yaml", "grafana/connector.json", "README.md"])
def test_every_metric_named_is_told(file: str, tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/ledger.sqlite")
    engine = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    asked = registry(LedgerFigures(engine, Trail(engine)), Disk(tmp_path, 0))
    told = set(re.findall(r"^# TYPE (connector_\w+)", generate_latest(asked).decode(), re.MULTILINE))
    engine.dispose()
    assert told == set(TOLD)
    secrets = {f"connector_{field}" for field in Settings.model_fields} | SECRETS
    text = re.sub(r"(connector_delivery_seconds)_(bucket|sum|count)", r"\1", (DEPLOY / file).read_text())
    named = set(re.findall(r"\bconnector_[a-z_]+\b", text)) - secrets - {"connector_"}
    assert told & named
    assert named <= told


@pytest.mark.parametrize("file", ["prometheus/alerts.yaml", "grafana/connector.json"])
def test_figures_are_added_up_only_after_the_largest_of_all_web_processes_is_taken(file: str) -> None:
    assert not re.search(r"sum(?: by \([^)]*\))? ?\(connector_", (DEPLOY / file).read_text())


def test_the_metrics_of_the_page_are_current() -> None:
    text = (DEPLOY / "README.md").read_text()
    shown = text.partition("<!-- metrics: begin -->\n")[2].partition("\n<!-- metrics: end -->")[0]
    assert shown == table(metrics_table()), "run deploy/print"


# Alerts, dashboard, units, scripts


def test_the_alert_rules_are_rules_and_fire_when_they_should() -> None:
    run("promtool", "check", "rules", "alerts.yaml", cwd=DEPLOY / "prometheus")
    assert "SUCCESS" in run("promtool", "test", "rules", "alerts_test.yaml", cwd=DEPLOY / "prometheus")


def test_the_dashboards_expressions_are_promql(tmp_path: Path) -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "connector.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$job", "connector")}
        for number, text in enumerate(expressions)
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run("promtool", "check", "rules", tmp_path / "rules.yaml")
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units with a program that is there on every machine."""
    folder = tmp_path_factory.mktemp("units")
    for path in [*UNITS, DEPLOY / "systemd" / "connector.target"]:
        (folder / path.name).write_text(path.read_text().replace("/opt/connector/.venv/bin/connector", "/bin/true"))
    return folder


def test_systemd_takes_the_units(units: Path) -> None:
    said = run("systemd-analyze", "verify", "--man=no", *sorted(units.iterdir()))
    assert not re.search(r"Unknown|ignoring|Failed to parse", said), said


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_a_unit_is_exposed_little(unit: Path, units: Path) -> None:
    said = run("systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", units / unit.name)
    assert "OK" in said.splitlines()[-1], said.splitlines()[-1]


@pytest.mark.parametrize("unit", UNITS, ids=name)
def test_a_unit_runs_a_command_that_exists(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=\S+ (.+)$", unit.read_text(), re.MULTILINE)
    assert "Usage" in run(sys.executable, "-m", "connector", *line.split(), "--help")


@pytest.mark.parametrize("script", ["make-secrets", "print", "sbom", "systemd/connector-run"])
def test_a_script_is_bash(script: str) -> None:
    run("bash", "-n", DEPLOY / script)
    assert (DEPLOY / script).stat().st_mode & 0o111


# Containers


def test_the_compose_file_fits_its_specification() -> None:
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)
    services = compose["services"]
    assert set(services) >= {*PARTS, "migrate", "redis", "database"}
    assert {one for one, service in services.items() if "try" in service.get("profiles", [])} == {"orthanc", "ehr"}
    for part in PARTS:
        assert services[part]["read_only"]
        assert services[part]["cap_drop"] == ["ALL"]
        assert services[part]["command"][0] == part
        assert services[part]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    for service in services.values():
        assert not re.search(r"(:latest|^[^:]+)$", service["image"]), "an image is named with its version"
        assert set(service.get("secrets", [])) <= set(compose["secrets"])


def test_hadolint_finds_nothing_in_the_containerfile() -> None:
    assert run(Path(sys.executable).parent / "hadolint", "Containerfile") == ""
    text = (DEPLOY / "Containerfile").read_text()
    assert "--require-hashes -r requirements.lock" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text


def test_the_bill_of_materials_holds_what_is_locked() -> None:
    bill, _ = json.JSONDecoder().raw_decode(run(DEPLOY / "sbom"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "irt-connector")
    lock = (ROOT / "requirements.lock").read_text()
    locked = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;]+)", lock, re.MULTILINE)
    assert {(one["name"], one["version"]) for one in bill["components"]} == set(locked)


def test_the_image_makes_its_own_bill_of_materials_with_the_locked_tool() -> None:
    (named,) = re.findall(r"cyclonedx-bom==([\d.]+)", (DEPLOY / "Containerfile").read_text())
    assert f"\ncyclonedx-bom=={named} " in (ROOT / "requirements-dev.lock").read_text()


# The administrator's page


def test_the_settings_of_the_page_are_current() -> None:
    text = (DEPLOY / "README.md").read_text()
    shown = text.partition("<!-- settings: begin -->\n")[2].partition("\n<!-- settings: end -->")[0]
    assert shown == settings_table(), "run deploy/print"


def test_the_page_links_to_what_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (DEPLOY / "README.md").read_text()):
        assert (DEPLOY / target).exists(), target


def test_the_version_is_the_same_everywhere() -> None:
    from connector import __version__  # noqa: PLC0415 - only here

    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert kustomization["images"][0]["newTag"] == __version__
    assert f"image: connector:{__version__}" in (DEPLOY / "compose.yaml").read_text()

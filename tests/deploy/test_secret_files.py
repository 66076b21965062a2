"""Secrets come as files: from a mounted folder, from systemd's credentials; a variable wins."""

from pathlib import Path

import pytest

from connector.core.errors import BadCase
from connector.settings import Settings
from connector.worker import run_worker


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTOR_SECRETS_DIR", "CREDENTIALS_DIRECTORY", "CONNECTOR_STOW_TOKEN", "CONNECTOR_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "file", "why"),
    [
        ("CONNECTOR_SECRETS_DIR", "connector_stow_token", "as Docker, Podman and Kubernetes mount it"),
        ("CONNECTOR_SECRETS_DIR", "CONNECTOR_STOW_TOKEN", "the variable's own spelling"),
        ("CREDENTIALS_DIRECTORY", "connector_stow_token", "systemd's LoadCredential"),
    ],
)
def test_a_secret_is_read_from_a_file(
    variable: str, file: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text("from-a-file\n")
    monkeypatch.setenv(variable, str(tmp_path))
    assert Settings().stow_token.get_secret_value() == "from-a-file", why


def test_a_folder_laid_out_as_kubernetes_does_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "connector_database_url").write_text("postgresql+psycopg://connector@database/connector")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "connector_database_url").symlink_to("..data/connector_database_url")
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path))
    assert Settings().ledger_url == "postgresql+psycopg://connector@database/connector"


def test_a_variable_wins_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "connector_stow_token").write_text("from-a-file")
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("CONNECTOR_STOW_TOKEN", "from-a-variable")
    assert Settings().stow_token.get_secret_value() == "from-a-variable"


@pytest.mark.filterwarnings("error")
def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path / "none"))
    assert Settings().stow_token.get_secret_value() == ""


def test_a_secret_does_not_show() -> None:
    names = ("stow_token", "hook_secret", "console_token")
    assert "hidden" not in repr(Settings(**dict.fromkeys(names, "hidden")))


@pytest.mark.parametrize("name", ["ehr_next_private_key_file", "tls_certificate_file", "routing_file", "hl7_port"])
def test_a_file_or_port_that_is_set_to_nothing_is_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `${NAME:-}` of a compose file sets it; else the empty path would be the working folder."""
    monkeypatch.setenv(f"CONNECTOR_{name.upper()}", "")
    assert getattr(Settings(), name) is None


def test_a_list_that_is_set_to_nothing_is_empty_and_not_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_TRUSTED_PROXIES", "")
    assert Settings().trusted_proxies == "", "whoever believes no proxy must not get the default"


def test_a_worker_that_is_set_wrongly_says_so_at_once_and_does_not_fail_at_every_task(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, broker_url="redis://127.0.0.1:9/0", ehr_url="http://127.0.0.1:9", ehr_client_id="x"
    )
    with pytest.raises(BadCase, match="CONNECTOR_EHR_PRIVATE_KEY_FILE"):
        run_worker(settings, 1)

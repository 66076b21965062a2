"""Given a setting that cannot be meant, every command says which one, what to write instead, and leaves with 2."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from connector.__main__ import run
from connector.demo.run import settings_for
from connector.settings import Settings
from connector.settings.reading import unknown_names


@pytest.fixture(autouse=True)
def only_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONNECTOR_DATA_DIR", str(tmp_path / "data"))


def told(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code, and all of stderr."""
    monkeypatch.setattr("sys.argv", ["connector", *words])
    with pytest.raises(SystemExit) as left:
        run()
    return int(left.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("HTTP_PORT", "65536", "must be 65535 or less"),
        ("HTTP_PORT", "http", "is no whole number"),
        ("QUIET_SECONDS", "-1", "must be 0 or more"),
        ("QUIET_SECONDS", "inf", "is without end"),
        ("SWEEP_SECONDS", "0", "must be more than 0"),
        ("PACS_PRIORS", "perhaps", "write true or false"),
        ("EHR_WRITE", "some", "must be 'auto', 'full', 'results' or 'document'"),
        ("PATIENT_ISSUERS", "HOSPITAL", "is not ISSUER=system: write e.g."),
        ("AE_TITLE", "", "is no AE title: write 1 to 16 characters"),
        ("AE_TITLE", "SEVENTEEN_LETTERS", "has more than 16 characters"),
        ("AE_TITLE", "A\\B", "is no AE title"),  # PS3.5, section 6.2: a backslash parts values
        ("ALLOWED_CALLING_AE_TITLES", "CT1,SEVENTEEN_LETTERS", "'SEVENTEEN_LETTERS' is no AE title"),
        ("EHR_URL", "ehr.hospital.example/fhir", "is no web address: write e.g. https://"),
        ("EHR_URL", "https://", "is no web address"),
        ("EHR_TOKEN_URL", "https://ehr:port/token", "is no web address"),
        ("PACS_DICOMWEB_URL", "pacs/dicom-web", "is no web address"),
        ("OTLP_ENDPOINT", "ftp://collector", "is no web address"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_to_write(
    variable: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"CONNECTOR_{variable}", value)
    code, said = told("check", monkeypatch=monkeypatch, capsys=capsys)
    shown = value.replace("\\", "\\\\")
    assert (code, said.startswith(f'CONNECTOR_{variable} = "{shown}": '), advice in said) == (2, True, True)
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("DATABASE_URL", "postgres://u:geheim@host/x", "write postgresql+psycopg://"),  # what some products call it
        ("DATABASE_URL", "postgresql+psycopg://u:geheim@host:port/x", "write postgresql+psycopg://"),
        ("DATABASE_URL", "/var/lib/geheim", "leave it out for SQLite"),
        ("BROKER_URL", "amqp://u:geheim@host", "write redis://"),
        ("BROKER_URL", "redis://:geheim/slash@host:6379/0", "write redis://"),
        ("STOW_TOKEN", "geheim:and blanks", "write e.g. ris:s3cret"),
    ],
)
def test_what_may_hold_a_secret_is_not_told(
    variable: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"CONNECTOR_{variable}", value)
    code, said = told("status", monkeypatch=monkeypatch, capsys=capsys)
    assert (code, advice in said, "geheim" in said) == (2, True, False)


@pytest.mark.parametrize(
    "words",
    [("check",), ("status",), ("migrate",), ("user", "list"), ("tidy", "--dry-run"), ("backup", "there"),
     ("keys", "public"), ("serve",), ("listen",), ("web",), ("worker",), ("beat",)],
    ids=" ".join,
)  # fmt: skip
def test_every_command_that_reads_settings_tells_all_that_are_wrong(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECTOR_DICOM_PORT", "-1")
    monkeypatch.setenv("CONNECTOR_HTTP_PORT", "70000")
    code, said = told(*words, monkeypatch=monkeypatch, capsys=capsys)
    last = said.splitlines()[-1]
    assert (code, 'CONNECTOR_DICOM_PORT = "-1"' in last, "CONNECTOR_HTTP_PORT too" in last) == (2, True, True)


@pytest.mark.parametrize(
    "value",
    [
        "sqlite:////data/ledger",
        "postgresql+psycopg://u:a#b@host:5432/x",
        "postgresql://u@/x?host=one:5432&host=two:5432",
    ],
)
def test_an_address_that_the_database_library_understands_is_taken(value: str) -> None:
    assert Settings(database_url=value).database_url == value


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("CONNECTOR_PACS_PROT", "CONNECTOR_PACS_PROT is no setting: CONNECTOR_PACS_PORT is meant?"),
        ("CONNECTOR_ALLOWED_CALING_AE_TITLES", "CONNECTOR_ALLOWED_CALLING_AE_TITLES is meant?"),
        ("connector_pacs_prot", "CONNECTOR_PACS_PORT is meant?"),  # names are read in either case
        ("CONNECTOR_MOON", "CONNECTOR_MOON is no setting"),
    ],
)
def test_a_variable_that_no_setting_goes_by_is_told(
    variable: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "4242")
    code, errors = told("check", monkeypatch=monkeypatch, capsys=capsys)
    assert (code, said in errors) == (1, True)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("CONNECTOR_PACS_PORT", "104", "a setting"),
        ("CONNECTOR_VENV", "/opt/venv", "read by deploy/setup"),
        ("CONNECTOR_WEB_SERVICE_HOST", "10.0.0.7", "a link that Kubernetes makes for a service connector-web"),
        ("CONNECTOR_WEB_PORT", "tcp://10.0.0.7:8080", "the same"),
        ("CONNECTOR_WEB_PORT_8080_TCP_ADDR", "10.0.0.7", "the same"),
    ],
)
def test_what_is_there_for_another_reason_is_not_told(
    variable: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert unknown_names() == [], why


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "content", "named"),
    [
        (0o755, 0o000, b"s3cret", "connector_stow_token"),
        (0o700, 0o644, b"s3cret", "."),  # as an administrator makes it, and the service runs as another
        (0o755, 0o644, b"\xff\xfe", "connector_stow_token"),  # saved in another character set
    ],
)
def test_a_secret_that_cannot_be_read_is_named(
    folder_mode: int, file_mode: int, content: bytes, named: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    me = os.geteuid()

    def mode(others: int) -> int:
        """Who is not root cannot become another user, and has the rights of one."""
        return others if me == 0 else (others & 0o7) << 6

    with TemporaryDirectory() as made:  # pytest's own folders are closed to others
        folder = Path(made)
        (folder / "connector_stow_token").write_bytes(content)
        (folder / "connector_stow_token").chmod(mode(file_mode))
        folder.chmod(mode(folder_mode))
        monkeypatch.setenv("CONNECTOR_SECRETS_DIR", made)
        if me == 0:
            os.seteuid(65534)
        try:
            code, said = told("status", monkeypatch=monkeypatch, capsys=capsys)
        finally:
            os.seteuid(me)
            folder.chmod(0o700)
        assert (code, f'CONNECTOR_SECRETS_DIR = "{folder / named}": cannot be read by this user' in said) == (2, True)


def test_a_folder_in_place_of_a_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker makes one where the file that is to be mounted is not there."""
    (tmp_path / "connector_stow_token").mkdir()
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path))
    (said,) = unknown_names()
    assert "connector_stow_token is a folder: put a file of that name there" in said


def test_a_secret_file_with_a_slip_in_its_name_is_told_and_a_key_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("connector_ehr_private_key", "connector_ehr_private_key.old", "connector_ehr_next_private_key")
    for name in ("connector_stow_tokn", "connector_stow_token", "connector_notes.txt", *keys):
        (tmp_path / name).write_text("s3cret")
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path))
    (said,) = unknown_names()
    assert (
        said == f"the secret file {tmp_path / 'connector_stow_tokn'} is of no setting: CONNECTOR_STOW_TOKEN is meant?"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "postgresql+psycopg://connector@ledger/connector"),
        ("broker_url", "redis://hospital/0"),
        ("ehr_client_id", "connector"),
        ("tls_certificate_file", "/etc/connector/tls.crt"),
        ("audit_fhir_url", "https://audit.hospital.example/fhir"),
    ],
)
def test_the_demo_is_not_led_to_the_hospitals_servers_by_the_shell_it_is_started_in(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up patients would else stand in the hospital's ledger, and its real ones would show without a sign-in."""
    archive = SimpleNamespace(dicom_port=11113, fhir_url="http://127.0.0.1:8090/fhir")
    alone = settings_for(tmp_path, archive, "DEMO=urn:x")
    monkeypatch.setenv(f"CONNECTOR_{name.upper()}", value)
    (tmp_path / "connector_console_token").write_text("s3cret")
    monkeypatch.setenv("CONNECTOR_SECRETS_DIR", str(tmp_path))
    assert str(getattr(Settings(), name)) == value, "it is set for everything else"
    assert settings_for(tmp_path, archive, "DEMO=urn:x") == alone

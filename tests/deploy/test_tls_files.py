"""Given a certificate, key or CA that cannot be used, the setting of the file at fault is named, and what to do."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from connector.app import check_all
from connector.core.errors import BadCase
from connector.neighbours import client_tls, server_tls
from connector.service import Service
from connector.settings import Settings
from connector.tls import SOON, why_out_of_date

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def write_certificate(path: Path, key: ec.EllipticCurvePrivateKey, *, begins: datetime, ends: datetime) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).public_key(key.public_key())
        .not_valid_before(begins).not_valid_after(ends).sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(made.public_bytes(Encoding.PEM))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a certificate, its key, the same under a passphrase, both in one file, and another key."""
    ours, others = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    form = (Encoding.PEM, PrivateFormat.PKCS8)
    (tmp_path / "key").write_bytes(ours.private_bytes(*form, NoEncryption()))
    (tmp_path / "locked").write_bytes(ours.private_bytes(*form, BestAvailableEncryption(b"geheim")))
    (tmp_path / "other").write_bytes(others.private_bytes(*form, NoEncryption()))
    (tmp_path / "empty").touch()
    today = datetime.now(UTC)
    write_certificate(tmp_path / "cert", ours, begins=today - timedelta(days=1), ends=today + timedelta(days=90))
    write_certificate(tmp_path / "ended", ours, begins=today - timedelta(days=9), ends=today - timedelta(days=1))
    (tmp_path / "both").write_bytes((tmp_path / "cert").read_bytes() + (tmp_path / "key").read_bytes())
    return tmp_path


def settings_of(files: Path, **named: str) -> Settings:
    given = {name: files / file for name, file in named.items()}
    return Settings(data_dir=files / "data", dicom_port=0, http_port=0, hl7_port=None, **given)


@pytest.mark.parametrize(
    ("certificate", "key", "setting", "advice"),
    [
        ("none", "key", "CERTIFICATE", r"cannot be read \(No such file or directory\): name a file that the service's"),
        ("empty", "key", "CERTIFICATE", "holds no certificate in PEM: name one that does"),
        ("key", "key", "CERTIFICATE", "holds no certificate in PEM"),
        ("cert", "none", "KEY", r"cannot be read \(No such file"),
        ("cert", "empty", "KEY", "holds no private key in PEM: name the certificate's key"),
        ("cert", "cert", "KEY", "holds no private key in PEM"),
        ("cert", "locked", "KEY", "has a passphrase: take it off"),
        ("cert", "other", "KEY", "is not the key of CONNECTOR_TLS_CERTIFICATE_FILE=.*cert: name the two"),
        ("cert", None, "CERTIFICATE", "holds no private key in PEM: set CONNECTOR_TLS_KEY_FILE"),
        (None, "key", "CERTIFICATE", "is needed with CONNECTOR_TLS_KEY_FILE: without it nothing here speaks TLS"),
    ],
)
def test_which_of_certificate_and_key_is_wrong(
    certificate: str | None, key: str | None, setting: str, advice: str, files: Path
) -> None:
    named = {"tls_certificate_file": certificate, "tls_key_file": key}
    settings = settings_of(files, **{name: file for name, file in named.items() if file})
    with pytest.raises(BadCase, match=f"^CONNECTOR_TLS_{setting}_FILE = .*: {advice}"):
        server_tls(settings)


@pytest.mark.parametrize("named", [{"tls_certificate_file": "cert", "tls_key_file": "key"},
                                   {"tls_certificate_file": "both"}])  # fmt: skip
def test_a_certificate_with_its_key_is_taken(named: dict[str, str], files: Path) -> None:
    context = server_tls(settings_of(files, tls_client_ca_file="cert", **named))
    assert context is not None
    assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2)


@pytest.mark.parametrize(("ca", "advice"), [("none", "cannot be read"), ("empty", "holds no certificate in PEM")])
def test_a_ca_that_cannot_be_used_is_named(ca: str, advice: str, files: Path) -> None:
    ours = {"tls_certificate_file": "cert", "tls_key_file": "key"}
    with pytest.raises(BadCase, match=f"^CONNECTOR_TLS_CLIENT_CA_FILE = .*: {advice}"):
        server_tls(settings_of(files, tls_client_ca_file=ca, **ours))
    with pytest.raises(BadCase, match=f"^CONNECTOR_PACS_TLS_CA_FILE = .*: {advice}"):
        client_tls(settings_of(files, pacs_tls_ca_file=ca, **ours))


def test_a_ca_of_senders_without_a_certificate_of_ours_is_refused(files: Path) -> None:
    """Else the listener would take every sender by plain TCP, and nobody would know."""
    with pytest.raises(BadCase, match="needed with CONNECTOR_TLS_CLIENT_CA_FILE: without it nothing here speaks TLS"):
        server_tls(settings_of(files, tls_client_ca_file="cert"))


@pytest.mark.parametrize("made", [check_all, Service], ids=["check", "serve"])
def test_check_and_serve_find_it_before_anything_is_opened(made: type, files: Path) -> None:
    with pytest.raises(BadCase, match=r"CONNECTOR_TLS_KEY_FILE = .*: has a passphrase"):
        made(settings_of(files, tls_certificate_file="cert", tls_key_file="locked"))


def test_check_tells_a_certificate_that_has_ended(files: Path) -> None:
    told = check_all(settings_of(files, tls_certificate_file="ended", tls_key_file="key"))["certificate"]
    assert "nobody accepts it, so renew it and restart" in (told or "")


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (NOW, NOW, "ends on 2026-01-31"),  # both ends count as good (RFC 5280, section 4.1.2.5)
        (NOW + timedelta(seconds=1), NOW + timedelta(days=90), "is good from 2026-01-31 12:00 UTC: check this machine"),
        (NOW - timedelta(days=9), NOW - timedelta(seconds=1), "ended on 2026-01-31: nobody accepts it"),
        (NOW - timedelta(days=9), NOW + SOON - timedelta(seconds=1), "ends on 2026-02-14: renew it and restart"),
        (NOW - timedelta(days=9), NOW + SOON, None),
    ],
)
def test_when_our_certificate_is_out_of_date(
    begins: datetime, ends: datetime, said: str | None, tmp_path: Path
) -> None:
    write_certificate(tmp_path / "cert", ec.generate_private_key(ec.SECP256R1()), begins=begins, ends=ends)
    told = why_out_of_date(tmp_path / "cert", NOW)
    assert (told is None) if said is None else (said in (told or ""))


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"hl7_port": 2575, "hl7_local_codes": "BILI=1975-3"}, "CONNECTOR_HL7_LOCAL_CODES"),  # a wrong check digit
        ({"cds_issuers": "https://ehr"}, "CONNECTOR_CDS_ISSUERS"),
        ({"cds_issuers": "https://ehr=https://ehr/jwks"}, "CONNECTOR_PUBLIC_URL"),
        ({"cds_issuers": "https://ehr=/nowhere/jwks.json", "public_url": "https://us"}, "CONNECTOR_CDS_ISSUERS"),
        ({"cds_issuers": f"https://ehr={__file__}", "public_url": "https://us"}, "CONNECTOR_CDS_ISSUERS"),
    ],
)
def test_check_reads_what_only_the_doors_need(given: dict[str, object], setting: str, tmp_path: Path) -> None:
    with pytest.raises(BadCase, match=f"^{setting} = "):
        check_all(Settings(data_dir=tmp_path, **given))

"""Loads certificates and keys for TLS, or says which setting's file is wrong and what to do about it."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from connector.core.errors import BadCase

CERTIFICATE, KEY = "CONNECTOR_TLS_CERTIFICATE_FILE", "CONNECTOR_TLS_KEY_FILE"
CLIENT_CA = "CONNECTOR_TLS_CLIENT_CA_FILE"
SOON = timedelta(days=14)  # a certificate that ends within it is told: somebody has to order the next


def listening(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """TLS for what we listen on, None when no certificate is set. Raises BadCase, which names the setting."""
    if certificate is None:
        for setting, path in ((KEY, key), (CLIENT_CA, client_ca)):
            if path is not None:
                raise BadCase(CERTIFICATE, None, f"is needed with {setting}: without it nothing here speaks TLS")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
    _show(context, certificate, key)
    if client_ca is not None:
        _certificates(client_ca, CLIENT_CA)
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def calling(ca: Path | None, *, setting: str, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS for what we call: the other side's certificate must be of `ca`, else of the system's. Raises BadCase."""
    if ca is not None:
        _certificates(ca, setting)
    context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
    if certificate is not None:
        _show(context, certificate, key)
    return context


def why_out_of_date(certificate: Path | None, now: datetime | None = None) -> str | None:
    """A sentence when our certificate is not good now, or ends within `SOON`. Raises BadCase when it cannot be read."""
    if certificate is None:
        return None
    now, ours = now or datetime.now(UTC), _certificates(certificate, CERTIFICATE)[0]
    begins, ends = ours.not_valid_before_utc, ours.not_valid_after_utc
    if now < begins:
        return f"{CERTIFICATE}={certificate} is good from {begins:%Y-%m-%d %H:%M} UTC: check this machine's clock"
    if now > ends:
        return f"{CERTIFICATE}={certificate} ended on {ends:%Y-%m-%d}: nobody accepts it, so renew it and restart"
    return f"{CERTIFICATE}={certificate} ends on {ends:%Y-%m-%d}: renew it and restart" if ends - now < SOON else None


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Have `context` show our certificate; each file is looked at first, since OpenSSL does not say which is wrong."""
    ours = _certificates(certificate, CERTIFICATE)[0]
    setting, holds_key = (KEY, key) if key is not None else (CERTIFICATE, certificate)
    try:
        private = load_pem_private_key(_content(holds_key, setting), password=None)
    except TypeError:
        advice = "has a passphrase: take it off (`openssl pkey -in OLD -out NEW`), and let only the service read it"
        raise BadCase(setting, str(holds_key), advice) from None
    except (ValueError, UnsupportedAlgorithm):
        advice = "holds no private key in PEM" + (f": set {KEY}" if key is None else ": name the certificate's key")
        raise BadCase(setting, str(holds_key), advice) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != ours.public_key().public_bytes(*form):
        raise BadCase(
            KEY, str(holds_key), f"is not the key of {CERTIFICATE}={certificate}: name the two that were made together"
            " (in the certificate's file our own comes first)",
        )  # fmt: skip
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as fault:
        raise BadCase(CERTIFICATE, str(certificate), f"OpenSSL does not take it ({fault.reason})") from None


def _certificates(path: Path, setting: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(path, setting))
    except ValueError:
        raise BadCase(setting, str(path), "holds no certificate in PEM: name one that does") from None


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise BadCase(
            setting, str(path), f"cannot be read ({fault.strerror}): name a file that the service's user may read"
        ) from None

"""How PACS, EHR and broker are reached, from the settings: addresses, credentials, TLS."""

import socket
import ssl
from collections.abc import Callable
from typing import Any

import httpx

from connector import tls
from connector.audit import Speaker
from connector.core.errors import BadCase, ConnectorError, Refused, TryLater
from connector.dicom.audit_syslog import SyslogRepository
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.dicom.pacs_check import check_pacs
from connector.dicom.pacs_dimse import DimseArchive
from connector.dicom.pacs_priors import Archive, PacsPriors
from connector.dicom.pacs_web import WebArchive, WebPacs
from connector.dicom.receive_commitment import CommitmentResult, ResultSender
from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_token import SmartCredentials
from connector.fhir.signing_keys import SigningKey, jwks, read_jwks, read_key
from connector.fhir.vendors import vendor_for
from connector.fhir.write_audit_event import AuditEventRepository
from connector.ports import AuditRepository, Inbox
from connector.settings import Settings
from connector.unreached import below, why_unreached


def pacs_destination(
    settings: Settings, on_commitment_result: Callable[[CommitmentResult], None] | None = None
) -> PacsDestination:
    """The PACS as a destination; results that come on the association of their request are told."""
    # An answer on the same association is waited for only briefly: a later one comes to our listener.
    return PacsDestination(
        pacs_node(settings),
        storage_commitment=settings.pacs_storage_commitment,
        commitment_seconds=0.1,
        on_commitment_result=on_commitment_result,
    )


def result_sender(settings: Settings, inbox: Inbox) -> ResultSender:
    """What calls senders to tell them the results of storage commitment."""
    return ResultSender(
        ae_title=settings.ae_title, held=inbox.held, peers=settings.commitment_peers, tls=client_tls(settings)
    )


def pacs_node(settings: Settings) -> Pacs:
    """The PACS, and who we are to it."""
    return Pacs(
        host=settings.pacs_host,
        port=settings.pacs_port,
        ae_title=settings.pacs_ae_title,
        calling_ae_title=settings.ae_title,
        tls=client_tls(settings),
    )


def pacs_priors(settings: Settings, inbox: Inbox) -> PacsPriors | None:
    """Query and retrieve at the PACS, by DICOMweb first where it is set; None when no way is set."""
    ways: list[Archive] = []
    if settings.pacs_dicomweb_url:
        ways.append(WebArchive(_web_pacs(settings)))
    if settings.pacs_host:
        ways.append(DimseArchive(pacs_node(settings), move_to=settings.ae_title if settings.pacs_move else ""))
    if not ways:
        return None
    return PacsPriors(
        ways,
        inbox=inbox,
        folder=settings.data_dir / "inbox",
        disk_reserve_bytes=settings.disk_reserve_mb * 2**20,
        source=settings.pacs_ae_title,
    )


def _web_pacs(settings: Settings) -> WebPacs:
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    return WebPacs(
        url=settings.pacs_dicomweb_url,
        user=settings.pacs_dicomweb_user,
        password=settings.pacs_dicomweb_password.get_secret_value(),
        token=settings.pacs_dicomweb_token.get_secret_value(),
        ca_file=settings.pacs_tls_ca_file,
        certificate=(str(certificate), str(key)) if certificate is not None and key is not None else None,
    )


def audit_repositories(settings: Settings) -> dict[str, AuditRepository]:
    """The audit repositories that are set, by name."""
    speaker = Speaker(
        ae_title=settings.ae_title,
        host=socket.getfqdn(),
        pacs_ae_title=settings.pacs_ae_title,
        ehr=settings.ehr_url,
    )
    found: dict[str, AuditRepository] = {}
    if settings.audit_syslog:
        host, _, port = settings.audit_syslog.rpartition(":")
        context = _calling(settings, "audit_syslog_ca_file") if settings.audit_syslog_tls else None
        found["syslog"] = SyslogRepository(host, int(port), speaker=speaker, tls=context)
    if settings.audit_fhir_url:
        is_ehr = settings.audit_fhir_url.rstrip("/") == settings.ehr_url.rstrip("/")
        client = (ehr_client(settings) if is_ehr else None) or EhrClient(
            settings.audit_fhir_url, tls=_ehr_tls(settings), proxy=settings.ehr_proxy or None
        )
        found["fhir"] = AuditEventRepository(client, speaker)
    return found


def ehr_client(settings: Settings) -> EhrClient | None:
    """A client of the EHR, None when none is set. Raises BadCase."""
    if not settings.ehr_url:
        return None
    credentials = None
    if settings.ehr_client_id:
        keys = signing_keys(settings)
        if not keys:
            raise BadCase("CONNECTOR_EHR_PRIVATE_KEY_FILE", None, "is needed with CONNECTOR_EHR_CLIENT_ID: name a PEM")
        credentials = SmartCredentials(settings.ehr_client_id, keys, settings.ehr_scope, settings.ehr_token_url or None)
    vendor_for("", settings.ehr_vendor)
    return EhrClient(
        settings.ehr_url,
        credentials=credentials,
        vendor=settings.ehr_vendor,
        tls=_ehr_tls(settings),
        proxy=settings.ehr_proxy or None,
    )


def _ehr_tls(settings: Settings) -> ssl.SSLContext:
    """Its CA alone where one is named; else the public ones and the system's, where a hospital puts its own."""
    if settings.ehr_ca_file is None:
        return usual_tls()
    return tls.calling(settings.ehr_ca_file, setting="CONNECTOR_EHR_CA_FILE", certificate=None, key=None)


def usual_tls() -> ssl.SSLContext:
    """TLS for what has no CA of its own in the settings: the public CAs, and those that the system trusts."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def check_openid(issuer: str) -> None:
    """Read how the OpenID provider describes itself. Raises Refused or TryLater, with what to do."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        with httpx.Client(verify=usual_tls(), timeout=10.0) as http:
            answer = http.get(url)
        called = answer.json()["issuer"] if answer.is_success else None
    except httpx.HTTPError as fault:
        why = why_unreached(fault, ca_setting="the system's trusted certificates") or type(fault).__name__
        raise TryLater(f"the OpenID provider does not answer ({why}): check CONNECTOR_OIDC_ISSUER") from None
    except (ValueError, KeyError, TypeError):
        called = None
    if called is None:
        raise Refused(f"{url} answers {answer.status_code} and no description: check CONNECTOR_OIDC_ISSUER")
    # OpenID Connect Discovery 1.0, section 4.3: the two must be the same.
    if str(called).rstrip("/") != issuer.rstrip("/"):
        raise Refused("the OpenID provider calls itself otherwise: set CONNECTOR_OIDC_ISSUER to the `issuer` it tells")


def signing_keys(settings: Settings) -> tuple[SigningKey, ...]:
    """The keys that sign in at the EHR, the one in use first. Raises BadCase."""
    asked = (
        ("ehr_private_key_file", settings.ehr_private_key_file, settings.ehr_key_id),
        ("ehr_next_private_key_file", settings.ehr_next_private_key_file, settings.ehr_next_key_id),
    )
    keys = tuple(
        read_key(path, setting=f"CONNECTOR_{name.upper()}", key_id=key_id) for name, path, key_id in asked if path
    )
    if len({key.key_id for key in keys}) < len(keys):
        raise BadCase("CONNECTOR_EHR_NEXT_KEY_ID", settings.ehr_next_key_id, "names both keys: each needs its own kid")
    return keys


def published_keys(settings: Settings) -> dict[str, Any] | None:
    """The JWK Set that the EHR may fetch, None when this part knows no key. Raises BadCase."""
    if settings.ehr_jwks_file is not None:
        return read_jwks(settings.ehr_jwks_file, setting="CONNECTOR_EHR_JWKS_FILE")
    keys = signing_keys(settings) if settings.ehr_client_id else ()
    return jwks(keys) if keys else None


def server_tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS for our listeners, None when no certificate is set. Raises BadCase."""
    return tls.listening(settings.tls_certificate_file, settings.tls_key_file, settings.tls_client_ca_file)


def client_tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS for the associations that we open, None when no CA is set. Raises BadCase."""
    if settings.pacs_tls_ca_file is None:
        return None
    return _calling(settings, "pacs_tls_ca_file")


def _calling(settings: Settings, ca: str) -> ssl.SSLContext:
    return tls.calling(
        getattr(settings, ca),
        setting=f"CONNECTOR_{ca.upper()}",
        certificate=settings.tls_certificate_file,
        key=settings.tls_key_file,
    )


def check_neighbours(settings: Settings) -> dict[str, str | None]:
    """Try PACS, EHR and broker; None is well, else what was wrong and what to do."""
    client = ehr_client(settings)
    results = {
        "pacs": _try(lambda: _check_pacs(settings)) if settings.pacs_host else "not set: CONNECTOR_PACS_HOST",
        "ehr": _try(client.check) if client else "not set: CONNECTOR_EHR_URL",
        "broker": _check_broker(settings),
    }
    if settings.pacs_dicomweb_url:
        results["pacs_dicomweb"] = _try(WebArchive(_web_pacs(settings)).check)
    syslog = audit_repositories(settings).get("syslog") if settings.audit_syslog else None
    if isinstance(syslog, SyslogRepository):
        results["audit_syslog"] = _try(syslog.check)
    if settings.oidc_issuer:
        results["openid"] = _try(lambda: check_openid(settings.oidc_issuer))
    if not settings.calling_ae_titles:
        results["senders"] = "not set: CONNECTOR_ALLOWED_CALLING_AE_TITLES, so every calling AE title may send"
    return results


def _check_pacs(settings: Settings) -> None:
    from connector.dicom.conformance import WRITTEN  # noqa: PLC0415 - it loads all that the statement is printed from

    written = [one.sop_class_uid for one in WRITTEN if one.kind != "rtplan" or settings.rt_dose_plan]
    check_pacs(pacs_node(settings), written=written)


def _try(step: Callable[[], object]) -> str | None:
    try:
        step()
    except ConnectorError as fault:
        return str(fault)
    return None


def _check_broker(settings: Settings) -> str | None:
    if settings.broker_url.startswith("memory:"):
        return None
    from kombu.connection import Connection  # noqa: PLC0415 - only here is a broker spoken to directly
    from redis.exceptions import RedisError  # noqa: PLC0415 - as above

    try:
        with Connection(settings.broker_url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as fault:  # noqa: BLE001 - whatever a broker's library raises, the others are tried all the same
        why = why_unreached(fault, ca_setting="CONNECTOR_BROKER_URL (?ssl_ca_certs=FILE)")
        # What Redis itself answers speaks of the connection alone: nothing was asked of it yet.
        said = next((str(one) for one in below(fault) if isinstance(one, RedisError)), type(fault).__name__)
        return f"does not answer ({why or said}): check CONNECTOR_BROKER_URL"
    return None

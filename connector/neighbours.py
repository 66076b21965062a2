"""How PACS, EHR and broker are reached, from the settings: addresses, credentials, TLS."""

import ssl
from collections.abc import Callable

from connector.core.errors import BadCase, ConnectorError
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_token import SmartCredentials
from connector.settings import Settings


def pacs_destination(settings: Settings) -> PacsDestination:
    """The PACS as a destination."""
    # An answer on the same association is waited for only briefly: a later one comes to our listener.
    return PacsDestination(
        pacs_node(settings), storage_commitment=settings.pacs_storage_commitment, commitment_seconds=0.1
    )


def pacs_node(settings: Settings) -> Pacs:
    """The PACS, and who we are to it."""
    return Pacs(
        host=settings.pacs_host,
        port=settings.pacs_port,
        ae_title=settings.pacs_ae_title,
        calling_ae_title=settings.ae_title,
        tls=_client_tls(settings),
    )


def ehr_client(settings: Settings) -> EhrClient | None:
    """A client of the EHR, None when none is set. Raises BadCase."""
    if not settings.ehr_url:
        return None
    credentials = None
    if settings.ehr_client_id:
        if settings.ehr_private_key_file is None:
            raise BadCase("CONNECTOR_EHR_PRIVATE_KEY_FILE", None, "is needed with CONNECTOR_EHR_CLIENT_ID: name a PEM")
        credentials = SmartCredentials(
            client_id=settings.ehr_client_id,
            private_key_pem=settings.ehr_private_key_file.read_text(),
            key_id=settings.ehr_key_id,
            algorithm=settings.ehr_algorithm,
            scope=settings.ehr_scope,
            token_url=settings.ehr_token_url or None,
        )
    return EhrClient(settings.ehr_url, credentials=credentials)


def server_tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS for our listener, None when no certificate is set."""
    if settings.tls_certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
    context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    if settings.tls_client_ca_file is not None:
        context.load_verify_locations(settings.tls_client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client_tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.pacs_tls_ca_file is None:
        return None
    context = ssl.create_default_context(cafile=str(settings.pacs_tls_ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
    if settings.tls_certificate_file is not None:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    return context


def check_neighbours(settings: Settings) -> dict[str, str | None]:
    """Try PACS, EHR and broker; None is well, else what was wrong and what to do."""
    client = ehr_client(settings)
    results = {
        "pacs": _try(pacs_destination(settings).echo) if settings.pacs_host else "not set: CONNECTOR_PACS_HOST",
        "ehr": _try(client.check) if client else "not set: CONNECTOR_EHR_URL",
        "broker": _check_broker(settings),
    }
    if not settings.calling_ae_titles:
        results["senders"] = "not set: CONNECTOR_ALLOWED_CALLING_AE_TITLES, so every calling AE title may send"
    return results


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

    try:
        with Connection(settings.broker_url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except OSError as fault:
        return f"does not answer ({type(fault).__name__}): check CONNECTOR_BROKER_URL"
    return None

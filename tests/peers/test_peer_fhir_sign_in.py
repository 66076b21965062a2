"""Signing in to a real SMART Backend Services server: keys, short tokens, refusals."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fhir_servers import FhirServer, key_pair, sekmet

from connector.core.errors import Refused
from connector.fhir.ehr import SmartCredentials
from connector.fhir.signing_keys import make_key, signing_key
from connector.service import Service
from connector.settings import Settings


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Our own service with two keys, the one in use and the one that follows."""
    folder = tmp_path_factory.mktemp("ours")
    keys = make_key(folder / "a.pem", "RS384"), make_key(folder / "b.pem", "RS384")
    settings = Settings(
        data_dir=folder / "data", dicom_port=0, http_port=0, ehr_url="http://127.0.0.1:9/fhir", ehr_client_id="fetched",
        ehr_private_key_file=folder / "a.pem", ehr_next_private_key_file=folder / "b.pem",
    )  # fmt: skip
    with Service(settings) as service:
        yield keys, f"http://127.0.0.1:{service.http_port}/.well-known/jwks.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory, ours):
    with sekmet(tmp_path_factory.mktemp("smart"), token_lifetime=5, jwks_url=ours[1]) as running:
        yield running


def test_a_client_signs_in_and_learns_what_the_server_is(server):
    assert server.client().check().startswith("FHIR 4.0.1")


def test_elliptic_keys_sign_in_too(tmp_path):
    with sekmet(tmp_path, algorithm="ES384") as running:
        client = running.client()
        assert client.search("Patient", []) == []


def test_a_token_that_the_server_calls_expired_is_renewed_once(server):
    client = server.client()
    assert isinstance(client.search("Patient", []), list)
    token = client._tokens.token()
    client._tokens._renew_at = time.time() + 3600  # as if the server had promised a longer life
    time.sleep(5.2)
    assert isinstance(client.search("Patient", []), list)
    assert client._tokens.token() != token


def test_an_unknown_client_is_refused(server):
    wrong = FhirServer(server.base_url, replace(server.credentials, client_id="nobody"))
    with pytest.raises(Refused, match="sign in"):
        wrong.client().search("Patient", [])


def test_another_key_is_refused(server, tmp_path):
    private, _ = key_pair(tmp_path)
    wrong = FhirServer(server.base_url, replace(server.credentials, keys=(signing_key(private, "k1"),)))
    with pytest.raises(Refused, match="sign in"):
        wrong.client().search("Patient", [])


def test_a_registration_may_change_to_the_next_key_at_any_time(server, tmp_path):
    """The server knows one public key only; the client holds an older one, which it signs with first."""
    old, _ = key_pair(tmp_path)
    rotating = replace(server.credentials, keys=(signing_key(old), *server.credentials.keys))
    client = FhirServer(server.base_url, rotating).client()
    assert client.search("Patient", []) == []
    assert [key.key_id for key in client._tokens._keys] == ["k1", signing_key(old).key_id]


def test_sixteen_threads_share_tokens_of_five_seconds_through_their_ends(server):
    client, tokens = server.client(), set()

    def work(_):
        until = time.monotonic() + 5.5
        while time.monotonic() < until:
            assert client.search("Patient", []) == []
            tokens.add(client._tokens.token())
            time.sleep(0.2)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(16)))
    assert len(tokens) == 2, "one for the first four seconds, one after: never one a thread"


@pytest.mark.parametrize("place", [0, 1])
def test_the_server_fetches_our_public_keys_and_takes_the_current_and_the_next_one(server, ours, place):
    keys, _ = ours
    signing = SmartCredentials("fetched", (keys[place],), "system/*.cruds")
    assert FhirServer(server.base_url, signing).client().check().startswith("FHIR 4.0.1")


def test_a_client_that_may_only_read_is_refused_for_good(server):
    reader = FhirServer(server.base_url, replace(server.credentials, client_id="reader", scope="system/Patient.rs"))
    with pytest.raises(Refused, match="403"):
        reader.client().create({"resourceType": "Patient"})

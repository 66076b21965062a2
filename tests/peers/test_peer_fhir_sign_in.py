"""Signing in to a real SMART Backend Services server: keys, short tokens, refusals."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fhir_servers import FhirServer, key_pair, sekmet

from connector.core.errors import Refused


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with sekmet(tmp_path_factory.mktemp("smart"), token_lifetime=2) as running:
        yield running


def test_a_client_signs_in_and_learns_what_the_server_is(server):
    assert server.client().check().startswith("FHIR 4.0.1")


def test_elliptic_keys_sign_in_too(tmp_path):
    with sekmet(tmp_path, algorithm="ES384") as running:
        client = running.client()
        assert client.search("Patient", []) == []


def test_a_token_of_two_seconds_is_renewed_in_time(server):
    client = server.client()
    for _ in range(3):
        assert isinstance(client.search("Patient", []), list)
        time.sleep(1.1)


def test_a_token_that_the_server_calls_expired_is_renewed_once(server):
    client = server.client()
    assert isinstance(client.search("Patient", []), list)
    token = client._tokens.token()
    client._tokens._renew_at = time.time() + 3600  # as if the server had promised a longer life
    time.sleep(2.2)
    assert isinstance(client.search("Patient", []), list)
    assert client._tokens.token() != token


def test_an_unknown_client_is_refused(server):
    wrong = FhirServer(server.base_url, replace(server.credentials, client_id="nobody"))
    with pytest.raises(Refused, match="sign in"):
        wrong.client().search("Patient", [])


def test_another_key_is_refused(server, tmp_path):
    private, _ = key_pair(tmp_path)
    wrong = FhirServer(server.base_url, replace(server.credentials, private_key_pem=private))
    with pytest.raises(Refused, match="sign in"):
        wrong.client().search("Patient", [])


def test_a_client_that_may_only_read_is_refused_for_good(server):
    reader = FhirServer(server.base_url, replace(server.credentials, client_id="reader", scope="system/Patient.rs"))
    with pytest.raises(Refused, match="403"):
        reader.client().create({"resourceType": "Patient"})

"""In Kubernetes every part gets what its settings need, by ConfigMap, secret, file and network; and no secret more."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from kubernetes_pods import BASE, EXAMPLE, PARTS, objects, of_kind, pods, ports, secrets_of, variables_of
from kustomize import render
from pydantic import SecretStr

from connector.settings import Settings, explain
from connector.settings.routing import read_routing
from connector.web.metrics import TOLD

KUBERNETES = "1.31.0"
OVERLAYS = pytest.mark.parametrize("overlay", [BASE, EXAMPLE], ids=lambda one: one.name)

LISTEN, WEB, WORKER, BEAT, MIGRATE = ({part} for part in PARTS)
APPS = LISTEN | WEB | WORKER  # those that open the ledger
# Which parts read a setting. A new setting belongs here, so that its place in the manifests is thought of.
READ_BY: dict[str, set[str]] = {
    **dict.fromkeys(("data_dir", "database_url"), APPS | MIGRATE),
    "broker_url": WEB | WORKER | BEAT,
    "secrets_dir": APPS | BEAT | MIGRATE,
    **dict.fromkeys(("sweep_seconds", "ehr_poll_seconds"), WORKER | BEAT),
    "lease_seconds": APPS | BEAT,
    **dict.fromkeys(("maximum_attempts", "retain_instances_days", "retain_documents_days", "retain_rows_days",
                     "retain_events_days", "quiet_seconds", "routing_file"), WORKER),
    "ae_title": APPS,  # the audit trail names it too
    **dict.fromkeys(("dicom_host", "dicom_port", "allowed_calling_ae_titles", "maximum_associations",
                     "offer_storage_commitment", "storage_commitment_peers", "tls_client_ca_file"), LISTEN),
    "pacs_tls_ca_file": LISTEN | WORKER,  # the listener reports to senders over TLS too
    "disk_reserve_mb": APPS,  # workers fetch earlier studies
    **dict.fromkeys(("tls_certificate_file", "tls_key_file"), LISTEN | WORKER),  # HTTP: the ingress has one
    **dict.fromkeys(("pacs_host", "pacs_port", "pacs_ae_title", "pacs_storage_commitment", "pacs_priors",
                     "pacs_move", "pacs_dicomweb_url", "pacs_dicomweb_user", "pacs_dicomweb_password",
                     "pacs_dicomweb_token", "rt_dose_bits", "rt_dose_plan"), WORKER),
    **dict.fromkeys(("http_host", "trusted_proxies", "http_port", "public_url", "stow_token", "fhir_token",
                     "console_token", "ehr_jwks_file", "cds_issuers", "cds_fhir_servers", "cds_origins", "console_url",
                     "made_up_patients", "console_idle_minutes", "console_session_hours", "oidc_issuer",
                     "oidc_client_id", "oidc_client_secret", "oidc_scope", "oidc_name_claim", "oidc_role_claim",
                     "oidc_roles"), WEB),
    **dict.fromkeys(("hook_secret", "ehr_url"), WEB | WORKER),
    **dict.fromkeys(("ehr_token_url", "ehr_client_id", "ehr_private_key_file", "ehr_key_id", "ehr_ca_file", "ehr_proxy",
                     "ehr_next_private_key_file", "ehr_next_key_id", "ehr_scope", "ehr_vendor", "ehr_write",
                     "ehr_board", "ehr_hook_url", "ehr_subscription_topic", "ehr_follow_days"), WORKER),
    "patient_issuers": APPS,
    **dict.fromkeys(("hl7_host", "hl7_port", "hl7_tls", "hl7_allowed_senders", "hl7_maximum_connections",
                     "hl7_results", "hl7_local_codes", "hl7_charset", "hl7_time_zone"), LISTEN),
    "hl7_keep_days": APPS,
    **dict.fromkeys(("otlp_endpoint", "audit_syslog", "audit_syslog_tls", "audit_fhir_url"), APPS),
    "audit_syslog_ca_file": WORKER,
}  # fmt: skip
# Secrets of which a site may have none, and files that stand beside them.
OF_SOME_SITES = {"oidc_client_secret", "pacs_dicomweb_password", "pacs_dicomweb_token"}
KEYS = {"connector_ehr_private_key": WORKER, "connector_ehr_next_private_key": WORKER, "public.jwks.json": WEB}
# Whom a part speaks to when a setting names an address, beside the ledger (5432) and the broker (6379).
SPEAKS = {
    "PACS_HOST": WORKER, "PACS_DICOMWEB_URL": WORKER, "EHR_URL": WORKER, "EHR_TOKEN_URL": WORKER, "OIDC_ISSUER": WEB,
    "CDS_ISSUERS": WEB, "OTLP_ENDPOINT": APPS, "AUDIT_SYSLOG": WORKER, "AUDIT_FHIR_URL": WORKER,
}  # fmt: skip


def test_of_every_setting_it_is_known_which_part_reads_it() -> None:
    assert set(READ_BY) == set(Settings.model_fields)


@OVERLAYS
def test_kubernetes_takes_every_object(overlay: Path) -> None:
    for one in objects(overlay):
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


@OVERLAYS
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_given_every_setting_that_it_reads_and_the_site_sets(overlay: Path, part: str) -> None:
    every = {name for pod in pods(overlay).values() for name in variables_of(pod, overlay)}
    assert every <= {variable for variable, _, _ in explain()}
    pod = pods(overlay)[part]
    given = set(variables_of(pod, overlay))
    assert {name for name in every if part in READ_BY[name.removeprefix("CONNECTOR_").lower()]} <= given


@pytest.mark.parametrize("part", PARTS)
def test_a_part_sees_the_secrets_that_it_reads_and_no_other(part: str) -> None:
    secret = {name for name, setting in Settings.model_fields.items() if setting.annotation is SecretStr}
    secret |= {"database_url", "broker_url"}  # they may hold a password
    wanted = {f"connector_{name}" for name in secret if part in READ_BY[name]}
    wanted |= {name for name, parts in KEYS.items() if part in parts}
    seen = secrets_of(pods()[part])
    assert set(seen) == wanted
    may_lack = {f"connector_{name}" for name in OF_SOME_SITES} | set(KEYS) - {"connector_ehr_private_key"}
    assert {name for name, is_optional in seen.items() if is_optional} == wanted & may_lack


def test_only_the_workers_know_the_pacs_and_may_sign_in_at_the_ehr() -> None:
    for name in ("CONNECTOR_PACS_HOST", "CONNECTOR_EHR_PRIVATE_KEY_FILE"):
        assert {part for part in PARTS if name in variables_of(pods()[part])} == {"worker"}
    assert "connector_ehr_private_key" not in "".join(secrets_of(pods()["web"]))


@OVERLAYS
@pytest.mark.parametrize("part", PARTS)
def test_every_file_that_a_setting_names_is_mounted(overlay: Path, part: str) -> None:
    pod = pods(overlay)[part]
    (container,) = pod["containers"]
    places = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    for name, value in variables_of(pod, overlay).items():
        if name.endswith("_FILE") and part in READ_BY[name.removeprefix("CONNECTOR_").lower()]:
            folder, _, file = value.rpartition("/")
            assert folder in places, f"{name}: nothing is mounted at {folder}"
            if places[folder] == "secrets":
                assert file in secrets_of(pod)


def _port_of(name: str, value: str, settings: dict[str, str]) -> int:
    if name == "PACS_HOST":
        return int(settings.get("CONNECTOR_PACS_PORT", "104"))
    url = urlsplit(value.rpartition("=")[2] if name == "CDS_ISSUERS" else value if "://" in value else f"tcp://{value}")
    return url.port or {"https": 443, "http": 80}[url.scheme]


@OVERLAYS
@pytest.mark.parametrize("part", PARTS)
def test_a_part_may_speak_to_whom_its_settings_name(overlay: Path, part: str) -> None:
    pod = pods(overlay)[part]
    settings = variables_of(pod, overlay)
    named = {name.removeprefix("CONNECTOR_"): value for name, value in settings.items()}
    wanted = {_port_of(name, named[name], settings) for name in SPEAKS if part in SPEAKS[name] and name in named}
    wanted |= {5432} if "connector_database_url" in secrets_of(pod) else set()
    wanted |= {6379} if "connector_broker_url" in secrets_of(pod) else set()
    assert wanted <= ports(part, "egress", overlay)


@OVERLAYS
def test_only_what_has_a_door_may_be_spoken_to(overlay: Path) -> None:
    assert {part: ports(part, "ingress", overlay) for part in PARTS} == {
        "listen": {11112, 2575}, "web": {8080}, "worker": set(), "beat": set(), "migrate": set(),
    }  # fmt: skip


def test_the_example_turns_on_every_part_of_the_service_that_a_site_may_have() -> None:
    """So that the tests above say something of each."""
    named = {name for pod in pods(EXAMPLE).values() for name in variables_of(pod, EXAMPLE)}
    for name in ("OIDC_ISSUER", "CDS_ISSUERS", "HL7_PORT", "OTLP_ENDPOINT", "AUDIT_SYSLOG", "PACS_DICOMWEB_URL",
                 "PACS_TLS_CA_FILE", "TLS_CERTIFICATE_FILE", "ROUTING_FILE", "STORAGE_COMMITMENT_PEERS",
                 "EHR_HOOK_URL", "EHR_JWKS_FILE"):  # fmt: skip
        assert f"CONNECTOR_{name}" in named


def test_the_example_is_a_valid_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for part in PARTS:
        with monkeypatch.context() as environment:
            for name, value in variables_of(pods(EXAMPLE)[part], EXAMPLE).items():
                environment.setenv(name, value)
            settings = Settings()
            assert settings.issuers == {"HOSPITAL": "urn:oid:1.2.3.4"}
    routing = tmp_path / "routing.toml"
    routing.write_text(of_kind("ConfigMap", EXAMPLE)["connector-routing"]["data"]["routing.toml"])
    assert read_routing(routing, quiet_seconds=30).rules


@OVERLAYS
@pytest.mark.parametrize("part", PARTS)
def test_a_pod_is_restricted_and_refers_to_what_exists(overlay: Path, part: str) -> None:
    pod = pods(overlay)[part]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "variables of Services would be read as settings"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {one["configMapRef"]["name"] for one in container["envFrom"]} <= set(of_kind("ConfigMap", overlay))
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    deployment = of_kind("Deployment", overlay).get(f"connector-{part}")
    if deployment:
        wanted = deployment["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@OVERLAYS
def test_the_kustomization_lists_every_manifest(overlay: Path) -> None:
    listed = yaml.safe_load((overlay / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml"} - {"../kubernetes"} == {path.name for path in overlay.glob("*.yaml")}


def test_there_is_one_clock_and_the_workers_grow() -> None:
    deployments, scalers = of_kind("Deployment"), of_kind("HorizontalPodAutoscaler")
    beat = deployments["connector-beat"]["spec"]
    assert (beat["replicas"], beat["strategy"]["type"]) == (1, "Recreate")
    assert scalers["connector-worker"]["spec"]["scaleTargetRef"]["name"] == "connector-worker"
    assert "replicas" not in deployments["connector-worker"]["spec"], "else an update takes the scaler's workers away"


def test_workers_grow_with_the_age_of_the_queue() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler").values()
    external = [one["external"]["metric"]["name"] for one in scaler["spec"]["metrics"] if one["type"] == "External"]
    assert external == ["connector_queue_age_seconds"]


def test_with_keda_its_scaler_takes_the_place_of_ours(tmp_path: Path) -> None:
    changed = render(BASE / "keda", render(BASE))
    assert not [one for one in changed if one["kind"] == "HorizontalPodAutoscaler"], "two scalers would fight"
    (scaled,) = [one for one in changed if one["kind"] == "ScaledObject"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == "connector-worker"
    (trigger,) = scaled["spec"]["triggers"]
    assert set(re.findall(r"connector_\w+", trigger["metadata"]["query"])) <= set(TOLD)
    rules = {"groups": [{"name": "keda", "rules": [{"record": "age", "expr": trigger["metadata"]["query"]}]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yaml"], check=True, capture_output=True)

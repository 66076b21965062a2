"""The conformance statements say what the code does, and the printed one is current."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import fhir_cases
import httpx
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from receive_case import MemoryInbox
from starlette.routing import Mount

from connector.__main__ import main
from connector.app import App
from connector.conformance import IHE_ROLES, Role, markdown, values
from connector.core.case import Identifier
from connector.demo.archive import Archive
from connector.demo.case import build
from connector.demo.images import ISSUER, PATIENT_ID
from connector.demo.record import PATIENT_SYSTEM
from connector.dicom import codes
from connector.dicom.conformance import statement
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.receive import Listener
from connector.fhir.conformance import WRITTEN, needs
from connector.fhir.deliver import EhrDestination
from connector.fhir.ehr import EhrClient
from connector.fhir.profiles import PROFILES, example
from connector.fhir.read_ehr import EhrRecordSource
from connector.fhir.receive import poll
from connector.fhir.write_retraction import RetractionWriter
from connector.fhir.write_transaction import tagged
from connector.ports import Document, Withdrawal
from connector.settings import Settings

ROOT = Path(__file__).parents[2]
PAGING = {"_count"}


def run(*arguments: str) -> str:
    result = click.testing.CliRunner().invoke(main, ["conformance", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `connector process` writes for the bundled case."""
    case, out = build(tmp_path_factory.mktemp("case")), tmp_path_factory.mktemp("out")
    arguments = ["process", "--dicom", case.dicom, "--fhir", case.bundle, "--out", out]
    environment = {"CONNECTOR_PATIENT_ISSUERS": f"{ISSUER}={PATIENT_SYSTEM}"}
    result = click.testing.CliRunner().invoke(main, list(map(str, arguments)), env=environment)
    assert result.exit_code == 0, result.output
    return out


def test_the_printed_statement_is_current() -> None:
    printed = (ROOT / "deploy" / "conformance.md").read_text()
    assert printed == markdown(), "run: connector conformance --format md > deploy/conformance.md"


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        (("--format", "md"), ["# DICOM Conformance Statement", "# FHIR conformance", "# HL7 v2 conformance"]),
        (("--format", "md", "--hl7"), ["# HL7 v2 conformance"]),
        (("--format", "md", "--dicom"), ["# DICOM Conformance Statement"]),
        (("--format", "md", "--fhir"), ["# FHIR conformance"]),
        (("--format", "md", "--fhir", "--dicom"), ["# DICOM Conformance Statement", "# FHIR conformance"]),
    ],
)
def test_the_command_prints_the_side_that_is_asked_for(arguments: tuple[str, ...], titles: list[str]) -> None:
    assert [line for line in run(*arguments).splitlines() if line.startswith("# ")] == titles


def test_json_holds_both_sides_and_fhir_alone_is_a_capability_statement() -> None:
    both = json.loads(run())
    assert set(both) == {"dicom", "fhir", "fhir_profiles", "hl7v2"}
    assert {one["example"]["resourceType"] for one in both["fhir_profiles"]} >= {"CarePlan", "Observation"}
    assert json.loads(run("--dicom")) == {"dicom": both["dicom"]}
    assert json.loads(run("--fhir")) == both["fhir"]
    CapabilityStatement.model_validate(both["fhir"])


def test_what_the_bundled_case_puts_into_the_pacs_is_stated(processed: Path) -> None:
    stated = {(one["modality"], one["uid"], one["series_number"]) for one in statement()["written"]}
    written = [dcmread(path, stop_before_pixels=True) for path in sorted((processed / "pacs").glob("*.dcm"))]
    made = {(one.Modality, str(one.SOPClassUID), int(one.SeriesNumber)) for one in written}
    assert made <= stated
    assert {modality for modality, _, _ in made} >= {"SR", "RTDOSE"}


def private_codes(item: Dataset) -> Iterator[str]:
    """Our codes in a data set, at any depth; a number in D70 or V50GY stands as x, as in the statement."""
    if item.get("CodingSchemeDesignator") == codes.OUR_SCHEME and "CodeValue" in item:
        yield re.sub(r"^D[\d.]+$|^V[\d.]+GY$", lambda found: re.sub(r"[\d.]+", "x", found[0]), str(item.CodeValue))
    for element in item:
        if element.VR == "SQ":
            for below in element.value:
                yield from private_codes(below)


def test_every_private_code_of_the_bundled_reports_is_stated(processed: Path) -> None:
    stated = {one["code"] for one in statement()["private_codes"]["codes"]}
    files = (processed / "pacs").glob("*.dcm")
    used = {code for path in files for code in private_codes(dcmread(path, stop_before_pixels=True))}
    assert "SUM_DIAMETERS" in used
    assert used <= stated


def test_what_the_bundled_case_puts_into_the_ehr_is_stated(processed: Path) -> None:
    bundle = json.loads((processed / "ehr" / "bundle.json").read_text())
    stated = {kind: status for kind, status, _ in WRITTEN}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        assert kind in stated
        said = [resource[name] for name in ("status", "docStatus") if name in resource]
        assert ", ".join(said) == stated[kind], kind
        assert "profile" not in resource.get("meta", {})


def test_what_the_bundled_case_puts_into_the_ehr_keeps_to_its_profile(processed: Path) -> None:
    """Every resource is of one kind, and holds what its kind always holds."""
    bundle = json.loads((processed / "ehr" / "bundle.json").read_text())
    seen = set()
    for entry in bundle["entry"]:
        resource = entry["resource"]
        (profile,) = [one for one in PROFILES if one.is_of(resource)]
        assert profile.faults(resource) == [], profile.name
        seen.add(profile.name)
    assert seen >= {"software", "lesion", "lesion size", "response", "absorbed dose", "risks", "proposal", "report",
                    "review", "provenance"}  # fmt: skip
    assert len({(one.resource_type, one.code, one.told_by) for one in PROFILES}) == len(PROFILES)


def test_what_takes_a_wrong_patients_results_back_keeps_to_its_profile(processed: Path) -> None:
    """The Task is an order and the Provenance one of a person: other kinds than those of a result."""
    content = (processed / "ehr" / "bundle.json").read_bytes()
    sent = Document("fhir", "ehr", "made", content, "2.25.1")
    (document,) = RetractionWriter().withdraw(Withdrawal("2.25.1", datetime(2026, 4, 8, tzinfo=UTC), "olga", [sent]))
    made = [entry["resource"] for entry in json.loads(document.content)["entry"]]
    kinds = {}
    for resource in made:
        if resource["resourceType"] in ("Task", "Provenance") and "entered-in-error" not in resource.get("status", ""):
            (profile,) = [one for one in PROFILES if one.is_of(tagged(resource, {}))]
            assert profile.faults(tagged(resource, {})) == [], profile.name
            kinds[resource["resourceType"]] = profile.name
    assert kinds == {"Task": "request to retract", "Provenance": "retraction"}


def test_a_resource_that_does_not_keep_to_its_profile_is_told() -> None:
    (profile,) = [one for one in PROFILES if one.name == "lesion size"]
    assert profile.faults(example(profile))[0] == "identifier is missing"
    other = example(profile) | {"status": "final"}
    assert "status is ['final']" in profile.faults(other)


class Listening(httpx.HTTPTransport):
    """Remembers what is asked of a FHIR server."""

    def __init__(self) -> None:
        super().__init__()
        self.searches: set[tuple[str, str]] = set()
        self.interactions: set[tuple[str, str]] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/fhir").strip("/").split("/")
        if request.method == "GET" and len(path) == 1 and path != ["metadata"]:
            self.interactions.add((path[0], "search-type"))
            self.searches |= {(path[0], name) for name in request.url.params if name not in PAGING}
        elif request.method == "GET" and len(path) == 2:
            self.interactions.add((path[0], "read"))
        elif request.method == "POST" and path == [""]:
            for entry in json.loads(request.content)["entry"]:
                verb = {"PUT": "update", "POST": "create"}[entry["request"]["method"]]
                self.interactions.add((entry["resource"]["resourceType"], verb))
        return super().handle_request(request)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Listening:
    """A record read, polled and written twice on the demo's FHIR server, with every request remembered."""
    folder = tmp_path_factory.mktemp("asked")
    case, listening = build(folder / "case"), Listening()
    with Archive(folder / "pacs") as archive:
        for entry in json.loads(case.bundle.read_bytes())["entry"]:
            archive.records.put(entry["resource"])
        client = EhrClient(archive.fhir_url, transport=listening)
        reading = EhrRecordSource(client).read([Identifier(PATIENT_ID, PATIENT_SYSTEM)])
        _, mark = poll(client, reading.patient_reference, None)
        poll(client, reading.patient_reference, mark)
        about = fhir_cases.record(reading.patient_reference)
        for assessed in (fhir_cases.assessment(), fhir_cases.later()):
            EhrDestination(client).deliver(fhir_cases.write(assessed, reading=about))
        client.close()
    return listening


def test_nothing_is_asked_of_an_ehr_that_is_not_stated(asked: Listening) -> None:
    stated = {(need.resource_type, name) for need in needs() for name in need.search}
    interactions = {(need.resource_type, code) for need in needs() for code in need.interactions}
    assert asked.searches <= stated
    assert asked.interactions <= interactions


def test_nothing_is_stated_that_is_never_asked(asked: Listening) -> None:
    stated = {(need.resource_type, name) for need in needs() for name in need.search}
    elsewhere = {
        ("Observation", "date"),  # only of servers without _lastUpdated: tests/fhir/test_receive_news.py holds it
        ("DocumentReference", "identifier"),  # only where a report is made
        (
            "Subscription",
            "url",
        ),  # only where a hook's address is set: tests/peers/test_peer_fhir_subscription.py holds it
        ("Communication", "identifier"),  # only where no Task can be made: tests/fhir/test_ladder.py holds it
    }
    assert stated - asked.searches <= elsewhere


@pytest.mark.parametrize(
    ("sop_class", "syntax", "why"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.203", "a CT in High-Throughput JPEG 2000"),
        ("1.2.276.0.7230010.3.99", "1.2.840.10008.1.2.2", "a private class in a retired syntax"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "1.2.3.4.5", "a private transfer syntax"),
    ],
)
def test_every_storage_class_is_taken_in_every_syntax(sop_class: str, syntax: str, why: str, tmp_path: Path) -> None:
    listener = Listener(inbox=MemoryInbox(), folder=tmp_path, ae_title="CONNECTOR", host="127.0.0.1", port=0)
    listener.start()
    try:
        node = Pacs(host="127.0.0.1", port=listener.port, ae_title="CONNECTOR", calling_ae_title="TEST")
        with association(node, [Proposal(sop_class, (syntax,))]) as opened:
            (context,) = opened.accepted_contexts
            assert (context.abstract_syntax, context.transfer_syntax) == (UID(sop_class), [UID(syntax)]), why
    finally:
        listener.stop(grace_seconds=0)


def test_the_service_promises_no_commitment_and_asks_for_priors_by_itself(tmp_path: Path) -> None:
    """What sections 1.3 and 1.4 of the DICOM statement say."""
    app = App(Settings(data_dir=tmp_path, pacs_host="127.0.0.1"))
    try:
        assert not app.listener()._offer_commitment
        assert app._priors() is not None
    finally:
        app.close()


@pytest.mark.parametrize("role", IHE_ROLES, ids=lambda role: role.transaction)
def test_every_ihe_role_names_the_test_that_runs_it(role: Role) -> None:
    file, _, name = role.test.partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize(
    "part",
    [
        "Overview", "Network service", "Implementation model", "Association policy", "Asynchronous operations",
        "extended negotiation", "Role selection", "Configuration", "Media interchange", "Character sets", "Security",
        "Transfer syntaxes", "C-STORE status", "Rejected with result", "Coded terminology", "Private attributes",
        "Private codes",
    ],
)  # fmt: skip
def test_the_dicom_statement_has_what_an_integrator_looks_for(part: str) -> None:
    assert part in markdown(fhir=False, hl7v2=False), "PS3.2, annex A"


def test_values_are_plain_json() -> None:
    assert json.loads(json.dumps(values())) == values()


def test_every_http_door_is_told_to_the_administrator_or_the_integrator(tmp_path: Path) -> None:
    app = App(Settings(data_dir=tmp_path, stow_token="s", hook_secret="s", fhir_token="s", console_token="s"))  # noqa: S106 - no secrets
    try:
        paths = set(doors_of(app.web().routes))
    finally:
        app.close()
    told = (ROOT / "deploy" / "conformance.md").read_text() + (ROOT / "deploy" / "README.md").read_text()
    named = told.replace("{uid}", "{study_instance_uid}")
    assert {path for path in paths if f"{path}`" not in named} == set()


def doors_of(routes: Sequence[Any]) -> Iterator[str]:
    """The paths of routes, those under mounts and guards included."""
    for route in routes:
        if isinstance(route, Mount):
            inner = route.app
            while not hasattr(inner, "routes"):
                inner = inner._app
            yield from doors_of(inner.routes)
        else:
            yield route.path

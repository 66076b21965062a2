"""The conformance statements of the protocol rooms: their values as JSON, or put into words for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from connector import __version__
from connector.dicom import conformance as dicom_room
from connector.fhir import conformance as fhir_room
from connector.hl7v2 import conformance as hl7v2_room
from connector.settings import explain


@dataclass(frozen=True, slots=True)
class Role:
    """An IHE transaction of an actor, and the test that runs it with a real peer."""

    profile: str
    actor: str
    transaction: str
    run_with: str
    test: str


IHE_ROLES = (
    Role("AI Results (AIR)", "Evidence Creator", "Evidence Documents Stored (RAD-43): SR of TID 1500, RT Dose",
         "Orthanc", "tests/peers/test_peer_dicom_pacs.py::test_orthanc_holds_what_we_delivered"),
    Role("AI Results (AIR)", "Evidence Creator", "Evidence Documents Stored (RAD-43)",
         "DCMTK", "tests/peers/test_peer_dicom_pacs.py::test_dcmtk_stores_what_we_deliver"),
    Role("AI Results (AIR)", "Evidence Creator", "Storage Commitment (RAD-10)",
         "Orthanc", "tests/peers/test_peer_dicom_pacs.py::test_orthanc_commits_to_our_listener"),
    Role("AI Results (AIR)", "Evidence Creator", "Query and Retrieve Images (RAD-14, RAD-16)",
         "Orthanc", "tests/peers/test_peer_dicom_pacs.py::test_a_whole_study_comes_from_orthanc_with_its_images"),
    Role("Audit Trail and Node Authentication (ATNA)", "Secure Application", "Record Audit Event (ITI-20), syslog",
         "rsyslog", "tests/flow/test_audit_repositories.py::test_rsyslog_takes_the_messages_as_they_are"),
)  # fmt: skip


def values(*, dicom: bool = True, fhir: bool = True, hl7v2: bool = True) -> dict[str, Any]:
    """The statements that are asked for; FHIR is a CapabilityStatement, and stands alone when only it is asked for."""
    if fhir and not (dicom or hl7v2):
        return fhir_room.capability_statement()
    return {
        **({"dicom": _dicom()} if dicom else {}),
        **({"fhir": fhir_room.capability_statement(), "fhir_profiles": fhir_room.profile_list()} if fhir else {}),
        **({"hl7v2": hl7v2_room.statement()} if hl7v2 else {}),
    }


def _dicom() -> dict[str, Any]:
    return {**dicom_room.statement(), "ihe": [asdict(role) for role in IHE_ROLES]}


def markdown(*, dicom: bool = True, fhir: bool = True, hl7v2: bool = True) -> str:
    """The statements that are asked for, in Markdown."""
    texts = []
    if dicom:
        texts.append(_render("conformance_dicom.md.jinja", _dicom()))
    if fhir:
        texts.append(_render("conformance_fhir.md.jinja", fhir_room.statement()))
    if hl7v2:
        texts.append(_render("conformance_hl7v2.md.jinja", hl7v2_room.statement()))
    return "\n".join(texts)


def settings_table(*prefixes: str) -> str:
    """The settings whose variables begin so (after `CONNECTOR_`), all without any, as a Markdown table."""
    starts = tuple(f"CONNECTOR_{prefix}" for prefix in prefixes or ("",))
    rows = [
        {"Variable": f"`{name}`", "Default": f"`{default}`" if default else "", "Meaning": meaning}
        for name, default, meaning in explain()
        if name.startswith(starts)
    ]
    return table(rows)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """A Markdown table of rows with equal keys; `columns` are their headings, else the keys."""
    held = list(rows)
    heads = list(columns) or list(held[0])
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row.values()] for row in held)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _render(template: str, stated: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - Markdown from our own values, not a page
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["table"] = table
    environment.globals["settings_table"] = settings_table
    return environment.get_template(template).render(version=__version__, **stated)

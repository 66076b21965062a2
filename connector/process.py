"""The whole job without a network: a folder and a Bundle in, everything the service would send out, or nothing."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from connector.contract.assessment import render
from connector.contract.reading import dumps
from connector.core.errors import BadCase
from connector.core.evidence import Skipped
from connector.flow import Flow, Subject, without_path
from connector.ports import Document


def process(flow: Flow, *, dicom_dir: Path, out: Path, today: date | None) -> dict[str, Any]:
    """
    Assess what a folder holds and write the documents to `out`; returns the summary.

    The same input gives the same bytes. `today` defaults to the date of the latest study. Raises ImpossibleInput (two
    patients, no readable study, identity) and BadCase (folders), and then `out` is untouched.
    """
    if not dicom_dir.is_dir():
        raise BadCase("--dicom", str(dicom_dir), "is not a folder: name the folder that holds the DICOM files")
    _refuse_foreign(out)
    paths = sorted(path for path in dicom_dir.rglob("*") if path.is_file())
    gathered = flow.gather(Subject(study_instance_uid=None, case_ref="process", paths=paths))
    day = today or gathered.case.time_points[-1].studied_on
    assessment = flow.assess(gathered, today=day)
    documents = flow.write(gathered, assessment, paths=paths)
    skipped = without_path(gathered.case.skipped, dicom_dir)
    summary = _summary(render(assessment), documents, skipped)
    _write_all(out, documents, summary)
    return summary


def _summary(assessment: dict[str, Any], documents: Sequence[Document], skipped: Sequence[Skipped]) -> dict[str, Any]:
    rows = []
    for document in documents:
        key = "uid" if document.destination == "pacs" else "id"
        rows.append({"kind": document.kind, "path": _place(document), key: document.identity})
        rows += [
            {"kind": resource["resourceType"], "path": place, "id": identity}
            for resource, place, identity in _resources(document)
        ]
    assessment["warnings"] = [text for text in assessment["warnings"] if not text.startswith("not used: ")]
    return {
        "documents": rows,
        "assessment": assessment,
        "skipped": [{"file": each.where, "reason": each.reason} for each in skipped],
        "versions": {"connector": assessment["connector_version"], "ruleset": assessment["ruleset"]},
    }


def _place(document: Document) -> str:
    if document.destination == "ehr":
        return "ehr/bundle.json"
    if document.destination == "file":
        return f"pictures/{document.identity}" if document.kind == "picture" else "report.pdf"
    return f"pacs/{document.kind}-{document.identity}.dcm"


def _resources(document: Document) -> list[tuple[dict[str, Any], str, str]]:
    """Every resource of a FHIR transaction, the file it gets, and its identifier or full URL."""
    if document.destination != "ehr":
        return []
    found = []
    counts: dict[str, int] = {}
    for entry in json.loads(document.content)["entry"]:
        resource = entry.get("resource")
        if resource is None:
            continue
        kind = resource["resourceType"]
        counts[kind] = counts.get(kind, 0) + 1
        identifiers = resource.get("identifier") or [{}]
        first = identifiers[0] if isinstance(identifiers, list) else identifiers
        found.append((resource, f"ehr/{kind}-{counts[kind]}.json", first.get("value") or entry.get("fullUrl", "")))
    return found


def _write_all(out: Path, documents: Sequence[Document], summary: dict[str, Any]) -> None:
    """Write beside `out` first and then change places, so that nobody ever sees half a result."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".connector-") as folder:
        made = Path(folder) / "made"
        for name in ("pacs", "ehr"):
            (made / name).mkdir(parents=True)
        for document in documents:
            place = made / _place(document)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(document.content)
            for resource, name, _ in _resources(document):
                (made / name).write_text(json.dumps(resource, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (made / "summary.json").write_text(dumps(summary, indent=2) + "\n", encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)


def _refuse_foreign(out: Path) -> None:
    """Only an empty place or our own earlier result may be replaced."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "summary.json").is_file()):
        raise BadCase("--out", str(out), "holds other files: name a new folder")

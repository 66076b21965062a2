"""Epic: no transaction, no conditional create, plans and risks read only; results and a document are written."""

from connector.fhir.vendors.vendor import Difference, Vendor

_STATEMENT = "Epic's public R4 CapabilityStatement, May 2026"
_DOCUMENTATION = "Epic on FHIR, error codes of DocumentReference.Create"

VENDOR = Vendor(
    name="epic",
    title="Epic",
    recognised_by=("epic",),
    looks_up_by_patient=True,
    found_by_identifier=frozenset({"BodyStructure"}),
    later={"4135": 3600.0},
    differences=(
        Difference(
            "`identifier` stands among the search parameters of every type, but is documented for BodyStructure and"
            " Patient only, and what is not supported is filtered after the search or ignored",
            "search by patient and compare identifiers ourselves",
            _STATEMENT,
        ),
        Difference(
            "CarePlan is read and searched only, RiskAssessment and DetectedIssue are absent, Task cannot be created,"
            " `transaction` is not declared, `conditionalCreate` is false",
            "write results and a document with the FHIR resources in it, entry by entry, after a look; a Communication"
            " tells the board",
            _STATEMENT,
        ),
        Difference(
            "Observation has no search by `_lastUpdated`",
            "look back over the days of the observations, so that a correction is seen as well",
            _STATEMENT,
        ),
        Difference(
            "a daily ceiling of documents (code 4135) refuses what would be taken tomorrow",
            "try again every hour instead of parking the delivery",
            _DOCUMENTATION,
        ),
    ),
)

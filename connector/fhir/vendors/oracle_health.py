"""Oracle Health (Cerner Millennium): batch only, searches by closed date ranges, a repeated create makes a second."""

from connector.fhir.vendors.vendor import Difference, Vendor

_STATEMENT = "Oracle Health's public R4 CapabilityStatement, August 2026"
_OVERVIEW = "Oracle Health Millennium Platform APIs, R4 overview"

VENDOR = Vendor(
    name="oracle_health",
    title="Oracle Health (Cerner Millennium)",
    recognised_by=("oracle health", "cerner", "millennium"),
    looks_up_by_patient=True,
    closed_ranges=True,
    # Its search needs category, recipient, reception and mail status: a message could not be looked up before a repeat.
    never_written=frozenset({"Communication"}),
    differences=(
        Difference(
            "Observation and DocumentReference cannot be searched by `identifier`, and every search needs the patient",
            "search by patient and compare identifiers ourselves",
            _STATEMENT,
        ),
        Difference(
            "the ends of a date range must close it; an open one is refused",
            "give `_lastUpdated` and `date` both ends",
            _STATEMENT,
        ),
        Difference(
            "a repeated POST makes a second resource",
            "look before every create, and after every lost answer",
            _OVERVIEW,
        ),
        Difference("a stale version is 409 instead of 412", "treat both as a changed resource", _OVERVIEW),
        Difference(
            "a resource may stand on two pages while it changes",
            "count it once, in its latest version",
            _OVERVIEW,
        ),
        Difference(
            "a modifier extension is refused with 422, a media type it does not know with an empty 406",
            "write no modifier extension, and ask again with `application/json`",
            _OVERVIEW,
        ),
        Difference(
            "a Communication is searched by recipient and mail status only",
            "write none, since its repeat could not be seen; the document and the CDS card tell the board",
            _STATEMENT,
        ),
    ),
)

"""CDISC SDTM tables TU, TR and RS become a case of `connector respond`, of one subject and one evaluator."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connector.core.errors import BadCase

Row = Mapping[str, str]

_NEEDED = {
    "TU": ("USUBJID", "TULNKID", "TUTESTCD", "TULOC"),
    "TR": ("USUBJID", "TRLNKID", "TRTESTCD", "TRORRES", "TRDTC"),
    "RS": ("USUBJID", "RSTESTCD", "RSDTC"),
}
_ROLES = {"TARGET": "target", "NON-TARGET": "non_target"}
_WORDS = {
    "PRESENT": "present",
    "ABSENT": "absent",
    "UNEQUIVOCAL PROGRESSION": "unequivocal_progression",
    "TOO SMALL TO MEASURE": "too_small",
    "NOT EVALUABLE": "not_evaluable",
    "TREATED LOCALLY": "treated_locally",
}
_MERGED = "MERGED INTO "
_UNEQUIVOCAL = "unequivocal"
_NODE = "LYMPH NODE"
_DIAMETERS, _NODE_DIAMETERS = {"DIAMETER", "LDIAM"}, {"DIAMETER", "LPERP"}
_MM = {"mm": Decimal(1), "cm": Decimal(10)}


def read_tables(
    texts: Mapping[str, str], *, subject: str, evaluator: str = "", treatment_start: str | None = None
) -> dict[str, Any]:
    """
    Read TU and TR, and RS when it is there, as CSV text by domain name.

    `evaluator` is the TREVALID whose rows are taken, none for rows without one. Lengths are in mm or cm. A visit that
    was measured on several days is one visit (see `_days`); a new lesion is a visit too, though nothing was measured.
    The treatment starts on the day of the first visit unless told. Raises BadCase for a missing table or column, a
    subject without rows, and a result that cannot be read.
    """
    tumours, results, responses = (_rows(domain, texts, subject, evaluator) for domain in ("TU", "TR", "RS"))
    lesions = _lesions(tumours)
    nodes = {lesion["id"] for lesion in lesions if lesion["lymph_node"]}
    days = _days(results, responses)
    visits: dict[str, dict[str, Any]] = {}
    for row in results:
        on, lesion = days[_visit_of(row, "TRDTC")], row["TRLNKID"]
        visit = visits.setdefault(on, _empty_visit(on))
        visit.update({"label": row["VISIT"]} if row.get("VISIT") else {})
        if any(lesion == known["id"] for known in lesions):
            found = _found(row, is_node=lesion in nodes)
            if found is not None:
                before = visit["measurements"].get(lesion)
                visit["measurements"][lesion] = found if before is None else _together(before, found, f"{lesion}, {on}")
    if not visits:
        raise BadCase("TR", subject, "has no rows of this subject and evaluator: name one that is in the table")
    for on, new_lesion in _new_lesions(tumours, responses, days).items():
        visits.setdefault(on, _empty_visit(on))["new_lesion"] = new_lesion
    ordered = [visits[on] for on in sorted(visits)]
    start = treatment_start or ordered[0]["date"]
    return {"criteria": "recist-1.1", "treatment_start": start, "lesions": lesions, "visits": ordered}


def _rows(domain: str, texts: Mapping[str, str], subject: str, evaluator: str) -> Sequence[Row]:
    if domain not in texts:
        if domain == "RS":
            return ()
        raise BadCase(f"{domain.lower()}.csv", None, "is needed and missing: give TU and TR as CSV")
    rows = list(csv.DictReader(io.StringIO(texts[domain])))
    missing = [name for name in _NEEDED[domain] if rows and name not in rows[0]]
    if missing:
        raise BadCase(f"{domain.lower()}.csv", missing[0], "is not a column of the table: export it again")
    own = f"{domain}EVALID"
    return [row for row in rows if row["USUBJID"] == subject and (row.get(own) or "") == evaluator]


def _empty_visit(on: str) -> dict[str, Any]:
    return {"date": on, "measurements": {}, "new_lesion": "none"}


def _day(moment: str) -> str:
    """The date of a date and time; a partial date stays as it is, and is refused when the case is judged."""
    return moment.partition("T")[0]


def _visit_of(row: Row, date_column: str) -> str:
    """Name the visit of a row: by its number, else its name, else its day, as unscheduled visits share a name."""
    if "UNSCHED" in row.get("VISIT", "").upper():
        return _day(row[date_column])
    return row.get("VISITNUM") or row.get("VISIT") or _day(row[date_column])


def _days(results: Sequence[Row], responses: Sequence[Row]) -> dict[str, str]:
    """
    Return the day of each visit: that of its overall response in RS, else the first on which a lesion was measured.

    The first, so that no progression is dated later than it was seen; a protocol that dates responses otherwise says so
    in RSDTC. Two visits of one day are one.
    """
    days: dict[str, str] = {}
    for row in results:
        visit, on = _visit_of(row, "TRDTC"), _day(row["TRDTC"])
        # A row of what was not done may have no day: it takes that of its visit.
        days[visit] = min(filter(None, (on, days.get(visit))), default="")
    for row in responses:
        visit = _visit_of(row, "RSDTC")
        if row["RSTESTCD"] == "OVRLRESP" and visit in days and row["RSDTC"]:
            days[visit] = _day(row["RSDTC"])
    return days


def _new_lesions(tumours: Sequence[Row], responses: Sequence[Row], days: Mapping[str, str]) -> dict[str, str]:
    """
    Return new lesions by the day of their visit, as RS calls them; one that TU alone names is unequivocal.

    Of two words on one visit the graver holds: no progression may be lost in reading a table.
    """
    stated: dict[str, str] = {}
    for row in responses:
        if row["RSTESTCD"] == "NEWLPROG":
            on = days.get(_visit_of(row, "RSDTC")) or _day(row["RSDTC"])
            if stated.get(on) != _UNEQUIVOCAL:
                stated[on] = (row.get("RSSTRESC") or _UNEQUIVOCAL).lower()
    for row in tumours:
        if row["TUTESTCD"] == "TUMIDENT" and _identified(row) == "NEW":
            dated = {**row, "TUDTC": row.get("TUDTC") or ""}
            stated.setdefault(days.get(_visit_of(dated, "TUDTC")) or _day(dated["TUDTC"]), _UNEQUIVOCAL)
    return stated


def _identified(row: Row) -> str:
    return row.get("TUSTRESC") or row.get("TUORRES") or ""


def _lesions(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        role = _ROLES.get(_identified(row))
        if row["TUTESTCD"] == "TUMIDENT" and role is not None:
            node, site = _NODE in row["TULOC"], row["TULOC"].removeprefix(f"{_NODE}, ").lower()
            found.append({"id": row["TULNKID"], "role": role, "site": site, "lymph_node": node})
    return found


def _together(before: str, now: str, where: str) -> str:
    """
    Take the row that tells more of two on one lesion and day: a length more than that the lesion is present.

    Raises BadCase for two that contradict each other, such as two lengths.
    """
    if now in {before, "not_evaluable"}:
        return before
    if before == "not_evaluable":
        return now
    if _is_gone(before) and _is_gone(now):
        return "absent"
    if not (_is_gone(before) or _is_gone(now)):
        if "unequivocal_progression" in {before, now}:
            return "unequivocal_progression"
        if "present" in {before, now}:
            return now if before == "present" else before
    raise BadCase("TRORRES", where, f"says {before} and {now}: leave the row that holds")


def _is_gone(found: str) -> bool:
    return found == "absent" or not found.strip("0.")


def _found(row: Row, *, is_node: bool) -> str | None:
    """What a row says of a lesion in the words of a case; None for another test, such as a volume."""
    test, result = row["TRTESTCD"], row["TRORRES"].strip()
    if test not in (_NODE_DIAMETERS if is_node else _DIAMETERS) | {"TUMSTATE"}:
        return None
    if row.get("TRSTAT") == "NOT DONE" or not result:
        reason = row.get("TRREASND", "")
        if reason.startswith(_MERGED):
            return f"merged:{reason.removeprefix(_MERGED)}"
        return _WORDS.get(reason, "not_evaluable")
    if result.upper() in _WORDS:
        return _WORDS[result.upper()]
    unit = row.get("TRORRESU") or "mm"
    try:
        return format(Decimal(result) * _MM[unit], "f")
    except (ArithmeticError, KeyError):
        raise BadCase("TRORRES", f"{result} {unit}", "is no length in mm or cm and no state: correct the row") from None

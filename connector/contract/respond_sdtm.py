"""A judged case as CDISC SDTM tables TU, TR and RS, for a trial's statisticians."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from connector.contract.respond_lesions import read_lesions
from connector.core.assessment import ResponseReport, VisitResponse
from connector.core.case import LesionRole, LesionState
from connector.core.response import ResponseCase, assess_response
from connector.core.response.case import CRITERIA, Lesion, Measurement, NewLesion, Visit
from connector.core.response.lesions import is_disease
from connector.core.response.readers import assess_readers

Row = dict[str, str]

_WHO = ("STUDYID", "DOMAIN", "USUBJID")
_VISIT = ("VISITNUM", "VISIT")
_TU_FOUND = ("TULNKID", "TUTESTCD", "TUTEST", "TUORRES", "TUSTRESC", "TULOC", "TUEVALID")
_TR_WHICH = ("TRGRPID", "TRLNKID", "TRTESTCD", "TRTEST")
_TR_FOUND = ("TRORRES", "TRORRESU", "TRSTRESC", "TRSTRESN", "TRSTRESU", "TRSTAT", "TRREASND", "TREVALID")
_RS_FOUND = ("RSTESTCD", "RSTEST", "RSCAT", "RSORRES", "RSSTRESC", "RSEVALID")
COLUMNS = {
    "TU": (*_WHO, "TUSEQ", *_TU_FOUND, *_VISIT, "TUDTC"),
    "TR": (*_WHO, "TRSEQ", *_TR_WHICH, *_TR_FOUND, *_VISIT, "TRDTC"),
    "RS": (*_WHO, "RSSEQ", *_RS_FOUND, *_VISIT, "RSDTC"),
}
_ROLES = {LesionRole.TARGET: "TARGET", LesionRole.NON_TARGET: "NON-TARGET"}
_TUMOUR_STATES = {
    LesionState.PRESENT: "PRESENT",
    LesionState.ABSENT: "ABSENT",
    LesionState.UNEQUIVOCAL_PROGRESSION: "UNEQUIVOCAL PROGRESSION",
}


def export(case: Any, *, study: str, subject: str) -> dict[str, str]:
    """
    Judge a parsed case of lesions and return TU, TR and RS as CSV text by domain name.

    Of readers who are kept apart, each has their own rows, told by EVALID.
    Source: CDISC SDTMIG 3.4, oncology domains; test codes as in CDISC controlled terminology. Raises BadCase.
    """
    rows: dict[str, list[Row]] = {"TU": [], "TR": [], "RS": []}
    for judged, report in _courses(case):
        rows["TU"] += _tu(judged)
        rows["TR"] += _tr(judged, report)
        rows["RS"] += _rs(judged, report)
    return {domain: _csv(domain, found, study=study, subject=subject) for domain, found in rows.items()}


def _courses(case: Any) -> list[tuple[ResponseCase, ResponseReport]]:
    judged, readers = read_lesions(case)
    if readers is None:
        return [(judged, assess_response(judged))]
    found = assess_readers(judged, readers)
    return [(found.cases[reader], report) for reader, report in found.reports.items()]


def _csv(domain: str, rows: Iterable[Row], *, study: str, subject: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS[domain], restval="", lineterminator="\r\n")
    writer.writeheader()
    for number, row in enumerate(rows, 1):
        identifiers = {"STUDYID": study, "DOMAIN": domain, "USUBJID": subject, f"{domain}SEQ": str(number)}
        writer.writerow({**identifiers, **row})
    return text.getvalue()


def _when(number: int, visit: Visit, domain: str) -> Row:
    label = visit.label or ("BASELINE" if number == 0 else f"VISIT {number}")
    timing = {"VISITNUM": str(number + 1), "VISIT": label, f"{domain}DTC": visit.on.isoformat()}
    return {**timing, f"{domain}EVALID": visit.reader or ""}


def _tu(case: ResponseCase) -> Iterator[Row]:
    baseline = case.visits[0]
    for lesion in case.lesions:
        yield {
            "TULNKID": lesion.id,
            "TUTESTCD": "TUMIDENT",
            "TUTEST": "Tumor Identification",
            "TUORRES": _ROLES[lesion.role],
            "TUSTRESC": _ROLES[lesion.role],
            "TULOC": _location(lesion),
            **_when(0, baseline, "TU"),
        }


def _location(lesion: Lesion) -> str:
    """Name the site; the tables know a node by its location only."""
    site = lesion.site.replace("_", " ").upper()
    return site if not lesion.lymph_node or "LYMPH NODE" in site else f"LYMPH NODE, {site}"


def _tr(case: ResponseCase, report: ResponseReport) -> Iterator[Row]:
    for number, (visit, shown) in enumerate(zip(case.visits, report.visits, strict=True)):
        when = _when(number, visit, "TR")
        for lesion in case.lesions:
            yield {"TRGRPID": _ROLES[lesion.role], "TRLNKID": lesion.id, **_found(lesion, visit.of(lesion)), **when}
        if shown.sum_mm is not None:
            yield {"TRGRPID": "TARGET", **_length("SUMDIAM", "Sum of Diameter", shown.sum_mm), **when}


def _found(lesion: Lesion, measurement: Measurement) -> Row:
    if lesion.role is LesionRole.TARGET:
        if measurement.state is LesionState.TOO_SMALL and measurement.total_mm is not None:
            counted = _length("DIAMETER", "Diameter", measurement.total_mm)
            return {**counted, "TRORRES": "TOO SMALL TO MEASURE", "TRORRESU": ""}
        if measurement.total_mm is not None:
            return _length("DIAMETER", "Diameter", measurement.total_mm)
        return {"TRTESTCD": "DIAMETER", "TRTEST": "Diameter", **_not_done(measurement)}
    state = _tumour_state(lesion, measurement)
    result = _not_done(measurement) if state is None else {"TRORRES": state, "TRSTRESC": state}
    return {"TRTESTCD": "TUMSTATE", "TRTEST": "Tumor State", **result}


def _not_done(measurement: Measurement) -> Row:
    merged = measurement.merged_into
    reason = f"MERGED INTO {merged}" if merged else measurement.state.value.replace("_", " ").upper()
    return {"TRSTAT": "NOT DONE", "TRREASND": reason}


def _tumour_state(lesion: Lesion, measurement: Measurement) -> str | None:
    if measurement.merged_into is not None:
        return None
    if measurement.total_mm is not None:
        return "PRESENT" if is_disease(lesion, measurement) else "ABSENT"
    return _TUMOUR_STATES.get(measurement.state)


def _length(code: str, test: str, length_mm: Decimal) -> Row:
    text = format(length_mm, "f")
    result = {"TRORRES": text, "TRORRESU": "mm", "TRSTRESC": text, "TRSTRESN": text, "TRSTRESU": "mm"}
    return {"TRTESTCD": code, "TRTEST": test, **result}


def _rs(case: ResponseCase, report: ResponseReport) -> Iterator[Row]:
    category = CRITERIA[report.criteria]
    for number, (visit, shown) in enumerate(zip(case.visits, report.visits, strict=True)):
        if number > 0:
            for code, test, result in _responses(visit, shown):
                yield {**_response(code, test, result, category), **_when(number, visit, "RS")}
    best = report.confirmed_best_overall_response if case.policies.confirm else report.best_overall_response
    when = {"RSDTC": best.on.isoformat() if best.on else "", "RSEVALID": case.visits[0].reader or ""}
    yield {**_response("BESTRESP", "Best Response", best.response, category), **when}


def _responses(visit: Visit, shown: VisitResponse) -> Iterator[tuple[str, str, str]]:
    yield "TRGRESP", "Target Response", shown.target_response
    yield "NTRGRESP", "Non-target Response", shown.non_target_response
    if visit.new_lesion is not NewLesion.NONE:
        yield "NEWLPROG", "New Lesion Progression", visit.new_lesion.value.upper()
    yield "OVRLRESP", "Overall Response", shown.overall_response


def _response(code: str, test: str, result: str, category: str) -> Mapping[str, str]:
    return {"RSTESTCD": code, "RSTEST": test, "RSCAT": category, "RSORRES": result, "RSSTRESC": result}

"""Requests to draw the report from, made by the test itself: no patient, no file from outside."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import fhir_cases as cases

from connector.core.assessment import Assessment, Option, Reason, ResponseReport, Risk, VisitResponse
from connector.core.case import Identifier, PatientIdentity, RecordReading
from connector.core.evidence import Citation, Observed
from connector.ports import WriteRequest

WHO = PatientIdentity((Identifier("T-0001", "TEST-ISSUER"),), "Test", "Lesion", date(1961, 3, 4), "F")
SOURCE = Citation("SOURCE_000", "table 3", "the words of the source")
MARKUP = 'a #strong[b] *c* _d_ $e$ <f> @g \\ "h" `i` //j'


def request(assessed: Assessment | None = None, *, who: PatientIdentity = WHO, record=None, **more) -> WriteRequest:
    return WriteRequest(assessed or cases.assessment(), who, record, (), **more)


def record(**facts) -> RecordReading:
    """A record that states some facts."""
    observed = {name: Observed(value, f"Observation/{name}", cases.DAY) for name, value in facts.items()}
    return RecordReading(cases.IDENTITY, "Patient/p1", facts=observed)


def reason(rule: str = "RULE-OF-THE-TEST", text: str = "because of this", facts: tuple[str, ...] = ()) -> Reason:
    return Reason(rule, text, SOURCE, facts)


def option(verdict: str, rules: tuple[str, ...], *, needs: tuple[str, ...] = (), modality: str = "TACE") -> Option:
    return Option(modality, verdict, 1 if verdict == "preferred" else None, tuple(map(reason, rules)), needs)


def risk(modality: str, outcome: str) -> Risk:
    return Risk(modality, outcome, Decimal("12.1"), (Decimal("3.4"), Decimal("28.2")), 33, ("SOURCE_001",))


def course(visits: int) -> ResponseReport:
    """A response over so many visits, a month apart."""
    made = tuple(
        VisitResponse(
            on=date(2024, 1, 1) + timedelta(days=30 * number),
            sum_mm=Decimal(100 - number),
            nadir_mm=Decimal(101 - number) if number else None,
            change_from_baseline_percent=f"-{number}.0" if number else None,
            change_from_nadir_percent="-1.0" if number else None,
            target_response="SD" if number else "NA",
            non_target_response="NA",
            overall_response="SD" if number else "NA",
            new_lesion="none" if number else None,
        )
        for number in range(visits)
    )
    return replace(cases.response("SD"), visits=made, policies={"mrecist_5_mm": "false"})


def nothing() -> Assessment:
    """An assessment that could judge nothing."""
    return cases.assessment(response=None, selection=None, dose=None, time_points=(), needs=(), warnings=(), inputs=())

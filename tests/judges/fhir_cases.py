"""Assessments and records to write FHIR from, made by the test itself: no patient, no file from outside."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from connector.core.assessment import (
    Assessment,
    DatedResponse,
    DoseReport,
    FollowUp,
    Option,
    Reason,
    RegionDose,
    ResponseReport,
    Risk,
    Selection,
    ViableReport,
    VisitResponse,
)
from connector.core.case import (
    Identifier,
    LesionMeasurement,
    LesionState,
    PatientIdentity,
    RecordReading,
    TimePoint,
    Uptake,
    VolumeGeometry,
)
from connector.core.evidence import Citation
from connector.core.lesion_reports import DatedViability, TreatedLesionReport, UptakeReport
from connector.fhir.write_transaction import TransactionWriter
from connector.ports import WriteRequest

STUDY, PRIOR_STUDY = "2.25.1001", "2.25.1000"
DAY, PRIOR_DAY = date(2026, 4, 7), date(2026, 1, 5)
SYSTEM = "urn:oid:1.2.36.146.595.217.0.1"
IDENTITY = PatientIdentity((Identifier("12345", SYSTEM, "MR"),), "Test", "Lesion", date(1961, 3, 4), "F")
SOURCE = Citation("SOURCE_000", "table 3")


def lesion(number, *, on=DAY, **more):
    return LesionMeasurement(
        tracking_uid=f"2.25.{7000 + number}",
        tracking_id=f"T{number:02}",
        site="liver",
        site_code=None,
        lymph_node=False,
        origin="2.25.9001",
        observed_on=on,
        **{"long_axis_mm": Decimal("21.50"), "short_axis_mm": Decimal("14.0"), **more},
    )


def response(overall="PD", on=DAY, criteria="recist-1.1"):
    visit = VisitResponse(
        on=on,
        sum_mm=Decimal("43.00"),
        nadir_mm=Decimal("30.00"),
        change_from_baseline_percent="7.5",
        change_from_nadir_percent="43.3",
        target_response=overall,
        non_target_response="NA",
        overall_response=overall,
        reasons=("the sum grew by 13 mm from its smallest",),
        flags=("slice thickness of T01 is not known",),
    )
    best = DatedResponse(overall, on)
    return ResponseReport(criteria, (visit,), best, best, target_ids=("T01", "T02"))


def dose():
    region = RegionDose(
        name="T01 <right & left>", volume_ml=5.2, mean_gy=120.5, min_gy=40.0, max_gy=201.25, d2_gy=200.0, d50_gy=119.0,
        d70_gy=95.5, d95_gy=50.0, d98_gy=45.0, v_fraction={"50": 0.95}, tracking_uid="2.25.7001", origin="2.25.9001",
        number=1, bed_gy=180.0, mean_interval_gy=(108.0, 133.0),
    )  # fmt: skip
    liver = replace(region, name="liver | all, $", tracking_uid=None, number=2, mean_gy=31.0)
    axis = (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
    geometry = VolumeGeometry((1, 1, 1), (0.0, 0.0, 0.0), *axis, (2.0, 2.0, 2.0), "2.25.5")
    return DoseReport(
        method="local_deposition", constants={"profile": "seed"}, scale=1.0, nuclide="Y-90", decay_reference="series",
        decay_hours=4.0, dose_gy=np.ones((1, 1, 1), np.float32), geometry=geometry, regions=(region, liver),
        study_instance_uid=STUDY, series_instance_uid="2.25.88", sop_instance_uids=("2.25.89",),
        warnings=("lung shunt is not known",),
    )  # fmt: skip


def selection(status="recommend", preferred="TACE", excluded_by=("TARE-07",)):
    because = (Reason("TACE-01", "diffuse disease, good performance status", SOURCE, ("liver_lobes_involved",)),)
    return Selection(
        status=status,
        options=(
            Option(preferred, "preferred", 1, because),
            Option("RFA", "possible", 2, (), ("liver_lesion_at_hilum",)),
            Option("surgery", "relative_contraindication", 3),
            Option("TARE", "excluded", None, tuple(Reason(one, "shunt above limit", SOURCE) for one in excluded_by)),
            Option("PEI", "cannot_decide", None, (), ("coagulopathy_status",)),
        ),
        missing=("coagulopathy_status",),
        measures=(Reason("TKI-01", "interrupt the inhibitor", SOURCE),),
        alerts=(Reason("PREG-01", "test for pregnancy", SOURCE),),
        follow_up=(FollowUp("CT of the liver", "after one month", "FU-01", SOURCE, date(2026, 5, 7)),
                   FollowUp("calcitonin", "every 3 months", "FU-02", SOURCE)),
        risks=(Risk("TACE", "liver_abscess", Decimal("2.0"), (Decimal(1), Decimal("4.5")), 210, ("SOURCE_001",)),
               Risk("TARE", "REILD", Decimal(4), (Decimal(0), Decimal(8)), 130, ("SOURCE_003",))),
        conflicts=("CON-PS",),
    )  # fmt: skip


def assessment(**more):
    point = TimePoint(
        STUDY,
        DAY,
        "CT",
        (lesion(1), lesion(2, volume_ml=Decimal("3.10")), lesion(3, state=LesionState.TOO_SMALL, long_axis_mm=None)),
    )
    prior = TimePoint(PRIOR_STUDY, PRIOR_DAY, "CT", (lesion(1, on=PRIOR_DAY),))
    return Assessment(
        **{
            "case_ref": "c0ffee",
            "study_instance_uid": STUDY,
            "assessed_on": DAY,
            "connector_version": "1.0.0",
            "ruleset": "thyroid-metastases-2026.12",
            "input_digest": "ab" * 32,
            "inputs": ("Condition/c1 Condition/c2/_history/4", "Observation/o1/_history/3", STUDY, "2.25.9001", "case"),
            "time_points": (prior, point),
            "response": response(),
            "selection": selection(),
            "dose": dose(),
            "needs": ("a CT with slices of at most 5 mm",),
            "warnings": ("record and images differ in liver_lesion_count",),
            **more,
        }
    )


def beside_recist():
    """What stands beside RECIST: viable parts with their response, a treated lesion, and uptake with its change."""
    uptake = Uptake(8.25, 6.5, 5.5, 4.2, 23.1, "41 % of SUVmax")
    treated = lesion(1, viable_mm=Decimal("8.5"), viable_across_mm=Decimal(6), uptake=uptake)
    scans = (DatedViability(DAY, "non_progressing", "mass-like enhancement, stable or smaller"),)
    return assessment(
        time_points=(TimePoint(STUDY, DAY, "CT", (treated, lesion(2, viable_mm=Decimal(0)))),),
        viable=ViableReport(response("PR", criteria="mrecist")),
        treated_lesions=(TreatedLesionReport("T01", treated.tracking_uid, "TARE", PRIOR_DAY, scans, None, DAY),),
        uptake=(UptakeReport("T01", treated.tracking_uid, DAY, uptake, PRIOR_DAY, "-20.0", "-18.0", "5.0", None),),
    )


def later(study="2.25.1002", on=date(2026, 7, 1), **more):
    """An assessment of a later study of the same patient."""
    point = TimePoint(study, on, "CT", (lesion(1, on=on),))
    return assessment(study_instance_uid=study, assessed_on=on, time_points=(point,), response=response("SD", on),
                      dose=None, input_digest="cd" * 32, **more)  # fmt: skip


def record(patient_reference="Patient/p1", **references):
    named = {key.replace("__", "."): value for key, value in references.items()}
    return RecordReading(IDENTITY, patient_reference, references=named)


def write(assessed, *, reading=None, is_latest_study=True, board=None, report=None):
    """The one document."""
    held = record() if reading is None else reading
    request = WriteRequest(assessed, IDENTITY, held, (), is_latest_study=is_latest_study)
    (document,) = TransactionWriter(board, report).write(request)
    return document


def bundle_of(document):
    """Its content as JSON."""
    return json.loads(document.content)


def of_type(bundle, kind):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]

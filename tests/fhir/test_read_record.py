"""What Conditions, Procedures, medicines and allergies state, and whose record it is."""

from datetime import date
from decimal import Decimal

import pytest
from record_case import ATC, reasons, value

from connector.core.case import Identifier
from connector.fhir.identity import MODALITY_SYSTEM
from connector.fhir.read_bundle import BundleRecordSource

SCT = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
MORPHOLOGY = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"
LIVER = {"bodySite": [{"coding": [{"system": SCT, "code": "10200004"}]}]}
LUNG = {"bodySite": [{"coding": [{"system": SCT, "code": "39607008"}]}]}
DONE = {"status": "completed", "performedDateTime": "2025-05-01"}


def status(clinical=None, verification=None):
    more = {}
    if clinical:
        more["clinicalStatus"] = {"coding": [{"system": CLINICAL, "code": clinical}]}
    if verification:
        more["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": verification}]}
    return more


def morphology(code):
    coding = {"system": "http://terminology.hl7.org/CodeSystem/icd-o-3", "code": code}
    return {"extension": [{"url": MORPHOLOGY, "valueCodeableConcept": {"coding": [coding]}}]}


@pytest.mark.parametrize(
    ("code", "more", "expected", "why"),
    [
        ((SCT, "255032005"), {}, "MTC", "named by the disorder"),
        ((SCT, "255029007"), status("remission"), "PTC", "a histology does not end with the disease"),
        ((SCT, "255029007"), status("active", "refuted"), None, "refuted"),
        ((SCT, "255029007"), status("active", "provisional"), None, "not confirmed"),
        ((SCT, "255029007"), status("active", "entered-in-error"), None, "an error"),
        ((ICD, "C73"), morphology("8345/3"), "MTC", "named by ICD-O-3 morphology"),
        ((ICD, "C73.9"), morphology("8290/3"), "HTC", "oncocytic"),
        ((ICD, "C73"), morphology("8021/3"), "ATC", "anaplastic"),
        ((ICD, "C73"), {}, None, "ICD-10 does not say the type"),
        ((ICD, "C34.1"), morphology("8260/3"), None, "a papillary carcinoma of the lung is another tumour"),
    ],
)
def test_histology(fhir, read, code, more, expected, why):
    assert value(read(fhir.coded("Condition", code, **more)), "histology") == expected, why


def test_two_histologies_are_for_a_person_to_decide(fhir, read):
    reading = read(
        fhir.coded("Condition", (SCT, "255029007"), uid="a"), fhir.coded("Condition", (SCT, "255032005"), uid="b")
    )
    assert value(reading, "histology") is None
    assert "MTC, PTC" in reasons(reading)


def test_metastases_give_sites_and_what_a_plan_addresses(fhir, read):
    reading = read(
        fhir.coded("Condition", (SCT, "94381002"), uid="liver", **status("active")),
        fhir.coded("Condition", (ICD, "C78.0"), uid="lung", recordedDate="2025-02-01", **status("active")),
        fhir.coded("Condition", (ICD, "C795"), uid="bone", **status("active")),
        fhir.coded("Condition", (SCT, "94225005"), uid="brain", **status("resolved")),
    )
    assert value(reading, "extrahepatic_sites") == frozenset({"lung", "bone"})
    assert reading.facts["extrahepatic_sites"].origin == "Condition/bone Condition/lung"
    assert value(reading, "m_stage") == "M1"
    assert reading.references["condition.liver_metastases"] == "Condition/liver"
    assert "Condition/brain" in reasons(reading)


def test_lymph_nodes_are_no_distant_metastases(fhir, read):
    reading = read(fhir.coded("Condition", (ICD, "C77.0"), **status("active")))
    assert value(reading, "extrahepatic_sites") == frozenset({"lymph_node"})
    assert value(reading, "m_stage") is None


@pytest.mark.parametrize(
    ("code", "more", "fact", "expected", "why"),
    [
        ((SCT, "302835009"), status("active", "confirmed"), "pheochromocytoma_status", "present", "confirmed"),
        ((SCT, "302835009"), status("active", "differential"), "pheochromocytoma_status", "suspected", "not confirmed"),
        ((SCT, "302835009"), status(None, "refuted"), "pheochromocytoma_status", "excluded", "refuted"),
        ((SCT, "302835009"), status("resolved"), "pheochromocytoma_status", None, "removed: not stated as excluded"),
        ((ICD, "K74.6"), status("active"), "cirrhosis", True, "ICD-10 with point"),
        ((SCT, "59927004"), status("active"), "clinical_liver_failure", True, "SNOMED CT"),
        ((ICD, "N18.5"), status("active"), "renal_failure", True, "kidney failure"),
        (
            (ICD, "N18.3"),
            status("active"),
            "renal_failure",
            None,
            "a stage is not a failure, and no cut-off is made up",
        ),
        ((SCT, "18165001"), status(None, "refuted"), "jaundice", False, "refuted means no"),
        ((ICD, "R50.9"), status("active"), "fever", True, "ICD-10"),
        ((SCT, "21522001"), status("active"), "abdominal_pain", True, "SNOMED CT"),
        ((SCT, "422400008"), status("active"), "nausea_or_vomiting", True, "one of the two"),
        ((SCT, "422400008"), status(None, "refuted"), "nausea_or_vomiting", None, "there may be nausea without it"),
        ((SCT, "16932000"), status(None, "refuted"), "nausea_or_vomiting", None, "one of both may be there"),
        ((SCT, "64779008"), status("active"), "coagulopathy_status", "uncorrected", "only a person can say corrected"),
    ],
)
def test_diseases(fhir, read, code, more, fact, expected, why):
    assert value(read(fhir.coded("Condition", code, **more)), fact) == expected, why


def test_silence_never_says_no(read):
    assert set(read().facts) == {"sex"}


@pytest.mark.parametrize(
    ("code", "more", "expected", "why"),
    [
        ((SCT, "107963000"), DONE, {"surgery"}, "liver excision names the liver"),
        ((SCT, "879916008"), {**DONE, **LIVER}, {"RFA"}, "ablation of the liver"),
        ((SCT, "879916008"), DONE, None, "ablation of nobody knows what"),
        (("http://www.ama-assn.org/go/cpt", "47382"), DONE, {"RFA"}, "CPT"),
        ((MODALITY_SYSTEM, "TACE"), DONE, {"TACE"}, "our own code"),
        ((MODALITY_SYSTEM, "TACE"), {**DONE, "status": "not-done"}, None, "it was not done"),
        ((MODALITY_SYSTEM, "TACE"), {**DONE, "status": "entered-in-error"}, None, "an error"),
        ((SCT, "57238002"), {**DONE, **LIVER}, None, "an embolisation may be TAE, TACE or TARE"),
        ((SCT, "440252007"), {**DONE, **LIVER, "usedCode": [{"coding": [{"system": SCT, "code": "764678003"}]}]},
         {"TARE"}, "Y-90 microspheres in the liver"),
    ],
)  # fmt: skip
def test_earlier_treatments_of_the_liver(fhir, read, code, more, expected, why):
    reading = read(fhir.coded("Procedure", code, **more))
    assert value(reading, "prior_lrt_modalities") == (frozenset(expected) if expected else None), why
    assert bool(reading.skipped) == (expected is None)


def test_treatments_elsewhere(fhir, read):
    ablation = fhir.coded("Procedure", (SCT, "879916008"), uid="lung", **DONE, **LUNG)
    beam = fhir.coded("Procedure", (SCT, "33195004"), uid="beam", **DONE, **LIVER)
    bone = fhir.coded("Procedure", (MODALITY_SYSTEM, "cementoplasty"), uid="bone", **DONE)
    uncoded = fhir.coded("Procedure", uid="uncoded", **DONE)
    reading = read(ablation, beam, bone, uncoded)
    assert value(reading, "lung_prior_ablation_count") == 1
    assert value(reading, "prior_ebrt_target") is True
    assert value(reading, "prior_lrt_modalities") is None
    assert "cementoplasty" in reasons(reading)
    assert "Procedure/uncoded: the procedure has no code" in reasons(reading)


@pytest.mark.parametrize("code", ["13619001", "24443003", "30956003"])
def test_the_removal_of_the_thyroid_is_known_and_is_no_earlier_treatment_of_a_metastasis(fhir, read, code):
    reading = read(fhir.coded("Procedure", (SCT, code), uid="neck", **DONE))
    assert "Procedure/neck: surgery of a site that no fact speaks of, so nothing is taken from it" in reasons(reading)
    assert value(reading, "prior_lrt_modalities") is None


def test_an_activity_in_an_extension_counts(fhir, read):
    quantity = {"value": Decimal("3.7"), "system": "http://unitsofmeasure.org", "code": "GBq"}
    inner = {"url": "activity", "valueQuantity": quantity}
    procedure = iodine(fhir, "p", "2020-01-01", kind="Procedure", extension=[{"url": "given", "extension": [inner]}])
    assert value(read(procedure), "rai_cumulative_activity_mci") == 100
    procedure["extension"].append({"url": "other", "valueQuantity": {**quantity, "value": 4}})
    assert value(read(procedure), "rai_cumulative_activity_mci") is None


def test_a_radioiodine_that_was_not_given_does_not_count(fhir, read):
    reading = read(iodine(fhir, "a", "2020-01-01", Decimal("3.7"), status="not-done"))
    assert value(reading, "rai_cumulative_activity_mci") is None
    assert "not-done" in reasons(reading)


def test_an_undated_administration_belongs_to_its_procedure(fhir, read):
    part = [{"reference": "Procedure/p"}]
    given = iodine(fhir, "m", "2020", Decimal("3.7"), partOf=part)
    procedure = iodine(fhir, "p", "2020", kind="Procedure")
    assert value(read(procedure, given), "rai_cumulative_activity_mci") == 100


def test_an_ended_condition_by_its_abatement(fhir, read):
    ended = fhir.coded("Condition", (ICD, "R17"), abatementDateTime="2025-01-01")
    assert value(read(ended), "jaundice") is None


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (status("inactive"), None),
        (status("active", "unconfirmed"), None),
        (status("active", "confirmed"), False),
    ],
)
def test_no_known_allergy_counts_only_when_it_is_current_and_confirmed(fhir, read, more, expected):
    assert (
        value(read(fhir.coded("AllergyIntolerance", (SCT, "716186003"), **more)), "contrast_media_allergy") == expected
    )


def test_the_last_treatment_is_dated(fhir, read):
    reading = read(
        fhir.coded("Procedure", (MODALITY_SYSTEM, "TACE"), uid="a", status="completed", performedDateTime="2024-05-01"),
        fhir.coded("Procedure", (MODALITY_SYSTEM, "RFA"), uid="b", status="completed", performedDateTime="2025-05-01"),
    )
    assert value(reading, "prior_lrt_count") == 2
    assert value(reading, "last_lrt_modality") == "RFA"
    assert reading.facts["last_lrt_modality"].observed_on == date(2025, 5, 1)


def test_an_undated_treatment_leaves_the_last_one_unknown(fhir, read):
    reading = read(
        fhir.coded("Procedure", (MODALITY_SYSTEM, "TACE"), uid="a", status="completed"),
        fhir.coded("Procedure", (MODALITY_SYSTEM, "RFA"), uid="b", status="completed", performedDateTime="2025-05-01"),
    )
    assert value(reading, "prior_lrt_count") == 2
    assert value(reading, "last_lrt_modality") is None


def iodine(fhir, uid, on, activity=None, unit="GBq", kind="MedicationAdministration", **more):
    concept = {"coding": [{"system": SCT, "code": "111160004"}]}
    if kind == "Procedure":
        resource = fhir.coded(
            "Procedure", (SCT, "440252007"), uid=uid, status="completed", performedDateTime=on, **more
        )
        resource["usedCode"] = [concept]
        return resource
    dose = {"dosage": {"dose": {"value": activity, "system": "http://unitsofmeasure.org", "code": unit}}}
    return {
        "resourceType": kind, "id": uid, "status": "completed", "medicationCodeableConcept": concept,
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": on, **(dose if activity else {}), **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        ([("a", "2020-01-01", Decimal("3.7"), "GBq"), ("b", "2021-01-01", 150, "mCi")], 250, "100 + 150 mCi"),
        (
            [("a", "2020-01-01", Decimal("3.7"), "GBq"), ("b", "2020-01-01", 3700, "MBq")],
            100,
            "one day is one treatment",
        ),
        (
            [("a", "2020-01-01", Decimal("3.7"), "GBq"), ("b", "2020-01-01", 150, "mCi")],
            None,
            "one day, two activities",
        ),
        ([("a", "2020-01-01", Decimal("3.7"), "GBq"), ("b", "2021-01-01", None, "GBq")], None, "one activity unknown"),
        ([("a", "2020-01-01", 3, "mg")], None, "a mass is no activity"),
    ],
)
def test_the_radioiodine_of_a_lifetime(fhir, read, given, expected, why):
    reading = read(*(iodine(fhir, uid, on, activity, unit) for uid, on, activity, unit in given))
    assert value(reading, "rai_cumulative_activity_mci") == expected, why


def test_a_radioiodine_procedure_takes_its_activity_from_the_administration(fhir, read):
    procedure = iodine(fhir, "p", "2020-01-01", kind="Procedure")
    given = iodine(fhir, "m", "2020-01-01", Decimal("5.55"))
    assert value(read(procedure, given), "rai_cumulative_activity_mci") == 150
    assert value(read(procedure), "rai_cumulative_activity_mci") is None


@pytest.mark.parametrize(
    ("code", "more", "expected", "why"),
    [
        ((SCT, "293637006"), {}, True, "named"),
        ((ATC, "V08AB02"), {}, True, "an iodinated agent"),
        ((SCT, "716186003"), {}, False, "no known allergy"),
        ((SCT, "293637006"), status(None, "refuted"), False, "refuted"),
        ((SCT, "293637006"), status(None, "unconfirmed"), True, "the harm is on one side only"),
        ((SCT, "716186003"), status(None, "entered-in-error"), None, "an error"),
        ((SCT, "387207008"), {}, None, "ibuprofen says nothing of contrast"),
    ],
)
def test_contrast_media(fhir, read, code, more, expected, why):
    assert value(read(fhir.coded("AllergyIntolerance", code, **more)), "contrast_media_allergy") == expected, why


def test_a_resource_about_nobody_is_listed(fhir, read):
    reading = read({**fhir.observation("1751-7", 40, "g/L"), "subject": {}})
    assert value(reading, "albumin_g_l") is None
    assert "about nobody" in reasons(reading)


def test_references_within_a_bundle_of_urns(fhir):
    urn = "urn:uuid:0b0f3b0e-6a3c-5f5e-8d77-1f0e0b8c4c11"
    person = fhir.patient()
    del person["id"]
    result = fhir.observation("1751-7", 40, "g/L", subject={"reference": urn})
    held = {"resourceType": "Bundle", "type": "collection",
            "entry": [{"fullUrl": urn, "resource": person}, {"resource": result}]}  # fmt: skip
    reading = BundleRecordSource(held).read([Identifier("12345", None)])
    assert value(reading, "albumin_g_l") == 40
    assert reading.patient_reference == "Patient?identifier=urn:oid:1.2.36.146.595.217.0.1|12345"

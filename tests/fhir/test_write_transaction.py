"""What one assessment becomes in FHIR: drafts, exact numbers, every input named, the same bytes for the same input."""

import json
from dataclasses import replace
from decimal import Decimal

import fhir_cases as cases
import pytest

from connector.core.assessment import Option, Reason
from connector.fhir.identity import CODE_SYSTEM, DIGEST_SYSTEM, IDENTIFIER_SYSTEM, content_digest
from connector.fhir.write_transaction import TransactionWriter, transaction
from connector.ports import WriteRequest


def bundle(assessed=None, **more):
    return cases.bundle_of(cases.write(assessed or cases.assessment(), **more))


def one(held, kind):
    (resource,) = cases.of_type(held, kind)
    return resource


def identifiers(held):
    return {entry["resource"]["identifier"][0]["value"] for entry in held["entry"] if "identifier" in entry["resource"]}


def test_what_stands_beside_recist_has_observations_of_its_own():
    held = bundle(cases.beside_recist())
    said = {each["identifier"][0]["value"].removeprefix(f"{cases.STUDY}:"): each
            for each in cases.of_type(held, "Observation")}  # fmt: skip
    uid = cases.lesion(1).tracking_uid
    assert said[f"viable:{uid}"]["component"][0]["valueQuantity"]["value"] == 8.5
    assert said[f"viability:{uid}"]["valueCodeableConcept"]["text"] == "non progressing"
    uptake = said[f"uptake:{uid}"]["component"]
    assert [part["valueQuantity"]["value"] for part in uptake] == [8.25, 6.5, 4.2, 23.1, -20.0, -18.0, 5.0]
    assert {"response:recist-1.1", "response:mrecist"} <= said.keys(), "two responses, never one"
    recist = said["response:recist-1.1"]["derivedFrom"]
    assert not {part["reference"] for part in recist if "reference" in part} & {
        part["reference"] for part in said["response:mrecist"]["derivedFrom"] if "reference" in part
    }


def test_the_same_request_gives_the_same_bytes():
    assert cases.write(cases.assessment()) == cases.write(cases.assessment())


def test_another_result_gives_another_identity():
    assert cases.write(cases.assessment()).identity != cases.write(cases.assessment(needs=())).identity


def test_without_a_record_nobody_is_known_to_write_about():
    request = WriteRequest(cases.assessment(), cases.IDENTITY, None, ())
    assert TransactionWriter().write(request) == ()


def test_everything_is_a_draft():
    held = bundle()
    assert (one(held, "CarePlan")["status"], one(held, "CarePlan")["intent"]) == ("draft", "proposal")
    assert one(held, "RiskAssessment")["status"] == "preliminary"
    assert {each["status"] for each in cases.of_type(held, "Observation")} == {"preliminary"}
    for entry in held["entry"]:
        if entry["resource"]["resourceType"] not in ("Device", "Provenance"):
            assert entry["resource"]["meta"]["security"][0]["code"] == "AIAST"


def test_every_resource_is_addressed_by_its_identifier_once():
    held = bundle()
    urls = [entry["request"]["url"] for entry in held["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in held["entry"]:
        resource, request = entry["resource"], entry["request"]
        if resource["resourceType"] == "Provenance":
            assert request == {"method": "POST", "url": "Provenance"}
            continue
        value = resource["identifier"][0]["value"]
        assert not set(value) & set("|,$\\ "), "separators of a search must not enter an identifier"
        assert request["url"] == f"{resource['resourceType']}?identifier={IDENTIFIER_SYSTEM}|{value}"
        assert request["method"] == "PUT"


def test_every_internal_reference_leads_to_an_entry():
    held = bundle()
    known = {entry["fullUrl"] for entry in held["entry"]}

    def walk(value):
        if isinstance(value, dict):
            reference = value.get("reference")
            if isinstance(reference, str) and reference.startswith("urn:"):
                assert reference in known
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk([entry["resource"] for entry in held["entry"]])


def test_decimals_keep_their_digits_on_the_wire():
    content = cases.write(cases.assessment()).content.decode()
    assert '"value":21.50' in content
    assert '"value":43.00' in content
    assert '"value":120.50' in content, "a dose in hundredths of a gray"
    assert '"probabilityDecimal":2.0' in content


def test_lesions_are_named_by_tracking_uid_and_only_measured_ones_have_a_size():
    held = bundle()
    named = {each["identifier"][1]["value"] for each in cases.of_type(held, "BodyStructure")}
    assert named == {"urn:oid:2.25.7001", "urn:oid:2.25.7002", "urn:oid:2.25.7003"}
    sizes = [each for each in cases.of_type(held, "Observation") if each["code"]["coding"][0]["code"] == "21889-1"]
    assert len(sizes) == 2
    assert sizes[0]["component"][0]["valueQuantity"] == {
        "value": 21.5, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm",
    }  # fmt: skip
    assert sizes[0]["focus"][0]["reference"] == held["entry"][1]["fullUrl"]
    assert sizes[0]["effectiveDateTime"] == "2026-04-07"


@pytest.mark.parametrize(
    ("overall", "trend"),
    [("CR", "268910001"), ("PR", "268910001"), ("SD", "359746009"), ("PD", "271299001"), ("NE", "709137006"),
     ("NON-CR/NON-PD", "359746009"), ("NA", "709137006")],
)  # fmt: skip
def test_the_response_says_its_category_and_trend(overall, trend):
    held = bundle(cases.assessment(response=cases.response(overall)))
    (said,) = [each for each in cases.of_type(held, "Observation") if each["code"]["coding"][0]["code"] == "97509-4"]
    assert [each["code"] for each in said["valueCodeableConcept"]["coding"]] == [trend, f"RECIST11-{overall}"]
    numbers = {each["code"]["coding"][0]["code"]: each["valueQuantity"]["value"] for each in said["component"]}
    assert numbers == {
        "sum-of-diameters": 43, "nadir": 30, "change-from-baseline": 7.5, "change-from-nadir": 43.3,
    }  # fmt: skip


def test_the_absorbed_dose_of_each_region():
    held = bundle()
    doses = [each for each in cases.of_type(held, "Observation") if each["code"]["coding"][0]["code"] == "128533"]
    assert [each["valueQuantity"]["value"] for each in doses] == [120.5, 31]
    assert doses[0]["focus"][0]["reference"]
    assert doses[1]["bodySite"] == {"text": "liver | all, $"}
    assert "&lt;right &amp; left&gt;" in doses[0]["text"]["div"]
    named = {each["code"].get("coding", [{}])[0].get("code"): each for each in doses[0]["component"]}
    interval = named["mean-interval"]["valueRange"]
    assert (interval["low"]["value"], interval["high"]["value"]) == (108, 133)
    assert interval["low"]["code"] == "Gy"
    assert named["bed"]["valueQuantity"]["value"] == 180


def test_the_risk_assessment_names_every_input_and_the_rules():
    risk = one(bundle(), "RiskAssessment")
    references = [each["reference"] for each in risk["basis"] if not each.get("reference", "urn:").startswith("urn:")]
    assert references == ["Condition/c1", "Condition/c2/_history/4", "Observation/o1/_history/3"]
    uids = [each["identifier"]["value"] for each in risk["basis"] if "identifier" in each]
    assert uids == [f"urn:oid:{cases.STUDY}", "urn:oid:2.25.9001"]
    assert risk["method"]["coding"] == [{"system": CODE_SYSTEM, "code": "thyroid-metastases-2026.12"}]
    assert [each["probabilityDecimal"] for each in risk["prediction"]] == [2, 4]
    assert "n = 210" in risk["prediction"][0]["rationale"]


def test_without_risks_it_is_still_a_risk_assessment():
    selected = replace(cases.selection(), risks=())
    assert "prediction" not in one(bundle(cases.assessment(selection=selected)), "RiskAssessment")


def test_the_plan_offers_in_rank_order_and_says_what_is_missing():
    plan = one(bundle(), "CarePlan")
    inside = {f"#{each['id']}": each for each in plan["contained"]}
    proposed = [inside[each["reference"]["reference"]] for each in plan["activity"] if "reference" in each]
    assert [each["code"]["text"] for each in proposed] == ["TACE", "CT of the liver", "calcitonin"]
    assert {(each["status"], each["intent"]) for each in proposed} == {("draft", "proposal")}, "never an order"
    assert [each.get("occurrenceDateTime") for each in proposed] == [None, "2026-05-07", None]
    assert proposed[0]["note"][0]["text"].endswith(
        "diffuse disease, good performance status (TACE-01; SOURCE_000, table 3)"
    )
    alternatives = [each["detail"]["code"]["text"] for each in plan["activity"] if "detail" in each]
    assert alternatives == ["RFA", "surgery"], "kept, after what is proposed"
    goals = [inside[each["reference"]] for each in plan["goal"]]
    assert [each["lifecycleStatus"] for each in goals] == ["proposed", "proposed"]
    assert [each["description"]["text"][:15] for each in goals] == ["Disease control", "No adverse even"]
    notes = "\n".join(each["text"] for each in plan["note"])
    assert "Missing facts: coagulopathy status" in notes
    assert "TARE: excluded" in notes
    assert "PEI: cannot be decided; needs coagulopathy status" in notes
    assert "not a clinical decision" in plan["description"]


def test_a_need_is_told_in_the_assessments_own_words():
    assessed = cases.assessment(needs=("response cannot be decided without a follow-up",))
    notes = [each["text"] for each in one(bundle(assessed), "CarePlan")["note"]]
    assert "Response cannot be decided without a follow-up" in notes


def test_the_plan_names_the_site_of_a_rank_where_several_are_ranked_by_themselves():
    options = (
        Option("TACE", "preferred", 1), Option("systemic_therapy", "possible", 2), Option("lung_RFA", "preferred", 1),
        Option("bone_embolisation", "possible", 2),
    )  # fmt: skip
    plan = one(bundle(cases.assessment(selection=replace(cases.selection(), options=options))), "CarePlan")
    lines = [each["detail"]["description"] for each in plan["activity"] if "detail" in each]
    assert lines == [
        "systemic therapy: possible, rank 2 (liver and whole body)",
        "bone embolisation: possible, rank 2 (bone)",
    ]


def requests_of(selected):
    plan = one(bundle(cases.assessment(selection=selected)), "CarePlan")
    return {each["id"]: each for each in plan.get("contained", ()) if each["resourceType"] == "ServiceRequest"}


def test_the_work_up_of_the_preferred_treatment_is_proposed_with_it():
    asked = [Reason("VASC-3PHASE", "A three-phase CT is needed.", cases.SOURCE),
             Reason("TAREW-ANGIO", "A simulation angiography precedes TARE.", cases.SOURCE),
             Reason("GEN-CONSENT", "The patient consents.", cases.SOURCE)]  # fmt: skip
    requests = requests_of(replace(cases.selection(), measures=tuple(asked)))
    assert requests["work-up-VASC-3PHASE"]["code"]["coding"][0]["code"] == "77477000", "CT by its SNOMED CT code"
    assert requests["work-up-VASC-3PHASE"]["category"][0]["text"] == "Imaging"
    assert "work-up-TAREW-ANGIO" not in requests, "TACE is preferred, not TARE"
    assert "work-up-GEN-CONSENT" not in requests, "a consent is no request to a department"


def test_an_open_answer_proposes_to_find_out_what_it_needs():
    held = replace(cases.selection("cannot_decide"), options=(), blocking=("child_pugh_score",))
    requests = requests_of(held)
    assert requests["fact-child-pugh-score"]["code"]["text"] == "Find out: Child-Pugh score"
    plan = one(bundle(cases.assessment(selection=held)), "CarePlan")
    assert "goal" not in plan, "nothing is proposed that could have a goal"


def test_what_is_left_to_the_board_is_no_procedure():
    selected = replace(cases.selection(preferred="board_only"), rules_fired=("TACE-SYM",))
    plan = one(bundle(cases.assessment(selection=selected)), "CarePlan")
    assert not [each for each in plan["contained"] if each["id"].startswith(("treatment", "goal"))]
    assert plan["activity"][-3]["detail"]["code"]["text"] == "decision of the board alone"
    assert plan["description"].startswith("No treatment is proposed: the board alone decides. ")
    relief = requests_and_goals(replace(cases.selection(), rules_fired=("TACE-SYM",)))
    assert "goal-symptoms" in relief


def requests_and_goals(selected):
    plan = one(bundle(cases.assessment(selection=selected)), "CarePlan")
    return {each["id"] for each in plan["contained"]}


def test_facts_that_contradict_each_other_are_an_issue_of_their_own():
    selected = replace(cases.selection("contradictory_data"), contradictions=("ecog_ps", "performance_status_class"))
    (issue,) = [each for each in cases.of_type(bundle(cases.assessment(selection=selected)), "DetectedIssue")
                if each["code"]["coding"][0]["code"] == "contradictory-data"]  # fmt: skip
    assert "ECOG performance status" in issue["detail"]
    assert issue["severity"] == "moderate"


def test_each_rule_that_excludes_is_an_issue():
    held = bundle(cases.assessment(selection=cases.selection(excluded_by=("TARE-07", "TARE-08"))))
    assert [each["code"]["coding"][0]["code"] for each in cases.of_type(held, "DetectedIssue")] == [
        "TARE-07",
        "TARE-08",
    ]


def test_an_earlier_study_writes_no_plan_and_asks_nobody():
    held = bundle(is_latest_study=False)
    assert cases.of_type(held, "CarePlan") == []
    assert cases.of_type(held, "Task") == []
    assert one(held, "RiskAssessment")


def test_the_task_asks_the_board():
    task = one(bundle(board="Organization/board"), "Task")
    assert task["owner"] == {"reference": "Organization/board"}
    assert task["for"] == {"reference": "Patient/p1"}
    assert (task["status"], task["intent"]) == ("requested", "proposal")
    assert "owner" not in one(bundle(), "Task")


def test_a_changed_result_replaces_the_plan_and_is_a_new_risk_assessment():
    before, after = bundle(), bundle(cases.assessment(input_digest="ef" * 32))
    new = identifiers(after) - identifiers(before)
    assert new == {f"{cases.STUDY}:{'ef' * 8}:risk", f"{cases.STUDY}:{'ef' * 8}:review"}


def test_the_tag_is_the_digest_of_the_content():
    held = bundle()
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in held["entry"]}
    for entry in held["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] != "Provenance":
            assert resource["meta"]["tag"] == [{"system": DIGEST_SYSTEM, "code": content_digest(resource, types)}]


@pytest.mark.parametrize(
    ("change", "same", "why"),
    [
        (lambda one: one["meta"].update(versionId="7", lastUpdated="2026-05-01T00:00:00Z"), True, "a server's meta"),
        (lambda one: one.update(id="abc"), True, "a server's id"),
        (lambda one: one.pop("text"), True, "a lost narrative"),
        (lambda one: one["component"][0]["valueQuantity"].update(value=Decimal("21.500")), True, "a trailing zero"),
        (lambda one: one["focus"][0].update(reference="BodyStructure/17"), True, "a resolved reference"),
        (lambda one: one["focus"][0].update(reference="https://x.test/fhir/BodyStructure/17"), True, "an absolute one"),
        (lambda one: one["component"][0]["valueQuantity"].update(value=22), False, "another size"),
        (lambda one: one.update(status="final"), False, "another status"),
        (lambda one: one["focus"][0].update(reference="Condition/17"), False, "another kind of focus"),
        (lambda one: one.update(note=[{"text": "seen"}]), False, "a note"),
    ],
)
def test_what_counts_as_a_touch(change, same, why):
    held = json.loads(cases.write(cases.assessment()).content, parse_float=Decimal)
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in held["entry"]}
    size = next(each for each in cases.of_type(held, "Observation") if each["code"]["coding"][0]["code"] == "21889-1")
    before = content_digest(size, types)
    change(size)
    assert (content_digest(size, types) == before) is same, why


@pytest.mark.parametrize(
    "change",
    [{"colour": "red"}, {"activity": {"detail": {}}}, {"subject": "Patient/p1"}, {"period": {"start": "soon"}}],
    ids=lambda change: next(iter(change)),
)
def test_the_models_refuse_a_resource_of_the_wrong_shape(change):
    plan = cases.of_type(bundle(), "CarePlan")[0]
    with pytest.raises(ValueError, match=r"not R4 at entry\.0\.resource"):
        transaction([{**plan, **change}])


def test_no_patient_data_beyond_the_reference():
    content = cases.write(cases.assessment()).content.decode()
    assert "12345" not in content
    assert "1961" not in content

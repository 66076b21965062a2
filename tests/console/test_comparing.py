"""Before a person decides whose images they are, images and record stand side by side, and what differs is said."""

import re
from datetime import date

import pytest
from console_case import IDENTITY, Desk, form_of, make_desk, set_aside

from connector.console.comparing import compare
from connector.console.wording import short_ref
from connector.core.case import Identifier, PatientIdentity
from connector.flow import RELEASE_HINT
from connector.store.contradicting import keep

REASON = f"the patient of the images and of the record contradict in sex: {RELEASE_HINT}"
IMAGES = PatientIdentity((Identifier("P1", "HOSP"),), "Müller-Lüd", "Ana Maria", date(1961, 2, 3), "F")
RECORD = PatientIdentity(
    (Identifier("99", "urn:social"), Identifier("P1", "urn:mrn")), "Mueller Lued", "Ana", date(1961, 3, 2), None
)


def test_each_line_says_what_agrees_and_what_does_not() -> None:
    said = {one.name: (one.sign, one.verdict) for one in compare(IMAGES, RECORD)}
    assert said == {
        "Family name": ("=", "Same, written otherwise"),
        "Given names": ("=", "Same, written otherwise"),
        "Birth date": ("≠", "Differs"),
        "Sex": ("?", "Not known on one side"),
        "Patient ID": ("=", "Same"),
        "Issuer of the ID": ("=", "Held equal by the settings"),
    }


@pytest.mark.parametrize(
    ("images", "record", "number", "issuer"),
    [
        (Identifier("P1"), Identifier("P1", "urn:mrn"), "Same", "Found by the number alone"),
        (Identifier("P1", "urn:mrn"), Identifier("P1", "urn:mrn"), "Same", "Same"),
        (Identifier("P1", "HOSP"), Identifier("P2", "urn:mrn"), "Differs", "Not compared: the numbers differ"),
        (Identifier("P1"), Identifier("P2", "urn:mrn"), "Differs", "Not compared: the numbers differ"),
        (Identifier("P1", "HOSP"), Identifier("P1"), "Same", "Not known on one side"),
    ],
    ids=[
        "no issuer was sent",
        "one spelling",
        "another number",
        "another number, no issuer",
        "the record names no system",
    ],
)
def test_the_number_is_compared_with_its_issuer(images, record, number, issuer) -> None:
    *_, of_number, of_issuer = compare(PatientIdentity((images,)), PatientIdentity((record,)))
    assert (of_number.verdict, of_issuer.verdict) == (number, issuer)


def test_of_images_that_cannot_be_read_nothing_is_said_to_agree() -> None:
    assert {(one.sign, one.images) for one in compare(None, RECORD)} == {("?", "not known")}
    assert {one.sign for one in compare(IMAGES, None)} == {"?"}


def test_numbers_of_the_record_that_the_images_do_not_carry_are_not_shown() -> None:
    assert not any("99" in one.record for one in compare(IMAGES, RECORD))


def _questioned(desk: Desk) -> tuple[str, str]:
    case_ref = set_aside(desk.bench, "1.2.3", REASON)
    with desk.bench.engine.begin() as connection:
        keep(connection, "1.2.3", RECORD, now=1e9)
    return case_ref, f"/cases/{case_ref}/studies/{short_ref('1.2.3')}"


@pytest.mark.parametrize("who", ["clara", "olga", "phil"])
@pytest.mark.parametrize("act", ["release", "reject"])
def test_whoever_may_decide_sees_both_before_and_it_is_written_down(desk: Desk, who, act) -> None:
    _, study = _questioned(desk)
    page = desk.browser(who).get(f"{study}/{act}").text
    (name,) = re.findall(r'<tr[^>]*><th scope="row">Family name.*?</tr>', page)
    assert "Testerin" in name, "the images"
    assert "Mueller Lued" in name, "the record"
    assert "≠</span> Differs" in name, "told by a sign and a word, not by colour alone"
    assert [(one["actor"], one["ref"]) for one in desk.events("identity_shown")] == [(who, "1.2.3")]


def test_the_page_of_the_case_shows_both_to_clinical_people_only(desk: Desk) -> None:
    case_ref, _ = _questioned(desk)
    assert "Mueller Lued" in desk.browser("clara").get(f"/cases/{case_ref}").text
    assert "Mueller Lued" not in desk.browser("olga").get(f"/cases/{case_ref}").text


def test_a_study_that_nobody_questions_shows_its_images_side_only(desk: Desk) -> None:
    case_ref = set_aside(desk.bench, "1.2.3", "the pixels do not decode")
    page = desk.browser("clara").get(f"/cases/{case_ref}/studies/{short_ref('1.2.3')}/reject").text
    assert "Testerin" in page
    assert "Record (EHR)" not in page
    assert "Compare it in the EHR" in page


def test_without_a_sign_in_nobody_decides_whose_images_they_are(tmp_path) -> None:
    """Nobody could be shown both: a name is needed first."""
    desk = make_desk(tmp_path)
    case_ref, study = _questioned(desk)
    client = desk.browser()
    assert [client.get(f"{study}/{act}").status_code for act in ("release", "reject", "restore")] == [403] * 3
    assert client.post(f"{study}/release", data={"reason": "because"}).status_code == 403
    pages = client.get(f"/cases/{case_ref}").text + client.get("/").text
    assert "Mueller" not in pages
    assert "Testerin" not in pages


def test_where_all_patients_are_made_up_a_caller_on_this_machine_sees_and_decides(tmp_path) -> None:
    desk = make_desk(tmp_path, made_up_patients=True)
    case_ref, study = _questioned(desk)
    client = desk.browser()
    assert "Testerin" in client.get("/").text
    assert "Made-up patients" in client.get(f"/cases/{case_ref}").text
    page = client.get(f"{study}/release")
    answer = client.post(f"{study}/release", data=form_of(page.text) | {"reason": "a typing error"})
    assert answer.status_code == 303
    assert desk.browser(host="10.0.0.9").get("/").status_code == 401, "and nobody from elsewhere"


def test_whom_the_worklist_names_is_seen_by_clinical_people_only_and_written_down_for_each_case(desk: Desk) -> None:
    refs = {set_aside(desk.bench, f"1.2.{number}", "x", patient=f"P{number}") for number in (1, 2)}
    clara = desk.browser("clara")
    assert IDENTITY.family_name in clara.get("/").text
    clara.get("/")
    shown = desk.events("identity_shown")
    assert {one["case_ref"] for one in shown} == refs
    assert len(shown) == 2, "a list that refreshes itself is one look"
    assert IDENTITY.family_name not in desk.browser("olga").get("/").text

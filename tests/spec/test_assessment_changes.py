"""What a board reads of an assessment beside the last one: what changed, why, and which fact to get first."""

from datetime import date
from decimal import Decimal

import pytest

from connector.contract.assessment import _known_of_visits
from connector.core.assessment import (
    DatedResponse,
    Earlier,
    Option,
    Reason,
    ResponseReport,
    Selection,
    VisitResponse,
)
from connector.core.catalogue import FACTS, in_words
from connector.core.changes import last_overall_response, what_changed
from connector.core.evidence import Citation
from connector.core.selection.registry import RULE
from connector.core.selection.sensitivity import Change, worth_knowing

START = date(2026, 1, 1)
SOURCE = Citation("S", "table 1")
NEW_RULE = "GEN-DER-PREG"


def selection(status, *options, contradictions=()):
    return Selection(status, options, contradictions=contradictions)


def option(modality, verdict, rank=None, rules=(), needs=()):
    return Option(modality, verdict, rank, tuple(Reason(rule, "text", SOURCE) for rule in rules), needs)


def response(word):
    visit = VisitResponse(START, None, None, None, None, "NA", "NA", word)
    nothing = DatedResponse("NE", None)
    return ResponseReport("recist-1.1", (visit,), nothing, nothing)


def change(fact, after, *preferred, before=None):
    return Change(fact, before, after, "recommend", preferred)


def earlier(before, word=None):
    return Earlier(START, "1.2.3", before, word)


TACE_FIRST = selection("recommend", option("TACE", "preferred", 1))


@pytest.mark.parametrize(
    ("before", "now", "said", "why"),
    [
        (earlier(None), None, [], "nothing to compare"),
        (earlier(TACE_FIRST), TACE_FIRST, [], "the same"),
        (earlier(None), TACE_FIRST, [], "the earlier one had no selection"),
        (
            earlier(TACE_FIRST),
            selection("cannot_decide", option("TACE", "cannot_decide", needs=("inr",))),
            ["“decided”, is now “cannot decide: facts", "TACE was preferred, now cannot be decided; now needed: INR."],
            "a need",
        ),
        (
            earlier(selection("cannot_decide", option("TACE", "cannot_decide", needs=("inr",)))),
            TACE_FIRST,
            ["“cannot decide: facts are", "TACE could not be decided, is now preferred; no longer open: INR."],
            "a need that is met",
        ),
        (
            earlier(TACE_FIRST),
            selection("recommend", option("TACE", "excluded", rules=(NEW_RULE, "A", "B", "C"))),
            [f"TACE was preferred, is now excluded; because “{RULE[NEW_RULE].text}” ({NEW_RULE}; "],
            "with rule and source",
        ),
        (
            earlier(TACE_FIRST),
            selection("recommend", option("TACE", "excluded", rules=("A", "B", "C", "D"))),
            ["because A, B, C, and 1 more."],
            "a rule that this version does not know keeps its id; four are too many",
        ),
        (
            earlier(selection("recommend", option("TACE", "excluded", rules=("ABL-ROUTE", "A")))),
            TACE_FIRST,
            ["TACE was excluded, is now preferred; no longer because A."],
            "a rule that only informs is no reason",
        ),
        (
            earlier(TACE_FIRST),
            selection("recommend", option("TARE", "preferred", 1)),
            ["TARE was not listed, is now preferred; TACE was preferred, is no longer listed."],
            "another list",
        ),
        (
            earlier(TACE_FIRST),
            selection("recommend", option("TACE", "preferred", 1), option("board_only", "preferred", 1)),
            ["decision of the board alone was not listed, is now preferred."],
            "the board is no treatment",
        ),
        (
            earlier(selection("recommend", option("TACE", "possible", 2))),
            selection("recommend", option("TACE", "possible", 3)),
            ["The order of other options changed"],
            "rank alone",
        ),
        (
            earlier(TACE_FIRST),
            selection("contradictory_data", option("TACE", "preferred", 1), contradictions=("rai_avid",)),
            ["is now “facts contradict each other”", "Now in contradiction: radioiodine avid."],
            "facts began to contradict",
        ),
        (
            earlier(selection("recommend", option("TACE", "preferred", 1), contradictions=("rai_avid",))),
            TACE_FIRST,
            ["No longer in contradiction: radioiodine avid."],
            "and ceased to",
        ),
    ],
)
def test_what_changed_is_said_with_its_reason(before, now, said, why):
    found = what_changed(before, now, None)
    if not said:
        assert found == (), why
        return
    assert found[0] == "Compared with the assessment on 2026-01-01:"
    assert len(found) == 1 + len(said), why
    assert all(words in sentence for words, sentence in zip(said, found[1:], strict=True))


@pytest.mark.parametrize(
    ("study", "expected", "why"),
    [
        ("1.2.3", "of the same images on 2026-01-01:", "the record or the rules changed"),
        ("1.2.4", "of earlier images on 2026-01-01:", "there are new images"),
    ],
)
def test_what_it_is_compared_with(study, expected, why):
    found = what_changed(earlier(None, "PR"), None, response("PD"), study_instance_uid=study)
    assert found[0] == f"Compared with the assessment {expected}", why


UNKNOWN = ("pheochromocytoma_status",)


@pytest.mark.parametrize(
    ("before", "now", "said", "why"),
    [
        (
            [option(one, "cannot_decide", needs=UNKNOWN) for one in ("TACE", "TARE", "TAE", "ablation_plus_TACE")],
            [option("TACE", "preferred", 1), *(option(one, "possible", 2)
                                               for one in ("TARE", "TAE", "ablation_plus_TACE"))],
            [("TACE could not be decided, is now preferred; TARE, TAE and ablation plus TACE could not be decided,"
              " are now possible; for all of these, no longer open: pheochromocytoma status.")],
            "one reason, one sentence",
        ),
        (
            [option("RFA", "cannot_decide", needs=("inr",)), option("TACE", "possible", 1)],
            [option("RFA", "excluded", rules=("A",)), option("TACE", "excluded", rules=("A",))],
            [("RFA could not be decided, is now excluded; TACE was possible, is now excluded; for all of these,"
              " because A.")],
            "what an excluded option needed is as unknown as it was",
        ),
        (
            [option("TACE", "possible", 1), option("TARE", "possible", 2),
             option("RFA", "cannot_decide", needs=("inr",))],
            [option("TACE", "cannot_decide", needs=UNKNOWN), option("TARE", "cannot_decide", needs=UNKNOWN),
             option("RFA", "relative_contraindication", 1)],
            [
                ("TACE and TARE were possible, now cannot be decided; for all of these, now needed:"
                 " pheochromocytoma status."),
                "RFA could not be decided, is now relatively contraindicated; no longer open: INR.",
            ],
            "two reasons, two sentences",
        ),
        (
            [option("TACE", "possible", 1), option("TARE", "possible", 2)],
            [option("TACE", "excluded", rules=(NEW_RULE,)), option("TARE", "excluded", rules=("A", NEW_RULE))],
            [
                (f"TACE was possible, is now excluded; because “{RULE[NEW_RULE].text}” ({NEW_RULE}; "
                 f"{RULE[NEW_RULE].cite})."),
                f"TARE was possible, is now excluded; because A, {NEW_RULE} as above.",
            ],
            "the words of a rule are told once",
        ),
    ],
)  # fmt: skip
def test_options_that_one_reason_moved_are_told_together(before, now, said, why):
    found = what_changed(earlier(selection("recommend", *before)), selection("recommend", *now), None)
    assert list(found[1:]) == said, why


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [("PR", "PD", ("Overall response was PR, is now PD.",)), ("PR", "PR", ()), (None, "PD", ()), ("PR", None, ())],
)
def test_a_changed_response_is_said(before, now, expected):
    report = None if now is None else response(now)
    assert last_overall_response(report) == now
    assert what_changed(earlier(None, before), None, report)[1:] == expected


@pytest.mark.parametrize(
    ("changes", "expected", "why"),
    [
        ([], (), "nothing would change"),
        ([change("inr", 3, "TACE", before=1)], (), "a known fact is not to be got"),
        ([change("inr", 3)], (), "it decides nothing"),
        ([change("inr", 3, "RAI")], (), "it confirms what is first"),
        (
            [change("inr", Decimal("1.8"), "TACE")],
            ("Worth knowing: INR; TACE would be first if it is for example 1.8",),
            "a number stands for its neighbours",
        ),
        (
            [change("child_pugh_score", 7, "TARE")],
            ("Worth knowing: Child-Pugh score; TARE would be first if it is for example 7",),
            "a whole number too",
        ),
        (
            [change("pregnancy_status", "not_pregnant", "ablation_plus_TACE")],
            ("Worth knowing: pregnancy status; ablation plus TACE would be first if it is not pregnant",),
            "words as a person writes them",
        ),
        (
            [change("men2_status", "men2a", "TACE")],
            ("Worth knowing: MEN2 status; TACE would be first if it is MEN2A",),
            "and abbreviations as they are spelt",
        ),
        (
            [change("renal_failure", True, "RFA", "MWA"), change("renal_failure", False, "TACE")],
            (("Worth knowing: renal failure; RFA or MWA would be first if so, TACE would be first if not"),),
            "each value with its answer",
        ),
        (
            [change("ascites_grade", "mild", "TACE"), change("ascites_grade", "none", "TACE")],
            ("Worth knowing: ascites grade; TACE would be first if it is mild or none",),
            "values of one answer together",
        ),
        (
            [change(name, True, "TACE") for name in ("cirrhosis", "jaundice", "fdg_avid")],
            (
                "Worth knowing: cirrhosis; TACE would be first if so",
                "Worth knowing: jaundice; TACE would be first if so",
            ),
            "two sentences at most",
        ),
        (
            [change("histology", *one) for one in (("PTC", "RFA"), ("FTC", "TACE"), ("MTC", "MWA"), ("HTC", "TARE"))],
            (
                (
                    "Worth knowing: histology; RFA would be first if it is PTC, TACE would be first if it is FTC, "
                    "MWA would be first if it is MTC"
                ),
            ),
            "three answers at most",
        ),
    ],
)
def test_the_fact_worth_getting_first_is_named(changes, expected, why):
    assert worth_knowing(changes, now=("RAI",)) == expected, why


@pytest.mark.parametrize(
    ("now", "led_to", "worth", "why"),
    [
        (("board_only", "lung_RFA"), ("lung_RFA",), False, "without liver lesions the lung's treatment is the same"),
        (("lung_RFA",), ("board_only", "lung_RFA"), False, "and the other way round"),
        (("lung_RFA",), ("board_only",), True, "then nothing is left to treat with"),
        (("board_only",), ("lung_RFA",), True, "then there is something"),
        (("board_only", "lung_RFA"), ("systemic_therapy", "lung_RFA"), True, "a drug comes first instead"),
    ],
)
def test_that_the_board_decides_of_one_site_is_no_other_treatment(now, led_to, worth, why):
    assert bool(worth_knowing([change("liver_lesion_count", 0, *led_to)], now=now)) is worth, why


@pytest.mark.parametrize(
    ("led_to", "first", "why"),
    [
        (("lung_RFA", "systemic_therapy"), "lung RFA or systemic therapy", "tied within the lung, which leads"),
        (("systemic_therapy", "lung_RFA"), "systemic therapy and lung RFA", "the drug leads, and the lung has its own"),
        (("RFA", "MWA", "cementoplasty"), "RFA or MWA and cementoplasty", "liver and bone go beside each other"),
        (("board_only", "cementoplasty"), "cementoplasty", "the board is no treatment"),
    ],
)
def test_treatments_of_two_sites_are_no_alternatives(led_to, first, why):
    (said,) = worth_knowing([change("inr", 3, *led_to)], now=("RAI",))
    assert said == f"Worth knowing: INR; {first} would be first if it is for example 3", why


# Every unit, and every abbreviation that a name holds.
IN_WORDS = """
bilirubin_total_umol_l|bilirubin total (µmol/L)
albumin_g_l|albumin (g/L)
calcitonin_pg_ml|calcitonin (pg/mL)
cea_ng_ml|CEA (ng/mL)
egfr_ml_min_1_73m2|eGFR (mL/min/1.73 m²)
n1_largest_mm|N1 largest (mm)
tumour_volume_ml|tumour volume (mL)
lung_mass_kg|lung mass (kg)
prior_lung_dose_gy|prior lung dose (Gy)
prescribed_activity_gbq|prescribed activity (GBq)
maa_activity_mbq|MAA activity (MBq)
rai_planned_activity_mci|radioiodine planned activity (mCi)
height_m|height (m)
liver_tumour_burden_percent|liver tumour burden (%)
lung_shunt_fraction|lung shunt (0 to 1)
life_expectancy_months|life expectancy (months)
tare_ae_weeks|TARE adverse event (weeks)
maa_workup_age_days|MAA work-up age (days)
age_years|age (years)
child_pugh_score|Child-Pugh score
ecog_ps|ECOG performance status
days_since_lrt|days since local treatment
tki_interruption_planned|TKI interruption planned
tn_ratio|tumour-to-normal ratio
albi_grade|ALBI grade
inr|INR
tg_trend|thyroglobulin trend
fdg_avid|FDG avid
mdt_review_done|tumour board review done
men2_status|MEN2 status
ret_mutation|RET mutation
systemic_therapy_anti_vegf|systemic therapy anti VEGF
prior_ebrt_target|prior external beam radiotherapy target
ssa_receptor_imaging_positive|somatostatin receptor imaging positive
tace_contraindicated|TACE contraindicated
main_pvt_targeting_poor|main portal vein thrombosis targeting poor
ctcae_grade_max|CTCAE grade max
recist_sum_nadir_mm|RECIST sum nadir (mm)
pt_stage|pT stage
n_stage|N stage
m_stage|M stage
braf_v600e|BRAF V600E
"""


@pytest.mark.parametrize("row", IN_WORDS.strip().splitlines(), ids=lambda row: row.partition("|")[0])
def test_a_fact_reads_as_words(row):
    name, _, expected = row.partition("|")
    assert name in FACTS
    assert in_words(name) == expected


def test_a_visit_of_a_newer_version_is_read_back_without_what_is_not_known():
    visit = {"on": "2026-01-01", "overall_response": "PR", "of_a_newer_version": 1}
    assert _known_of_visits({"visits": [visit]}) == {"visits": [{"on": "2026-01-01", "overall_response": "PR"}]}
    assert _known_of_visits(None) is None, "a study without response"

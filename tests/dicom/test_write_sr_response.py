"""What the report says of response and dose, and in which words."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import written_cases as cases
from sr_case import answers, with_visit, write

from connector.core.assessment import DatedResponse, FollowUp, Option, Reason, Selection, VisitResponse
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation


@pytest.fixture
def paths(tmp_path):
    return cases.make_study(tmp_path)


class TestResponse:
    @pytest.mark.parametrize(
        ("response", "code"),
        [("CR", "C4870 NCIt"), ("PR", "C18058 NCIt"), ("SD", "C18213 NCIt"), ("PD", "C35571 NCIt"),
         ("NE", "C62222 NCIt"), ("NON-CR/NON-PD", "NON_CR_NON_PD 99IRTCONNECTOR"),
         ("NA", "NOT_APPLICABLE 99IRTCONNECTOR")],
    )  # fmt: skip
    def test_overall_responses(self, paths, response, code):
        assert answers(write(with_visit(overall_response=response), paths), "Current Response") == [code]

    @pytest.mark.parametrize(
        ("response", "code"),
        [("CR", "112041 DCM"), ("PR", "112042 DCM"), ("PD", "112043 DCM"), ("SD", "112044 DCM"), ("NE", "C62222 NCIt")],
    )
    def test_target_responses(self, paths, response, code):
        document = write(with_visit(target_response=response), paths)
        assert answers(document, "Response of the target lesions") == [code]

    @pytest.mark.parametrize(
        ("response", "code"),
        [("CR", "112045 DCM"), ("NON-CR/NON-PD", "112046 DCM"), ("PD", "112047 DCM"), ("NE", "C62222 NCIt")],
    )
    def test_non_target_responses(self, paths, response, code):
        document = write(with_visit(non_target_response=response), paths)
        assert answers(document, "Response of the non-target lesions") == [code]

    def test_a_response_without_a_code_is_refused_not_guessed(self, paths):
        with pytest.raises(ImpossibleInput, match="has no DICOM code"):
            write(with_visit(overall_response="MR"), paths)

    @pytest.mark.parametrize(
        ("new_lesion", "expected"),
        [("none", ["NO_NEW_LESION 99IRTCONNECTOR"]), ("equivocal", ["EQUIVOCAL_NEW 99IRTCONNECTOR"]),
         ("unequivocal", ["UNEQUIVOCAL_NEW 99IRTCONNECTOR"]), (None, [])],
    )  # fmt: skip
    def test_a_new_lesion_is_what_response_was_judged_by(self, paths, new_lesion, expected):
        assert answers(write(with_visit(new_lesion=new_lesion), paths), "New lesion") == expected

    @pytest.mark.parametrize(
        ("confirm", "leading", "other"),
        [("false", "C18058 NCIt", "Confirmed Best Overall Response"),
         ("true", "C18213 NCIt", "Unconfirmed Best Overall Response")],
    )  # fmt: skip
    def test_the_policy_says_which_best_response_leads(self, paths, confirm, leading, other):
        response = replace(cases.response(), policies={"confirm": confirm})
        document = write(cases.assessment(1, response=response), paths)
        assert answers(document, "Best Overall Response") == [leading]
        assert len(answers(document, other)) == 1

    def test_sums_and_changes_are_said_with_their_units(self, paths):
        document = write(cases.assessment(1), paths)
        assert answers(document, "Measurement of Response") == ["46.8 mm"]
        assert answers(document, "Derivation") == ["SUM_DIAMETERS 99IRTCONNECTOR"]
        assert answers(document, "Sum of diameters at baseline") == ["67.0 mm"]
        assert answers(document, "Change of the sum from baseline") == ["-30.1 %"]

    def test_another_visit_never_speaks_for_this_study(self, paths):
        response = cases.response()
        other_day = VisitResponse(date(2026, 3, 1), Decimal(1), None, None, None, "CR", "NA", "CR")
        document = write(cases.assessment(1, response=replace(response, visits=(other_day,))), paths)
        assert answers(document, "Current Response") == []
        assert answers(document, "Point to check in the response")[0].startswith("No response for this study")

    def test_the_baseline_study_is_called_so(self, paths):
        assessed = cases.assessment(1)
        document = write(replace(assessed, time_points=assessed.time_points[1:]), paths)
        assert set(answers(document, "Time Point Type")) == {"C1442488 UMLS"}

    def test_mrecist_has_our_own_code(self, paths):
        response = replace(cases.response(), criteria="mrecist", best_overall_response=DatedResponse("NE", None))
        document = write(cases.assessment(1, response=response), paths)
        assert "MRECIST 99IRTCONNECTOR" in answers(document, "Measurement Method")


class TestDose:
    def test_statistics_stand_in_a_group_of_the_region(self, paths):
        document = write(cases.assessment(0, dose=cases.dose()), paths)
        assert answers(document, "Mean Absorbed Radiation Dose") == ["65.85 Gy"] * 3, "two regions and the normal liver"
        assert answers(document, "V50: part of the volume with at least 50 Gy") == ["62.0 %"] * 3
        assert answers(document, "D95: lowest dose in the hottest 95 % of the volume") == ["6.6 Gy"] * 3
        assert answers(document, "Biologically effective dose") == ["88.2 Gy"]
        assert answers(document, "Equivalent dose in 2 Gy fractions") == ["73.5 Gy"]
        assert "normal liver" in answers(document, "Tracking Identifier")

    def test_how_sure_a_dose_and_a_volume_are(self, paths):
        document = write(cases.assessment(0, dose=cases.dose()), paths)
        assert answers(document, "Mean absorbed dose less two standard uncertainties") == ["58.35 Gy"]
        assert answers(document, "Mean absorbed dose plus two standard uncertainties") == ["73.85 Gy"]
        assert answers(document, "Volume less two standard uncertainties") == ["4.25 ml"]
        assert answers(document, "Volume plus two standard uncertainties") == ["6.5 ml"]

    def test_the_dose_against_a_recommendation_is_a_finding_with_its_source(self, paths):
        document = write(cases.assessment(0, dose=cases.dose()), paths)
        assert answers(document, "Finding") == [
            "T01 (tumour) has 65.9 Gy, not as recommended [EANM guideline 2022, Table 2]"
        ]

    def test_how_it_was_made_is_one_readable_sentence(self, paths):
        how = (
            "nuclide=Y-90; method=local_deposition; energy_j_gbq=49.67; profile=seed; scale=1; "
            "decay reference=series time; decay hours=3.5"
        )
        document = write(cases.assessment(0, dose=cases.dose()), paths)
        assert how in answers(document, "Algorithm Parameters")
        assert answers(document, "Conclusion") == [f"Absorbed dose map with 2 region(s): {how}"]


LUNG_BESIDE_LIVER = (Option("TACE", "cannot_decide", None), Option("lung_RFA", "preferred", 1))


class TestWords:
    @pytest.mark.parametrize(
        ("selection", "expected"),
        [
            (Selection("recommend", cases.selection().options), "Draft for the tumour board: preferred TARE"),
            (
                Selection("recommend", (Option("board_only", "preferred", 1),)),
                "Draft for the tumour board: no treatment is proposed, the board alone decides",
            ),
            (Selection("cannot_decide", cases.selection().options, missing=("x",)),
             "Cannot decide: needs performance status"),
            (Selection("cannot_decide", (), missing=("lung_shunt",)), "Cannot decide: needs lung shunt"),
            (Selection("cannot_decide", ()), "Cannot decide: needs more facts"),
            (Selection("cannot_decide", LUNG_BESIDE_LIVER, blocking=("liver_lesion_count",)),
             "Cannot decide: needs liver lesion count; preferred at another site: lung RFA (lung)"),
            (Selection("excluded_all", ()), "Every locoregional option is excluded"),
            (Selection("excluded_all", (Option("RAI", "preferred", 1),)),
             "Every locoregional option is excluded: preferred RAI"),
            (Selection("excluded_all", (Option("board_only", "preferred", 1),)),
             "Every locoregional option is excluded: no treatment is proposed, the board alone decides"),
            (Selection("contradictory_data", ()), "Contradictory data, no option is preferred"),
        ],
    )  # fmt: skip
    def test_the_conclusion_comes_first(self, paths, selection, expected):
        assert answers(write(cases.assessment(1, selection=selection), paths), "Conclusion")[0] == expected

    def test_what_is_missing_is_said_once(self, paths):
        selection = Selection("cannot_decide", (), missing=("a_fact", "b_fact"))
        document = write(cases.assessment(1, selection=selection, needs=("clearer with: a_fact",)), paths)
        assert answers(document, "Missing information") == ["clearer with: a fact", "Facts not known: b fact"]

    def test_every_fact_that_is_not_known_is_named(self, paths):
        """The board's report has no room for all of them, and points here."""
        names = tuple(f"fact_{letter}" for letter in "abcdefijklno")
        document = write(cases.assessment(1, selection=Selection("cannot_decide", (), missing=names)), paths)
        (told,) = answers(document, "Missing information")
        assert told == "Facts not known: " + ", ".join(name.replace("_", " ") for name in names)

    def test_the_marks_of_our_own_readings_are_said_in_words(self, paths):
        source = Citation("CIRSE 2022", "section 4.2")
        marked = Reason("R-1", "good status [DERIVED, confirm]", source)
        visit = FollowUp("a CT [DERIVED, confirm]", "after one month", "FU-1", source)
        selection = Selection("recommend", (Option("TACE", "preferred", 1, (marked,)),), follow_up=(visit,))
        changes = ("TACE is now preferred; because “good status [DERIVED, confirm]” (R-1).",)
        document = write(cases.assessment(1, selection=selection, changes=changes), paths)
        for told in ("Treatment option", "Follow-up", "Finding"):
            assert any("(our reading, confirm)" in said for said in answers(document, told)), told

    def test_an_empty_assessment_cannot_decide_and_says_what_it_needs(self, paths):
        need = "response cannot be decided without a follow-up"
        document = write(cases.assessment(0, needs=(need,)), paths)
        assert answers(document, "Conclusion") == [f"Cannot decide: {need}"]

"""Reports of any vendor: what is a lesion, in which unit, with which role, and what is refused and why."""

from datetime import date
from decimal import Decimal

import image_case as case
import pytest

from connector.core.case import LesionRole, LesionState
from connector.core.errors import ImpossibleInput
from connector.dicom import codes
from connector.dicom.headers import read_header
from connector.dicom.read_measurements import read_measurements

DAY = date(2026, 1, 2)
LIVER_SITE = case.coded(case.SITE, ("10200004", "SCT", "Liver"), "HAS CONCEPT MOD")
METASTASIS = case.coded(case.FINDING, case.LESION)


def read(path):
    (report,) = read_measurements(read_header(path), DAY)
    return report


def lesions(folder, *groups, **changes):
    return read(case.report(folder, *groups, **changes)).lesions


def one(folder, *items, **tracking):
    found = lesions(folder, case.group(*items, **tracking))
    assert len(found) == 1
    return found[0]


def test_the_sample_report_with_two_groups_of_one_lesion():
    found = read(case.DATA / "synthetic-ct" / "sr.dcm")
    assert (len(found.lesions), found.time_point_label, found.skipped) == (1, "TP2", ())
    lesion = found.lesions[0]
    assert (lesion.long_axis_mm, lesion.short_axis_mm, lesion.volume_ml) == (Decimal(20), Decimal(15), Decimal("6.4"))
    assert (lesion.tracking_id, lesion.site, lesion.role) == ("L1", "liver", LesionRole.TARGET)


def test_the_sample_report_of_a_volume_without_diameters():
    (lesion,) = read(case.DATA / "dcmqi-report" / "sr.dcm").lesions
    assert (lesion.volume_ml, lesion.long_axis_mm, lesion.state) == (Decimal("33.5824"), None, LesionState.PRESENT)


def test_the_sample_report_with_all_kinds_of_groups_holds_one_lesion():
    (lesion,) = read(case.DATA / "highdicom" / "sr_document_with_multiple_groups.dcm").lesions
    assert (lesion.tracking_id, lesion.site, lesion.long_axis_mm) == ("LungNodule0001", "lung", Decimal(10))
    assert lesion.flags == ("measured as one diameter: taken as the long axis",), "aorta and vertebra are no lesions"


def test_the_sample_report_in_pixels_is_refused_by_group():
    found = read(case.DATA / "dcmjs" / "sample-sr.dcm")
    assert found.lesions == ()
    assert found.skipped[0].reason == (
        "measurement group 1: the long axis is in 'px', not in mm or cm: calibrate the image and measure it again"
    )


def test_the_sample_dose_report_is_no_measurement_report():
    with pytest.raises(ImpossibleInput, match="no measurement groups"):
        read(case.DATA / "synthetic-ct" / "rrd.dcm")


@pytest.mark.parametrize(
    ("measured", "expected", "why"),
    [
        ((case.LONG, "21.5", "mm"), "21.5", "millimetres as written"),
        ((case.LONG, "2.15", "cm"), "21.5", "centimetres are converted exactly"),
        ((case.LONG, "64.4505437946691", "mm"), "64.4505437946691", "every digit as written, no binary float"),
        ((case.LONG, "1.2E+1", "mm"), "12", "an exponent is a number"),
        ((("G-A185", "SRT", "Long Axis"), "21.5", "mm"), "21.5", "the code before SNOMED CT"),
    ],
)
def test_long_axes(tmp_path, measured, expected, why):
    assert one(tmp_path, case.number(*measured)).long_axis_mm == Decimal(expected), why


def test_short_axes_in_old_codes(tmp_path):
    old = (case.number(("G-A185", "SRT", "Long Axis"), "9"), case.number(("G-A186", "SRT", "Short Axis"), "7"))
    assert one(tmp_path, *old).short_axis_mm == 7


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [("6400", "mm3", "6.4"), ("6.4", "cm3", "6.4"), ("6.4", "ml", "6.4"), ("6.4", "mL", "6.4"), ("1.2", "l", "1200")],
)
def test_volumes(tmp_path, value, unit, expected):
    volume = case.number(("118565006", "SCT", "Volume"), value, unit)
    assert one(tmp_path, METASTASIS, volume).volume_ml == Decimal(expected)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        pytest.param([case.number(case.LONG, "12", "1")], "in '1'", id="no unit"),
        pytest.param([case.number(case.LONG, "12", "[in_i]")], "not in mm or cm", id="inches"),
        pytest.param([case.number(case.LONG, "-3")], "negative", id="a negative size"),
        pytest.param([case.number(case.LONG, "9"), case.number(case.SHORT, "9.1")], "longer than", id="axes swapped"),
        pytest.param(
            [METASTASIS, case.number(("118565006", "SCT", "Volume"), "3", "px")], "volume is in", id="voxels"
        ),
        pytest.param(
            [METASTASIS, case.number(("118565006", "SCT", "Volume"), "-3", "ml")], "negative", id="a negative volume"
        ),
        pytest.param([case.number(("G-D7FE", "SRT", "Length"), "39")], "without a finding", id="a length of what?"),
        pytest.param(
            [case.number(case.LONG, "9", MeasuredValueSequence=[case.item(NumericValue="9")])], "no unit",
            id="unit left out",
        ),
    ],
)  # fmt: skip
def test_groups_refused_with_a_reason(tmp_path, items, told):
    found = read(case.report(tmp_path, case.group(*items), case.group(case.number(case.LONG, "8"), uid="1.9.2")))
    assert [lesion.tracking_uid for lesion in found.lesions] == ["1.9.2"], "the other group is not lost with it"
    assert len(found.skipped) == 1
    assert found.skipped[0].reason.startswith("measurement group 1: ")
    assert told in found.skipped[0].reason


@pytest.mark.parametrize(
    ("items", "state", "flagged", "why"),
    [
        ([case.number(case.LONG, "9")], LesionState.MEASURED, False, "a diameter"),
        ([case.number(case.LONG, "0")], LesionState.ABSENT, False, "0 mm is absent"),
        ([case.number(case.SHORT, "0")], LesionState.ABSENT, False, "0 mm across is absent"),
        ([case.number(case.LONG, "9", MeasuredValueSequence=case.ABSENT)], LesionState.NOT_EVALUABLE, True,
         "a measurement without a value"),
        ([case.number(case.LONG, "")], LesionState.NOT_EVALUABLE, True, "an empty value"),
        ([case.coded(case.CATEGORY, ("112075", "DCM", "Non-Target"))], LesionState.PRESENT, False,
         "a role without a size"),
        ([METASTASIS, case.number(("118565006", "SCT", "Volume"), "3", "ml")], LesionState.PRESENT, False,
         "a volume alone"),
        ([case.coded(("LESION_STATE", codes.OUR_SCHEME, "State"), ("TOO_SMALL", codes.OUR_SCHEME, "Too small"))],
         LesionState.TOO_SMALL, False, "our own word in an earlier report"),
    ],
)  # fmt: skip
def test_how_a_lesion_was_found(tmp_path, items, state, flagged, why):
    lesion = one(tmp_path, *items)
    assert lesion.state is state, why
    assert bool(lesion.flags) == flagged, why


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([case.coded(case.FINDING, ("15825003", "SCT", "Aorta")),
          case.coded(("276214006", "SCT", "Finding category"), ("91723000", "SCT", "Anatomical structure")),
          case.number(case.LONG, "20")], "an anatomical structure"),
        ([case.coded(case.FINDING, ("12738006", "SCT", "Brain")), case.number(case.LONG, "20")], "an organ"),
        ([case.coded(case.CATEGORY, ("112076", "DCM", "Non-Lesion")), case.number(case.LONG, "20")], "a non-lesion"),
        ([case.number(("X6K6", "IBSI", "Mean"), "3", "1")], "nothing but an intensity"),
        ([case.number(case.LONG, "9", RelationshipType="HAS OBS CONTEXT")], "a number that is context"),
    ],
)  # fmt: skip
def test_groups_that_are_no_lesions(tmp_path, items, why):
    found = read(case.report(tmp_path, case.group(*items)))
    assert (found.lesions, found.skipped) == ((), ()), why


def site(*concept):
    return case.coded(case.SITE, concept, "HAS CONCEPT MOD")


@pytest.mark.parametrize(
    ("items", "expected", "why"),
    [
        ([LIVER_SITE], ("liver", False, None), "finding site"),
        ([site("T-62000", "SRT", "Liver")], ("liver", False, None), "the code before SNOMED CT"),
        ([site("59441001", "SCT", "Lymph node")], ("lymph_node", True, None), "a node"),
        ([site("61492009", "SCT", "x")], ("lymph_node", True, None), "a hepatic node, by the standard's name"),
        ([case.coded(case.FINDING, ("59441001", "SCT", "Lymph node"))], ("lymph_node", True, None), "node as finding"),
        ([site("66794005", "SCT", "L1")], ("bone", False, None), "a vertebra"),
        ([case.coded(case.FINDING, ("94381002", "SCT", "Secondary malignant neoplasm of liver"))],
         ("liver", False, None), "a disorder that names the organ is a lesion of it"),
        ([site("1", "99X", "Left lobe of liver")], ("liver", False, "left"), "a lobe by its name"),
        ([LIVER_SITE, case.coded(("LIVER_LOBE", codes.OUR_SCHEME, "Lobe"), ("RIGHT_LOBE", codes.OUR_SCHEME, "R"))],
         ("liver", False, "right"), "a lobe in our own earlier report"),
        ([], ("other", False, None), "nothing told"),
    ],
)  # fmt: skip
def test_organs(tmp_path, items, expected, why):
    lesion = one(tmp_path, case.number(case.LONG, "12"), *items)
    assert (lesion.site, lesion.lymph_node, lesion.liver_lobe) == expected, why


@pytest.mark.parametrize(
    ("category", "role"),
    [("112074", LesionRole.TARGET), ("112075", LesionRole.NON_TARGET), ("1", None)],
)
def test_roles(tmp_path, category, role):
    items = (case.number(case.LONG, "12"), case.coded(case.CATEGORY, (category, "DCM", "x")))
    assert one(tmp_path, *items).role is role


def test_a_lesion_without_tracking_gets_a_stable_uid_and_a_flag(tmp_path):
    first = one(tmp_path / "a", case.number(case.LONG, "12"), label=None, uid=None)
    again = one(tmp_path / "b", case.number(case.LONG, "12"), label=None, uid=None)
    assert first.tracking_uid == again.tracking_uid
    assert first.tracking_id == "group 1"
    assert "no tracking UID" in first.flags[0]


LUNG_SITE = case.coded(case.SITE, ("39607008", "SCT", "Lung"), "HAS CONCEPT MOD")


@pytest.mark.parametrize(
    ("groups", "expected", "conflicts", "why"),
    [
        (([case.number(case.LONG, "12")], [case.number(case.LONG, "12.0")]), "12", (), "the same twice is one lesion"),
        (([case.number(case.LONG, "12")], [case.number(case.SHORT, "8")]), "12", (), "each tells a part of it"),
        (([case.number(case.LONG, "12"), LIVER_SITE], [METASTASIS]), "12", (), "an organ and none"),
        (
            ([case.number(case.LONG, "12")], [case.number(case.LONG, "12.1")]),
            None,
            ("long axis in mm 12 and 12.1",),
            "two sizes at one visit are two lesions",
        ),
        (
            ([case.number(case.LONG, "12"), LIVER_SITE], [case.number(case.LONG, "12"), LUNG_SITE]),
            None,
            ("in liver and in lung",),
            "one lesion is not in two organs",
        ),
        (
            ([case.number(case.LONG, "12")], [case.number(case.LONG, "14")], [case.number(case.LONG, "14")]),
            None,
            ("long axis in mm 12 and 14",),
            "a third does not settle it",
        ),
        (([case.number(case.LONG, "0")], [case.number(case.LONG, "14")]), None, None, "gone and there"),
    ],
)
def test_two_lesions_of_one_report_under_one_tracking_uid_have_no_size(tmp_path, groups, expected, conflicts, why):
    (lesion,) = lesions(tmp_path, *(case.group(*items) for items in groups))
    assert lesion.long_axis_mm == (None if expected is None else Decimal(expected)), why
    assert conflicts is None or lesion.conflicts == conflicts
    assert bool(lesion.conflicts) is (expected is None)
    assert all(any(conflict in flag for flag in lesion.flags) for conflict in lesion.conflicts)


def test_groups_are_found_however_deep_a_vendor_nests_them(tmp_path):
    nested = case.content(
        "CONTAINER", ("1", "99X", "Findings"), ContentSequence=[case.group(case.number(case.LONG, "12"))]
    )
    assert len(lesions(tmp_path, nested)) == 1


def test_the_volume_of_the_liver(tmp_path):
    liver = case.group(
        case.coded(case.FINDING, ("10200004", "SCT", "Liver")),
        case.number(("118565006", "SCT", "Volume"), "1.5", "l"),
        uid="1.9.8",
    )
    found = read(case.report(tmp_path, liver))
    assert (found.liver_volume_ml, found.lesions) == (1500, ())


@pytest.mark.parametrize(
    ("answer", "expected"), [("EQUIVOCAL_NEW", "equivocal"), ("UNEQUIVOCAL_NEW", "unequivocal"), ("x", None)]
)
def test_new_lesions_of_our_own_earlier_report(tmp_path, answer, expected):
    said = case.coded(("NEW_LESION", codes.OUR_SCHEME, "New lesion"), (answer, codes.OUR_SCHEME, "x"))
    found = read(case.report(tmp_path, case.group(case.number(case.LONG, "12")), said))
    assert found.new_lesion == expected


def test_a_report_without_content_is_refused(tmp_path):
    with pytest.raises(ImpossibleInput, match="no measurement groups"):
        read(case.report(tmp_path, ContentSequence=case.ABSENT))


def test_a_code_without_value_is_no_code(tmp_path):
    empty = case.content("CODE", case.FINDING, ConceptCodeSequence=[case.item(CodeMeaning="x")])
    assert one(tmp_path, case.number(case.LONG, "12"), empty).site == "other"

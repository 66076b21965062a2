"""The phantom has a truth in closed form, and what the service measures on its images is held against it."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import pi

import click.testing
import numpy as np
import pytest
from judge_dicom import dciodvfy

from connector.__main__ import main
from connector.demo import phantom
from connector.demo.case import save_all
from connector.demo.patients import PATIENTS
from connector.demo.phantom import LIVER, PIXEL_MM, VOXEL_ML, Sphere, Uptake
from connector.demo.phantom_images import objects
from connector.demo.simulated import absorbed_doses_gy, made_up, truth

ON = date(2026, 5, 11)
TREATED = PATIENTS[1].visits(ON)[-1]  # many lesions, Y-90 PET
WORK_UP = PATIENTS[1].visits(ON)[1]  # the study before it, with the MAA SPECT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom")
    for visit in (WORK_UP, TREATED):
        for series, instances in objects(visit).items():
            save_all(instances, root / f"study-{visit.study.number}" / series)
    return root


def answered(*arguments: object) -> dict:
    result = click.testing.CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("organ", "closed_form_ml"),
    [("liver", 4 / 3 * pi * 76 * 66 * 55 / 1000), ("bone", pi * 22 * 20 * 44 * 5 / 1000)],
)
def test_an_organ_holds_the_volume_of_its_closed_form(organ, closed_form_ml):
    drawn_ml = np.count_nonzero(phantom.organ_mask(organ)) * VOXEL_ML
    assert drawn_ml == pytest.approx(closed_form_ml, rel=0.01), "voxels cut the surface, not the volume"


@pytest.mark.parametrize("diameter_mm", [20.0, 34.0, 42.0])
def test_a_sphere_holds_the_volume_of_its_closed_form(diameter_mm):
    sphere = Sphere("L1", "liver", (-91.0, -15.0, 60.0), diameter_mm)
    drawn_ml = np.count_nonzero(phantom.sphere_mask(sphere)) * VOXEL_ML
    assert drawn_ml == pytest.approx(pi / 6 * diameter_mm**3 / 1000, rel=0.05)


def test_activity_is_conserved_and_splits_as_asked():
    uptake = Uptake(Decimal(1850), 3, 0.05)
    spheres = [Sphere("L1", "liver", (-91.0, -15.0, 60.0), 40.0)]
    concentration = phantom.concentration_bq_per_ml(spheres, uptake)
    lesion, liver = phantom.sphere_mask(spheres[0]), phantom.organ_mask("liver")
    assert concentration.sum() * VOXEL_ML == pytest.approx(1850e6, rel=1e-12)
    assert concentration[phantom.organ_mask("lung")].sum() / concentration.sum() == pytest.approx(0.05, rel=1e-12)
    assert concentration[lesion].mean() / concentration[liver & ~lesion].mean() == pytest.approx(3, rel=1e-12)


def test_the_partition_model_gives_the_truth_that_is_told():
    """One sphere: D_N = 49.67 A (1 - L) / (r m_T + m_N), worked by hand for 2 GBq, r = 4, L = 0.1."""
    lone = Sphere("L1", "liver", (-91.0, -15.0, 60.0), 60.0)
    visit = replace(TREATED, lesions=(lone,), treatment=Uptake(Decimal(2000), 4, 0.1))
    tumour_kg, normal_kg = 113.0973e-3 * 1.03, (1155.6034 - 113.0973) * 1e-3 * 1.03
    normal_gy = 49.67 * 2 * 0.9 / (4 * tumour_kg + normal_kg)
    assert absorbed_doses_gy(visit) == {
        "tumour": pytest.approx(4 * normal_gy, abs=0.01),
        "normal_liver": pytest.approx(normal_gy, abs=0.01),
    }


@pytest.mark.parametrize("series", ["ct", "seg", "maa", "pet"])
def test_every_kind_of_object_is_clean_to_dciodvfy(folder, series, tmp_path):
    first = min(folder.glob(f"study-*/{series}/01.dcm"))
    assert dciodvfy(first, tmp_path) == []


def test_the_work_up_scan_is_measured_as_it_was_drawn(folder):
    here = folder / "study-2"
    found = answered("dose", "from-images", "--activity", here / "maa", "--regions", here / "seg" / "01.dcm")
    # One pixel of the camera covers four of the masks: what lies in a pixel at the surface is shared.
    assert found["lung_shunt_fraction"] == pytest.approx(0.04, abs=0.002)
    assert found["tumour_to_normal_ratio"] == pytest.approx(4, rel=0.1)
    assert found["liver_volume_ml"] == pytest.approx(LIVER.volume_ml, rel=0.01)
    assert found["tumour_volume_ml"] == pytest.approx(sum(each.volume_ml for each in WORK_UP.lesions), rel=0.05)


def test_doses_after_treatment_agree_with_the_closed_form(folder, tmp_path):
    here = folder / "study-3"
    found = answered(
        "dose", "map", "--activity", here / "pet", "--regions", here / "seg" / "01.dcm", "--method", "local",
        "--out", tmp_path,
    )  # fmt: skip
    means = {region["name"]: region["mean_gy"] for region in found["regions"]}
    liver_gy = 49.67 * 1.850 * 0.95 / (LIVER.volume_ml * 1.03e-3)
    assert means["Liver"] == pytest.approx(liver_gy, rel=0.02)
    expected_gy = absorbed_doses_gy(TREATED)["tumour"]
    for name in ("L1", "L2"):
        # Pixels at the surface hold normal liver too, so a small lesion reads low; never high.
        assert expected_gy * 0.92 <= means[name] <= expected_gy * 1.005, name


def test_diameters_are_measured_within_a_pixel_and_its_corner(folder, tmp_path):
    patient = PATIENTS[1]
    from connector.demo.record import PATIENT_SYSTEM, record_bundle  # noqa: PLC0415 - only this test needs the record

    record = tmp_path / "record.json"
    record.write_bytes(record_bundle(patient.history, patient.days(ON)))
    environment = {"CONNECTOR_PATIENT_ISSUERS": f"DEMO-HOSPITAL={PATIENT_SYSTEM}"}
    arguments = ["process", "--dicom", folder, "--fhir", record, "--out", tmp_path / "out"]
    result = click.testing.CliRunner().invoke(main, list(map(str, arguments)), env=environment)
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    latest = summary["assessment"]["time_points"][-1]
    measured = {each["tracking_id"]: float(each["long_axis_mm"]) for each in latest["lesions"]}
    assert set(measured) == {each.label for each in TREATED.lesions}
    for each in TREATED.lesions:
        assert measured[each.label] == pytest.approx(each.diameter_mm, abs=2 * PIXEL_MM / 2 * 2**0.5 + 0.01)


def test_the_same_seed_makes_the_same_patient_and_another_number_another():
    once, again, other = made_up(7, seed=3, studies=2), made_up(7, seed=3, studies=2), made_up(8, seed=3, studies=2)
    assert once == again
    assert once.history.person != other.history.person
    assert [truth(visit) for visit in once.visits(ON)] == [truth(visit) for visit in again.visits(ON)]
    assert len(once.visits(ON)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--dicom, --fhir, --out"),
        (("--dicom", "127.0.0.1"), "HOST:PORT"),
        (("--dicom", "192.0.2.7:104"), "not on this machine"),
        (("--fhir", "https://ehr.example.org/fhir"), "not on this machine"),
    ],
)
def test_simulate_refuses_what_it_cannot_or_should_not_reach(arguments, words):
    result = click.testing.CliRunner().invoke(main, ["simulate", "--patients", "1", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr


def test_simulate_writes_files_and_tells_their_truth(tmp_path):
    arguments = ["simulate", "--patients", "1", "--studies", "1", "--seed", "5", "--out", tmp_path,
                 "--last-study-on", "2026-05-11"]  # fmt: skip
    result = click.testing.CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    (line,) = [json.loads(text) for text in result.stdout.splitlines()]
    assert (line["patient_id"], line["on"]) == ("SIM-5-000001", "2026-05-11")
    assert all(each["volume_ml"] == round(pi / 6 * each["diameter_mm"] ** 3 / 1000, 3) for each in line["lesions"])
    folder = tmp_path / "SIM-5-000001"
    assert (folder / "record.json").is_file()
    assert len(list((folder / "study-1" / "ct").iterdir())) == phantom.SHAPE[0]

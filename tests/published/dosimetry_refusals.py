"""What this program answers to the published cases on what must not come out, and the rows of the guideline."""

from dataclasses import replace
from types import SimpleNamespace

import dosimetry_phantoms as phantoms
import numpy as np
import pytest
from dosimetry_cases import REMARKS, dec, partition_plan, plan, refused
from pydicom import Dataset

from connector.core.dosimetry import bsa, shunt, thresholds
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.dvh import DoseVolume
from connector.core.dosimetry.kernel import voxel_kernel
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.errors import ImpossibleInput
from connector.core.nuclides import remaining_fraction
from connector.dicom.read_timing import read_timing

DENSITY = dec("1.03")
MIRD_CASE = {"method": "mird", "prescribed_dose_gy": 120, "perfused_mass_kg": 1, "lung_shunt_fraction": 0}
PARTITION_CASE = {
    "method": "partition", "prescribed_dose_gy": 40, "prescribed_to": "normal_liver", "tumour_mass_kg": dec("0.2"),
    "normal_liver_mass_kg": 1, "tumour_to_normal_ratio": 2, "lung_shunt_fraction": 0,
}  # fmt: skip


def wrong_mass(i, expected):
    answer = partition_plan(i, i.D_normal, prescribed_to="normal_liver", lung_shunt_fraction=i.lsf)
    assert answer["prescription_gbq"] != pytest.approx(expected["A_wrong"]["value"], rel=0.01)
    return {"A_correct": answer["prescription_gbq"]}


def wrong_ratio(i, expected):
    # The case takes 1.03 kg/L, which it does not print.
    tumour, normal = dec(i.tumour_mL) / 1000, (dec(i.segment_mL) - dec(i.tumour_mL)) / 1000
    answer = plan(
        method="partition", prescribed_dose_gy=i.D_T, prescribed_to="tumour", tumour_mass_kg=tumour * DENSITY,
        normal_liver_mass_kg=normal * DENSITY, tumour_to_normal_ratio=i.t_n, lung_shunt_fraction=i.lsf, lung_mass_kg=1,
        energy_per_activity_j_gbq=i.k,
    )  # fmt: skip
    assert answer["prescription_gbq"] != pytest.approx(expected["A_wrong"]["value"], rel=0.01)
    return {"A_correct": answer["prescription_gbq"]}


def all_to_lung(i, expected):
    return {
        "error": refused("lung_shunt_fraction", expected["error"], plan, **{**MIRD_CASE, "lung_shunt_fraction": i.lsf})
    }


def no_ratio(i, expected):
    case = {**PARTITION_CASE, "tumour_to_normal_ratio": i.t_n}
    return {"error": refused("tumour_to_normal_ratio", expected["error"], plan, **case)}


def no_mass(i, expected):
    return {"error": refused("perfused_mass_kg", expected["error"], plan, **{**MIRD_CASE, "perfused_mass_kg": i.mass})}


def centimetres(i, expected):
    case = {
        "method": "bsa",
        "device": "resin",
        "tumour_volume_ml": 1,
        "liver_volume_ml": 1500,
        "lung_shunt_fraction": 0,
    }
    case |= {"height_m": i.height_m, "weight_kg": i.weight_kg}
    return {"error": refused("height_m", expected["error"], plan, **case)}


def negative_counts(i, _e):
    values = np.array([[i.counts]], np.float32)
    activity = phantoms.activity_of(values)
    report = local_deposition(activity, [], constants=constants_for(), scale_to_gbq=None)
    assert report.dose_gy.min() == 0
    assert any("1 voxels below 0" in text for text in report.warnings)
    return {"policy": lambda expected: expected.startswith("explicit")}


def only_counts(_i, _e):
    activity = replace(phantoms.uniform_activity(bq_per_ml=10), quantitative=False)
    with pytest.raises(ImpossibleInput, match="send a quantitative series \\(Units BQML\\)"):
        local_deposition(activity, [], constants=constants_for(), scale_to_gbq=None)
    return {"error": lambda _expected: None}


def density_one(i, _e):
    def activity(density):
        mass = dec(density) * dec(i.volume_mL) / 1000
        case = {**MIRD_CASE, "prescribed_dose_gy": i.D, "perfused_mass_kg": mass, "energy_per_activity_j_gbq": i.k}
        return plan(**case)["prescription_gbq"]

    return {"A_1.00": activity("1.00"), "A_1.03": activity("1.03")}


def decayed_twice(i, _e):
    dataset = Dataset()
    dataset.DecayCorrection, dataset.Modality = i.DecayCorrection, "PT"
    read = read_timing([SimpleNamespace(dataset=dataset)], half_life_h=i.T_h, administered_at=None, must_know=True)
    wrong = remaining_fraction(hours=-dec(i.delay_h), half_life_h=dec(i.T_h))
    return {"factor_must_be": 2 ** (read.decay_hours / i.T_h), "factor_if_wrong": wrong}


def air(i, _e):
    naive = 1 / shunt.lung_mass_kg(np.array([i.hu], np.float32), voxel_volume_ml=1000.0)
    with pytest.raises(ImpossibleInput, match="air has none"):
        voxel_kernel((4.0, 4.0, 4.0), 0.05)
    return {"naive_factor": naive, "policy": lambda _expected: None}


def hottest_voxel(i, _e):
    volume = DoseVolume(np.sort(np.array(i.doses, np.float32)))
    return {
        "V50": 100 * volume.volume_fraction_at(50),
        "hottest_voxel_must_be_counted": volume.volume_fraction_at(50.4) == 0.25,
    }


def involvement(i, expected):
    case = {"surface_m2": dec(i.bsa), "liver_volume_ml": dec(1500), "treated_volume_ml": dec(1500)}
    activity = bsa.activity_gbq(**case, treated_tumour_volume_ml=dec(i.involvement_percent) * 15)
    assert activity != dec(expected["A_wrong"]["value"])
    # A percentage in place of a volume is a tumour of 20 mL in a liver of 1 mL.
    refuse = refused(
        "tumour_volume_ml", "is larger than liver_volume_ml", plan,
        method="bsa", device="resin", height_m=dec("1.7"), weight_kg=70, lung_shunt_fraction=0, liver_volume_ml=1,
        tumour_volume_ml=i.involvement_percent,
    )  # fmt: skip
    return {"A_correct": activity, "error": refuse}


def guideline(i, expected):
    rows = {}
    for bilirubin, compromised in ((dec("2"), True), (dec("0.5"), False)):
        for row in thresholds.recommendations(
            device=i.device, tumour_type=getattr(i, "tumour", "HCC"), intent=i.intent, bilirubin_mg_dl=bilirubin,
            pretreated_or_compromised=compromised,
        ):  # fmt: skip
            rows.setdefault(row.compartment, []).append(row)

    def of(compartment, *bounds):
        return [
            float(getattr(row, bound))
            for row in rows[compartment]
            for bound in bounds
            if getattr(row, bound) is not None
        ]

    answers = {
        "perfused_dose_min_Gy": lambda e: _same(of("perfused", "above"), [e, e]),
        "perfused_dose_Gy": lambda e: _same(of("perfused", "at_least", "at_most")[:2], e),
        "tumour_dose_min_Gy": lambda e: _same(of("tumour", "at_least")[:1], [e[0] if isinstance(e, list) else e]),
        "whole_normal_max_Gy": lambda e: _same(of("whole_normal_liver", "below"), e),
        "normal_perfused_min_Gy": lambda e: _same(of("normal_perfused", "above")[:1], [e]),
        "normal_perfused_max_Gy": lambda e: _same(of("normal_perfused", "below")[1:], [e]),
        "normal_perfused_max_compromised_Gy": lambda e: _same(of("normal_perfused", "below")[:1], [e]),
    }
    return {name: answers[name] for name in expected if name not in REMARKS}


def _same(found, wanted):
    assert found == [float(each) for each in wanted]


ANSWERS = {
    "part-wrongmass": wrong_mass,
    "lsf-one": all_to_lung,
    "tn-zero": no_ratio,
    "mass-zero": no_mass,
    "height-cm": centimetres,
    "counts-neg": negative_counts,
    "units-cnts": only_counts,
    "wrong-tn1": wrong_ratio,
    "density-one": density_one,
    "double-decay": decayed_twice,
    "air-density": air,
    "dvh-range": hottest_voxel,
    "involvement-": involvement,
    "glass-": guideline,
    "resin-": guideline,
}

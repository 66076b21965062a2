"""What this program answers to the published cases on plans and limits."""

import pytest
from dosimetry_cases import dec, partition_plan, plan

from connector.core.dosimetry import bsa, compartments, delivery, thresholds
from connector.core.nuclides import nuclide, remaining_fraction
from connector.core.units import gbq_from_mci, joule_per_gbq


def constants(i, _e):
    data = nuclide(i.nuclide)
    return {
        "energy_per_GBq_electron": data.energy_per_activity_j_gbq,
        "half_life": data.half_life_h,
        "mean_electron_energy": data.electron_mev,
        "mean_photon_energy": data.photon_mev,
    }


def joules(i, _e):
    return {"J_per_GBq": joule_per_gbq(half_life_h=dec(i.half_life), energy_mev=dec(i.mean_energy))}


def decay(i, _e):
    return {"factor": remaining_fraction(hours=dec(i.elapsed), half_life_h=dec(i.half_life))}


def activity_later(i, _e):
    half_life = nuclide(i.nuclide).half_life_h
    return {"A": delivery.activity_at(dec(i.A0), hours=dec(i.elapsed), half_life_h=half_life)}


def millicurie(i, _e):
    return {"A": gbq_from_mci(dec(i.A))}


def empiric(i, _e):
    volumes = {"tumour_volume_ml": dec(i.tumour_fraction) * 1500, "liver_volume_ml": 1500}
    answer = plan(method="empiric", device="resin", lung_shunt_fraction=0, **volumes)
    assert answer["allowed"] is True
    return {"A": answer["activity_gbq"]}


def shunt_reduction(i, _e):
    volumes = {"tumour_volume_ml": 100, "liver_volume_ml": 1500}
    answer = plan(method="empiric", device="resin", lung_shunt_fraction=i.lsf, lung_mass_kg=1, **volumes)
    assert answer["prescription_gbq"] == i.A_planned
    activity = answer["activity_gbq"] or 0.0
    return {"A": activity, "reduction": round(1 - activity / i.A_planned, 12), "treat": answer["allowed"] is not False}


def surface(i, _e):
    return {"bsa": bsa.body_surface_m2(height_m=dec(i.height), weight_kg=dec(i.weight))}


def surface_in_cm(i, _e):
    ours = float(bsa.body_surface_m2(height_m=dec(i.height) / 100, weight_kg=dec(i.weight)))
    in_cm = 0.007184 * i.height**0.725 * i.weight**0.425
    return {"bsa_m_form": ours, "bsa_cm_form": in_cm, "agree_rel": ours / in_cm - 1}


def mird(i, _e):
    mass = dec(i.density) * dec(i.target_volume) / 1000
    answer = plan(
        method="mird", prescribed_dose_gy=i.D, perfused_mass_kg=mass, lung_shunt_fraction=i.lsf,
        residual_fraction=i.residual, lung_mass_kg=1, energy_per_activity_j_gbq=i.k,
    )  # fmt: skip
    return {
        "A": answer["prescription_gbq"],
        "A_lung": answer["lung_activity_gbq"],
        "D_back": answer["absorbed_dose_gy"]["perfused"],
        "mass": mass,
    }


def _planner(i, method, **more):
    tumour = dec(i.tumour_volume) * dec(i.density) / 1000
    perfused = dec(i.perfused_volume) * dec(i.density) / 1000
    answer = plan(
        method=method, prescribed_dose_gy=i.target, perfused_mass_kg=perfused, tumour_mass_kg=tumour,
        tumour_to_normal_ratio=i.t_n, lung_shunt_fraction=i.lsf, lung_mass_kg=dec(i.lung_mass) / 1000,
        energy_per_activity_j_gbq=i.k, lung_dose_limit_gy=1000, cumulative_lung_dose_limit_gy=1000, **more,
    )  # fmt: skip
    return answer, tumour, perfused


def planner_mird(i, expected):
    answer, _, _ = _planner(i, "mird")
    # The peer has no limit of 0.61 GBq in the lungs: its doses are those of the whole prescription.
    back = answer["prescription_gbq"] / answer["activity_gbq"]
    dose = {name: value * back for name, value in answer["absorbed_dose_gy"].items()}
    assert dose["perfused"] == pytest.approx(i.target)
    assert set(expected) == {"A", "D_lung", "D_normal", "D_tumour"}
    return {
        "A": answer["prescription_gbq"],
        "D_lung": dose["lung"],
        "D_normal": dose["normal_liver"],
        "D_tumour": dose["tumour"],
    }


def planner_partition(i, _e):
    normal = (dec(i.perfused_volume) - dec(i.tumour_volume)) * dec(i.density) / 1000
    answer, tumour, _ = _planner(i, "partition", normal_liver_mass_kg=normal, prescribed_to="tumour")
    dose = answer["absorbed_dose_gy"]
    assert dose["tumour"] == pytest.approx(i.target)
    whole = thresholds.whole_normal_liver_dose_gy(
        dec(dose["normal_liver"]),
        normal_perfused_mass_kg=normal,
        whole_normal_mass_kg=dec(i.whole_liver_volume) * dec(i.density) / 1000 - tumour,
    )
    return {
        "A": answer["activity_gbq"],
        "D_lung": dose["lung"],
        "D_normal": dose["normal_liver"],
        "D_perfused": dose["perfused"],
        "D_whole_normal_liver": whole,
    }


def partition(i, _e):
    dose = getattr(i, "D", None) or i.D_normal
    answer = partition_plan(
        i, dose, prescribed_to="normal_liver", lung_shunt_fraction=i.lsf, energy_per_activity_j_gbq=i.k
    )
    return {"A": answer["prescription_gbq"]}


def kao(i, _e):
    ratio = compartments.concentration_ratio(
        activity_ratio=dec(i.R_activity), tumour_mass_kg=dec(i.m_tumour), normal_liver_mass_kg=dec(i.m_normal)
    )
    fraction = compartments.lung_shunt_from_tumour_to_lung(
        tumour_lung_shunt_fraction=dec(i.TLSF), activity_ratio=dec(i.R_activity)
    )
    # A case holds at most 20 digits.
    given = {"ratio": round(ratio, 18), "lung_shunt_fraction": round(fraction, 18), "energy_per_activity_j_gbq": i.k}
    answer = partition_plan(i, i.D_tumour, prescribed_to="tumour", **given)
    dose = answer["absorbed_dose_gy"]
    return {
        "A_total": answer["activity_gbq"],
        "A_L": answer["lung_activity_gbq"],
        "A_T": dose["tumour"] * i.m_tumour / i.k,
        "A_N": dose["normal_liver"] * i.m_normal / i.k,
        "D_lung": dose["lung"],
        "D_normal": dose["normal_liver"],
        "LSF_equivalent": fraction,
        "T_N_concentration": ratio,
    }


def tumour_dose(i, _e):
    normal = compartments.normal_liver_dose_gy(
        dec(i.A) * (1 - dec(i.lsf)), energy_per_activity_j_gbq=dec(i.k), tumour_mass_kg=dec(i.m_tumour),
        normal_liver_mass_kg=dec(i.m_normal), tumour_to_normal_ratio=dec(i.t_n),
    )  # fmt: skip
    return {"D_tumour": normal * dec(i.t_n)}


def counts(i, _e):
    """Several tumours: each has the dose of the normal liver times its own ratio, the normal liver that of all."""
    (*tumours, of_normal), (*masses, m_normal) = map(dec, i.counts), map(dec, i.mass_kg)

    def ratio(count, mass):
        return compartments.concentration_ratio(
            activity_ratio=count / of_normal, tumour_mass_kg=mass, normal_liver_mass_kg=m_normal
        )

    ratios = [ratio(count, mass) for count, mass in zip(tumours, masses, strict=True)]
    normal = compartments.normal_liver_dose_gy(
        dec(i.A) * (1 - dec(i.lsf)), energy_per_activity_j_gbq=dec(i.k), tumour_mass_kg=sum(masses),
        normal_liver_mass_kg=m_normal, tumour_to_normal_ratio=ratio(sum(tumours), sum(masses)),
    )  # fmt: skip
    doses = [*(each * normal for each in ratios), normal]
    energy = sum(dose * mass for dose, mass in zip(doses, [*masses, m_normal], strict=True))
    return {"D": doses, "sum_Dm": energy, "t_n": ratios}


def two_constraints(i, expected):
    answer = plan(
        method="partition", prescribed_dose_gy=1000, prescribed_to="normal_liver", tumour_mass_kg=i.m_tumour,
        normal_liver_mass_kg=i.m_normal, tumour_to_normal_ratio=i.t_n, lung_shunt_fraction=i.lsf, lung_mass_kg=i.m_lung,
        lung_dose_limit_gy=i.limit_lung, normal_liver_dose_limit_gy=i.limit_normal, energy_per_activity_j_gbq=i.k,
    )  # fmt: skip
    by_name = {each["name"]: each["activity_gbq"] for each in answer["constraints"]}
    assert expected["controlling"] == "lung"
    assert answer["controlling_constraint"] == "lung_dose"
    assert any("contraindication to resin" in warning for warning in answer["warnings"])
    return {
        "A_max_lung": by_name["lung_dose"],
        "A_max_normal": by_name["normal_liver_dose"],
        "controlling": lambda _expected: None,
    }


ANSWERS = {
    "const-": constants,
    "jgbq-": joules,
    "decay-": decay,
    "rd-": activity_later,
    "unit-mCi": millicurie,
    "empiric-": empiric,
    "lsfred-": shunt_reduction,
    "bsa-larizza": surface,
    "bsa-cmform": surface_in_cm,
    "mird-": mird,
    "planner-mird": planner_mird,
    "planner-part": planner_partition,
    "part-tn1": partition,
    "part-notumour": partition,
    "kao-": kao,
    "articl-": tumour_dose,
    "multi-counts": counts,
    "constraint-": two_constraints,
}

"""What this program answers to the published cases on kernels, voxels and dose volumes."""

from dataclasses import replace

import dosimetry_phantoms as phantoms
import numpy as np
import pytest
from dosimetry_cases import dec
from dosimetry_phantoms import MEV_TO_J, SHELLS, TOTAL_MEV

from connector.core.dosimetry import delivery
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.convolution import convolved
from connector.core.dosimetry.dvh import DoseVolume
from connector.core.dosimetry.graves_table import SHELL_MM
from connector.core.dosimetry.kernel import voxel_kernel
from connector.core.dosimetry.radiobiology import bed_gy, eqd2_gy, geud_gy
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.units import joule_per_gbq
from connector.dicom.write_rtdose import dose_grid_scaling


def sphere(i, expected):
    spacing = 1.0
    mask = phantoms.ball(radius_mm=i.radius, spacing_mm=spacing, margin_mm=12)
    dose = convolved(mask.astype(np.float64), spacing_mm=(spacing,) * 3, density_kg_l=1.0)
    voxelised = float(dose[mask].sum() / mask.sum())
    assert abs(voxelised - expected["self_fraction"]["value"]) <= expected["self_fraction"]["tol_abs_voxelised_1mm"]
    return {"self_fraction": phantoms.self_fraction_of_sphere(i.radius)}


def interface(i, _e):
    """Half space along the planes of a kernel whose rows and columns are summed: uniform sideways."""
    spacing, half = 0.4, 60
    profile = voxel_kernel((spacing, 4.0, 4.0), 1.0).sum(axis=(1, 2))
    inside = np.where(np.arange(2 * half) < half, 0.0, 1.0)
    dose = np.convolve(inside, profile, mode="same")
    assert dose[half + 5] + dose[half - 6] == pytest.approx(1)
    return {"fraction_of_interior": np.interp(i.x, (np.arange(2 * half) - half + 0.5) * spacing, dose)}


def point_kernel_total(_i, _e):
    return {"fraction_within_11mm": SHELLS.sum() / TOTAL_MEV, "shells": len(SHELLS), "total": lambda _expected: None}


def kernel(i, expected):
    spacing = getattr(i, "spacing_zyx_mm", None) or i.spacing_xyz[::-1]
    made = voxel_kernel(tuple(float(s) for s in spacing), float(getattr(i, "density", 1.0)))
    z, y, x = (size // 2 for size in made.shape)
    assert made == pytest.approx(made[::-1, ::-1, ::-1])
    along_z, along_x = made[z + 1, y, x], made[z, y, x + 1]
    places = {
        "centre": made[z, y, x],
        "z1": along_z,
        "z_neighbour": along_z,
        "x1": along_x,
        "x_neighbour": along_x,
        "diag_zyx": made[z + 1, y + 1, x + 1],
        "sum": made.sum(),
        "shape": list(made.shape),
        "shape_zyx": list(made.shape),
    }
    return {name: places[name] for name in expected}


def point(i, _e):
    spacing = tuple(float(s) for s in i.spacing_xyz[::-1])
    image = np.zeros((25, 21, 21))
    image[12, 10, 10] = i.value
    dose = convolved(image, spacing_mm=spacing, density_kg_l=1.0)
    made = voxel_kernel(spacing, 1.0)
    return {
        "sum": dose.sum(),
        "nonzero_equals_kernel_nonzero": bool(np.count_nonzero(dose) == np.count_nonzero(made)),
    }


def uniform(i, _e):
    spacing = tuple(float(s) for s in i.spacing_xyz[::-1])
    image = np.zeros((40, 40, 40))
    image[5:35, 5:35, 5:35] = i.ldm
    dose = convolved(image, spacing_mm=spacing, density_kg_l=1.0)
    assert dose[5, 20, 20] < i.ldm
    assert dose[4, 20, 20] > 0
    return {"interior": dose[20, 20, 20], "sum_rel": dose.sum() / image.sum() - 1}


def joule_of_kernel(_i, _e):
    return {"J": joule_per_gbq(half_life_h=dec("64.1"), energy_mev=dec(TOTAL_MEV))}


def local(i, _e):
    concentration = delivery.activity_at(
        dec(i.concentration), hours=-dec(getattr(i, "delay", 0)), half_life_h=dec(getattr(i, "half_life", "64.1"))
    )
    constants_given = replace(constants_for(), energy_per_activity_j_gbq=dec(i.k), tissue_density_kg_l=dec(i.density))
    activity = phantoms.uniform_activity(bq_per_ml=float(concentration) * 1e6)
    region = phantoms.region(np.ones(activity.geometry.shape, bool), activity.geometry, name="all", kind="other")
    report = local_deposition(activity, [region], constants=constants_given, scale_to_gbq=None)

    def single_precision(expected):
        assert report.regions[0].mean_gy == pytest.approx(expected["value"], rel=2e-7)

    return {"D": single_precision}


def rt_dose(i, _e):
    quantum = dose_grid_scaling(i.max_dose, 32)

    def within(expected):
        assert float(quantum) / 2 <= expected["value"]

    return {"ds_len_max": lambda expected: len(quantum) <= expected, "max_abs_error": within}


def voxel_s(i, expected):
    table = phantoms.lanconelli(i.nuclide, i.voxel)
    found = {name: table[tuple(int(digit) for digit in name[1:])] for name in expected}
    if i.nuclide == "90Y":
        made = voxel_kernel((float(i.voxel),) * 3, 1.04)
        middle = made.shape[0] // 2
        to_s = TOTAL_MEV * MEV_TO_J * 1e6 * 1e3 / (1.04e-3 * (i.voxel / 10) ** 3)
        for name in ("S000", "S001"):
            a, b, c = (middle + int(digit) for digit in name[1:])
            assert made[a, b, c] * to_s == pytest.approx(expected[name]["value"], rel=expected[name]["tol_rel"]), name
    return found


def voxel_s_energy(i, _e):
    energy = phantoms.lanconelli_energy_mev("90Y", i.voxel, i.density)
    return {"E": energy, "E_expected": energy}


def shells(i, _e):
    ends = [round(radius / SHELL_MM) for radius in i.radii_mm]
    return {"E_shell": [SHELLS[end - 1] for end in ends], "E_cumulative": [SHELLS[:end].sum() for end in ends]}


def enclosing_radii(_i, expected):
    shares = SHELLS.cumsum() / TOTAL_MEV
    radii = (np.arange(len(SHELLS)) + 1) * SHELL_MM
    return {name: float(np.interp(float(name[1:]) / 100, shares, radii)) for name in expected}


def ramp(_i, _e):
    doses = DoseVolume(np.arange(1, 101, dtype=np.float32))
    return {
        **{f"D{x}": doses.dose_to_hottest_gy(x) for x in (2, 50, 70, 95, 98)},
        "Dmean": doses.mean_gy,
        **{f"V{x:g}": 100 * doses.volume_fraction_at(x) for x in (50, 100, 100.5)},
    }


def gaussian_sphere(i, _e):
    squared = phantoms.squared_radius(half=45, spacing_mm=0.5)
    doses = np.sort((i.peak * np.exp(-squared[squared <= i.radius**2] / (2 * i.sigma**2))).astype(np.float32))
    volume = DoseVolume(doses)
    return {
        "D50": volume.dose_to_hottest_gy(50),
        "Dmin": volume.min_gy,
        "V60": 100 * volume.volume_fraction_at(60),
        "V80": 100 * volume.volume_fraction_at(80),
    }


def bed(i, _e):
    return {
        "BED": bed_gy(
            i.D, alpha_beta_gy=i.alpha_beta, repair_half_time_h=i.T_rep, effective_half_life_h=i.T_phys_or_eff
        )
    }


def eqd2(i, _e):
    return {"EQD2": eqd2_gy(i.BED, alpha_beta_gy=i.alpha_beta)}


def geud(i, expected):
    doses = np.array(i.D_gy, np.float32)
    assert geud_gy(np.array([0, 50], np.float32), exponent=-10) == 0
    return {name: geud_gy(doses, exponent=float(name.removeprefix("a="))) for name in expected}


ANSWERS = {
    "sphere-self-": sphere,
    "interface-": interface,
    "tar-dpk-total": point_kernel_total,
    "tar-k-": kernel,
    "kernel-": kernel,
    "tar-point": point,
    "tar-uniform": uniform,
    "tar-jgbq": joule_of_kernel,
    "ldm-": local,
    "rtdose-quant": rt_dose,
    "vsv-energy-": voxel_s_energy,
    "vsv-": voxel_s,
    "dpk-shells": shells,
    "dpk-r90": enclosing_radii,
    "dvh-ramp": ramp,
    "dvh-gauss": gaussian_sphere,
    "bed-": bed,
    "eqd2": eqd2,
    "geud": geud,
}

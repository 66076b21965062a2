"""Kernels and their convolution: energy is kept, tables are met, and no edge, axis or crop changes a dose."""

import dosimetry_phantoms as phantoms
import numpy as np
import pytest
from dosimetry_phantoms import TOTAL_MEV

from connector.core.dosimetry import convolution
from connector.core.dosimetry.convolution import convolved, convolved_around, grown
from connector.core.dosimetry.kernel import half_shape, range_mm, reach_voxels, voxel_kernel
from connector.core.errors import ImpossibleInput


@pytest.mark.parametrize("spacing", [(3.0, 4.07, 4.07), (2.0, 2.0, 2.0), (5.0, 2.5, 3.3)])
@pytest.mark.parametrize("density", [1.0, 1.03])
def test_a_kernel_keeps_the_energy_and_is_even(spacing, density):
    kernel = voxel_kernel(spacing, density)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    for axis in range(3):
        assert np.allclose(kernel, np.flip(kernel, axis), rtol=0, atol=1e-15)
    assert tuple(size // 2 for size in kernel.shape) == half_shape(spacing, density)
    assert kernel.max() == kernel[tuple(size // 2 for size in kernel.shape)]
    assert (kernel >= 0).all()


@pytest.mark.parametrize("spacing", [(3.0, 4.07, 4.07), (1.37, 1.37, 1.37), (5.5, 2.75, 11.0)])
def test_energy_reaches_no_voxel_that_starts_beyond_the_range(spacing):
    """11 mm of water: the voxel n away begins n - 1 voxels behind the edge of the one that shines."""
    kernel = voxel_kernel(spacing, 1.0)
    reached = [np.abs(np.nonzero(kernel)[axis] - kernel.shape[axis] // 2).max() for axis in range(3)]
    assert tuple(reached) == reach_voxels(spacing, 1.0)
    assert all((far - 1) * step < 11 <= far * step for far, step in zip(reached, spacing, strict=True))


@pytest.mark.parametrize("spacing", [(2.0, 4.0, 3.0), (4.0, 2.0, 3.0)])
def test_neither_the_axis_nor_the_workers_change_the_dose(spacing, monkeypatch):
    """Planes are summed along the axis with the shorter kernel, in parts of the volume: no part changes a bit."""
    source = np.random.default_rng(6).random((23, 18, 15)).astype(np.float32)
    dose = convolved(source, spacing_mm=spacing, density_kg_l=1.0)
    for workers in (1, 5):
        monkeypatch.setattr(convolution, "WORKERS", workers)
        assert np.array_equal(convolved(source, spacing_mm=spacing, density_kg_l=1.0), dose)
    across = convolved(source.swapaxes(0, 1), spacing_mm=(spacing[1], spacing[0], spacing[2]), density_kg_l=1.0)
    assert np.abs(across.swapaxes(0, 1) - dose).max() <= 1e-5 * dose.max(), "the kernel's quadrature knows its axes"


def test_a_denser_medium_is_a_larger_voxel():
    assert np.array_equal(voxel_kernel((2.0, 2.0, 2.0), 1.5), voxel_kernel((3.0, 3.0, 3.0), 1.0))
    assert range_mm(0.5) == pytest.approx(22)


@pytest.mark.parametrize("voxel_mm", [2.21, 2.33, 2.4, 3, 3.59, 3.9, 4, 4.42, 4.8, 5, 6, 6.8, 9.28])
def test_kernels_agree_with_the_lanconelli_tables(voxel_mm):
    """Monte Carlo by others, in soft tissue of 1.04 g/mL, three figures: 1.2 % in the centre, 0.8 % beside it."""
    kernel = voxel_kernel((voxel_mm,) * 3, 1.04)
    table = phantoms.lanconelli("90Y", voxel_mm)
    middle = kernel.shape[0] // 2
    to_s = TOTAL_MEV * phantoms.MEV_TO_J * 1e9 / (1.04e-6 * voxel_mm**3)
    assert kernel[middle, middle, middle] * to_s == pytest.approx(table[0, 0, 0], rel=0.012)
    assert kernel[middle, middle, middle + 1] * to_s == pytest.approx(table[0, 0, 1], rel=0.008)


@pytest.mark.parametrize("nuclide", ["131I", "177Lu"])
@pytest.mark.parametrize("voxel_mm", [2.21, 4.8, 9.28])
def test_tables_with_photons_do_not_close(nuclide, voxel_mm):
    """Photons leave the grid of 11 voxels, so these tables must never be brought to 1."""
    electrons = {"131I": 0.19185, "177Lu": 0.14792}[nuclide]
    photons = {"131I": 0.38276, "177Lu": 0.03510}[nuclide]
    energy = phantoms.lanconelli_energy_mev(nuclide, voxel_mm, 1.04)
    assert 0.93 * electrons < energy < electrons + 0.25 * photons


@pytest.mark.parametrize(
    ("spacing", "density", "words"),
    [
        ((0.1, 2.0, 2.0), 1.0, "a kernel is made for"),
        ((2.0, 2.0, 51.0), 1.0, "a kernel is made for"),
        ((2.0, 2.0, 2.0), 0.05, "air has none"),
        ((2.0, 2.0, 2.0), 3.5, "air has none"),
    ],
)
def test_kernels_of_nothing_are_refused(spacing, density, words):
    with pytest.raises(ImpossibleInput, match=words):
        voxel_kernel(spacing, density)


@pytest.mark.parametrize("spacing", [(3.0, 4.0, 4.0), (2.0, 2.0, 2.0), (4.8, 1.8, 2.7)])
def test_a_point_source_gives_the_kernel(spacing):
    kernel = voxel_kernel(spacing, 1.03)
    source = np.zeros(tuple(size + 6 for size in kernel.shape), np.float32)
    source[tuple(size // 2 for size in source.shape)] = 1000
    dose = convolved(source, spacing_mm=spacing, density_kg_l=1.03)
    assert dose.dtype == np.float32
    assert dose[3:-3, 3:-3, 3:-3] == pytest.approx(1000 * kernel, abs=1e-3)
    assert dose.sum(dtype=np.float64) == pytest.approx(1000, rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 40, 2), (9, 20, 31)])
def test_convolution_is_the_plain_sum_at_every_edge(shape):
    """Also on grids narrower than the kernel, where the padded transform folds it upon itself."""
    spacing = (3.0, 4.0, 4.0)
    random = np.random.default_rng(3).random(shape)
    kernel = voxel_kernel(spacing, 1.0)
    half = half_shape(spacing, 1.0)
    padded = np.pad(random, [(reach, reach) for reach in half])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    expected = np.einsum("ijkabc,abc->ijk", windows, kernel)
    assert convolved(random, spacing_mm=spacing, density_kg_l=1.0) == pytest.approx(expected, rel=1e-9)


def test_a_transform_made_elsewhere_is_put_into_its_place():
    spectrum, elsewhere = np.zeros((2, 3), np.complex64), np.ones((2, 3), np.complex64)
    convolution._keep(spectrum, elsewhere)
    assert np.array_equal(spectrum, elsewhere)


def test_nothing_gives_nothing():
    empty = np.zeros((5, 5, 5), np.float32)
    assert not convolved(empty, spacing_mm=(3.0, 4.0, 4.0), density_kg_l=1.0).any()


def test_the_answer_does_not_depend_on_the_crop():
    spacing = (3.0, 4.0, 4.0)
    source = np.random.default_rng(8).random((40, 36, 44)).astype(np.float32)
    box = (slice(18, 22), slice(15, 20), slice(20, 21))
    answered, cropped = convolved_around(source, box, spacing_mm=spacing, density_kg_l=1.03)
    whole = convolved(source, spacing_mm=spacing, density_kg_l=1.03)
    assert answered == grown(box, reach_voxels(spacing, 1.03), source.shape)
    assert np.abs(cropped - whole[answered]).max() <= 1e-6 * whole.max()

"""The RT Dose holds the map that was calculated: every voxel, in its place, within half a step."""

import tracemalloc
from dataclasses import replace
from datetime import date
from io import BytesIO

import numpy as np
import pytest
import written_cases as cases
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from connector.core.errors import ImpossibleInput
from connector.dicom.write_rtdose import DoseMapWriter, dose_grid_scaling


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return cases.make_study(tmp_path_factory.mktemp("study"))


def write(dose, paths, *, bits=32, **changes):
    (document,) = DoseMapWriter(bits).write(cases.request(cases.assessment(dose=dose, **changes), paths))
    return document


def read(document):
    return dcmread(DicomBytesIO(document.content))


def gray(written):
    return written.pixel_array.astype(np.float64) * float(written.DoseGridScaling)


def gamma(shape, seed=3):
    return np.random.default_rng(seed).gamma(2.0, 40.0, shape).astype(np.float32)


@pytest.mark.parametrize("bits", [16, 32])
def test_every_voxel_is_within_half_a_step(paths, bits):
    grid = cases.geometry((7, 20, 24))
    dose_gy = gamma(grid.shape)
    written = read(write(cases.dose(grid, dose_gy), paths, bits=bits))
    step = float(written.DoseGridScaling)
    assert np.abs(gray(written) - dose_gy).max() <= step / 2 * (1 + 1e-9)
    assert step <= dose_gy.max() / (2**bits - 1) * (1 + 1e-9), "no resolution is given away"
    assert (written.BitsAllocated, written.BitsStored, written.HighBit) == (bits, bits, bits - 1)


@settings(max_examples=300)
@given(
    peak=st.floats(min_value=float(np.float32(1e-30)), max_value=float(np.float32(1e30)), width=32),
    bits=st.sampled_from([16, 32]),
)
def test_the_peak_never_wraps_and_the_scaling_fits_its_field(peak, bits):
    text = dose_grid_scaling(peak, bits)
    assert len(text) <= 16
    top = int(np.rint(np.float64(peak) / np.float64(float(text))))
    assert 2**bits * (1 - 1e-4) - 2 <= top <= 2**bits - 1


@pytest.mark.parametrize(("peak", "why"), [(0.0, "all zero"), (1e-6, "nearly nothing"), (131.7, "usual"), (9e4, "hot")])
def test_the_peak_is_read_back(paths, peak, why):
    grid = cases.geometry((2, 4, 4))
    dose_gy = np.zeros(grid.shape, np.float32)
    dose_gy[1, 2, 3] = peak
    assert gray(read(write(cases.dose(grid, dose_gy), paths))).max() == pytest.approx(
        float(np.float32(peak)), rel=1e-9
    ), why


def positions(written):
    """The centre of the first voxel and of the last, from the header alone."""
    column, row = (
        np.array(written.ImageOrientationPatient[:3], float),
        np.array(written.ImageOrientationPatient[3:], float),
    )
    between_rows, between_columns = (float(each) for each in written.PixelSpacing)
    first = np.array(written.ImagePositionPatient, float)
    depth = float(written.GridFrameOffsetVector[-1]) * np.cross(column, row)
    last = first + depth + row * between_rows * (written.Rows - 1) + column * between_columns * (written.Columns - 1)
    return first, last


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("falling", [False, True])
def test_every_voxel_is_in_its_place(paths, oblique, falling):
    grid = cases.geometry((4, 6, 8), oblique=oblique)
    if falling:
        grid = replace(grid, plane_direction=tuple(-x for x in grid.plane_direction))
    dose_gy = gamma(grid.shape)
    written = read(write(cases.dose(grid, dose_gy), paths))
    offsets = [float(each) for each in written.GridFrameOffsetVector]
    assert offsets == [0.0, 3.0, 6.0, 9.0], "relative, from 0, rising along the normal"
    assert written.FrameIncrementPointer == 0x3004000C
    origin, plane = np.array(grid.origin_mm), np.array(grid.plane_direction)
    in_plane = 5 * 2.5 * np.array(grid.row_step_direction) + 7 * 2.5 * np.array(grid.column_step_direction)
    first_plane, last_plane = (3, 0) if falling else (0, 3)
    first, last = positions(written)
    assert first == pytest.approx(origin + first_plane * 3.0 * plane, abs=1e-9)
    assert last == pytest.approx(origin + last_plane * 3.0 * plane + in_plane, abs=1e-9)
    step = float(written.DoseGridScaling)
    assert np.abs(gray(written) - (dose_gy[::-1] if falling else dose_gy)).max() <= step


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dose: replace(dose, dose_gy=-dose.dose_gy), "negative or infinite"),
        (lambda dose: replace(dose, dose_gy=dose.dose_gy * np.float32(np.nan)), "negative or infinite"),
        (lambda dose: replace(dose, dose_gy=dose.dose_gy + np.float32(np.inf)), "negative or infinite"),
        (lambda dose: replace(dose, dose_gy=dose.dose_gy[1:]), "must be equal"),
        (lambda dose: replace(dose, geometry=replace(dose.geometry, spacing_mm=(0.0, 1.0, 1.0))), "not positive"),
        (
            lambda dose: replace(dose, geometry=replace(dose.geometry, plane_direction=(0.0, 0.5, 0.866))),
            "perpendicular",
        ),
    ],
)
def test_what_an_rt_dose_cannot_say_is_refused(paths, change, message):
    with pytest.raises(ImpossibleInput, match=message):
        write(change(cases.dose()), paths)


def test_without_a_dose_map_there_is_no_rt_dose(paths):
    assert DoseMapWriter().write(cases.request(cases.assessment(), paths)) == []


def test_the_same_dose_is_the_same_object_on_another_day_by_other_rules(paths):
    one = write(cases.dose(), paths)
    assert write(cases.dose(), paths, assessed_on=date(2026, 9, 9), ruleset="rules-2", needs=("x",)) == one


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda dose: replace(dose, dose_gy=dose.dose_gy * np.float32(1.01)), "another dose"),
        (lambda dose: replace(dose, method="kernel_convolution"), "another method"),
        (lambda dose: replace(dose, geometry=replace(dose.geometry, origin_mm=(0.0, 0.0, 0.0))), "another place"),
    ],
)
def test_another_dose_is_another_object(paths, change, why):
    assert write(change(cases.dose()), paths).identity != write(cases.dose(), paths).identity, why


def test_it_says_what_it_is_and_from_which_images(paths):
    sources = tuple(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths[:3])
    document = write(replace(cases.dose(), sop_instance_uids=sources), paths)
    written = read(document)
    assert document.kind == "rtdose"
    assert (written.DoseUnits, written.DoseType, written.DoseSummationType) == ("GY", "PHYSICAL", "PLAN_OVERVIEW")
    assert written.DoseComment.startswith("nuclide=Y-90; method=local_deposition")
    assert len(written.DoseComment) <= 64
    assert {str(item.ReferencedSOPInstanceUID) for item in written.SourceImageSequence} == set(sources)
    (series,) = written.ReferencedSeriesSequence
    assert len(series.ReferencedInstanceSequence) == 3
    assert written.FrameOfReferenceUID == cases.FRAME
    assert (written.PatientID, written.StudyInstanceUID) == ("T-0001", cases.STUDY)


def test_planes_are_streamed(paths):
    grid = cases.geometry((64, 256, 256))
    dose_gy = gamma(grid.shape)
    request = cases.request(cases.assessment(dose=cases.dose(grid, dose_gy)), paths)

    class Discard(BytesIO):
        def write(self, octets):
            return len(octets)

    tracemalloc.start()
    DoseMapWriter().stream(request, request.assessment.dose, Discard())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20, "16 MiB of dose pass through a few planes of memory"

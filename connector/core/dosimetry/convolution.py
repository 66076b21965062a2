"""Convolves a dose map with a voxel kernel: in single precision, only where it is asked for, a few planes at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from connector.core.dosimetry.dvh import Slices
from connector.core.dosimetry.kernel import Spacing, reach_voxels, voxel_kernel

# Blocks are independent, so the number of workers changes the time and never a bit of the result.
WORKERS = 2
# What a transform and a sum work on stays in a core's own cache; a plane of the kernel is read once for some pairs.
BLOCK_BYTES = 2**19
ROWS_BYTES = 2**16
PAIRS_SUMMED = 4
# Round-off of a transform, in units of the largest value in both of its planes: below it a voxel is cold.
ROUND_OFF = 0.5
Real = NDArray[np.float32] | NDArray[np.float64]
Complex = NDArray[np.complexfloating]
Shape = tuple[int, int, int]


def convolved(dose: Real, *, spacing_mm: Spacing, density_kg_l: float) -> Real:
    """
    The dose map blurred by the kernel, same shape and precision; what leaves the grid is lost.

    The input is local deposition in one density and not below 0.
    """
    everywhere = slice(0, dose.shape[0]), slice(0, dose.shape[1]), slice(0, dose.shape[2])
    return _blurred(dose, everywhere, spacing_mm, density_kg_l)


def convolved_around(dose: Real, box: Slices, *, spacing_mm: Spacing, density_kg_l: float) -> tuple[Slices, Real]:
    """
    The blurred dose in a box and one range around it, equal to that of the whole volume.

    Sources reach in from one range further out. Returns the part of the volume that was answered, and its dose.
    """
    answered = grown(box, reach_voxels(spacing_mm, density_kg_l), _shape(dose))
    return answered, _blurred(dose, answered, spacing_mm, density_kg_l)


def grown(box: Slices, by: Shape, shape: Shape) -> Slices:
    """A box grown to all sides, within the volume."""
    sides = [
        slice(max(side.start - reach, 0), min(side.stop + reach, size))
        for side, reach, size in zip(box, by, shape, strict=True)
    ]
    return sides[0], sides[1], sides[2]


def _shape(array: NDArray[np.generic]) -> Shape:
    return array.shape[0], array.shape[1], array.shape[2]


def _blurred(dose: Real, answered: Slices, spacing_mm: Spacing, density_kg_l: float) -> Real:
    """Blurred dose of one part of the volume; only what holds a source or is in range of one is transformed."""
    half = reach_voxels(spacing_mm, density_kg_l)
    result: Real = np.zeros([side.stop - side.start for side in answered], dtype=dose.dtype)
    reaching = grown(answered, half, _shape(dose))
    sources = _sources(dose, reaching)
    if sources is None:
        return result
    lit = [
        slice(max(side.start, asked.start), min(side.stop, asked.stop))
        for side, asked in zip(grown(sources, half, _shape(dose)), answered, strict=True)
    ]
    into = tuple(slice(side.start - a.start, side.stop - a.start) for side, a in zip(lit, answered, strict=True))
    _transform(
        dose,
        result[into],
        sources=sources,
        lit=(lit[0], lit[1], lit[2]),
        spacing_mm=spacing_mm,
        density_kg_l=density_kg_l,
    )
    return result


def _sources(dose: Real, within: Slices) -> Slices | None:
    """Smallest box around all dose within a box; None when there is none."""
    if all(dose[within].take(end, axis).any() for axis in range(3) for end in (0, -1)):
        return within
    highest = dose[within].max(axis=0)
    planes = np.flatnonzero([plane.any() for plane in dose[within]])
    if not planes.size:
        return None
    sides = []
    for lit, side in zip(
        (planes, np.flatnonzero(highest.any(axis=1)), np.flatnonzero(highest.any(axis=0))), within, strict=True
    ):
        sides.append(slice(side.start + int(lit[0]), side.start + int(lit[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _transform(
    dose: Real, result: Real, *, sources: Slices, lit: Slices, spacing_mm: Spacing, density_kg_l: float
) -> None:
    """
    Write the blurred dose of the voxels `lit`, which are in range of `sources`, into `result`.

    Planes are transformed, and summed plane by plane over the axis on which the kernel is shortest: so few terms cost
    no more than a third transform, and only as many planes are held as the kernel has. Transforms are as long as keeps
    what wraps around out of every voxel that is kept.
    """
    half = reach_voxels(spacing_mm, density_kg_l)
    order = (0, 1, 2) if half[0] <= half[1] else (1, 0, 2)
    reach = [half[axis] for axis in order]
    of, to = [sources[axis] for axis in order], [lit[axis] for axis in order]
    rows, columns = (max(to[k].stop - of[k].start, of[k].stop - to[k].start) + reach[k] for k in (1, 2))
    origin = [min(one.start, other.start) for one, other in zip(of, to, strict=True)]
    shape = scipy.fft.next_fast_len(rows), scipy.fft.next_fast_len(columns)
    blur = _Blur(
        source=dose[sources].transpose(order),
        result=result.transpose(order),
        first=to[0].start - of[0].start,
        filled=_moved(of, origin)[1:],
        wanted=_moved(to, origin)[1:],
        kernel=_kernel_planes(spacing_mm, density_kg_l, order, shape, dose.dtype.char),
    )
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(blur.write, _blocks(blur.pairs, -(-blur.pairs // WORKERS))))


@dataclass(frozen=True, slots=True, eq=False)
class _Blur:
    """
    One convolution of planes [plane, row, column], two at a time: one as the real, one as the imaginary part.

    The kernel's transform is real, so both parts stay apart, and one complex transform does for two planes what two
    transforms of real planes do, with less padding and copying. Plane p of the first half of the result goes with
    plane p of its second half: the neighbours of both are pairs as well.

    `first` is the plane of the source, perhaps outside it, that lies at plane 0 of the result; `filled` and `wanted`
    are the rows and columns of source and result in a transform; `kernel` is as `_kernel_planes` gives it.
    """

    source: Real
    result: Real
    first: int
    filled: tuple[slice, ...]
    wanted: tuple[slice, ...]
    kernel: Real

    @property
    def pairs(self) -> int:
        """Number of pairs of planes that make up the result; of an odd number the last has no second."""
        return -(-len(self.result) // 2)

    def write(self, pairs: slice) -> None:
        """Write these pairs of planes of the result."""
        around = len(self.kernel) - 1
        step = min(pairs.stop - pairs.start, max(around, PAIRS_SUMMED))
        kind = np.result_type(self.source.dtype, np.complex64)
        spectra = np.empty((around + step, self.kernel.shape[1], self.kernel.shape[2] // 2), kind)
        summed = np.empty((min(step, PAIRS_SUMMED), *spectra.shape[1:]), kind)
        self._read(spectra[:around], pairs.start - around // 2)
        for start in range(pairs.start, pairs.stop, step):
            count = min(step, pairs.stop - start)
            self._read(spectra[around : around + count], start + around // 2)
            for block in _blocks(count, len(summed)):
                made = summed[: block.stop - block.start]
                self._sum(spectra[block.start : block.stop + around], made)
                for part in _blocks(len(made), BLOCK_BYTES // made[0].nbytes):
                    self._put(made[part], start + block.start + part.start)
            # The last planes are the first neighbours of what comes next.
            spectra[:around] = spectra[count : count + around]

    def _read(self, spectra: Complex, first: int) -> None:
        """Transform the pairs of source planes that lie at the pairs of result planes from `first` on."""
        rows, columns = self.filled
        for block in _blocks(len(spectra), BLOCK_BYTES // self.kernel[0].nbytes):
            into = spectra[block]
            into[:, :, : columns.start] = 0
            into[:, :, columns.stop :] = 0
            lines = into[:, rows, columns]
            begin = self.first + first + block.start
            given = [_within(self.source, begin, lines.real), _within(self.source, begin + self.pairs, lines.imag)]
            into[:, : rows.start] = 0
            into[:, rows.stop :] = 0
            if any(given):
                _keep(into[:, rows], scipy.fft.fft(into[:, rows], axis=2, overwrite_x=True))
                _keep(into, scipy.fft.fft(into, axis=1, overwrite_x=True))

    def _sum(self, spectra: Complex, summed: Complex) -> None:
        """Sum every plane's neighbours, each times its plane of the kernel."""
        given, into = spectra.view(self.source.dtype), summed.view(self.source.dtype)
        neighbours = sliding_window_view(given, len(summed), axis=0)
        for rows in _blocks(given.shape[1], ROWS_BYTES // self.kernel[0, 0].nbytes):
            np.einsum("krcp,krc->prc", neighbours[:, rows], self.kernel[:, rows], out=into[:, rows])

    def _put(self, summed: Complex, first: int) -> None:
        """Transform pairs of planes back and put them into the result, without what is no more than round-off."""
        lines = scipy.fft.ifft(summed, axis=1, overwrite_x=True)[:, self.wanted[0]]
        doses = scipy.fft.ifft(lines, axis=2, overwrite_x=True)[:, :, self.wanted[1]]
        halves = [self.result[begin : begin + len(doses)] for begin in (first, first + self.pairs)]
        highest = np.zeros(len(doses), self.result.dtype)
        for into, made in zip(halves, (doses.real, doses.imag), strict=True):
            into[...] = made[: len(into)]  # of an odd number of planes the last pair has no second
            np.maximum(highest[: len(into)], into.max(axis=(1, 2)), out=highest[: len(into)])
        floors = ROUND_OFF * np.finfo(self.result.dtype).eps * highest[:, None, None]
        for into in halves:
            cold = into < floors[: len(into)]
            if cold.any():  # mostly all is warm, and to ask costs less than to write
                into[cold] = 0


def _within(source: Real, first: int, into: Real) -> bool:
    """Copy the planes of the source from `first` on; those outside it are empty. Tell whether there was one inside."""
    start, stop = (min(max(edge - first, 0), len(into)) for edge in (0, len(source)))
    into[:start] = 0
    into[stop:] = 0
    into[start:stop] = source[first + start : first + stop]
    return start < stop


def _moved(box: Sequence[slice], origin: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(side.start - first, side.stop - first) for side, first in zip(box, origin, strict=True))


def _keep(part: Complex, done: Complex) -> None:
    """Put a transform into its place, where it mostly is already: that is allowed to happen and not promised."""
    if not np.may_share_memory(done, part):
        part[...] = done


def _blocks(count: int, size: int) -> list[slice]:
    size = max(1, size)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


@lru_cache(maxsize=2)
def _kernel_planes(
    spacing_mm: Spacing, density_kg_l: float, order: tuple[int, int, int], shape: tuple[int, int], kind: str
) -> Real:
    """
    Transforms of the kernel's planes in the order of axes given, every number twice.

    The kernel is even along each axis: the transform of each plane is real; twice, for the real and the imaginary part
    that it multiplies. Summed in double precision, cosine by cosine, because the kernel is small and the transform is
    not. Offsets wrap, so a grid narrower than the kernel folds it upon itself; what folds falls into the part that is
    cut away.
    """
    whole = voxel_kernel(spacing_mm, density_kg_l)
    reach = reach_voxels(spacing_mm, density_kg_l)
    reached = [slice(side // 2 - far, side // 2 + far + 1) for side, far in zip(whole.shape, reach, strict=True)]
    kernel = whole[tuple(reached)].transpose(order)
    waves = []
    for side, full in zip(kernel.shape[1:], shape, strict=True):
        offsets = np.arange(-(side // 2), side // 2 + 1)
        waves.append(np.cos(2 * np.pi * (np.arange(full)[:, None] * offsets % full) / full))
    planes = waves[0] @ kernel @ waves[1].T
    spectrum: Real = np.repeat(planes.astype(kind), 2, axis=2)
    spectrum.setflags(write=False)
    return spectrum

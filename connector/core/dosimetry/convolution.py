"""Convolves a dose map with a voxel kernel: in single precision, only where it is asked for, a few planes at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.dosimetry.dvh import Slices
from connector.core.dosimetry.kernel import Spacing, reach_voxels, voxel_kernel

# Blocks are independent, so the number of workers changes the time and never a bit of the result.
WORKERS = 2
# One block of planes stays in a core's own cache through all of its passes.
BLOCK_BYTES = 2**18
# Round-off of a transform, in units of the largest value: below it a voxel is cold.
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
    shape = scipy.fft.next_fast_len(rows), scipy.fft.next_fast_len(columns, real=True)
    blur = _Blur(
        source=dose[sources].transpose(order),
        result=result.transpose(order),
        first=to[0].start - of[0].start,
        filled=_moved(of, origin)[1:],
        wanted=_moved(to, origin)[1:],
        shape=shape,
        kernel=_kernel_planes(spacing_mm, density_kg_l, order, shape, dose.dtype.char),
    )
    count = len(blur.result)
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = _blocks(count, -(-count // WORKERS))
        floor = ROUND_OFF * float(np.finfo(dose.dtype).eps) * max(pool.map(blur.write, parts))
        list(pool.map(lambda part: _cool(blur.result[part], floor), parts))


@dataclass(frozen=True, slots=True, eq=False)
class _Blur:
    """
    One convolution of planes [plane, row, column].

    `first` is the plane of the source, perhaps outside it, that lies at plane 0 of the result; `filled` and `wanted`
    are the rows and columns of source and result in a transform of `shape`; `kernel` is as `_kernel_planes` gives it.
    """

    source: Real
    result: Real
    first: int
    filled: tuple[slice, ...]
    wanted: tuple[slice, ...]
    shape: tuple[int, int]
    kernel: Real

    def write(self, planes: slice) -> float:
        """Write these planes of the result and return the largest dose among them."""
        half = len(self.kernel) - 1
        plane_bytes = self.kernel[0].nbytes
        step = min(planes.stop - planes.start, max(2 * half, BLOCK_BYTES // plane_bytes, 1))
        spectra = np.empty((2 * half + step, self.shape[0], self.shape[1] // 2 + 1), self._kind)
        peak = 0.0
        self._read(spectra[: 2 * half], self.first + planes.start - half)
        for start in range(planes.start, planes.stop, step):
            count = min(step, planes.stop - start)
            self._read(spectra[2 * half : 2 * half + count], self.first + start + half)
            for block in _blocks(count, BLOCK_BYTES // plane_bytes):
                summed = self._summed(spectra[block.start : block.stop + 2 * half])
                lines = scipy.fft.ifft(summed, axis=1, overwrite_x=True)[:, self.wanted[0]]
                doses = scipy.fft.irfft(lines, n=self.shape[1], axis=2)[:, :, self.wanted[1]]
                self.result[start + block.start : start + block.stop] = doses
                peak = max(peak, float(doses.max()))
            # The last planes are the first neighbours of what comes next.
            spectra[: 2 * half] = spectra[count : count + 2 * half]
        return peak

    @property
    def _kind(self) -> np.dtype[np.complexfloating]:
        return np.result_type(self.source.dtype, np.complex64)

    def _read(self, spectra: Complex, first: int) -> None:
        """Transform the planes from `first` on; planes outside the source are empty."""
        start, stop = (min(max(edge - first, 0), len(spectra)) for edge in (0, len(self.source)))
        filled = slice(start, stop)
        spectra[: filled.start] = 0
        spectra[filled.stop :] = 0
        for block in _blocks(filled.stop - filled.start, BLOCK_BYTES // self.kernel[0].nbytes):
            into = spectra[filled][block]
            planes = self.source[first + filled.start :][block]
            padded = np.zeros((*planes.shape[:2], self.shape[1]), dtype=self.source.dtype)
            padded[:, :, self.filled[1]] = planes
            into[:, : self.filled[0].start] = 0
            into[:, self.filled[0].stop :] = 0
            into[:, self.filled[0]] = scipy.fft.rfft(padded, axis=2)
            _keep(into, scipy.fft.fft(into, axis=1, overwrite_x=True))

    def _summed(self, spectra: Complex) -> Complex:
        """Sum every plane's neighbours, each times its plane of the kernel; equally far ones share it."""
        half = len(self.kernel) - 1
        count = len(spectra) - 2 * half
        summed = np.empty((count, *spectra.shape[1:]), spectra.dtype)
        into, given = summed.view(self.source.dtype), spectra.view(self.source.dtype)
        for rows in _blocks(self.shape[0], BLOCK_BYTES // (count * self.kernel[0, 0].nbytes)):
            total, near = into[:, rows], given[:, rows]
            np.multiply(near[half : half + count], self.kernel[0, rows], out=total)
            pair = np.empty_like(total)
            for apart in range(1, half + 1):
                np.add(near[half - apart :][:count], near[half + apart :][:count], out=pair)
                np.multiply(pair, self.kernel[apart, rows], out=pair)
                np.add(total, pair, out=total)
        return summed


def _cool(planes: Real, floor: float) -> None:
    """Set to 0 what is no more than the round-off of a transform."""
    for plane in planes:
        plane[plane < floor] = 0


def _moved(box: Sequence[slice], origin: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(side.start - first, side.stop - first) for side, first in zip(box, origin, strict=True))


def _keep(part: Complex, done: Complex) -> None:
    """Put a transform into its place, where it mostly is already: that is allowed to happen and not promised."""
    if not np.may_share_memory(done, part):
        part[...] = done


def _blocks(count: int, size: int) -> list[slice]:
    size = max(1, size)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


@lru_cache(maxsize=4)
def _kernel_planes(
    spacing_mm: Spacing, density_kg_l: float, order: tuple[int, int, int], shape: tuple[int, int], kind: str
) -> Real:
    """
    Transforms of the kernel's planes from the middle one outwards, in the order of axes given, every number twice.

    The kernel is even along each axis: a plane stands for both at its distance, and its transform is real; twice, for
    the real and the imaginary part that it multiplies. Summed in double precision, cosine by cosine, because the kernel
    is small and the transform is not. Offsets wrap, so a grid narrower than the kernel folds it upon itself; what folds
    falls into the part that is cut away.
    """
    whole = voxel_kernel(spacing_mm, density_kg_l)
    reach = reach_voxels(spacing_mm, density_kg_l)
    reached = [slice(side // 2 - far, side // 2 + far + 1) for side, far in zip(whole.shape, reach, strict=True)]
    kernel = whole[tuple(reached)].transpose(order)
    waves = []
    for side, full, kept in zip(kernel.shape[1:], shape, (shape[0], shape[1] // 2 + 1), strict=True):
        offsets = np.arange(-(side // 2), side // 2 + 1)
        waves.append(np.cos(2 * np.pi * (np.arange(kept)[:, None] * offsets % full) / full))
    planes = waves[0] @ kernel[len(kernel) // 2 :] @ waves[1].T
    spectrum: Real = np.repeat(planes.astype(kind), 2, axis=2)
    spectrum.setflags(write=False)
    return spectrum

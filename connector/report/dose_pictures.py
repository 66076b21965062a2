"""One picture of a dose map for people: isodoses over the CT in two cuts, dose-volume curves, and the arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import scipy
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from connector.core.assessment import DoseReport
from connector.core.case import ActivityMap, AnatomyImage, Region, VolumeGeometry
from connector.core.dosimetry.dvh import dose_volumes, joined_box
from connector.core.dosimetry.kernel_map import KERNEL_CONVOLUTION
from connector.core.geometry.crops import Crop, crop_on_grid
from connector.core.geometry.grids import indices_at, places_mm
from connector.report.dose_content import AXIAL, CORONAL

ISODOSES_GY = (10.0, 20.0, 40.0, 70.0, 100.0, 150.0, 200.0, 300.0, 500.0)
# Readable by people who see no red and green (Okabe and Ito, and plasma for the ordered isodoses).
REGION_COLOURS = ("#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#0072B2", "#777777")
# Soft tissue, in Hounsfield units; what lies outside the CT is air.
CT_WINDOW_HU = (-140.0, 220.0)
AIR_HU = -1000.0
CT_STEP_MM = 0.8
WASH_OPACITY = 0.33
MOST_LINES = 4
CURVE_POINTS = 400
MARGIN_MM = 30.0
SCALE_BAR_MM = 20.0
HOT_SHARE = 0.95
_AXIS_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What both cuts show: the voxel they go through, the window around the regions, and the isodoses that occur."""

    dose: DoseReport
    activity: ActivityMap
    anatomy: AnatomyImage | None
    crops: Sequence[Crop | None]
    place: tuple[int, int, int]
    window: tuple[slice, ...]
    levels: Sequence[float]


def dose_picture(
    dose: DoseReport,
    activity: ActivityMap,
    regions: Sequence[Region],
    anatomy: AnatomyImage | None = None,
    *,
    arithmetic: bool = True,
) -> bytes:
    """
    Draw a PNG: axial and coronal cut through the hottest place of the first lesion (else of all), the DVH, the sums.

    The dose lies over the CT when there is one in the same frame of reference; else over the activity, dark where there
    is much. `arithmetic` writes the sums below, which a page with a table of its own leaves out. The same input gives
    the same bytes.
    """
    # On a page it is printed at two thirds of its size: smaller axes keep the letters readable.
    figure = Figure(
        figsize=(15, 6.6) if arithmetic else (10.4, 3.5), dpi=110 if arithmetic else 160, layout="constrained"
    )
    axes = figure.subplot_mosaic(
        "ACD;LLL" if arithmetic else "ACD",
        width_ratios=(1, 1, 1.1),
        height_ratios=(1, 0.16) if arithmetic else (1,),
    )
    scene = scene_of(dose, activity, regions, anatomy)
    crops, anatomy = scene.crops, scene.anatomy
    draw_cut(axes["A"], AXIAL, scene)
    draw_cut(axes["C"], CORONAL, scene)
    _curves(axes["D"], dose, regions, crops, is_alone=arithmetic)
    if arithmetic:
        axes["L"].set_axis_off()
        lines = "\n".join(_arithmetic(dose, regions))
        axes["L"].text(0, 1, lines, va="top", fontsize=9, color="#333333", linespacing=1.5)
    figure.legend(
        handles=_isodose_handles(scene.levels), loc="outside upper left", ncols=len(ISODOSES_GY), frameon=False,
        fontsize=None if arithmetic else 8, handlelength=None if arithmetic else 1.2,
        columnspacing=None if arithmetic else 1.0,
    )  # fmt: skip
    method = dose.method.replace("_", " ")
    under = "CT" if anatomy is not None else "activity"
    title = f"{dose.nuclide} absorbed dose ({method}) over {under}: draft, not for treatment"
    figure.suptitle(title, fontsize=12 if arithmetic else 9, x=0.99, ha="right")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def scene_of(
    dose: DoseReport, activity: ActivityMap, regions: Sequence[Region], anatomy: AnatomyImage | None = None
) -> Scene:
    """Put together what cuts show; a CT in another frame of reference is left out."""
    crops = [crop_on_grid(region.mask, region.geometry, dose.geometry)[0] for region in regions]
    if anatomy is not None and anatomy.geometry.frame_of_reference_uid != dose.geometry.frame_of_reference_uid:
        anatomy = None
    return Scene(
        dose=dose,
        activity=activity,
        anatomy=anatomy,
        crops=crops,
        place=_hottest(dose.dose_gy, _first_of_interest(regions, crops)),
        window=_window(crops, dose),
        levels=[level for level in ISODOSES_GY if level < float(dose.dose_gy.max())],
    )


def _arithmetic(dose: DoseReport, regions: Sequence[Region]) -> list[str]:
    """How the doses came about, with the numbers: D = k A / m for the map and for its first regions."""
    energy = float(dose.constants.get("energy_per_activity_j_gbq", "nan"))
    density, lung = (float(dose.constants.get(f"{tissue}_density_kg_l", "nan")) for tissue in ("tissue", "lung"))
    spread = dose.method == KERNEL_CONVOLUTION
    how = (
        f"D = k c / density{', spread by the point kernel' if spread else ''}; "
        f"k = {energy:g} J/GBq ({dose.constants.get('profile', 'profile not named')}), "
        f"density {density:g} kg/L; c at administration, {dose.decay_hours:.2f} h before the reference time "
        f"({dose.decay_reference}); scale {dose.scale:.4g}"
    )
    # Every file numbers its regions from 1: only with the file is a number one region.
    lungs = {(region.origin, region.number) for region in regions if region.kind == "lung"}
    lines = [how]
    for region in dose.regions[:MOST_LINES]:
        mass = region.volume_ml / 1000 * (lung if (region.origin, region.number) in lungs else density)
        absorbed = region.mean_gy * mass
        # A kernel brings energy from around a region: its dose is no longer that of the activity in it.
        what = f"{absorbed:.4g} J" if spread else f"{absorbed / energy:.4g} GBq x {energy:g} J/GBq"
        interval = ""
        if region.mean_interval_gy is not None:
            interval = f" ({region.mean_interval_gy[0]:.1f} to {region.mean_interval_gy[1]:.1f} Gy)"
        lines.append(f"{region.name}: {what} / {mass:.4g} kg = {region.mean_gy:.1f} Gy{interval}")
    return lines


def _first_of_interest(regions: Sequence[Region], crops: Sequence[Crop | None]) -> Crop | None:
    filled = [(region, crop) for region, crop in zip(regions, crops, strict=True) if crop is not None]
    lesions = [pair for pair in filled if pair[0].kind == "lesion"]
    return next((crop for _, crop in lesions or filled), None)


def _hottest(dose_gy: NDArray[np.float32], crop: Crop | None) -> tuple[int, int, int]:
    """The voxel in the middle of the hottest ones: where the dose is even, a corner would show nothing."""
    inside = dose_gy if crop is None else np.where(crop.mask, dose_gy[crop.box], np.float32(-1))
    hot = np.argwhere(inside >= HOT_SHARE * inside.max())
    nearest = np.abs(hot - hot.mean(axis=0)).sum(axis=1).argmin()
    start = [0, 0, 0] if crop is None else [side.start for side in crop.box]
    plane, row, column = (hot[nearest] + start).tolist()
    return plane, row, column


def _window(crops: Iterable[Crop | None], dose: DoseReport) -> tuple[slice, ...]:
    """What is shown: the regions and a margin, or the whole volume."""
    boxes = [crop.box for crop in crops if crop is not None]
    shape, spacing = dose.geometry.shape, dose.geometry.spacing_mm
    if not boxes:
        return tuple(slice(0, size) for size in shape)
    margins = [round(MARGIN_MM / step) for step in spacing]
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, margin, size in zip(joined_box(boxes), margins, shape, strict=True)
    )


def draw_cut(axes: Axes, across: int, scene: Scene) -> None:
    """One cut through the scene's place; `across` is the array axis that is cut."""
    geometry = scene.dose.geometry
    at = tuple(scene.place[across] if axis == across else scene.window[axis] for axis in range(3))
    shown_gy = scene.dose.dose_gy[at]
    down, right = (axis for axis in range(3) if axis != across)
    aspect = geometry.spacing_mm[down] / geometry.spacing_mm[right]
    _background(axes, across, at, aspect, scene)
    if min(shown_gy.shape) > 1:
        _lines(axes, across, at, scene)
    if _is_head_up(geometry, down):
        axes.invert_yaxis()
    _letters(axes, geometry, down, right)
    _scale_bar(axes, geometry, right, "black" if scene.anatomy is None else "white")
    name = "axial" if across == AXIAL else "coronal"
    axes.set_title(f"{name}, {_position(geometry, across, scene.place)}", fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


def _background(axes: Axes, across: int, at: tuple[int | slice, ...], aspect: float, scene: Scene) -> None:
    """The CT with the dose as a wash of colour, or the activity."""
    if scene.anatomy is None:
        values = scene.activity.concentration_bq_per_ml[at]
        most = max(float(values.max()), 1.0)
        axes.imshow(values, cmap="gray_r", aspect=aspect, vmin=0, vmax=most, interpolation="nearest")
        return
    dose_gy = scene.dose.dose_gy[at]
    rows, columns = dose_gy.shape
    low, high = CT_WINDOW_HU
    axes.imshow(
        _ct_in_cut(scene.anatomy, across, scene), cmap="gray", vmin=low, vmax=high, aspect=aspect,
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), interpolation="bilinear",
    )  # fmt: skip
    lowest, highest = (scene.levels[0], scene.levels[-1]) if scene.levels else (1.0, 1.0)
    shown = np.clip((dose_gy - lowest / 2) / (lowest / 2), 0, 1) * WASH_OPACITY
    axes.imshow(
        dose_gy, cmap="plasma", vmin=0, vmax=max(highest, lowest + 1), alpha=shown, aspect=aspect,
        interpolation="bilinear",
    )  # fmt: skip


def _ct_in_cut(anatomy: AnatomyImage, across: int, scene: Scene) -> NDArray[np.float32]:
    """CT values at fine steps of the cut's window, by linear interpolation."""
    geometry = scene.dose.geometry
    axes = [axis for axis in range(3) if axis != across]
    fine = []
    for axis in axes:
        side = scene.window[axis]
        count = max(int((side.stop - side.start) * geometry.spacing_mm[axis] / CT_STEP_MM), 1)
        fine.append(side.start - 0.5 + (np.arange(count) + 0.5) * (side.stop - side.start) / count)
    down, right = np.meshgrid(*fine, indexing="ij")
    indices = np.empty((down.size, 3))
    indices[:, across] = scene.place[across]
    indices[:, axes[0]], indices[:, axes[1]] = down.ravel(), right.ravel()
    found = indices_at(anatomy.geometry, places_mm(geometry, indices))
    values = scipy.ndimage.map_coordinates(anatomy.hounsfield, found.T, order=1, mode="constant", cval=AIR_HU)
    return np.asarray(values.reshape(down.shape))


def _lines(axes: Axes, across: int, at: tuple[int | slice, ...], scene: Scene) -> None:
    """Outlines of the regions, dashed, and isodose lines; a single row or column of voxels has neither."""
    for number, crop in enumerate(scene.crops):
        if crop is not None and (outline := _outlined(crop, across, scene)).any():
            colour = REGION_COLOURS[number % len(REGION_COLOURS)]
            axes.contour(outline.astype(np.float32), levels=[0.5], colors=colour, linewidths=1.6, linestyles="dashed")
    dose_gy = scene.dose.dose_gy[at]
    levels = [level for level in scene.levels if level < float(dose_gy.max())]
    if levels:
        colours = isodose_colours(scene.levels)
        drawn = axes.contour(dose_gy, levels=levels, colors=[colours[level] for level in levels], linewidths=1.4)
        # A rim keeps lines visible: white on dark activity, black on a CT.
        rim = "white" if scene.anatomy is None else "black"
        drawn.set(path_effects=[withStroke(linewidth=2.4, foreground=rim)])


def _outlined(crop: Crop, across: int, scene: Scene) -> NDArray[np.bool_]:
    """A region in the window of one cut."""
    sides = [axis for axis in range(3) if axis != across]
    plane: NDArray[np.bool_] = np.zeros([scene.dose.geometry.shape[axis] for axis in sides], dtype=bool)
    index = scene.place[across] - crop.box[across].start
    if 0 <= index < crop.mask.shape[across]:
        plane[tuple(crop.box[axis] for axis in sides)] = crop.mask.take(index, axis=across)
    return plane[tuple(scene.window[axis] for axis in sides)]


def _direction(geometry: VolumeGeometry, axis: int) -> tuple[float, float, float]:
    return (geometry.plane_direction, geometry.row_step_direction, geometry.column_step_direction)[axis]


def _is_head_up(geometry: VolumeGeometry, down: int) -> bool:
    """Whether the array runs from feet to head down the picture, which people read upside down."""
    direction = _direction(geometry, down)
    return int(np.argmax(np.abs(direction))) == 2 and direction[2] > 0  # noqa: PLR2004 - z of the patient


def _letters(axes: Axes, geometry: VolumeGeometry, down: int, right: int) -> None:
    outline = [withStroke(linewidth=2.5, foreground="white")]
    ends = {"left": (0.02, 0.5), "right": (0.98, 0.5), "top": (0.5, 0.98), "bottom": (0.5, 0.02)}
    low_right, high_right = _ends_of(geometry, right)
    low_down, high_down = _ends_of(geometry, down)
    if _is_head_up(geometry, down):
        low_down, high_down = high_down, low_down
    for side, letter in zip(ends, (low_right, high_right, low_down, high_down), strict=True):
        x, y = ends[side]
        across = side if side in {"left", "right"} else "center"
        along = side if side in {"top", "bottom"} else "center"
        axes.text(x, y, letter, transform=axes.transAxes, ha=across, va=along, fontsize=11, path_effects=outline)


def _ends_of(geometry: VolumeGeometry, axis: int) -> tuple[str, str]:
    """Letters at the low and the high end of an array axis (patient coordinates run to left, posterior, superior)."""
    direction = _direction(geometry, axis)
    main = int(np.argmax(np.abs(direction)))
    low, high = _AXIS_LETTERS[main]
    return (low, high) if direction[main] > 0 else (high, low)


def _position(geometry: VolumeGeometry, across: int, place: tuple[int, int, int]) -> str:
    steps = [
        index * step * np.array(_direction(geometry, axis))
        for axis, (index, step) in enumerate(zip(place, geometry.spacing_mm, strict=True))
    ]
    point = np.array(geometry.origin_mm) + np.sum(steps, axis=0)
    main = int(np.argmax(np.abs(_direction(geometry, across))))
    return f"{'xyz'[main]} = {point[main]:.1f} mm"


def isodose_colours(levels: Sequence[float]) -> dict[float, Any]:
    """One colour a level, from dark to bright over the levels that occur."""
    return dict(zip(levels, colormaps["plasma"](np.linspace(0.1, 0.92, len(levels))), strict=True))


def _isodose_handles(levels: Sequence[float]) -> list[Line2D]:
    colours = isodose_colours(levels)
    return [Line2D([], [], color=colours[level], label=f"{level:g} Gy") for level in levels]


def _scale_bar(axes: Axes, geometry: VolumeGeometry, right: int, colour: str) -> None:
    """A bar of 20 mm at the lower left."""
    _, width = sorted(axes.get_xlim())
    length = SCALE_BAR_MM / geometry.spacing_mm[right] / width
    axes.plot([0.04, 0.04 + length], [0.05, 0.05], transform=axes.transAxes, color=colour, linewidth=3)
    axes.text(0.04, 0.07, f"{SCALE_BAR_MM:g} mm", transform=axes.transAxes, fontsize=8, color=colour)


def _curves(
    axes: Axes, dose: DoseReport, regions: Sequence[Region], crops: Sequence[Crop | None], *, is_alone: bool
) -> None:
    """Cumulative dose-volume curve of every region; where no table stands beside it, with its mean dose and D70."""
    for number, (region, volume) in enumerate(zip(regions, dose_volumes(dose.dose_gy, crops), strict=True)):
        if volume is None:
            continue
        levels = np.linspace(0, volume.max_gy, CURVE_POINTS)
        shares = [100 * volume.volume_fraction_at(float(level)) for level in levels]
        doses = f": mean {volume.mean_gy:.1f} Gy, D70 {volume.dose_to_hottest_gy(70):.1f} Gy" if is_alone else ""
        label = f"{region.name}{doses}"
        colour = REGION_COLOURS[number % len(REGION_COLOURS)]
        axes.plot([*levels, volume.max_gy], [*shares, 0], color=colour, label=label, linewidth=1.8)
    axes.set_xlabel("absorbed dose at least [Gy]")
    axes.set_ylabel("volume [%]")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 103)
    axes.grid(visible=True, alpha=0.3)
    axes.set_title("dose-volume curves", fontsize=10)
    if axes.lines and is_alone:
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    elif axes.lines:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.2)
    axes.spines[["top", "right"]].set_visible(False)

"""The cuts of the dose picture one at a time, for a page that goes through them."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from connector.core.assessment import DoseReport
from connector.core.case import ActivityMap, AnatomyImage, Region
from connector.core.dosimetry.dvh import dose_volumes
from connector.report.dose_pictures import draw_cut, isodose_colours, scene_of

_DPI, _WIDTH, _TITLE = 110, 704, 28


class DoseSlices:
    """A dose map over its image; `index` is a plane of the whole grid along the cut axis (AXIAL, CORONAL)."""

    def __init__(
        self,
        dose: DoseReport,
        activity: ActivityMap,
        regions: Sequence[Region],
        anatomy: AnatomyImage | None = None,
    ) -> None:
        self._scene = scene_of(dose, activity, regions, anatomy)
        self.names = [region.name for region in regions]
        self.curves = dose_volumes(dose.dose_gy, self._scene.crops)
        self.under = "CT" if self._scene.anatomy is not None else "activity"

    def count(self, across: int) -> int:
        """Planes along an axis of the array."""
        return self._scene.dose.geometry.shape[across]

    def hottest(self, across: int) -> int:
        """The plane that the board's report shows."""
        return self._scene.place[across]

    @property
    def isodoses(self) -> list[tuple[float, str]]:
        """Levels in Gy that occur, each with its colour."""
        return [(level, to_hex(colour)) for level, colour in isodose_colours(self._scene.levels).items()]

    def size(self, across: int) -> tuple[int, int]:
        """Width and height in pixels of every cut along an axis: as the body is, with room for the line above."""
        geometry = self._scene.dose.geometry
        extent = [
            len(range(geometry.shape[axis])[self._scene.window[axis]]) * geometry.spacing_mm[axis]
            for axis in range(3)
            if axis != across
        ]
        return _WIDTH, round(_WIDTH * min(max(extent[0] / extent[1], 0.4), 1.6)) + _TITLE

    def png(self, across: int, index: int) -> bytes:
        """Draw one cut, without any text but directions, place and scale."""
        place = list(self._scene.place)
        place[across] = index
        width, height = self.size(across)
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
        draw_cut(figure.subplots(), across, replace(self._scene, place=(place[0], place[1], place[2])))
        buffer = BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

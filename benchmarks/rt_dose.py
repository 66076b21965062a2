"""How fast and in how little memory a dose map becomes an RT Dose, streamed beside made as a whole, in one run.

    python benchmarks/rt_dose.py [--rounds 7] [--grids A B C]

The whole-array route is what everybody writes: float64, divide, round, unsigned integers, `tobytes`, pydicom's save.
Both write one file on the same disk, and the pixels are compared byte for byte. Printed are medians of the ratios of
wall and of processor time, taken in turns in one process, and the peak memory above the input of a process of its own.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from interleaved import in_turns, in_words, peak_mb, print_growth
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from connector.core.assessment import Assessment, DoseReport
from connector.core.case import PatientIdentity, VolumeGeometry
from connector.dicom.write_rtdose import DoseMapWriter
from connector.ports import WriteRequest

GRIDS = {"A": (110, 200, 200), "B": (200, 256, 256), "C": (300, 512, 512)}
STREAMED, WHOLE = "streamed", "whole array"


def dose_report(shape: tuple[int, int, int]) -> DoseReport:
    geometry = VolumeGeometry(
        shape, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.37, 1.37, 1.37), "1.2.9"
    )
    doses = np.random.default_rng(1).random(shape, np.float32)
    doses *= 300
    return DoseReport(
        method="local_deposition", constants={}, scale=1.0, nuclide="Y-90", decay_reference="given", decay_hours=0.0,
        dose_gy=doses, geometry=geometry, regions=(),
        study_instance_uid="1.2.3", series_instance_uid="1.2.3.1", sop_instance_uids=("1.2.3.1.1",),
    )  # fmt: skip


def request_for(dose: DoseReport, folder: Path) -> WriteRequest:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.128", "1.2.3.1.1"
    image.StudyInstanceUID, image.SeriesInstanceUID = dose.study_instance_uid, dose.series_instance_uid
    image.PatientID, image.Modality = "P1", "PT"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "image.dcm"
    image.save_as(path, enforce_file_format=True)
    assessment = Assessment(
        case_ref="benchmark",
        study_instance_uid=dose.study_instance_uid,
        assessed_on=None,
        connector_version="0",
        ruleset="0",
        input_digest="0",
        inputs=(),
        time_points=(),
        response=None,
        selection=None,
        dose=dose,
    )  # type: ignore[arg-type]  # fmt: skip - an RT Dose is not dated
    return WriteRequest(assessment=assessment, identity=PatientIdentity(identifiers=()), record=None, paths=[path])


def streamed(request: WriteRequest, dose: DoseReport, path: Path) -> None:
    with path.open("wb") as file:
        DoseMapWriter().stream(request, dose, file)


def whole(header: Dataset, dose: DoseReport, path: Path) -> None:
    levels = np.rint(dose.dose_gy.astype(np.float64) / float(header.DoseGridScaling))
    header.add_new("PixelData", "OW", levels.astype("<u4").tobytes())
    header.save_as(path, enforce_file_format=True)
    del header.PixelData


def routes(name: str, folder: Path) -> dict[str, Callable[[], None]]:
    dose = dose_report(GRIDS[name])
    request = request_for(dose, folder)
    streamed(request, dose, folder / "streamed.dcm")
    header = pydicom.dcmread(folder / "streamed.dcm", stop_before_pixels=True)
    return {
        WHOLE: lambda: whole(header, dose, folder / "whole.dcm"),
        STREAMED: lambda: streamed(request, dose, folder / "streamed.dcm"),
    }


def compare(name: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        calls = routes(name, folder)
        times = in_turns(calls, rounds)
        expected, found = (pydicom.dcmread(folder / f"{each}.dcm").PixelData for each in ("whole", "streamed"))
        assert expected == found
    peaks = ", ".join(f"{route} {peak_mb(__file__, name, route):.0f} MB" for route in calls)
    print(f"{name}  streamed {in_words(times, name=STREAMED, baseline=WHOLE)}; {peaks}")


def print_peak(name: str, route: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        call = routes(name, Path(folder))[route]
        print_growth(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--grids", nargs="+", default=list(GRIDS), choices=GRIDS)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        print_peak(*chosen.peak)
        return
    for name in chosen.grids:
        compare(name, chosen.rounds)


if __name__ == "__main__":
    main()

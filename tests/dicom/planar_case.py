"""Two opposed planar views of a work-up and what is drawn on them, with counts whose shunt is known by hand."""

import image_case
import numpy as np
from image_case import code, instance, item, pixels, save, set_all

SHAPE = (40, 30)
LUNG_CODE = ("39607008", "SCT", "Lung")


def block(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[low[0] : high[0], low[1] : high[1]] = True
    return mask


LUNG, LIVER, BACKGROUND = block((2, 4), (12, 14)), block((14, 4), (24, 14)), block((30, 20), (34, 24))


def counts(*, lung, liver, background=0):
    made = np.full(SHAPE, background, np.float32)
    made[LUNG] += lung
    made[LIVER] += liver
    return made


def planar(folder, *, codes=("255549009", "255551008"), mirror=True, name="planar.dcm", views=None, **changes):
    """Both heads of one acquisition; the posterior is the mirror image, as a camera behind the patient sees it."""
    back = counts(lung=100, liver=700, background=5)
    made = [counts(lung=120, liver=900, background=5), back[:, ::-1] if mirror else back]
    made = made if views is None else views
    detectors = [item(ViewCodeSequence=code(each, "SCT", "view")) if each else item() for each in codes]
    dataset = instance(
        image_case.NM, "1.2.3.8.1", SeriesInstanceUID="1.2.3.8", Modality="NM", NumberOfFrames=len(made),
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"], DetectorVector=list(range(1, len(made) + 1)),
        DetectorInformationSequence=detectors, PixelSpacing=[4, 4],
        RadiopharmaceuticalInformationSequence=[item(Radiopharmaceutical="Tc-99m MAA")],
        **pixels(np.stack(made).astype(np.uint16)),
    )  # fmt: skip
    set_all(dataset, changes)
    return save(dataset, folder / name)


def drawn_on_planar(folder, frames, **changes):
    """`frames` are (segment number, frame of the image or None, mask)."""
    stacked = np.stack([mask for _, _, mask in frames]).astype(np.uint8)
    described = [
        image_case.segment(1, LUNG_CODE, SegmentLabel="lungs"),
        image_case.segment(2, image_case.LIVER, SegmentLabel="liver"),
        image_case.segment(3, SegmentLabel="background"),
        image_case.segment(4, SegmentLabel="marker"),
    ]
    dataset = instance(
        image_case.SEG, "1.2.3.9.1", SeriesInstanceUID="1.2.3.9", Modality="SEG", SegmentationType="FRACTIONAL",
        MaximumFractionalValue=1, NumberOfFrames=len(frames), SegmentSequence=described, **pixels(stacked),
    )  # fmt: skip
    groups = []
    for number, frame, _ in frames:
        group = item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)])
        if frame is not None:
            source = item(
                ReferencedSOPClassUID=image_case.NM, ReferencedSOPInstanceUID="1.2.3.8.1", ReferencedFrameNumber=frame
            )
            group.DerivationImageSequence = [item(SourceImageSequence=[source])]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    set_all(dataset, changes)
    return save(dataset, folder / "organs.dcm")


IN_FRONT = [(1, 1, LUNG), (2, 1, LIVER), (3, 1, BACKGROUND)]
BEHIND = [(1, 2, LUNG[:, ::-1]), (2, 2, LIVER[:, ::-1]), (3, 2, BACKGROUND[:, ::-1])]
# Lung 12 000 and 10 000 counts, liver 90 000 and 70 000, less their background.
EXPECTED = 0.12127550239018872

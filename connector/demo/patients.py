"""The made-up patients of the demo: what grows in whom over three studies, and what their record says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from connector.demo.headers import Person, Study
from connector.demo.phantom import Sphere, Uptake
from connector.demo.phantom_images import PhantomVisit
from connector.demo.record import (
    BONE_METASTASES,
    CALCITONIN,
    FIT_FOR_TREATMENT,
    FOLLICULAR,
    LENVATINIB,
    LIVER_LESIONS_APART,
    LIVER_METASTASES,
    LUNG_METASTASES,
    MEDULLARY,
    PAPILLARY,
    THYROGLOBULIN,
    History,
)

BETWEEN_STUDIES = timedelta(days=91)
_ISSUER = "DEMO-HOSPITAL"
_Place = tuple[str, str, tuple[float, float, float]]  # label, organ, centre in mm

# Centres lie on voxel centres, so that the largest section of a sphere is one of the slices.
LIVER_PLACES: tuple[_Place, ...] = (
    ("L1", "liver", (-91.0, -15.0, 60.0)),
    ("L2", "liver", (-41.0, 9.0, 75.0)),
    ("L3", "liver", (-25.0, -29.0, 55.0)),
    ("L4", "liver", (-67.0, 27.0, 45.0)),
    ("L5", "liver", (-71.0, -45.0, 70.0)),
)
LUNG_PLACES: tuple[_Place, ...] = (("P1", "lung", (-75.0, 5.0, 180.0)), ("P2", "lung", (75.0, 21.0, 170.0)))
BONE_PLACES: tuple[_Place, ...] = (("B1", "bone", (1.0, 77.0, 110.0)),)


@dataclass(frozen=True, slots=True)
class Patient:
    """
    One made-up patient.

    `diameters_mm` holds for each study the diameters of the lesions at `places` (0: not there). `born_in_images`
    differs from the record's birth date where the two sides are to contradict each other. `later` are facts that the
    EHR learns only after the studies.
    """

    history: History
    places: tuple[_Place, ...]
    diameters_mm: tuple[tuple[float, ...], ...]
    study_description: str
    work_up: Mapping[int, Uptake]  # by number of the study
    treatment: Mapping[int, Uptake]
    born_in_images: date | None = None
    later: Mapping[str, bool | str] | None = None

    def days(self, last_study_on: date) -> tuple[date, ...]:
        """The days of the studies, the last one given."""
        count = len(self.diameters_mm)
        return tuple(last_study_on - (count - number) * BETWEEN_STUDIES for number in range(1, count + 1))

    def visits(self, last_study_on: date) -> list[PhantomVisit]:
        """The studies in the order of their days."""
        person = self.history.person
        if self.born_in_images is not None:
            person = replace(person, birth_date=self.born_in_images)
        return [
            PhantomVisit(
                Study(self.history.key, person, number, on, self.study_description, "ABDOMEN"),
                tuple(
                    Sphere(label, organ, centre, diameter)
                    for (label, organ, centre), diameter in zip(self.places, diameters, strict=True)
                    if diameter > 0
                ),
                self.work_up.get(number),
                self.treatment.get(number),
            )
            for number, (on, diameters) in enumerate(
                zip(self.days(last_study_on), self.diameters_mm, strict=True), start=1
            )
        ]


def _person(number: int, given: str, born: date, sex: str) -> Person:
    return Person("Fictitious", given, f"DEMO-{number:04d}", _ISSUER, born, sex)


_IODINE_NO_LONGER_HELPS: Mapping[str, bool | str] = {"rai_refractory": True, "rai_avid": False}
NOT_FOR_SURGERY: Mapping[str, bool | str] = {"surgical_candidate": False, "resection_feasible": False}

PATIENTS: tuple[Patient, ...] = (
    Patient(  # two small lesions of the liver: ablation
        History(
            key="demo2",
            person=_person(2, "Oligo", date(1957, 9, 14), "F"),
            cancer=FOLLICULAR,
            spread=(LIVER_METASTASES,),
            marker=THYROGLOBULIN,
            marker_values=(84, 71, 60),
            stated={
                **FIT_FOR_TREATMENT, **LIVER_LESIONS_APART, **_IODINE_NO_LONGER_HELPS, **NOT_FOR_SURGERY,
                "extrahepatic_disease_status": "none", "liver_disease_status": "stable",
                "liver_lobes_involved": "unilobar",
            },
        ),
        LIVER_PLACES[:2], ((24, 18), (22, 17), (16, 11)), "Liver, made-up patient", {}, {},
    ),
    Patient(  # many lesions, a work-up scan, then radioembolisation; one answer of the record comes late
        History(
            key="demo3",
            person=_person(3, "Bilobar", date(1969, 1, 30), "M"),
            cancer=MEDULLARY,
            spread=(LIVER_METASTASES,),
            marker=CALCITONIN,
            marker_values=(5200, 8900, 6100),
            stated={
                **FIT_FOR_TREATMENT, **LIVER_LESIONS_APART, **NOT_FOR_SURGERY,
                "extrahepatic_disease_status": "none", "liver_disease_status": "progressive",
                "liver_lobes_involved": "bilobar",
            },
        ),
        LIVER_PLACES, ((34, 26, 20, 18, 0), (42, 32, 24, 20, 16), (40, 30, 22, 20, 14)), "Liver, made-up patient",
        {2: Uptake(Decimal(150), 4, 0.04)}, {3: Uptake(Decimal(1850), 3, 0.05)},
        later={"pheochromocytoma_status": "excluded"},
    ),
    Patient(  # lungs and spine
        History(
            key="demo4",
            person=_person(4, "Beyond", date(1951, 6, 2), "F"),
            cancer=FOLLICULAR,
            spread=(LUNG_METASTASES, BONE_METASTASES),
            marker=THYROGLOBULIN,
            marker_values=(310, 460, 720),
            stated={
                **FIT_FOR_TREATMENT, **_IODINE_NO_LONGER_HELPS, **NOT_FOR_SURGERY,
                "extrahepatic_disease_status": "progressive",
            },
            drug=LENVATINIB,
        ),
        (*LUNG_PLACES, *BONE_PLACES), ((18, 14, 22), (20, 15, 24), (24, 20, 28)), "Trunk, made-up patient", {}, {},
    ),
    Patient(  # the birth dates of images and record differ: set aside for a person
        History(
            key="demo5",
            person=_person(5, "Doubtful", date(1963, 11, 8), "F"),
            cancer=PAPILLARY,
            spread=(LIVER_METASTASES,),
            marker=THYROGLOBULIN,
            marker_values=(45, 52, 61),
            stated={
                **FIT_FOR_TREATMENT, **LIVER_LESIONS_APART, **_IODINE_NO_LONGER_HELPS, **NOT_FOR_SURGERY,
                "extrahepatic_disease_status": "none", "liver_lobes_involved": "unilobar",
            },
        ),
        LIVER_PLACES[:1], ((26,), (28,), (33,)), "Liver, made-up patient", {}, {},
        born_in_images=date(1936, 11, 8),
    ),
)  # fmt: skip

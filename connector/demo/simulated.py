"""Makes up any number of patients from a seed, each with its truth, for training and for load."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connector.demo import phantom
from connector.demo.headers import Person
from connector.demo.patients import LIVER_PLACES, LUNG_PLACES, NOT_FOR_SURGERY, Patient
from connector.demo.phantom import Uptake
from connector.demo.phantom_images import PhantomVisit
from connector.demo.record import (
    CALCITONIN,
    FIT_FOR_TREATMENT,
    FOLLICULAR,
    LIVER_LESIONS_APART,
    LIVER_METASTASES,
    LUNG_METASTASES,
    MEDULLARY,
    PAPILLARY,
    THYROGLOBULIN,
    VANDETANIB,
    History,
)

ISSUER = "SIMULATED-HOSPITAL"
_GRAY_PER_GBQ_PER_KG = 49.67  # Y-90 fully decayed in place, the default profile's
_DENSITY_KG_L = 1.03
_GROWTH = {"responds": (0.72, 0.95), "stays": (0.96, 1.05), "grows": (1.12, 1.4)}  # from study to study
_SMALLEST_MM = 6


def made_up(number: int, *, seed: int, studies: int) -> Patient:
    """
    Make up patient `number` of a seed with so many studies; the same numbers make the same patient.

    A medullary or differentiated cancer, one to five lesions of the liver, at times of the lungs; every third patient
    has a work-up scan, every fourth an Y-90 PET with the last study.
    """
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - makes up patients, guards nothing
    medullary = chance.random() < 0.5  # noqa: PLR2004 - as many of one kind as of the other
    in_liver = chance.randint(1, len(LIVER_PLACES))
    in_lungs = chance.choice((0, 0, len(LUNG_PLACES)))
    places = LIVER_PLACES[:in_liver] + LUNG_PLACES[:in_lungs]
    low, high = _GROWTH[chance.choice(sorted(_GROWTH))]
    diameters = [tuple(float(chance.randint(12, 36)) for _ in places)]
    while len(diameters) < studies:
        diameters.append(tuple(_next(each, chance.uniform(low, high)) for each in diameters[-1]))
    burden = [sum(each**3 for each in sizes) / 400 for sizes in diameters]
    stated = {**FIT_FOR_TREATMENT, **LIVER_LESIONS_APART, **NOT_FOR_SURGERY}
    stated["extrahepatic_disease_status"] = "stable" if in_lungs else "none"
    stated |= {"pheochromocytoma_status": "excluded"} if medullary else {"rai_refractory": True, "rai_avid": False}
    born = date(1940, 1, 1) + timedelta(days=chance.randrange(40 * 365))
    uptake = Uptake(Decimal(chance.randrange(800, 3000, 50)), chance.randint(2, 6), chance.choice((0.02, 0.05, 0.09)))
    return Patient(
        History(
            key=f"sim{seed}-{number}",
            person=Person(
                "Simulated", f"Number {number}", f"SIM-{seed}-{number:06d}", ISSUER, born, chance.choice("FM")
            ),
            cancer=MEDULLARY if medullary else chance.choice((PAPILLARY, FOLLICULAR)),
            spread=(LIVER_METASTASES, LUNG_METASTASES) if in_lungs else (LIVER_METASTASES,),
            marker=CALCITONIN if medullary else THYROGLOBULIN,
            marker_values=tuple(round(each, 1) for each in burden),
            stated=stated,
            drug=VANDETANIB if medullary else None,
        ),
        places,
        tuple(diameters),
        "Trunk, simulated patient",
        {studies: replace(uptake, administered_mbq=Decimal(150))} if number % 3 == 0 and number % 4 else {},
        {studies: uptake} if number % 4 == 0 else {},
    )


def _next(diameter_mm: float, factor: float) -> float:
    return max(float(round(diameter_mm * factor)), _SMALLEST_MM)


def truth(visit: PhantomVisit) -> dict[str, Any]:
    """What is known of a visit by construction: diameters and volumes, and what a scan's activity does."""
    known: dict[str, Any] = {
        "study_instance_uid": visit.study.uid("study"),
        "on": visit.study.on.isoformat(),
        "lesions": [
            {
                "label": each.label,
                "site": each.organ,
                "diameter_mm": each.diameter_mm,
                "volume_ml": round(each.volume_ml, 3),
            }
            for each in visit.lesions
        ],
        "liver_volume_ml": round(phantom.LIVER.volume_ml, 1),
    }
    for name, uptake in (("work_up", visit.work_up), ("treatment", visit.treatment)):
        if uptake is not None:
            known[name] = {
                "administered_mbq": str(uptake.administered_mbq),
                "tumour_to_normal_ratio": uptake.tumour_to_normal_ratio,
                "lung_shunt_fraction": uptake.lung_shunt_fraction,
            }
    if visit.treatment is not None:
        known["treatment"]["absorbed_dose_gy"] = absorbed_doses_gy(visit)
    return known


def absorbed_doses_gy(visit: PhantomVisit) -> dict[str, float]:
    """Mean absorbed dose in Gy of tumour and normal liver by the closed form of the partition model."""
    uptake = visit.treatment
    if uptake is None:
        raise ValueError("the visit has no treatment: there is no dose")
    tumour_ml = sum(each.volume_ml for each in visit.lesions if each.organ == "liver")
    normal_ml = phantom.LIVER.volume_ml - tumour_ml
    in_liver_gbq = float(uptake.administered_mbq) / 1000 * (1 - uptake.lung_shunt_fraction)
    normal_gbq_per_ml = in_liver_gbq / (uptake.tumour_to_normal_ratio * tumour_ml + normal_ml)
    normal_gy = _GRAY_PER_GBQ_PER_KG * normal_gbq_per_ml / (_DENSITY_KG_L / 1000)
    return {"tumour": round(normal_gy * uptake.tumour_to_normal_ratio, 2), "normal_liver": round(normal_gy, 2)}

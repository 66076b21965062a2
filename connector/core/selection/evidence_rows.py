"""The published series and cases that proportions are pooled from, each once, with what it counts."""

from dataclasses import dataclass
from typing import Literal

from connector.core.evidence import Citation
from connector.core.sources import ANBARI_2023, CAZZATO_2018, NERVO_2021, ZHANG_2025

Histotype = Literal["MTC", "DTC"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One series or case, counted once however many reviews tabulate it.

    `responses` are (CR, PR, SD, PD, not assessed), of patients or, where `unit` says so, of procedures. `size_mm` is
    the range of largest diameters. `serious` counts CTCAE grade 3 or more and `deaths` grade 5, None where the source
    does not grade or count them. `below_30_percent` is (responders, all) with less than 30 % of the liver involved.
    """

    id: str
    reference: str
    modality: str
    histotype: Histotype
    cite: Citation
    n: int
    responses: tuple[int, int, int, int, int] | None = None
    size_mm: tuple[int, int] | None = None
    serious: int | None = None
    deaths: int | None = None
    unit: str = "patients"
    below_30_percent: tuple[int, int] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A single published proportion for options that have no series with responses; `indirect` says in whom."""

    id: str
    reference: str
    modalities: tuple[str, ...]
    outcome: str
    events: int
    n: int
    cite: Citation
    indirect: str = ""


TABLE_1 = NERVO_2021.at("Table 1")
TABLE_2 = NERVO_2021.at("Table 2")
REVIEW_TABLE_1 = ZHANG_2025.at("Table 1")

SERIES: tuple[Series, ...] = (
    # The case series of four patients: six procedures, all events of grade 1 or 2.
    Series(
        id="NERVO-P1", reference="Nervo 2021, patient 1", modality="TACE", histotype="MTC", cite=TABLE_1, n=1,
        responses=(0, 1, 0, 0, 0), size_mm=(18, 18), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="NERVO-P2A", reference="Nervo 2021, patient 2", modality="TACE", histotype="MTC", cite=TABLE_1, n=1,
        responses=(0, 0, 0, 1, 0), size_mm=(42, 42), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="NERVO-P2B", reference="Nervo 2021, patient 2", modality="RFA", histotype="MTC", cite=TABLE_1, n=1,
        responses=(0, 1, 0, 0, 0), size_mm=(18, 18), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="NERVO-P3A", reference="Nervo 2021, patient 3", modality="MWA", histotype="DTC", cite=TABLE_1, n=1,
        responses=(0, 0, 1, 0, 0), size_mm=(55, 55), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="NERVO-P3B", reference="Nervo 2021, patient 3", modality="ablation_plus_TACE", histotype="DTC", cite=TABLE_1,
        n=1, responses=(0, 0, 1, 0, 0), size_mm=(50, 50), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="NERVO-P4", reference="Nervo 2021, patient 4", modality="TACE", histotype="DTC", cite=TABLE_1, n=1,
        responses=(0, 0, 1, 0, 0), size_mm=(32, 32), serious=0, deaths=0, unit="procedures",
    ),
    Series(
        id="LORENZ-2005", reference="Lorenz 2005", modality="TACE", histotype="MTC", cite=TABLE_2, n=11,
        responses=(0, 5, 4, 1, 1), serious=2, deaths=1,
        note="not RECIST; the death was an unrecognised phaeochromocytoma metastasis",
    ),
    Series(
        id="FROMIGUE-2006", reference="Fromigue 2006", modality="TACE", histotype="MTC", cite=TABLE_2, n=12,
        responses=(0, 5, 5, 2, 0), size_mm=(25, 98), serious=1, deaths=0, below_30_percent=(5, 9),
    ),
    Series(
        id="GROZINSKY-2017", reference="Grozinsky-Glasberg 2017", modality="TACE", histotype="MTC", cite=TABLE_2, n=7,
        responses=(0, 7, 0, 0, 0), size_mm=(13, 60), serious=1, deaths=0,
    ),
    Series(
        id="YASUI", reference="Yasui", modality="TACE", histotype="DTC", cite=TABLE_2, n=1, responses=(0, 0, 1, 0, 0),
    ),
    Series(
        id="HUGHES", reference="Hughes", modality="TAE", histotype="MTC", cite=TABLE_2, n=1, responses=(0, 1, 0, 0, 0),
        serious=0, deaths=0,
    ),
    Series(
        id="ISOZAKI", reference="Isozaki", modality="TAE", histotype="MTC", cite=TABLE_2, n=1,
        responses=(0, 1, 0, 0, 0), size_mm=(80, 80), note="with ethanol injection",
    ),
    Series(
        id="PULEO-2022", reference="Puleo 2022", modality="TARE", histotype="MTC", cite=REVIEW_TABLE_1, n=8,
        responses=(1, 4, 1, 0, 2), note="severe liver damage is named without a count",
    ),
    Series(
        id="KESIM-2020", reference="Kesim 2020", modality="TARE", histotype="DTC", cite=TABLE_2, n=1,
        responses=(0, 1, 0, 0, 0), size_mm=(45, 45),
    ),
    Series(
        id="ZHANG-OWN-2024", reference="Zhang 2025, own series", modality="RFA", histotype="DTC", cite=REVIEW_TABLE_1,
        n=5, responses=(0, 2, 2, 1, 0), size_mm=(25, 57), note="unpublished, without methods",
    ),
    Series(
        id="SIPERSTEIN", reference="Siperstein", modality="RFA", histotype="MTC", cite=TABLE_2, n=1,
        size_mm=(15, 15), serious=0, deaths=0, note="response not assessed",
    ),
    Series(
        id="WERTENBROEK-2008", reference="Wertenbroek 2008", modality="RFA", histotype="MTC", cite=TABLE_2, n=2,
        size_mm=(70, 70), note="no progression at 5 years, not RECIST; one burn wound, not graded",
    ),
    Series(
        id="SEGKOS", reference="Segkos", modality="MWA", histotype="DTC", cite=TABLE_2, n=1, responses=(1, 0, 0, 0, 0),
        size_mm=(21, 21),
    ),
    Series(
        id="GUGLIELMI-1999", reference="Guglielmi 1999", modality="laser", histotype="DTC", cite=TABLE_2, n=1,
        responses=(0, 1, 0, 0, 0), size_mm=(170, 170), note="with radioiodine",
    ),
)  # fmt: skip

COUNTS: tuple[Count, ...] = (
    Count(
        id="CAZZATO-2015", reference="Cazzato 2015", modalities=("cementoplasty", "bone_ablation"),
        outcome="major complication", events=1, n=25, cite=CAZZATO_2018.at("Ablation and consolidation"),
    ),
    Count(
        id="SONG-2012", reference="Song 2012", modalities=("cementoplasty",),
        outcome="pain relief, osteoplasty with radioiodine", events=8, n=8,
        cite=CAZZATO_2018.at("Ablation and consolidation"),
    ),
    Count(
        id="DE-BAERE-2015", reference="de Baere 2015", modalities=("lung_RFA",), outcome="local tumour progression",
        events=86, n=1037, cite=CAZZATO_2018.at("Visceral metastases"),
        indirect="lesions of mixed primaries, about 3 % thyroid",
    ),
    Count(
        id="RHEE-2008", reference="Rhee 2008", modalities=("TARE",), outcome="grade 3 liver tests", events=6, n=42,
        cite=ANBARI_2023.at("Neuroendocrine"), indirect="neuroendocrine tumours",
    ),
)  # fmt: skip

# Counted above once, or without an outcome that can be told apart: never added.
NOT_COUNTED: tuple[tuple[str, str], ...] = (
    ("Nervo 2021 as tabulated by Zhang 2025", "disagrees with the original, which is used"),
    ("Bergamini 2020", "four MTC and two DTC; outcomes not told apart by technique"),
    (
        "Akyildiz 2010, Mazzaglia 2007, Berber 2002, Siperstein and Berber",
        "one group, overlapping cohorts, no outcomes",
    ),
    ("Curley; Elvin", "no outcomes"),
    ("Wertenbroek 2008, follicular", "ablation and embolisation together, response not assessed"),
)

"""The published series, as their tables print them: who was treated with what, and what came of it."""

import pytest

from connector.core.selection.evidence_rows import COUNTS, SERIES

# Nervo 2021, Tables 1 and 2; Zhang 2025, Table 1 (Puleo and its own series). "-" is what the table does not tell, or
# does not grade: NA, NA*, "size not known", a burn wound. Patients by CR/PR/SD/PD/not assessed; largest lesions in mm;
# events of CTCAE grade 3 or more / of grade 5; responders/all with less than 30 % of the liver involved (Fromigue as
# Cazzato 2018 tells it: "Embolization").
TABLES = """
NERVO-P1         TACE               MTC 1  0/1/0/0/0 18-18   0/0 -
NERVO-P2A        TACE               MTC 1  0/0/0/1/0 42-42   0/0 -
NERVO-P2B        RFA                MTC 1  0/1/0/0/0 18-18   0/0 -
NERVO-P3A        MWA                DTC 1  0/0/1/0/0 55-55   0/0 -
NERVO-P3B        ablation_plus_TACE DTC 1  0/0/1/0/0 50-50   0/0 -
NERVO-P4         TACE               DTC 1  0/0/1/0/0 32-32   0/0 -
LORENZ-2005      TACE               MTC 11 0/5/4/1/1 -       2/1 -
FROMIGUE-2006    TACE               MTC 12 0/5/5/2/0 25-98   1/0 5/9
GROZINSKY-2017   TACE               MTC 7  0/7/0/0/0 13-60   1/0 -
YASUI            TACE               DTC 1  0/0/1/0/0 -       -/- -
HUGHES           TAE                MTC 1  0/1/0/0/0 -       0/0 -
ISOZAKI          TAE                MTC 1  0/1/0/0/0 80-80   -/- -
PULEO-2022       TARE               MTC 8  1/4/1/0/2 -       -/- -
KESIM-2020       TARE               DTC 1  0/1/0/0/0 45-45   -/- -
ZHANG-OWN-2024   RFA                DTC 5  0/2/2/1/0 25-57   -/- -
SIPERSTEIN       RFA                MTC 1  -         15-15   0/0 -
WERTENBROEK-2008 RFA                MTC 2  -         70-70   -/- -
SEGKOS           MWA                DTC 1  1/0/0/0/0 21-21   -/- -
GUGLIELMI-1999   laser              DTC 1  0/1/0/0/0 170-170 -/- -
"""
TOLD = {row.split()[0]: row.split()[1:] for row in TABLES.strip().splitlines()}


BONE = "Ablation and consolidation"


def told(numbers, between="/"):
    return "-" if numbers is None else between.join("-" if number is None else str(number) for number in numbers)


def test_every_series_of_the_tables_is_there_once():
    assert sorted(series.id for series in SERIES) == sorted(TOLD)


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.id)
def test_a_series_is_counted_as_its_table_prints_it(series):
    assert TOLD[series.id] == [
        series.modality,
        series.histotype,
        str(series.n),
        told(series.responses),
        told(series.size_mm, "-"),
        told((series.serious, series.deaths)),
        told(series.below_30_percent),
    ]
    assert (series.unit == "procedures") is series.id.startswith("NERVO-"), "Nervo tells of six procedures in four"
    assert series.id.startswith(series.reference.replace("-", " ").split()[0].upper())
    told_by = "Zhang 2025" if series.id in {"PULEO-2022", "ZHANG-OWN-2024"} else "Nervo 2021"
    assert series.cite.source == told_by, "Puleo came after Nervo's review; Kesim only Nervo tabulates"


@pytest.mark.parametrize(
    ("name", "modalities", "events", "n", "outcome", "in_whom", "locus"),
    [
        ("CAZZATO-2015", {"cementoplasty", "bone_ablation"}, 1, 25, "major complication", "", BONE),
        ("SONG-2012", {"cementoplasty"}, 8, 8, "pain relief", "", BONE),
        ("DE-BAERE-2015", {"lung_RFA"}, 86, 1037, "local tumour progression", "mixed primaries",
         "Visceral metastases"),
        ("RHEE-2008", {"TARE"}, 6, 42, "grade 3 liver tests", "neuroendocrine", "Neuroendocrine"),
    ],
)  # fmt: skip
def test_a_single_proportion_is_the_one_of_its_publication(name, modalities, events, n, outcome, in_whom, locus):
    """Cazzato 2018, and Anbari 2023 for the neuroendocrine tumours, tell them in words."""
    (count,) = [count for count in COUNTS if count.id == name]
    assert (set(count.modalities), count.events, count.n) == (modalities, events, n)
    assert outcome in count.outcome
    assert count.cite.locus == locus
    assert in_whom in count.indirect
    assert bool(count.indirect) is bool(in_whom), "whom it tells of is said where they are others"
    assert len(COUNTS) == 4

"""Random courses of lesions against the rules of the guideline, written down a second time in fractions."""

import json
from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest

from connector.contract.reading import load
from connector.contract.respond import run
from connector.core.errors import BadCase

NON = "NON-CR/NON-PD"
COUNTED_AS = {"absent": Fraction(0), "too_small": Fraction(5)}


def parts(said):
    """The diameters that a measurement stands for; None when it was not evaluable or not measured."""
    if isinstance(said, list):
        return [Fraction(part) for part in said]
    if said in COUNTED_AS:
        return [COUNTED_AS[said]]
    try:
        return [Fraction(said)]
    except ValueError:
        return None


def is_disease(lesion, diameters):
    """Anything at all, or a node of 10 mm and more (RECIST 1.1, section 3.2)."""
    return any(mm >= 10 if lesion["lymph_node"] else mm > 0 for mm in diameters)


def sum_of(targets, found, treated):
    """The sum of what was measured, whether that is every target, and whether one is disease."""
    total, complete, disease = Fraction(0), True, False
    for lesion in targets:
        said = found.get(lesion["id"], "not_evaluable")
        diameters = None if lesion["id"] in treated else parts(said)
        if diameters is not None:
            total += sum(diameters)
            disease = disease or is_disease(lesion, diameters)
        elif lesion["id"] in treated or not str(said).startswith("merged:"):
            complete = False
    return total, complete, disease


def target_word(total, complete, disease, *, baseline, nadir, was_complete):
    if complete and not disease:
        return "CR"
    if was_complete and disease:
        return "PD"
    if baseline is None:
        return "NE"
    if 5 * total >= 6 * nadir and total - nadir >= 5:
        return "PD"
    if not complete:
        return "NE"
    return "PR" if 10 * total <= 7 * baseline else "SD"


def non_target_word(others, found, *, marker, was_raised, was_complete):
    seen = set()
    for lesion in others:
        said = found.get(lesion["id"], "not_evaluable")
        diameters = parts(said)
        persists = said == "present" or (diameters is not None and is_disease(lesion, diameters))
        seen.add("PD" if said == "unequivocal_progression" else "persists" if persists else
                 "NE" if diameters is None else "gone")  # fmt: skip
    if "PD" in seen or ("persists" in seen and was_complete):
        return "PD"
    if "persists" in seen or marker is False:
        return NON
    return "NE" if "NE" in seen or (was_raised and marker is None) else "CR"


def by_the_rules(case):
    """Target, non-target and overall response, complete sum and nadir of every visit after the baseline."""
    targets = [lesion for lesion in case["lesions"] if lesion["role"] == "target"]
    others = [lesion for lesion in case["lesions"] if lesion["role"] != "target"]
    baseline = nadir = None
    was_complete, was_raised, treated, words = False, False, set(), []
    for number, visit in enumerate(case["visits"]):
        found, marker = visit["measurements"], visit.get("markers_normal")
        treated |= {name for name, said in found.items() if said == "treated_locally"}
        total, complete, disease = sum_of(targets, found, treated)
        whole = total if targets and complete else None
        if number == 0:
            baseline = nadir = whole
        else:
            known = {"baseline": baseline, "nadir": nadir, "was_complete": was_complete}
            target = target_word(total, complete, disease, **known) if targets else "NA"
            marks = {"marker": marker, "was_raised": was_raised, "was_complete": was_complete}
            non_target = non_target_word(others, found, **marks) if others else "NA"
            doubt = non_target in {NON, "NE"} or (not others and (marker is False or (was_raised and marker is None)))
            overall = non_target if target == "NA" else "PR" if target == "CR" and doubt else target
            if "PD" in {target, non_target} or visit["new_lesion"] == "unequivocal":
                overall = "PD"
            words.append((target, non_target, overall, whole, nadir))
            was_complete = was_complete or overall == "CR"
            nadir = nadir if whole is None or nadir is None else min(nadir, whole)
        was_raised = was_raised or marker is False
    return words


def made(random):
    """A course with gaps, words, split and merged lesions, nodes, markers and new lesions."""
    targets, others = random.choice([(1, 0), (2, 0), (3, 1), (2, 2), (0, 1), (0, 2), (1, 1)])
    lesions = [{"id": f"T{n}", "role": "target"} for n in range(targets)]
    lesions += [{"id": f"N{n}", "role": "non_target"} for n in range(others)]
    for lesion in lesions:
        lesion |= {"site": "liver", "lymph_node": random.random() < 0.3}

    def tenths(least, most):
        return f"{random.randint(least, most) / 10}"

    def found(lesion, number):
        if lesion["role"] == "non_target":
            words = ["absent"] * 6 + ["unequivocal_progression", "not_evaluable", "8", "10", "9.9", "too_small"]
            return random.choice([*words, "present"] if number else ["present", "12"])
        if number == 0:
            return tenths(100, 400) if random.random() < 0.97 else "not_evaluable"
        odd = ["0", "too_small", "not_evaluable", "present", "treated_locally", ["12", "9"], [tenths(1, 99), "3"]]
        return random.choice([tenths(0, 400)] * 8 + ["absent"] * 6 + [*odd, f"merged:T{random.randrange(targets)}"])

    visits = [
        {
            "date": (date(2025, 1, 1) + timedelta(42 * number)).isoformat(),
            "measurements": {one["id"]: found(one, number) for one in lesions if number == 0 or random.random() < 0.95},
            "new_lesion": random.choice(["none"] * 9 + ["unequivocal", "equivocal"]) if number else "none",
            **({"markers_normal": random.choice([True, False, None])} if random.random() < 0.4 else {}),
        }
        for number in range(random.randint(2, 6))
    ]
    return {"criteria": "recist-1.1", "treatment_start": "2025-01-01", "lesions": lesions, "visits": visits}


def exactly(text):
    return None if text is None else Fraction(text)


@pytest.mark.parametrize("seed", range(8))
def test_random_courses_read_as_the_rules_do(seed):
    random, judged = Random(seed), 0  # noqa: S311 - no secret
    for case in (made(random) for _ in range(100)):
        try:
            answer = run(load(json.dumps(case)))
        except BadCase:  # a lesion merged with itself, or with one that is merged: refused, and tested elsewhere
            continue
        judged += 1
        assert [
            (visit["target_response"], visit["non_target_response"], visit["overall_response"],
             exactly(visit["sum_mm"]), exactly(visit["nadir_mm"]))
            for visit in answer["visits"][1:]
        ] == by_the_rules(case), json.dumps(case)  # fmt: skip
    assert judged > 50

"""How fast `respond --lines` answers 10,000 time points, against plain floats row by row over the same lines.

    python benchmarks/respond.py

Two runs: a thousand patients with ten visits each, from lesions to best response; and ten thousand given sums. The
plain programs parse the same lines and answer the same numbers and responses for each visit and the course from binary
floats, without checks, flags, reasons, confirmation or policies.
Processor time of one process; the two take turns, so that a busy machine is fair to both.
What the ratio buys is exact thresholds and every refusal of the contract.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from click.testing import CliRunner

from connector.cli.respond import respond

TIME_POINTS = 10_000
VISITS_OF_A_CASE = 10
TARGETS = 4
ROUNDS = 9
TURNS = 5
BEST_FIRST = ["CR", "PR", "SD", "PD", "NE"]


def lines() -> list[str]:
    """A thousand patients of ten visits with four targets and two non-targets; every number is made, none is random."""
    made = []
    for patient in range(TIME_POINTS // VISITS_OF_A_CASE):
        lesions = [
            {"id": f"T{n:02}", "role": "target", "site": f"organ {n}", "lymph_node": n == 0} for n in range(TARGETS)
        ]
        lesions += [{"id": f"N{n:02}", "role": "non_target", "site": "lung", "lymph_node": False} for n in range(2)]
        visits = []
        for number in range(VISITS_OF_A_CASE):
            sizes = {f"T{n:02}": f"{20 + (patient * 7 + n * 3 + number * (n + 1)) % 30}.{n}" for n in range(TARGETS)}
            others = {"N00": "present", "N01": "absent" if number % 3 else "present"}
            day = date(2024, 1, 1) + timedelta(56 * number)
            visits.append({"date": day.isoformat(), "measurements": sizes | others, "new_lesion": "none"})
        case = {"criteria": "recist-1.1", "treatment_start": "2024-01-01", "lesions": lesions, "visits": visits}
        made.append(json.dumps(case))
    return made


def plain_floats(text: str) -> str:
    """What a script would do for the same fields of the answer: no checks, binary floats, the same sums and tables."""
    return "\n".join(json.dumps(plain_course(json.loads(line))) for line in text.splitlines())


def plain_course(case: dict[str, Any]) -> dict[str, Any]:
    targets = [lesion["id"] for lesion in case["lesions"] if lesion["role"] == "target"]
    others = [lesion["id"] for lesion in case["lesions"] if lesion["role"] != "target"]
    nodes = {lesion["id"] for lesion in case["lesions"] if lesion["lymph_node"]}
    start = date.fromisoformat(case["treatment_start"])
    baseline = nadir = None
    rows = []
    best = {"response": "NE", "date": None}
    end, event = start, False
    for visit in case["visits"]:
        found = visit["measurements"]
        total = sum(float(found[one]) for one in targets)
        if baseline is None:
            baseline = nadir = total
            continue
        if all(float(found[one]) < (10 if one in nodes else 1e-9) for one in targets):
            target = "CR"
        elif total >= 1.2 * nadir and total - nadir >= 5:
            target = "PD"
        else:
            target = "PR" if total <= 0.7 * baseline else "SD"
        states = [found[one] for one in others]
        non_target = "NON-CR/NON-PD" if "present" in states else "CR"
        if "unequivocal_progression" in states:
            non_target = "PD"
        if "PD" in {target, non_target} or visit["new_lesion"] == "unequivocal":
            overall = "PD"
        else:
            overall = "PR" if target == "CR" and non_target != "CR" else target
        change, from_nadir = 100 * (total - baseline) / baseline, 100 * (total - nadir) / nadir
        rows.append({"date": visit["date"], "sum_mm": total, "change_from_baseline_percent": f"{change:.1f}",
                     "nadir_mm": nadir, "change_from_nadir_percent": f"{from_nadir:.1f}", "target_response": target,
                     "non_target_response": non_target, "overall_response": overall})  # fmt: skip
        nadir = min(nadir, total)
        if not event:
            end, event = date.fromisoformat(visit["date"]), overall == "PD"
            if BEST_FIRST.index(overall) < BEST_FIRST.index(best["response"]):
                best = {"response": overall, "date": visit["date"]}
    survival = {"days": (end - start).days, "event": event}
    return {"visits": rows, "best_overall_response": best, "progression_free_survival": survival}


def sums_lines() -> list[str]:
    """Ten thousand given sums, none alike by much."""
    made = []
    for number in range(TIME_POINTS):
        baseline, nadir = 60 + number % 90, 20 + number % 40
        sums = {"baseline_mm": f"{baseline}.5", "nadir_mm": f"{nadir}.1", "current_mm": f"{nadir + number % 13}.2",
                "all_targets_measured": True, "all_targets_gone": False,
                "reappeared_after_complete_response": False}  # fmt: skip
        made.append(json.dumps({"criteria": "recist-1.1", "sums": sums}))
    return made


def plain_sums(text: str) -> str:
    answers = []
    for line in text.splitlines():
        given = json.loads(line)["sums"]
        baseline, nadir = float(given["baseline_mm"]), float(given["nadir_mm"])
        current = float(given["current_mm"])
        if given["all_targets_measured"] and given["all_targets_gone"]:
            response = "CR"
        elif current >= 1.2 * nadir and current - nadir >= 5:
            response = "PD"
        elif not given["all_targets_measured"]:
            response = "NE"
        else:
            response = "PR" if current <= 0.7 * baseline else "SD"
        answers.append(json.dumps({"target_response": response}))
    return "\n".join(answers)


def through_the_command(text: str) -> str:
    result = CliRunner().invoke(respond, ["--lines", "-"], input=text)
    assert result.exit_code == 0, result.output
    return result.stdout


def seconds(run: Callable[[str], str], text: str) -> float:
    """Processor time: other work on the machine does not count."""
    began = time.process_time()
    run(text)
    return time.process_time() - began


def one_round(turns: list[str], plain: Callable[[str], str]) -> tuple[float, float]:
    """Seconds of the command and of the plain program over all turns."""
    times = [(seconds(through_the_command, text), seconds(plain, text)) for text in turns]
    ours, theirs = zip(*times, strict=True)
    return sum(ours), sum(theirs)


def assert_same_answers(ours: str, theirs: str) -> None:
    """The plain programs must do the work: on these cases, far from the limits, they come to the same responses."""
    for one, other in zip(map(json.loads, ours.splitlines()), map(json.loads, theirs.splitlines()), strict=True):
        for seen, plain in zip(one.get("visits", [one])[1:], other.get("visits", [other]), strict=False):
            assert all(seen[name] == plain[name] for name in plain if name.endswith("response")), (seen, plain)
        for name in {"target_response", "best_overall_response", "progression_free_survival"} & other.keys():
            assert one[name] == other[name], (one[name], other[name])


def main() -> int:
    print(f"{TIME_POINTS} time points, median of {ROUNDS}")
    for name, made, plain in (("lesions", lines(), plain_floats), ("sums", sums_lines(), plain_sums)):
        turns = ["".join(f"{line}\n" for line in made[turn::TURNS]) for turn in range(TURNS)]
        for text in turns:
            assert_same_answers(through_the_command(text), plain(text))
        rounds = [one_round(turns, plain) for _ in range(ROUNDS)]
        each = 1e6 * statistics.median(ours for ours, _ in rounds) / TIME_POINTS
        ratio = statistics.median(ours / theirs for ours, theirs in rounds)
        print(f"{name}: {each:.0f} microseconds each, {ratio:.2f} times plain floats")
    return 0


if __name__ == "__main__":
    sys.exit(main())

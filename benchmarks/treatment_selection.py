"""How many selections a second one process makes, with sensitivity and pooling measured beside it."""

# Not named select.py: a script's folder comes first on the path, and would hide the standard library's module.

import json
import statistics
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from interleaved import timed

from connector.contract.select import observed
from connector.core.selection import pooling, select
from connector.core.selection.sensitivity import what_would_change

TODAY = date(2026, 1, 31)
VIGNETTES = Path(__file__).parents[1] / "tests" / "published" / "vignettes.json"
ROUNDS = 7


def rate(work: Callable[[Any], object], cases: Sequence[Any]) -> str:
    """Median over rounds of cases a second, by the wall clock and by the processor's, after one warm round."""

    def every() -> None:
        for case in cases:
            work(case)

    every()
    wall, processor = (
        len(cases) / statistics.median(each) for each in zip(*[timed(every) for _ in range(ROUNDS)], strict=True)
    )
    return f"{wall:9.0f} a second, {processor:9.0f} a second of processor time"


def main() -> None:
    vignettes = json.loads(VIGNETTES.read_text(), parse_float=Decimal)["vignettes"]
    cases = [observed(vignette["facts"]) for vignette in vignettes]
    values = [{name: fact.value for name, fact in case.items()} for case in cases]
    answered = [(given, select(case, TODAY)) for given, case in zip(values, cases, strict=True)]
    offered = [(given, {one.modality for one in answer.options if one.rank}) for given, answer in answered]
    print(f"{len(cases)} published cases, median of {ROUNDS} rounds, one process")
    print(f"select             {rate(lambda case: select(case, TODAY), cases)} (target 1000)")
    print(f"pooling            {rate(lambda pair: pooling.risks(*pair), offered)}")
    print(f"what would change  {rate(lambda pair: what_would_change(*pair), answered[::10])}")


if __name__ == "__main__":
    main()

"""What every comparison here shares: methods take turns in one process, so that a busy machine is fair to both."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Times = Mapping[str, list[tuple[float, float]]]


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor time of one call in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def median_seconds(call: Callable[[], Any], rounds: int) -> float:
    """Median wall time of one call in seconds, for what has no other to take turns with."""
    return statistics.median(timed(call)[0] for _ in range(rounds))


def in_turns(calls: Mapping[str, Callable[[], Any]], rounds: int) -> Times:
    """Times of every method by name, one after the other in each round; where it stands goes to stderr."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(1, rounds + 1):
        for name, call in calls.items():
            print(f"\r\033[Kround {number} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
            times[name].append(timed(call))
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return times


def in_words(times: Times, *, name: str, baseline: str) -> str:
    """Medians of the ratios to the baseline's time in the same round, and the best time."""
    wall, processor = (
        statistics.median(base[each] / mine[each] for base, mine in zip(times[baseline], times[name], strict=True))
        for each in (0, 1)
    )
    best = min(mine[0] for mine in times[name])
    return f"{wall:6.1f} times as fast ({processor:6.1f} by processor time), best {best:.4f} s"


def peak_mb(script: str, *arguments: str) -> float:
    """Peak memory that a script prints when it is run with `--peak` in a process of its own."""
    done = subprocess.run([sys.executable, script, "--peak", *arguments], check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_growth(call: Callable[[], Any]) -> None:
    """Print how far the peak memory of this process grows by one call, in MB."""
    before = high_water_mb()
    call()
    print(max(high_water_mb() - before, 0.0))


def high_water_mb() -> float:
    """High-water mark of this process; unlike ru_maxrss it does not begin at the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmHWM:")[1].split()[0]) / 1024

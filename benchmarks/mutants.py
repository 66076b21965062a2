"""
Which single faults in the selection no test notices: each mutant that lives is a row that is missing.

    python benchmarks/mutants.py connector/core/selection/*.py [--tests tests/spec/test_selection_limits.py ...]

mutmut, the kept library for this, changes function bodies only; half of the selection is tables at module level, and a
wrong limit in a row is the fault that matters. So the source itself is changed here: comparisons, and/or, not, signs,
numbers, words, answers, branches, parts of tuples and sets, and single statements. The tests are collected once; each
mutant runs in a forked process, which loads again only what imports the changed module, and asks first the tests that
noticed the last ones, then those of the files that notice most; a rule's own rows are asked before that, in this
process. What lives is tried once more in a process that collects anew, because a row of a test may hold an object of
the unchanged module. `equivalent_mutants.toml` names those that change no answer, and why. Exit 1 when one lives.
"""

import argparse
import ast
import gc
import importlib.abc
import importlib.util
import os
import re
import signal
import struct
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

import pytest
from faults import changes
from rule_rows import RuleRows

ROOT = Path(__file__).parents[1]
TOPICS = (
    "rules judged_by_hand answers told limits derived freshness facts evidence conflicts numbers changes asking needs "
    "kleene printed drawing vignettes"
)
TESTS = ["tests/spec/test_assessment_changes.py", *(f"tests/spec/test_selection_{one}.py" for one in TOPICS.split())]
SECONDS = 120
RECENT = 12
OURS = ("connector.", "tests.", "test_")


class Loaded:
    """
    Our modules as they are loaded: who imports whom, and the code to load them again in place.

    A module of tests is not loaded again, for the rows that pytest collected hold its objects; it is given the new ones
    of what it imports.
    """

    def __init__(self) -> None:
        self.modules = {
            name: module
            for name, module in list(sys.modules.items())
            if name.startswith(OURS) and (getattr(module, "__file__", None) or "").endswith(".py")
        }
        self.trees = {name: ast.parse(Path(str(one.__file__)).read_text()) for name, one in self.modules.items()}
        self.codes = {
            name: compile(tree, str(self.modules[name].__file__), "exec") for name, tree in self.trees.items()
        }
        self.imports = {name: self._imported(name, tree) for name, tree in self.trees.items()}

    def _imported(self, name: str, tree: ast.Module) -> set[str]:
        """Other modules of ours that it imports; a package is one only for what it defines itself."""
        found: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                # Modules taken from a package are no use of what the package itself defines.
                found |= parts if parts <= self.modules.keys() else {node.module, *parts}
        return (found & self.modules.keys()) - {name}

    def after(self, *changed: str) -> list[str]:
        """Every module that must be loaded again, each after what it imports."""
        hit, grown = set(changed), True
        while grown:
            more = {name for name, imported in self.imports.items() if name not in hit and imported & hit}
            hit |= more
            grown = bool(more)
        order: list[str] = []

        def visit(name: str) -> None:
            if name in hit and name not in order and name not in visiting:
                visiting.add(name)
                for other in sorted(self.imports[name]):
                    visit(other)
                order.append(name)

        visiting: set[str] = set()
        for name in sorted(hit):
            visit(name)
        return order

    def load(self, name: str, code: CodeType) -> None:
        """Run its code in the module's own names, so that whoever holds a function of it sees the new ones."""
        names = self.modules[name].__dict__
        if not Path(str(self.modules[name].__file__)).name.startswith("test_"):
            exec(code, names)  # noqa: S102 - this is what a reload does
            return
        for node in self.trees[name].body:
            if isinstance(node, ast.ImportFrom) and node.module in self.modules:
                source = self.modules[node.module]
                names.update({alias.asname or alias.name: getattr(source, alias.name) for alias in node.names})


def _near(source: str, line: int, session: pytest.Session, order: Sequence[int]) -> list[int]:
    """The tests of the row around a line first: their id is a word of the row."""
    words = {
        word.strip("\"'") for text in source.splitlines()[max(line - 12, 0) : line + 1] for word in text.split('"')
    }
    named = [place for place in order[1:] if session.items[place].name.partition("[")[2].rstrip("]") in words]
    return [*order[:1], *named, *(place for place in order[1:] if place not in named)]


@cache
def _equivalent() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads((ROOT / "benchmarks" / "equivalent_mutants.toml").read_text())["mutant"]
    return found


def is_equivalent(text: str, path: Path, what: str) -> bool:
    """Whether this fault in a line of this text is named as one that changes no answer."""
    return any((one["file"], one["what"]) == (path.name, what) and one["line"] in text for one in _equivalent())


def outdated(path: Path) -> list[str]:
    """The lines named for a file that it does not hold any more: they were changed, and have to be judged again."""
    source = path.read_text(encoding="utf-8")
    return [one["line"] for one in _equivalent() if one["file"] == path.name and one["line"] not in source]


class Campaign:
    """A pytest plugin that, in place of one run of the tests, runs them for every mutant."""

    def __init__(self, files: Sequence[Path], since: str | None) -> None:
        self.files = files
        self.since = since
        self.lively: list[tuple[Path, int]] = []
        self.tried: Counter[str] = Counter()
        self.unloadable = self.equivalent = 0
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test failed."""
        self.failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests for every mutant of every file."""
        loaded = Loaded()
        gc.freeze()  # what a forked process only reads, it need not copy
        order = list(range(len(session.items)))
        names = {path: ".".join(path.with_suffix("").parts) for path in self.files if path.stem != "__init__"}
        every = loaded.after(*names.values())
        # A row that holds an object of a module fails when that is loaded again, changed or not: it is asked cold.
        held = self._killers(session, order, lambda: [loaded.load(one, loaded.codes[one]) for one in every], most=1000)
        order = [place for place in order if place not in held]
        print(f"{len(order)} tests are asked warm, {len(held)} when collected anew", flush=True)
        for path, name in names.items():
            self._mutate(session, loaded, path, name, list(order))
        return True

    def _mutate(self, session: pytest.Session, loaded: Loaded, path: Path, name: str, order: list[int]) -> None:
        source = path.read_text(encoding="utf-8")
        again = loaded.after(name)
        concerned = {str(Path(str(loaded.modules[one].__file__))) for one in again}
        order[:] = [*(place for place in order if str(session.items[place].path) in concerned)]
        lines = None if self.since is None else changed_lines(path, self.since)
        places = [
            place for place, (line, _, _) in enumerate(changes(ast.parse(source))) if lines is None or line in lines
        ]
        noticed: Counter[Path] = Counter()
        rows = RuleRows(path)
        for place in places:
            code, line, what = mutant(source, path, place)

            def apply(code: CodeType = code) -> None:
                for one in again:
                    loaded.load(one, code if one == name else loaded.codes[one])

            self.tried[str(path)] += 1
            if is_equivalent(source.splitlines()[line - 1], path, what):
                self.equivalent += 1
                continue
            if rows.notice(code):
                continue
            killers = self._killers(session, _near(source, line, session, order), apply)
            if not killers:
                self.lively.append((path, place))
                print(f"at first: {in_words(source, path, place)}", file=sys.stderr, flush=True)
            elif killers == [-1]:
                self.unloadable += 1
            else:
                order.remove(killers[0])
                order.insert(0, killers[0])
                noticed[session.items[killers[0]].path] += 1
                # The last ones that noticed stay in front; behind them the files of tests that notice most.
                order[RECENT:] = sorted(order[RECENT:], key=lambda one: -noticed[session.items[one].path])
        print(
            f"{path}: {len(places)} tried, {sum(one == path for one, _ in self.lively)} live at first; "
            f"{self.unloadable} in all hung or did not load",
            flush=True,
        )

    def _killers(
        self, session: pytest.Session, order: Sequence[int], apply: Callable[[], object], *, most: int = 1
    ) -> list[int]:
        """The places of the tests that noticed; -1 when loading or time did."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            _silence()
            self._run(session, order, apply, write, most)
        os.close(write)
        with os.fdopen(read, "rb") as told:
            found = [place for (place,) in struct.iter_unpack("i", told.read())]
        passed = os.waitpid(child, 0)[1] == 0
        return found if found or passed else [-1]

    def _run(
        self, session: pytest.Session, order: Sequence[int], apply: Callable[[], object], write: int, most: int
    ) -> NoReturn:
        signal.alarm(SECONDS)
        found = 0
        try:
            apply()
            for place, item in enumerate(order):
                after = session.items[order[place + 1]] if place + 1 < len(order) else None
                session.config.hook.pytest_runtest_protocol(item=session.items[item], nextitem=after)
                if self.failed:
                    self.failed = False
                    found += 1
                    os.write(write, struct.pack("i", item))
                if found == most:
                    break
        except BaseException:  # noqa: BLE001 - a mutant may raise anything at all
            os._exit(1)
        os._exit(found > 0)


def changed_lines(path: Path, since: str) -> set[int]:
    """The lines of a file that were written after a commit."""
    told = subprocess.run(["git", "diff", "-U0", since, "--", path], check=True, capture_output=True, text=True)
    found: set[int] = set()
    for first, count in re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", told.stdout, re.MULTILINE):
        found |= set(range(int(first), int(first) + int(count or 1)))
    return found


def mutant(source: str, path: Path, place: int) -> tuple[CodeType, int, str]:
    """The changed code of one place, its line, and what was done."""
    tree = ast.parse(source)
    line, what, change = list(changes(tree))[place]
    change()
    return compile(ast.fix_missing_locations(tree), str(path), "exec"), line, what


def in_words(source: str, path: Path, place: int) -> str:
    """Where a mutant stands, and what was done there."""
    _, line, what = mutant(source, path, place)
    return f"{path}:{line}: {what}: {source.splitlines()[line - 1].strip()}"


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


class Mutant(importlib.abc.MetaPathFinder, SourceFileLoader):
    """Serves one changed module; every other is imported as ever."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        super().__init__(module, str(path))
        self._module, self._code = module, code

    def find_spec(self, name: str, _path: Any = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Speak up for the one module."""
        return importlib.util.spec_from_loader(name, self) if name == self._module else None

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is one
        """The changed code."""
        return self._code


def lives(one: Mutant, arguments: Sequence[str]) -> bool:
    """Whether every test passes with the mutant in place from the start."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        _silence()
        for name in [name for name in sys.modules if name.startswith(OURS)]:
            del sys.modules[name]
        sys.meta_path.insert(0, one)
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *arguments])))
    return os.waitpid(child, 0)[1] == 0


def survivors(found: Iterable[tuple[Path, int]], tests: Sequence[str]) -> Iterator[str]:
    """Those of the mutants that live also when the tests are collected anew, in words."""
    for path, place in found:
        source = path.read_text(encoding="utf-8")
        code, _, _ = mutant(source, path, place)
        if lives(Mutant(".".join(path.with_suffix("").parts), path, code), tests):
            yield in_words(source, path, place)


def main() -> None:
    """Try every change of every file, and print those that live."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="*", default=TESTS)
    parser.add_argument("--since", metavar="COMMIT", help="change only the lines that were written after it")
    parser.add_argument("--warm", action="store_true", help="list what lives at first, and do not try it anew")
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for path in given.files:
        for line in outdated(path):
            print(f"{path} no longer holds {line!r}: judge it again in equivalent_mutants.toml", file=sys.stderr)
    campaign = Campaign(given.files, given.since)
    pytest.main(["-q", "-p", "no:cacheprovider", "-s", *given.tests], plugins=[campaign])
    count = 0
    for line in () if given.warm else survivors(campaign.lively, given.tests):
        count += 1
        print(line, flush=True)
    print(f"{sum(campaign.tried.values())} tried, {campaign.equivalent} change no answer, {count} live")
    sys.exit(bool(count))


if __name__ == "__main__":
    main()

"""
Which single faults in the selection no test notices: each mutant that lives is a row that is missing.

    python benchmarks/mutants.py connector/core/selection/ranking.py [tests ...] [--part 1/4]

mutmut, the kept library for this, changes function bodies only; half of the selection is tables at module level, and a
wrong limit in a row is the fault that matters. So the source itself is changed here: comparisons, and/or, not, signs,
numbers, answers, branches, and the first word of every tuple. Every mutant runs in a forked process, so that nothing
heavy is imported twice. Exit 1 when one lives.
"""

import argparse
import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
TESTS = [
    f"tests/spec/test_selection_{name}.py"
    for name in ("judged_by_hand", "answers", "limits", "derived", "numbers", "asking", "kleene", "vignettes")
]
HEAVY = ("pytest", "hypothesis", "pydantic", "scipy.special", "numpy")
SECONDS = 180
OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
Change = Callable[[], None]


def changes(tree: ast.Module) -> Iterator[tuple[int, str, Change]]:
    """Every fault that can be made: its line, what it does, and the act itself, which changes the tree in place."""
    decorators = (one for node in ast.walk(tree) for one in getattr(node, "decorator_list", ()))
    spared = {id(part) for one in decorators for part in ast.walk(one)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if id(node) in spared:
            continue
        match node:
            case ast.Compare(ops=[op]) if type(op) in OTHERS:
                yield line, _swap(op), _setter(node, "ops", [OTHERS[type(op)]()])
            case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in OTHERS:
                yield line, _swap(op), _setter(node, "op", OTHERS[type(op)]())
            case ast.UnaryOp(op=ast.Invert() | ast.Not() as op, operand=operand):
                yield line, "drop the not", _setter(node, "operand", ast.UnaryOp(op, operand))
            case ast.Constant(value=bool(value)):
                yield line, f"{value} to {not value}", _setter(node, "value", not value)
            case ast.Constant(value=int(value)):
                yield line, f"{value} to {value + 1}", _setter(node, "value", value + 1)
            case ast.If(test=test) | ast.IfExp(test=test):
                yield line, "turn the branch", _setter(node, "test", ast.UnaryOp(ast.Not(), test))
            case ast.Tuple(elts=[_, _, *_] as elements, ctx=ast.Load()):
                yield line, "drop the first of the tuple", _setter(node, "elts", elements[1:])


def _swap(op: ast.AST) -> str:
    return f"{type(op).__name__} to {OTHERS[type(op)].__name__}"


def _setter(node: ast.AST, name: str, value: Any) -> Change:
    return lambda: setattr(node, name, value)


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


def lives(mutant: Mutant, arguments: Sequence[str]) -> bool:
    """Whether every test passes with the mutant in place. A mutant that hangs or cannot be imported is noticed."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, mutant)
        import pytest  # noqa: PLC0415 - loaded before the fork

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *arguments])))
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    """Try every change, or one part of them, and print those that live."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path)
    parser.add_argument("--part", default="1/1", help="of so many equal parts, this one")
    parser.add_argument("tests", nargs="*", default=TESTS)
    given = parser.parse_intermixed_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in HEAVY:
        importlib.import_module(name)
    part, parts = map(int, given.part.split("/"))
    source = given.module.read_text(encoding="utf-8")
    module = ".".join(given.module.with_suffix("").parts)
    count = len(list(changes(ast.parse(source))))
    survivors = 0
    places = range(part - 1, count, parts)
    for place in places:
        tree = ast.parse(source)
        line, what, change = list(changes(tree))[place]
        change()
        code = compile(ast.fix_missing_locations(tree), str(given.module), "exec")
        if lives(Mutant(module, given.module, code), given.tests):
            survivors += 1
            print(f"{given.module}:{line}: {what}: {source.splitlines()[line - 1].strip()}", flush=True)
    print(f"{given.module}: {len(places)} tried, {survivors} live")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()

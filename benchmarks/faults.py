"""The single faults that `mutants.py` puts into a source file: one changed operator, value or branch each."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

OTHERS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Mult: ast.Div,
    ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
TYPES = {"bool", "int", "str", "Decimal", "frozenset", "tuple", "Mapping", "Literal", "Callable"}
NUMBER, WORD = re.compile(r"-?\d+(\.\d+)?"), re.compile(r"[\w.-]+")
Change = Callable[[], None]


def changes(tree: ast.Module) -> Iterator[tuple[int, str, Change]]:
    """Every fault that can be made: its line, what it does, and the act itself, which changes the tree in place."""
    spared = {id(part) for one in _spared(tree) for part in ast.walk(one)}
    for node in ast.walk(tree):
        if id(node) not in spared:
            line = getattr(node, "lineno", 0)
            found = (*_of_operators(node), *_of_values(node), *_of_branches(node))
            yield from ((line, what, change) for what, change in found)


def _spared(tree: ast.Module) -> Iterator[ast.AST]:
    """Decorators, imports, docstrings and the types of things: a fault there decides nothing."""
    for node in ast.walk(tree):
        yield from getattr(node, "decorator_list", ())
        yield from (one for name in ("annotation", "returns") if (one := getattr(node, name, None)) is not None)
        if isinstance(node, (ast.Import, ast.ImportFrom)) or _is_docstring(node):
            yield node
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.BinOp, ast.Subscript)):
            names = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
            if names <= TYPES:
                yield node


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of_operators(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                yield _swap(op), _putter(ops, place, OTHERS[type(op)]())
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OTHERS:
            yield _swap(op), _setter(node, "op", OTHERS[type(op)]())
        case ast.UnaryOp(op=ast.Invert() | ast.Not() | ast.USub() as op, operand=operand):
            yield "drop the sign", _setter(node, "operand", ast.UnaryOp(op, operand))


def _of_values(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Constant(value=bool(value)):
            yield f"{value} to {not value}", _setter(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} to {value + 1}", _setter(node, "value", value + 1)
        case ast.Constant(value=str(value)) if NUMBER.fullmatch(value):
            yield f"{value} to another number", _setter(node, "value", f"1{value.lstrip('-')}")
        case ast.Constant(value=str(value)) if WORD.fullmatch(value):
            yield f"{value} to another word", _setter(node, "value", f"{value}_x")
        case ast.Tuple(elts=[_, _, *_] as elements, ctx=ast.Load()) | ast.Set(elts=[_, _, *_] as elements):
            for place in range(len(elements)):
                yield f"drop part {place + 1}", _setter(node, "elts", elements[:place] + elements[place + 1 :])


def _of_branches(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, (ast.If, ast.IfExp)):
        yield "turn the branch", _setter(node, "test", ast.UnaryOp(ast.Not(), node.test))
    for statements in (getattr(node, "body", None), getattr(node, "orelse", None)):
        for place, one in enumerate(statements if isinstance(statements, list) else ()):
            call = isinstance(one, ast.Expr) and isinstance(one.value, ast.Call)
            if call or isinstance(one, (ast.AugAssign, ast.Continue, ast.Break)):
                yield "drop the statement", _putter(statements, place, ast.copy_location(ast.Pass(), one))


def _swap(op: ast.AST) -> str:
    return f"{type(op).__name__} to {OTHERS[type(op)].__name__}"


def _setter(node: ast.AST, name: str, value: Any) -> Change:
    return lambda: setattr(node, name, value)


def _putter(items: Any, place: int, value: Any) -> Change:
    return lambda: items.__setitem__(place, value)

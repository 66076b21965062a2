"""Asks outside judges about FHIR R4 resources: fhirkit, pyfhircheck, and HL7's own constraints (after the customer)."""

import contextlib
import copy
import io
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fhirkit
import fhirpathpy
from fhirpathpy.models import models
from pyfhircheck import Validator
from pyfhircheck.config import ValidatorConfig
from pyfhircheck.core import fhirpath
from pyfhircheck.profiles import package

CORE = Path(__file__).parents[2] / ".peers/fhir/r4core"
_SKIPPED = ("ele-1", "dom-6")  # ele-1: the shape checkers do it; dom-6 is a best practice


def missing_judges() -> list[str]:
    """What is not installed."""
    return [] if (CORE / "StructureDefinition-Patient.json").exists() else ["R4 core: run tests/peers/setup_fhir"]


def findings(bundle_or_resource: dict) -> list[str]:
    """Every error that a judge finds in a resource, and in each entry of a Bundle; empty when all are content."""
    return [f"{name}: {text}" for name, resource in _parts(bundle_or_resource) for text in _judge().check(resource)]


def _is_once_each(resource: dict, issue: object) -> bool:
    """Whether each parent holds one value: below two repeating elements pyfhircheck counts those of all parents."""
    if issue.code != "profile.element.cardinality.max" or not issue.message.startswith("Profile allows at most 1 "):
        return False
    *parents, leaf = issue.path.split(".")[1:]
    nodes = [resource]
    for name in parents:
        below = [node[name] for node in nodes if name in node]
        nodes = [one for each in below for one in (each if isinstance(each, list) else [each])]
    return len(nodes) > 1 and not any(isinstance(node.get(leaf), list) for node in nodes)


def _is_there(resource: dict, issue: object) -> bool:
    """Whether a choice that is told missing is there: pyfhircheck looks for `content[x]` below the top by that name."""
    if issue.code != "cardinality.min" or not issue.path.endswith("[x]"):
        return False
    node: object = resource
    *parents, leaf = issue.path.split(".")[1:]
    for step in parents:
        name, _, place = step.rstrip("]").partition("[")
        node = node[name][int(place)] if place else node[name]
    return any(name.startswith(leaf[:-3]) for name in node)


def _parts(resource: dict) -> Iterator[tuple[str, dict]]:
    yield resource["resourceType"], resource
    if resource["resourceType"] == "Bundle":
        for number, entry in enumerate(resource.get("entry", [])):
            if "resource" in entry:
                yield f"entry[{number}] {entry['resource']['resourceType']}", entry["resource"]


@cache
def _choice_of(name: str) -> str | None:
    """The name of the choice that an element's JSON name is of, as pyfhircheck tells: `value` of `valueQuantity`."""
    if not name[:1].islower():
        return None
    fitting = (end for end in fhirpath._CHOICE_SUFFIXES if name.endswith(end) and len(name) > len(end))
    suffix = next(fitting, None)
    return name[: -len(suffix)] if suffix else None


def _with_choices(node: object) -> object:
    """What pyfhircheck makes of a resource before each of its constraints; it looks each name up anew every time."""
    if isinstance(node, list):
        return [_with_choices(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _with_choices(value) for name, value in node.items()}
    for name in node:
        if (choice := _choice_of(name)) is not None:
            made.setdefault(choice, made[name])
    return made


@contextlib.contextmanager
def _reading_what_is_asked_for() -> Iterator[None]:
    """Each of four passes of pyfhircheck reads all of a package for one type; its file names tell the type."""
    whole = package._iter_file

    def by_name(path: Path, types: set[str] | None = None) -> Iterator[dict]:
        return whole(path, types) if types is None or path.name.split("-")[0] in types else iter(())

    package._iter_file = by_name
    try:
        yield
    finally:
        package._iter_file = whole


@cache
def _judge() -> "_Judge":
    assert not missing_judges(), f"install these judges first: {missing_judges()}"
    return _Judge()


class _Judge:
    """Three judges; each finds faults that the others do not."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        with contextlib.redirect_stdout(io.StringIO()):
            settings = {
                "fhirVersion": "4.0.1",
                "terminology": {"mode": "local"},
                "localPackagePaths": [str(CORE)],
                "evidenceOutputDir": self._folder.name,
            }
            fhirpath._augment_choice_types = _with_choices
            with _reading_what_is_asked_for():
                self._validator = Validator(ValidatorConfig.load_dict(settings))
        self._definitions: dict[str, dict | None] = {}
        self._expressions: dict[str, object] = {}

    def check(self, resource: dict) -> list[str]:
        """Errors in one resource."""
        found = [f"fhirkit {issue}" for issue in fhirkit.validate(resource) if str(issue).startswith("error")]
        definition, judged = self._definition(resource["resourceType"]), copy.deepcopy(resource)
        if definition:
            self._make_decimals(judged, definition, resource["resourceType"])
        with contextlib.redirect_stdout(io.StringIO()):
            checked = self._validator.validate_resource(judged)
            errors = [one for one in checked.errors if not (_is_there(judged, one) or _is_once_each(judged, one))]
            found += [f"pyfhircheck {issue.code} {issue.path}: {issue.message}" for issue in errors]
            if definition:
                found += self._walk(judged, definition, resource["resourceType"], judged)
        return found

    def _definition(self, name: str | None) -> dict | None:
        if name is None:
            return None
        if name not in self._definitions:
            path = CORE / f"StructureDefinition-{name}.json"
            self._definitions[name] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return self._definitions[name]

    @staticmethod
    def _children(definition: dict, path: str) -> list[dict]:
        depth = path.count(".") + 1
        elements = definition["snapshot"]["element"]
        return [one for one in elements if one["path"].startswith(f"{path}.") and one["path"].count(".") == depth]

    def _present(self, node: dict, definition: dict, path: str) -> Iterator[tuple[dict, str, str | None]]:
        """(element, name in the JSON, type) of each element that the node has."""
        for element in self._children(definition, path):
            leaf, types = element["path"].rsplit(".", 1)[1], element.get("type", [])
            if leaf.endswith("[x]"):
                names = [(leaf[:-3] + one["code"][0].upper() + one["code"][1:], one["code"]) for one in types]
            else:
                names = [(leaf, types[0]["code"] if types else None)]
            yield from ((element, name, kind) for name, kind in names if name in node)

    def _make_decimals(self, node: dict, definition: dict, path: str) -> None:
        """Whole numbers in decimal elements become floats: rules that say `is decimal` pass over integers (ras-2)."""
        for element, name, kind in self._present(node, definition, path):
            if kind == "decimal" and type(node[name]) is int:
                node[name] = float(node[name])
            for value in node[name] if isinstance(node[name], list) else [node[name]]:
                if isinstance(value, dict):
                    inner = self._inner(value, definition, element, kind)
                    if inner:
                        self._make_decimals(value, *inner)

    def _inner(self, value: dict, definition: dict, element: dict, kind: str | None) -> tuple[dict, str] | None:
        if self._children(definition, element["path"]):
            return definition, element["path"]
        name = value.get("resourceType") if kind == "Resource" else kind if kind and kind[0].isupper() else None
        found = self._definition(name)
        return (found, name) if found and name else None

    def _walk(self, node: object, definition: dict, path: str, root: dict) -> list[str]:
        """Every constraint of severity error, down to the data types."""
        own = next((one for one in definition["snapshot"]["element"] if one["path"] == path), {})
        found = self._broken(own.get("constraint", []), node, root)
        if not isinstance(node, dict):
            return found
        for element, name, kind in self._present(node, definition, path):
            for value in node[name] if isinstance(node[name], list) else [node[name]]:
                found += self._broken(element.get("constraint", []), value, root)
                inner = self._inner(value, definition, element, kind) if isinstance(value, dict) else None
                if inner:
                    found += self._walk(value, *inner, value if kind == "Resource" else root)
        return found

    def _broken(self, rules: list[dict], node: object, root: dict) -> list[str]:
        found = []
        for rule in rules:
            if rule.get("severity") != "error" or not rule.get("expression") or rule["key"] in _SKIPPED:
                continue
            try:
                text = rule["expression"]
                if text not in self._expressions:
                    self._expressions[text] = fhirpathpy.compile(text, models["r4"])
                answer = self._expressions[text](node, {"resource": root, "rootResource": root})
            except Exception:  # noqa: BLE001, S112 - functions that fhirpathpy lacks (htmlChecks, hasValue) fail in many ways
                continue
            if answer and answer[0] is False:
                found.append(f"constraint {rule['key']}: {rule['human'][:120]}")
        return found

"""Puts a kustomize folder together as `kubectl kustomize` does, as far as deploy/ uses it: Debian has no such kubectl.

`python tests/deploy/kustomize.py` compares it with a real `kubectl kustomize` where there is one.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
KNOWN = {
    "apiVersion", "kind", "namespace", "resources", "components", "configMapGenerator", "labels", "images", "patches",
}  # fmt: skip
DEPLOY = Path(__file__).parents[2] / "deploy"


def render(folder: Path, below: list[Json] | None = None) -> list[Json]:
    """Every object of an overlay; a component changes what is `below` it. A key that we do not know is an error."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(said) <= KNOWN, f"teach tests/deploy/kustomize.py: {set(said) - KNOWN}"
    found = [*(below or []), *(one for name in said.get("resources", []) for one in _resource(folder / name))]
    for name in said.get("components", []):
        found = render(folder / name, found)
    for generator in said.get("configMapGenerator", []):
        _config_map(generator, folder, found)
    for patch in said.get("patches", []):
        found = [changed for one in found if (changed := _patched(one, patch)) is not None]
    for one in found:
        _common(one, said)
    return found


def _resource(path: Path) -> list[Json]:
    return render(path) if path.is_dir() else [one for one in yaml.safe_load_all(path.read_text()) if one]


def _config_map(generator: Json, folder: Path, found: list[Json]) -> None:
    data = dict(literal.split("=", 1) for literal in generator.get("literals", []))
    data |= {Path(name).name: (folder / name).read_text() for name in generator.get("files", [])}
    if generator.get("behavior", "create") == "create":
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})
        return
    (old,) = [one for one in found if one["kind"] == "ConfigMap" and one["metadata"]["name"] == generator["name"]]
    old["data"] |= data


def _patched(one: Json, patch: Json) -> Json | None:
    target = patch["target"]
    named = re.fullmatch(target["name"], one["metadata"]["name"])
    if one["kind"] != target["kind"] or not named:
        return one
    change = yaml.safe_load(patch["patch"])
    if isinstance(change, dict):
        assert change.get("$patch") == "delete", "only deletions are merged here: write a list of operations (RFC 6902)"
        return None
    for step in change:
        assert step["op"] == "add", "only additions are made"
        *way, last = step["path"].lstrip("/").split("/")
        place: Any = one
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            place.append(step["value"]) if last == "-" else place.insert(int(last), step["value"])
        else:
            place[last] = step["value"]
    return one


def _common(one: Json, said: Json) -> None:
    if "namespace" in said and one["kind"] != "Namespace":
        one["metadata"]["namespace"] = said["namespace"]
    for pair in said.get("labels", []):
        one["metadata"].setdefault("labels", {}).update(pair["pairs"])
    for image in said.get("images", []):
        for container in _containers(one):
            name, _, tag = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"


def _containers(one: Json) -> Iterator[Json]:
    yield from one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def _by_kubectl(folder: Path) -> list[Json]:
    """The same by kubectl, without the digests that it appends to the names of ConfigMaps."""
    said = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    hashed = {
        name: name.rpartition("-")[0]
        for one in yaml.safe_load_all(said) if one["kind"] == "ConfigMap"
        for name in [one["metadata"]["name"]]
    }  # fmt: skip
    for name, plain in hashed.items():
        said = said.replace(name, plain)
    return list(yaml.safe_load_all(said))


if __name__ == "__main__":
    for asked in (DEPLOY / "kubernetes", DEPLOY / "kubernetes-example"):
        ours, theirs = (
            sorted(json.dumps(one, sort_keys=True) for one in objects)
            for objects in (render(asked), _by_kubectl(asked))
        )
        differing = set(ours) ^ set(theirs)
        sys.stdout.write(f"{asked.name}: {len(theirs)} objects, {'the same' if not differing else 'different'}\n")
        if differing:
            sys.exit("\n".join(sorted(differing)))

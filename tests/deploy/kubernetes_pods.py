"""What each part gets in Kubernetes: its variables, its secrets, its files, and whom it may speak to."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kustomize import render

Json = dict[str, Any]
DEPLOY = Path(__file__).parents[2] / "deploy"
BASE, EXAMPLE = DEPLOY / "kubernetes", DEPLOY / "kubernetes-example"
PARTS = ("listen", "web", "worker", "beat", "migrate")
DNS = 53


@cache
def objects(overlay: Path = BASE) -> list[Json]:
    """Every object of an overlay."""
    return render(overlay)


def of_kind(kind: str, overlay: Path = BASE) -> dict[str, Json]:
    """The objects of a kind by name."""
    return {one["metadata"]["name"]: one for one in objects(overlay) if one["kind"] == kind}


def pods(overlay: Path = BASE) -> dict[str, Json]:
    """The pod of each part."""
    workloads = of_kind("Deployment", overlay) | of_kind("Job", overlay)
    return {part: workloads[f"connector-{part}"]["spec"]["template"]["spec"] for part in PARTS}


def variables_of(pod: Json, overlay: Path = BASE) -> dict[str, str]:
    """The variables that a pod's container gets from its ConfigMaps, a later one before an earlier one."""
    maps = of_kind("ConfigMap", overlay)
    (container,) = pod["containers"]
    named = [one["configMapRef"]["name"] for one in container["envFrom"]]
    return {key: value for name in named for key, value in maps[name]["data"].items()}


def secrets_of(pod: Json) -> dict[str, bool]:
    """The files of the secret that a pod sees, and whether it may do without."""
    return {
        item["key"]: bool(source.get("optional"))
        for volume in pod["volumes"] if volume["name"] == "secrets"
        for source in _sources(volume)
        for item in source["items"]
    }  # fmt: skip


def _sources(volume: Json) -> Iterator[Json]:
    yield from [volume["secret"]] if "secret" in volume else [one["secret"] for one in volume["projected"]["sources"]]


def ports(part: str, direction: str, overlay: Path = BASE) -> set[int]:
    """The ports that the policies open for a part, `ingress` or `egress`; policies add up."""
    labels = {"app.kubernetes.io/name": "connector", "app.kubernetes.io/component": part}
    return {
        port["port"]
        for policy in of_kind("NetworkPolicy", overlay).values()
        if _selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get(direction, [])
        for port in rule.get("ports", [])
    } - {DNS}


def _selects(selector: Json, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        one["operator"] == "In" and labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", [])
    )

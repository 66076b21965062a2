"""Who we are in FHIR, and how equal content always gets the equal identifier, reference and digest."""

import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

OUR_NAME = "irt-connector"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, OUR_NAME)


def _system(name: str) -> str:
    # An OID below 2.25 belongs to whoever made the UUID (ITU-T X.667), so no domain has to be owned to name a system.
    return f"urn:oid:2.25.{uuid.uuid5(_NAMESPACE, name).int}"


IDENTIFIER_SYSTEM = _system("identifier")  # identifiers of the resources we write
DIGEST_SYSTEM = _system("content-digest")  # meta.tag: a digest of the resource as we wrote it
CODE_SYSTEM = _system("code")  # our own codes: responses, rules, documents
FACT_SYSTEM = _system("fact")  # an Observation with this code system states a fact of core/catalogue.py by its name
MODALITY_SYSTEM = _system("modality")  # treatments by the codes of the contract: RFA, TACE, TARE ...
DICOM_UID_SYSTEM = "urn:dicom:uid"

_UNDIGESTED = ("id", "meta", "text")


def full_url(resource_type: str, identifier: str) -> str:
    """Name an entry of a transaction: the same identifier gives the same urn, on any machine, at any time."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{resource_type}|{identifier}')}"


def canonical_json(value: Any) -> bytes:
    """One spelling of a JSON value: sorted keys, no blanks, UTF-8, decimals with the digits they were given."""
    return "".join(_spell(value)).encode("utf-8")


def content_digest(resource: Mapping[str, Any], types: Mapping[str, str] | None = None) -> str:
    """
    Digest of what a resource says, without id, meta and narrative, which servers may add or change.

    Numbers are compared by value, since servers drop trailing zeros (1.50 comes back as 1.5). Of a reference only the
    type counts, since a server turns our urns into its own ids; `types` tells the type behind each urn.
    """
    said = {key: _by_value(value, types or {}) for key, value in resource.items() if key not in _UNDIGESTED}
    return sha256(canonical_json(said)).hexdigest()


def written_digest(resource: Mapping[str, Any]) -> str | None:
    """Digest that we left in the resource's tag; None when the resource is not ours."""
    for tag in resource.get("meta", {}).get("tag", ()):
        if tag.get("system") == DIGEST_SYSTEM:
            return str(tag.get("code"))
    return None


def _spell(value: Any) -> list[str]:
    if isinstance(value, Decimal):
        return [format(value, "f")]
    if isinstance(value, Mapping):
        parts = ["{"]
        for place, key in enumerate(sorted(value)):
            parts += [*([","] if place else []), json.dumps(key, ensure_ascii=False), ":", *_spell(value[key])]
        return [*parts, "}"]
    if isinstance(value, (list, tuple)):
        parts = ["["]
        for place, member in enumerate(value):
            parts += [*([","] if place else []), *_spell(member)]
        return [*parts, "]"]
    if isinstance(value, float):
        raise TypeError("a binary float has no exact spelling: give a Decimal")
    return [json.dumps(value, ensure_ascii=False)]


def _by_value(value: Any, types: Mapping[str, str]) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, Decimal, float)):
        return Decimal(str(value)).normalize()
    if isinstance(value, Mapping):
        return {
            key: _type_of(member, types) if key == "reference" and isinstance(member, str) else _by_value(member, types)
            for key, member in value.items()
        }
    return [_by_value(member, types) for member in value]


def _type_of(reference: str, types: Mapping[str, str]) -> str:
    if reference in types:
        return types[reference]
    path = reference.split("?", maxsplit=1)[0].split("/_history/", maxsplit=1)[0].split("/")
    return path[-2] if len(path) > 1 else path[0]

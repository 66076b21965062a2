"""What a FHIR server says it can do, so that writing takes the way that this server offers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from connector.core.errors import Refused
from connector.fhir.resource import items, members

_TOPIC = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
)
_CREATED_ONLY = ("Provenance", "Communication")  # what is said once and never changed


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Read from a CapabilityStatement; what a server does not declare is taken as not offered."""

    transaction: bool
    interactions: Mapping[str, frozenset[str]]  # by resource type
    search_parameters: Mapping[str, frozenset[str]]
    unconditional: frozenset[str] = frozenset()  # types that say they know no conditional create
    topics: tuple[str, ...] = ()  # canonical URLs that a Subscription may name (R5 backport)
    software: str = ""  # name and publisher, as the server says them
    batch: bool = False

    def reads(self, resource_type: str) -> bool:
        """Whether resources of the type can be searched."""
        return "search-type" in self.interactions.get(resource_type, frozenset())

    def writes(self, resource_type: str) -> bool:
        """Whether resources of the type can be created and replaced; some are only ever created."""
        needed = {"create"} if resource_type in _CREATED_ONLY else {"create", "update"}
        return needed <= self.interactions.get(resource_type, frozenset())

    def searches_by(self, resource_type: str, parameter: str) -> bool:
        """Whether the type can be searched by the parameter."""
        return parameter in self.search_parameters.get(resource_type, frozenset())

    def finds_by_identifier(self, resource_type: str) -> bool:
        """Whether one of ours can be looked up by its identifier; a server that lists no parameters is believed to."""
        listed = self.search_parameters.get(resource_type, frozenset())
        return not listed or "identifier" in listed

    def patient_parameter(self, resource_type: str) -> str | None:
        """The parameter that finds a patient's resources, None when the server lists others only."""
        listed = self.search_parameters.get(resource_type, frozenset())
        return next((name for name in ("patient", "subject") if not listed or name in listed), None)

    @property
    def digest(self) -> str:
        """Equal for equal offers, whatever the statement's date."""
        said = [
            self.transaction, self.topics, self.software, sorted(self.unconditional),
            sorted((kind, sorted(codes)) for kind, codes in self.interactions.items()),
            sorted((kind, sorted(names)) for kind, names in self.search_parameters.items()),
        ]  # fmt: skip
        return sha256(json.dumps(said).encode()).hexdigest()


def read_capabilities(statement: Mapping[str, Any]) -> Capabilities:
    """Read a CapabilityStatement. Raises Refused when the server does not speak R4."""
    version = str(statement.get("fhirVersion", ""))
    if statement.get("resourceType") != "CapabilityStatement" or not version.startswith("4.0"):
        raise Refused(f"the EHR speaks FHIR {version or '(unknown)'}: the address of its R4 (4.0.1) endpoint is needed")
    rest = next((one for one in members(statement, "rest") if one.get("mode") == "server"), {})
    types = {str(one.get("type")): one for one in members(rest, "resource")}
    named = (items(statement, "software").get("name"), statement.get("publisher"))
    together = {one.get("code") for one in members(rest, "interaction")}
    return Capabilities(
        transaction="transaction" in together,
        batch="batch" in together,
        interactions={
            name: frozenset(str(one.get("code")) for one in members(held, "interaction"))
            for name, held in types.items()
        },
        search_parameters={
            name: frozenset(
                str(one.get("name")) for one in (*members(held, "searchParam"), *members(rest, "searchParam"))
            )
            for name, held in types.items()
        },
        unconditional=frozenset(name for name, held in types.items() if held.get("conditionalCreate") is False),
        topics=tuple(
            str(one.get("valueCanonical"))
            for one in members(types.get("Subscription", {}), "extension")
            if one.get("url") == _TOPIC
        ),
        software=" ".join(name for name in named if isinstance(name, str)),
    )


def fhir_version(statement: Mapping[str, Any]) -> str:
    """The release a server speaks and the name of its software, for a person."""
    software = items(statement, "software")
    return f"FHIR {statement.get('fhirVersion', '?')} {software.get('name', '')} {software.get('version', '')}".strip()

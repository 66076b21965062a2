"""What a FHIR server says it can do, so that writing takes the way that this server offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.core.errors import Refused
from connector.fhir.resource import items, members


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Read from a CapabilityStatement; what a server does not declare is taken as not offered."""

    transaction: bool
    interactions: Mapping[str, frozenset[str]]  # by resource type
    search_parameters: Mapping[str, frozenset[str]]

    def reads(self, resource_type: str) -> bool:
        """Whether resources of the type can be searched."""
        return "search-type" in self.interactions.get(resource_type, frozenset())

    def writes(self, resource_type: str) -> bool:
        """Whether resources of the type can be created and replaced; a Provenance is only ever created."""
        needed = {"create"} if resource_type == "Provenance" else {"create", "update"}
        return needed <= self.interactions.get(resource_type, frozenset())

    def searches_by(self, resource_type: str, parameter: str) -> bool:
        """Whether the type can be searched by the parameter."""
        return parameter in self.search_parameters.get(resource_type, frozenset())


def read_capabilities(statement: Mapping[str, Any]) -> Capabilities:
    """Read a CapabilityStatement. Raises Refused when the server does not speak R4."""
    version = str(statement.get("fhirVersion", ""))
    if statement.get("resourceType") != "CapabilityStatement" or not version.startswith("4.0"):
        raise Refused(f"the EHR speaks FHIR {version or '(unknown)'}: the address of its R4 (4.0.1) endpoint is needed")
    rest = next((one for one in members(statement, "rest") if one.get("mode") == "server"), {})
    types = {str(one.get("type")): one for one in members(rest, "resource")}
    return Capabilities(
        transaction=any(one.get("code") == "transaction" for one in members(rest, "interaction")),
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
    )


def fhir_version(statement: Mapping[str, Any]) -> str:
    """The release a server speaks and the name of its software, for a person."""
    software = items(statement, "software")
    return f"FHIR {statement.get('fhirVersion', '?')} {software.get('name', '')} {software.get('version', '')}".strip()

"""Keeps the Provenance of a delivery that broke off between its resources and its Provenance."""

import json
from collections.abc import Sequence

from connector.fhir.ehr import EhrClient
from connector.fhir.ehr_answers import NotOffered
from connector.fhir.reconcile import Plan, Write
from connector.fhir.resource import Json, members, short_reference
from connector.ports import Memory


class OwedProvenance:
    """
    What one document changed in an EHR without transactions, noted before the first write.

    A Provenance has no identifier in R4, so after a break its repeat is found by what it is about.
    """

    def __init__(self, client: EhrClient, memory: Memory, identity: str) -> None:
        self._client = client
        self._memory = memory
        self._name = f"ehr_provenance:{identity}"

    def begin(self, plan: Plan) -> None:
        """Note what is about to change, beside what was noted before."""
        named = [str(one["reference"]) for write in _provenances(plan) for one in write.resource["target"]]
        if named:
            self._memory.remember(self._name, json.dumps(sorted({*self._noted(), *named})))

    def done(self) -> None:
        """The Provenance is written: nothing is owed."""
        self._memory.forget(self._name)

    def add_to(self, plan: Plan, entries: Sequence[Json]) -> None:
        """Let the plan's Provenance name what an earlier try changed and did not tell; make one when there is none."""
        noted = self._noted()
        if not noted:
            return
        # An urn that has no place was noted and not written then; it is a change of now, or nobody's.
        owed = [one for one in noted if one in plan.places or not one.startswith("urn:")]
        told = {str(one["reference"]) for write in _provenances(plan) for one in write.resource["target"]}
        missing = [{"reference": one} for one in owed if one not in told]
        if not missing:
            return
        if self._is_told([plan.places.get(one, one) for one in owed]):
            self.done()
            return
        writes = _provenances(plan)
        for write in writes:
            plan.writes.remove(write)
            resource = {**write.resource, "target": [*write.resource["target"], *missing]}
            plan.writes.append(Write(write.full_url, resource))
        if not writes:
            plan.writes += [
                Write(str(entry["fullUrl"]), {**entry["resource"], "target": missing})
                for entry in entries
                if entry["resource"]["resourceType"] == "Provenance"
            ]

    def _noted(self) -> list[str]:
        noted: list[str] = json.loads(self._memory.recall(self._name) or "[]")
        return noted

    def _is_told(self, owed: Sequence[str]) -> bool:
        """Whether a Provenance in the EHR names them all: then only its answer was lost."""
        if not owed or not self._client.capabilities().searches_by("Provenance", "target"):
            return False
        try:
            found = self._client.search("Provenance", [("target", owed[0])])
        except NotOffered:
            return False
        return any(
            set(owed) <= {short_reference(str(target.get("reference"))) for target in members(one, "target")}
            for one in found
        )


def _provenances(plan: Plan) -> list[Write]:
    return [write for write in plan.writes if write.resource["resourceType"] == "Provenance"]

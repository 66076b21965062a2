"""An EHR as the client shows it, in memory: offers what a test says, and refuses what a test says."""

import json
import uuid
from decimal import Decimal

from connector.core.errors import TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.ehr_answers import Changed, NotOffered
from connector.fhir.reconcile import own_identifier
from connector.fhir.vendors import vendor_for

ALL = ("Patient", "Observation", "CarePlan", "RiskAssessment", "DetectedIssue", "BodyStructure", "Device", "Task",
       "Provenance")  # fmt: skip


class EhrInMemory:
    """
    `kinds` can be written (a dictionary gives the interactions of each), a transaction only when `transactions`.

    `refused` kinds are declared and answered with 405, `lost` kinds are made and their first answer is lost,
    `strips` kinds lose their identifiers, `fixed` kinds are made and their replacement is answered with 405.
    """

    def __init__(
        self, kinds=ALL, *, transactions=False, software="", parameters=(), refused=(), lost=(), strips=(), fixed=()
    ):
        self.kinds, self.transactions, self.software = kinds, transactions, software
        self.parameters, self.refused, self.lost, self.strips = parameters, set(refused), set(lost), set(strips)
        self.fixed = set(fixed)
        self.held, self.conflicts, self.writes, self.asked = {}, 0, 0, []

    def capabilities(self):
        every = ("create", "update", "read", "search-type")
        offered = self.kinds if isinstance(self.kinds, dict) else dict.fromkeys(self.kinds, every)
        named = [{"name": name} for name in self.parameters]
        resources = [
            {"type": kind, "interaction": [{"code": code} for code in codes], "searchParam": named}
            for kind, codes in offered.items()
        ]
        offers = [{"code": "transaction"}] if self.transactions else []
        return read_capabilities(
            {
                "resourceType": "CapabilityStatement",
                "fhirVersion": "4.0.1",
                "software": {"name": self.software},
                "rest": [{"mode": "server", "resource": resources, "interaction": offers}],
            }
        )

    def vendor(self):
        return vendor_for(self.software)

    def ask_again(self):
        pass

    def first_pages(self, _searches):
        return {}

    def search(self, kind, parameters, *, first=None):
        assert first is None
        self.asked.append((kind, dict(parameters)))
        wanted = [token.split("|", 1)[1] for name, value in parameters if name == "identifier"
                  for token in value.split(",")]  # fmt: skip
        of_kind = [one for one in self.held.values() if one["resourceType"] == kind]
        if kind == "Provenance":
            target = dict(parameters)["target"]
            return [one for one in of_kind if {"reference": target} in one["target"]]
        return [one for one in of_kind if not wanted or own_identifier(one) in wanted]

    def create(self, resource, *, if_none_exist=None):
        kind = resource["resourceType"]
        assert (if_none_exist is None) == (kind == "Provenance")
        if kind in self.refused:
            raise NotOffered(f"the EHR refused (create {kind}: status 405)", 405)
        stored = {key: one for key, one in resource.items() if kind not in self.strips or key != "identifier"}
        made = self._put(stored, uuid.uuid4().hex, "1")
        if kind in self.lost:
            self.lost.remove(kind)
            raise TryLater("the EHR did not answer")
        return made

    def update(self, resource, *, if_match):
        if self.conflicts:
            self.conflicts -= 1
            raise Changed("changed")
        held = self.held[resource["id"]]
        if held["resourceType"] in self.fixed:
            raise NotOffered("the EHR refused (update: status 405)", 405)
        assert if_match == held["meta"]["versionId"]
        return self._put(resource, resource["id"], str(int(if_match) + 1))

    def transaction(self, bundle):
        if "transaction" in self.refused:
            raise NotOffered("the EHR refused (transaction: status 404)", 404)
        self.sent = bundle
        return {"resourceType": "Bundle", "entry": self.answers}

    def _put(self, resource, uid, version):
        self.writes += 1
        meta = {**resource.get("meta", {}), "versionId": version}
        self.held[uid] = json.loads(json.dumps({**resource, "id": uid, "meta": meta}, default=float),
                                    parse_float=Decimal)  # fmt: skip
        return self.held[uid]

    def of(self, kind):
        return [one for one in self.held.values() if one["resourceType"] == kind]

"""How the large products behave by their public statements and manuals, laid over a real server by the proxy."""

import json
from typing import ClassVar

from chaos_proxy import Answer, Product, Request

EVERY, READ = ("create", "update", "read", "search-type"), ("read", "search-type")
_RECORD = dict.fromkeys(
    ("Patient", "Condition", "Procedure", "MedicationRequest", "MedicationStatement", "AllergyIntolerance"), READ
)


class _Narrowed(Product):
    """A product that offers only what its table says."""

    name = ""
    publisher = ""
    kinds: ClassVar[dict[str, tuple[str, ...]]] = {}
    searched_by: ClassVar[dict[str, tuple[str, ...]]] = {}

    def statement(self, upstream: dict) -> dict:
        resources = [
            {
                "type": kind, "conditionalCreate": False, "interaction": [{"code": code} for code in codes],
                "searchParam": [{"name": name, "type": "token"} for name in self.searched_by.get(kind, ("patient",))],
            }
            for kind, codes in self.kinds.items()
        ]  # fmt: skip
        named = {"software": {"name": self.name}} if self.name else {"publisher": self.publisher}
        kept = {key: upstream[key] for key in ("resourceType", "status", "date", "kind", "fhirVersion", "format")}
        return {**kept, **named, "rest": [{"mode": "server", "resource": resources}]}

    def before(self, request: Request) -> Answer | None:
        if request.path == "metadata":
            return None
        if not request.path or request.kind not in self.kinds:
            return Answer.outcome(404)
        verb = {"POST": "create", "PUT": "update"}.get(request.method, "search-type" if request.is_search else "read")
        if verb not in self.kinds[request.kind]:
            return Answer.outcome(405)
        request.headers.pop("if-none-exist", None)  # neither knows it, and a repeated POST makes a second resource
        return self.narrow(request)

    def narrow(self, request: Request) -> Answer | None:
        """What the product does with a request that it takes."""


class Epic(_Narrowed):
    """Plans are read only, a Task is never created; an `identifier` that is not supported is ignored."""

    name = "Epic"
    kinds: ClassVar = {
        **_RECORD, "Observation": EVERY, "DocumentReference": EVERY, "BodyStructure": EVERY, "CarePlan": READ,
        "Device": READ, "Task": ("update", *READ), "Communication": ("create", *READ), "Provenance": ("read",),
    }  # fmt: skip
    searched_by: ClassVar = {
        "Patient": ("identifier", "family", "birthdate"), "BodyStructure": ("identifier", "patient", "subject"),
        "Observation": ("patient", "subject", "code", "category", "date", "identifier"),
        "DocumentReference": ("patient", "subject", "type", "category", "identifier", "_lastUpdated"),
        "Communication": ("patient", "subject", "category", "identifier"), "Device": ("patient", "identifier"),
        "CarePlan": ("patient", "category", "identifier"), "Task": ("patient", "status", "identifier"),
    }  # fmt: skip

    def narrow(self, request: Request) -> Answer | None:
        if request.is_search and "_page" not in dict(request.query):
            if request.kind not in ("Patient", "BodyStructure"):
                request.query = [one for one in request.query if one[0] not in ("identifier", "_lastUpdated")]
            if request.kind == "Observation" and not {"patient", "subject"} & {name for name, _ in request.query}:
                return Answer.outcome(400, "59100")
        return None


class OracleHealth(_Narrowed):
    """Searches need the patient, ranges are closed, a stale version is 409, a create is answered without a body."""

    publisher = "Oracle Health"
    kinds: ClassVar = {
        **_RECORD, "Observation": EVERY, "DocumentReference": EVERY, "CarePlan": READ, "Device": READ,
        "Communication": ("create", "patch", *READ), "Provenance": ("create", "read"),
    }  # fmt: skip
    searched_by: ClassVar = {
        "Patient": ("_id", "identifier", "name"), "Observation": ("_id", "patient", "subject", "code", "date",
        "_lastUpdated"), "DocumentReference": ("_id", "patient", "type", "date", "_lastUpdated"),
        "Communication": ("_id", "category", "recipient", "received", "-email-status"),
        "Device": ("_id", "patient"),
    }  # fmt: skip

    def narrow(self, request: Request) -> Answer | None:
        if request.headers.get("accept") not in ("application/fhir+json", "application/json"):
            return Answer(406)
        if request.is_write and b"modifierExtension" in request.body:
            return Answer.outcome(422, "extension")
        if request.is_search and "_page" not in dict(request.query):
            names = {name for name, _ in request.query}
            if not names & ({"identifier", "_id"} if request.kind == "Patient" else {"patient", "subject", "_id"}):
                return Answer.outcome(400)
            if names - set(self.searched_by.get(request.kind, ("patient",))) - {"_count"}:
                return Answer.outcome(400)
            for dated in ("date", "_lastUpdated"):
                ends = [value[:2] for name, value in request.query if name == dated]
                if ends and sorted(end[0] for end in ends) != ["g", "l"]:
                    return Answer.outcome(400)
        return None

    def after(self, request: Request, answer: Answer) -> Answer:
        if request.is_write and answer.status == 412:
            return Answer.outcome(409, "conflict")
        if request.method == "POST" and answer.status == 201:
            made = json.loads(answer.body)
            place = f"{made['resourceType']}/{made['id']}/_history/{made['meta']['versionId']}"
            return Answer(201, b"", {"Location": place})
        return answer


class PlainJsonOnly(Product):
    """An older server that knows JSON by its plain name only, and answers everything else with an empty 406."""

    def before(self, request: Request) -> Answer | None:
        return None if request.headers.get("accept") == "application/json" else Answer(406)


class Batching(Product):
    """Declares a batch, and counts the searches that come in one; with a `status` it refuses all the same."""

    def __init__(self, status: int = 0) -> None:
        self.status, self.batches, self.searches = status, 0, 0

    def statement(self, upstream: dict) -> dict:
        upstream["rest"][0]["interaction"].append({"code": "batch"})
        return upstream

    def before(self, request: Request) -> Answer | None:
        if request.is_search:
            self.searches += 1
        if not request.path and json.loads(request.body)["type"] == "batch":
            self.batches += 1
            return Answer.outcome(self.status) if self.status else None
        return None


class Forgetful(Product):
    """Takes a condition and forgets it, as a racy conditional create does at the worst moment."""

    def before(self, request: Request) -> Answer | None:
        request.headers.pop("if-none-exist", None)
        if request.method == "POST" and not request.path:
            bundle = json.loads(request.body)
            for entry in bundle["entry"]:
                entry["request"].pop("ifNoneExist", None)
            request.body = json.dumps(bundle).encode()
        return None


class Liars(Product):
    """Several that refuse, each its own with its own status."""

    def __init__(self, *liars: "Liar") -> None:
        self.liars = liars

    def before(self, request: Request) -> Answer | None:
        return next((answer for liar in self.liars if (answer := liar.before(request))), None)


class Liar(Product):
    """Declares everything and refuses some of it with 404 or 405."""

    def __init__(self, *refused: str, status: int = 405, transaction: bool = True) -> None:
        self.refused, self.status, self.transaction = refused, status, transaction

    def before(self, request: Request) -> Answer | None:
        if not request.path and not self.transaction:
            return Answer.outcome(self.status)
        if request.is_write and request.kind in self.refused:
            return Answer.outcome(self.status)
        if request.is_write and not request.path and any(f'"{kind}"'.encode() in request.body for kind in self.refused):
            return Answer.outcome(self.status)
        return None

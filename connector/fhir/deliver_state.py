"""Looks up what an EHR holds of ours before anything is written, by the searches that it offers."""

from collections.abc import Sequence

from connector.core.errors import Refused
from connector.fhir.ehr import EhrClient, Search
from connector.fhir.ehr_answers import NotOffered
from connector.fhir.identity import CODE_SYSTEM, IDENTIFIER_SYSTEM
from connector.fhir.ladder import NotDone, Way
from connector.fhir.reconcile import RETIRED_STATUS, State, about, own_identifier
from connector.fhir.resource import Json, reference_of
from connector.fhir.write_document_reference import TUMOUR_BOARD_NOTE
from connector.fhir.write_observations import MEAN_DOSE, RESPONSE, TUMOUR_SIZE
from connector.fhir.write_viability import BESIDE_RECIST

_MOST_IN_ONE_SEARCH = 15  # keeps the URL below 4 kB
_STANDARD = tuple(f"{one.system}|{one.code}" for one in (TUMOUR_SIZE, RESPONSE, MEAN_DOSE))
# What is ours among a patient's many, where the server can search for it.
_NARROWED = {
    "Observation": ("code", ",".join((*_STANDARD, *(f"{CODE_SYSTEM}|{one}" for one in BESIDE_RECIST)))),
    "DocumentReference": ("type", f"{TUMOUR_BOARD_NOTE.system}|{TUMOUR_BOARD_NOTE.code}"),
}


def token(identifier: str) -> str:
    """A token search for one of our identifiers."""
    return f"{IDENTIFIER_SYSTEM}|{identifier}"


class EhrState:
    """The copies that an EHR holds of one document's resources, and our others of the patient."""

    def __init__(self, client: EhrClient, way: Way) -> None:
        self._client = client
        self._way = way
        self._offered = client.capabilities()

    def read(self, entries: Sequence[Json]) -> State:
        """Read the state. Raises TryLater, Refused, or NotDone when a declared search is refused."""
        patient = _the_patient(entries)
        urls: dict[str, dict[str, str]] = {}
        for entry in entries:
            identifier = own_identifier(entry["resource"])
            if identifier is not None:
                urls.setdefault(entry["resource"]["resourceType"], {})[identifier] = str(entry["fullUrl"])
        of_patient = {kind: self._of_patient(kind, patient) for kind in RETIRED_STATUS if kind in self._way.kinds}
        copies = {kind: self._copies(kind, list(named), patient) for kind, named in urls.items()}
        found = self._ask([*of_patient.values(), *(search for searches in copies.values() for search in searches)])
        current: dict[str, Json] = {}
        for kind, searches in copies.items():
            for held in sorted((one for search in searches for one in found[search]), key=reference_of):
                url = urls[kind].get(own_identifier(held) or "")
                if url in current and about(held) is None:
                    continue  # our Device serves all patients, so two first deliveries may both have made it
                if url in current:
                    raise Refused(f"the EHR holds one of our {kind} twice: have all but one removed, then replay")
                if url is not None:
                    current[url] = held
        of_ours = [one for search in of_patient.values() for one in found[search]]
        return State(current, [one for one in of_ours if own_identifier(one) is not None and about(one) == patient])

    def _ask(self, searches: Sequence[Search]) -> dict[Search, Sequence[Json]]:
        """What each search finds, each asked once; in one request where the server offers it."""
        first = self._client.first_pages(list(dict.fromkeys(searches)))
        found: dict[Search, Sequence[Json]] = {}
        for search in searches:
            if search not in found:
                kind, parameters = search
                try:
                    found[search] = self._client.search(kind, parameters, first=first.get(search))
                except NotOffered as fault:
                    raise NotDone(kind, str(fault)) from None
        return found

    def _copies(self, kind: str, identifiers: Sequence[str], patient: str) -> list[Search]:
        """The searches that find the resources of a kind that may carry our identifiers."""
        if self._by_patient(kind):
            return [self._of_patient(kind, patient)]
        some = [identifiers[start : start + _MOST_IN_ONE_SEARCH]
                for start in range(0, len(identifiers), _MOST_IN_ONE_SEARCH)]  # fmt: skip
        return [(kind, (("identifier", ",".join(map(token, few))),)) for few in some]

    def _by_patient(self, kind: str) -> bool:
        """Whether to look at all of the patient's instead of asking for identifiers."""
        vendor = self._way.vendor
        if self._offered.patient_parameter(kind) is None or kind == "Device":
            return False
        distrusted = vendor.looks_up_by_patient and kind not in vendor.found_by_identifier
        return distrusted or not self._offered.finds_by_identifier(kind)

    def _of_patient(self, kind: str, patient: str) -> Search:
        parameters = [(self._offered.patient_parameter(kind) or "patient", patient)]
        name, value = _NARROWED.get(kind, ("", ""))
        listed = self._offered.search_parameters.get(kind, frozenset())
        if name and (not listed or name in listed or not self._way.vendor.looks_up_by_patient):
            parameters.append((name, value))
        return kind, tuple(parameters)


def _the_patient(entries: Sequence[Json]) -> str:
    patients = {patient for entry in entries if (patient := about(entry["resource"])) is not None}
    if len(patients) != 1:
        raise Refused(f"the document names {len(patients)} patients by address in the EHR: one is needed")
    return patients.pop()

"""Compares a retraction with what the EHR holds: what is ours is marked, what a clinician touched goes to a person."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.core.errors import Refused
from connector.fhir.identity import full_url
from connector.fhir.ladder import Way
from connector.fhir.reconcile import Plan, State, Write, asks_to_retract, is_untouched, own_identifier, plan_day
from connector.fhir.resource import Json, items, members, reference_of
from connector.fhir.write_board import as_message
from connector.fhir.write_for_way import taken
from connector.fhir.write_retraction import MARKED_KINDS, RETRACT, is_marked, marked
from connector.fhir.write_transaction import tagged

Resource = dict[str, Any]


def sought(entries: Sequence[Json], way: Way) -> tuple[list[Resource], list[str]]:
    """
    The entries that this way of writing has put into the EHR, and what a person should know.

    Where Tasks are messages, the messages.
    """
    wanted = []
    for entry in entries:
        wanted.append(dict(entry))
        resource = entry["resource"]
        if resource["resourceType"] == "Task" and "Communication" in way.kinds:
            message = as_message(resource, None, title=resource["code"]["text"])
            url = full_url("Communication", str(own_identifier(message)))
            wanted[-1] = {"fullUrl": url, "resource": message}
    kinds = {str(one["resource"]["resourceType"]) for one in wanted} & MARKED_KINDS
    notes = [f"the EHR does not take {kind}, so none was looked for" for kind in sorted(kinds - way.kinds)]
    return taken(wanted, way), notes


def retract(entries: Sequence[Json], state: State, updated: Mapping[str, bool], *, must_be_there: bool = False) -> Plan:
    """
    Decide what to write so that nothing of ours stands; `updated` tells which types the EHR lets us replace.

    What is as we wrote it is marked as entered in error. What a clinician edited or activated is never overwritten: a
    Task (or message) asks a person to retract it. A plan that the retracted one had replaced is a draft again.

    Raises Refused when something was surely written (`must_be_there`) and nothing of it is found: it may stand under
    another patient, since the EHR merged two.
    """
    plan = Plan()
    wanted = {str(entry["fullUrl"]): dict(entry["resource"]) for entry in entries}
    types = {url: str(one["resourceType"]) for url, one in wanted.items()}
    request = next((url for url, one in wanted.items() if asks_to_retract(one)), None)
    sought_after = [url for url in wanted if url != request and types[url] in MARKED_KINDS]
    lost = sorted({types[url] for url in sought_after if url not in state.current})
    if must_be_there and sought_after and not any(url in state.current for url in sought_after):
        # Without the patient's address: the reason of a step is logged.
        raise Refused(
            "nothing of what was written of this study is found under its patient in the EHR: if the EHR merged the "
            "patient into another one, retract there by hand what stands on this study, under the patient that is left"
        )
    kept: list[Json] = []
    for url, current in state.current.items():
        plan.places[url] = reference_of(current)
        kind = current["resourceType"]
        if url == request or kind == "Device" or is_marked(current):
            continue
        if is_untouched(current) and updated.get(kind, True):
            plan.writes.append(Write(url, tagged(marked(current), {}), current))
        else:
            kept.append(current)
    if lost:
        plan.notes.append(f"not found in the EHR, so not retracted there: {', '.join(lost)}")
    retracted = [one.current for one in plan.writes if one.current is not None]
    plan.writes += _revived(retracted, state)
    if kept:
        names = ", ".join(sorted(reference_of(one) for one in kept))
        plan.notes.append(f"edited or activated in the EHR, so a person must retract it there: {names}")
        if request is not None and request not in state.current:
            plan.writes.append(Write(request, tagged(_asking(wanted[request], kept, names), types)))
            plan.notes.append("the request to retract it went to the EHR")
    targets = [{"reference": reference_of(one.current) if one.current else one.full_url} for one in plan.writes]
    if targets:
        missing = [url for url, one in wanted.items() if one["resourceType"] == "Device" and url not in state.current]
        plan.writes[:0] = [Write(url, tagged(wanted[url], {})) for url in missing]
        plan.writes += [
            Write(url, {**one, "target": targets}) for url, one in wanted.items() if one["resourceType"] == "Provenance"
        ]
    return plan


def _asking(request: Resource, kept: Sequence[Json], names: str) -> Resource:
    text = f"{RETRACT}: {names}"
    about = {"reference": reference_of(min(kept, key=reference_of))}
    if request["resourceType"] == "Task":
        return {**request, "focus": about, "description": text}
    return {**request, "about": [about], "payload": [{"contentString": text}]}


def _revived(retracted: Sequence[Json], state: State) -> list[Write]:
    """The newest of our plans that a retracted one had replaced, when no other plan of ours stands."""
    gone = {reference_of(one) for one in retracted}
    replaced = {
        str(one.get("reference")) for plan in retracted for one in members(plan, "replaces")
    }  # only a CarePlan has them
    plans = [one for one in state.ours if one["resourceType"] == "CarePlan" and reference_of(one) not in gone]
    if any(one.get("status") in ("draft", "active", "on-hold") for one in plans):
        return []
    old = [
        one for one in plans if reference_of(one) in replaced and one.get("status") == "revoked" and is_untouched(one)
    ]
    newest = sorted(old, key=lambda one: (plan_day(one), str(items(one, "meta").get("lastUpdated", ""))))[-1:]
    return [Write(f"urn:revived:{reference_of(one)}", tagged({**one, "status": "draft"}, {}), one) for one in newest]

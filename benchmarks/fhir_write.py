"""How long writing and delivering one assessment takes, beside fhir.resources' own JSON, on two real FHIR servers.

    python benchmarks/fhir_write.py        # needs tests/peers/setup_fhir
    python benchmarks/fhir_write.py --only per-second --server sekmet --patients 8

Writing is compared with reading the same transaction into fhir.resources and writing it out again (1.00), which would
lose the digits of decimals. A delivery is timed as first, as repeated (nothing changed, so nothing is written) and as a
changed result of the same study. Last, resources written per second by four workers, one patient each, beside two bare
clients that look for nothing before: one posts the same resources (the server's own ceiling on this machine), one posts
them on the condition that they are not there, which a retry needs. What the second takes is the server's own search:
Medplum in memory scans all it holds for each condition. Each has a new server: what the first client posts without a
condition (our Device once for each patient) would answer a later condition with 412, and slow every search. All share
this machine's processors, so differences below 1.3 mean little.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Instead of this folder, whose names would hide modules of the standard library.
sys.path[:1] = [str(ROOT / "tests/judges"), str(ROOT / "tests/peers")]

import fhir_cases as cases  # noqa: E402 - found by the path above
import fhirkit  # noqa: E402
import httpx  # noqa: E402
from deployment import token  # noqa: E402
from fhir.resources.R4B.bundle import Bundle  # noqa: E402
from fhir_servers import FhirServer, medplum, sekmet  # noqa: E402

from connector.fhir.deliver import EhrDestination  # noqa: E402
from connector.ports import Document  # noqa: E402

ROUNDS = 15
PATIENTS, WORKERS = 16, 4
SERVERS: dict[str, tuple[str, Callable[[Path], AbstractContextManager[FhirServer]]]] = {
    "sekmet": ("sekmet, transaction", sekmet),
    "medplum": ("Medplum in memory, transaction", medplum),
    "medplum-bare": ("Medplum, entry by entry", lambda folder: medplum(folder, bare=True)),
}


def seconds(work: Callable[[], object]) -> float:
    """Median over rounds after one warm round."""
    work()
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def writing() -> None:
    """Writing in one process."""
    content = cases.write(cases.assessment()).content
    held = json.loads(content)
    there_and_back = seconds(lambda: Bundle.model_validate_json(content).model_dump_json())
    rows = {
        "fhir.resources: read and write the transaction": there_and_back,
        "ours: write it, every resource checked by its model": seconds(lambda: cases.write(cases.assessment())),
        "fhirkit: validate it": seconds(lambda: fhirkit.validate(held)),
    }
    print(f"one transaction, {len(held['entry'])} entries, {len(content) // 1024} KiB")
    for name, taken in rows.items():
        print(f"  {name:52} {taken * 1000:7.2f} ms  {taken / there_and_back:5.2f}", flush=True)


def delivering(name: str, server: FhirServer) -> None:
    """First, repeated and changed deliveries for one patient after another."""
    client = server.client()
    destination = EhrDestination(client)
    taken: dict[str, list[float]] = {"first": [], "repeated": [], "changed": []}
    for number in range(ROUNDS):
        made = client.create(
            {"resourceType": "Patient", "identifier": [{"system": cases.SYSTEM, "value": f"b{number}"}]}
        )
        reading = cases.record(f"Patient/{made['id']}")
        study = f"2.25.77{number}"
        lesions = tuple(cases.lesion(100 * number + each) for each in range(3))
        points = (cases.TimePoint(study, cases.DAY, "CT", lesions),)
        one = cases.assessment(study_instance_uid=study, time_points=points)
        changed = cases.assessment(study_instance_uid=study, time_points=points, input_digest="ef" * 32)
        for step, assessed in (("first", one), ("repeated", one), ("changed", changed)):
            document = cases.write(assessed, reading=reading)
            begun = time.perf_counter()
            destination.deliver(document)
            taken[step].append(time.perf_counter() - begun)
    client.close()
    medians = "  ".join(f"{step} {statistics.median(each) * 1000:6.0f} ms" for step, each in taken.items())
    print(f"  {name:30} {medians}", flush=True)


def prepared(server: FhirServer, name: str, patients: int) -> list[Document]:
    """One document for each of so many new patients, with identifiers of their own."""
    client = server.client()
    documents = []
    for number in range(patients):
        identifier = [{"system": cases.SYSTEM, "value": f"{name}{number}"}]
        made = client.create({"resourceType": "Patient", "identifier": identifier})
        study = f"2.25.66{name}{number}"
        lesions = tuple(cases.lesion(1000 * int(name) + 10 * number + each) for each in range(3))
        points = (cases.TimePoint(study, cases.DAY, "CT", lesions),)
        assessed = cases.assessment(study_instance_uid=study, time_points=points)
        documents.append(cases.write(assessed, reading=cases.record(f"Patient/{made['id']}")))
    client.close()
    return documents


def bare(
    server: FhirServer, headers: dict[str, str], bundle: dict, *, transaction: bool, conditional: bool = False
) -> None:
    """Post a document's resources as they are: no look, no reading of what comes back, a condition when asked for."""

    def condition(entry: dict) -> str | None:
        query = entry["request"]["url"].partition("?")[2]
        return query if conditional and query else None

    with httpx.Client(headers=headers, timeout=60) as http:
        if transaction:
            entries = [
                {
                    **entry,
                    "request": {"method": "POST", "url": entry["resource"]["resourceType"]}
                    | ({"ifNoneExist": query} if (query := condition(entry)) else {}),
                }
                for entry in bundle["entry"]
            ]
            http.post(server.base_url, json={**bundle, "entry": entries}).raise_for_status()
            return
        for entry in bundle["entry"]:
            kind = entry["resource"]["resourceType"]
            asked = {"If-None-Exist": query} if (query := condition(entry)) else {}
            http.post(f"{server.base_url}/{kind}", json=entry["resource"], headers=asked).raise_for_status()


def per_second(work: Callable[[Document], object], documents: list[Document]) -> float:
    """Resources per second with four workers."""
    count = sum(len(json.loads(document.content)["entry"]) for document in documents)
    begun = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, documents))
    return count / (time.perf_counter() - begun)


def beside_the_ceiling(key: str, patients: int) -> None:
    """Deliveries of four workers beside what the server takes at most; each has a new server and signs in once."""
    name, start = SERVERS[key]
    transaction = key != "medplum-bare"

    def measured(way: str) -> float:
        with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as server:
            headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
            if server.credentials:
                headers["Authorization"] = f"Bearer {token(server)}"
            client = server.client()
            destination = EhrDestination(client)

            def post(document: Document) -> None:
                content = json.loads(document.content)
                bare(server, headers, content, transaction=transaction, conditional=way == "on condition")

            work = destination.deliver if way == "ours" else post
            for document in prepared(server, "1", WORKERS):  # one after the other: it makes the Device that all share
                work(document)
            found = per_second(work, prepared(server, "2", patients))
            client.close()
            print(f"  {name:30} {way:12} {found:6.0f}/s", flush=True)
            return found

    most, safe, ours = (measured(way) for way in ("bare", "on condition", "ours"))
    print(f"  {name:30} ours is {ours / most:.2f} of bare, {ours / safe:.2f} of on condition", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("writing", "delivering", "per-second"), help="one part (default: all)")
    parser.add_argument("--server", choices=SERVERS, help="one server (default: all)")
    parser.add_argument("--patients", type=int, default=PATIENTS, help=f"written per second (default {PATIENTS})")
    asked = parser.parse_args()
    servers = [asked.server] if asked.server else list(SERVERS)
    if asked.only in (None, "writing"):
        writing()
    if asked.only in (None, "delivering"):
        print(f"one delivery, median of {ROUNDS} patients", flush=True)
        for key in servers:
            name, start = SERVERS[key]
            with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as server:
                delivering(name, server)
    if asked.only in (None, "per-second"):
        print(
            f"resources written per second, {WORKERS} workers, {asked.patients} patients, beside the server's ceiling"
        )
        for key in servers:
            beside_the_ceiling(key, asked.patients)


if __name__ == "__main__":
    main()

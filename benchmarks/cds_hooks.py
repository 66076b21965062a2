"""How long the EHR waits for its cards under parallel load, beside an empty Starlette endpoint.

    python benchmarks/cds_hooks.py [--seconds 10] [--per-second 40]

Signed `patient-view` calls with a prefetched patient. Every call is of another user, so that each one is a view whose
audit record must be durable before it is answered; then the same again, which a quarter of an hour counts as one look.

One server process (uvicorn), its ledger in SQLite with some hundred patients; clients keep their connections open.
Prints the 50th and 99th percentile of all, and the share of the 50 ms goal: at a pace that a large hospital may reach,
charts opened at random moments (a Poisson process), and with eight clients that ask again at once, which measures the
throughput of the machine. Beside them one durable commit of such a ledger, alone on this disk.
"""

import argparse
import http.client
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / place) for place in ("fhir", "flow", "judges")]

import cds_case  # noqa: E402 - an EHR with a key, and assessments, are made as the tests make them
import fhir_cases  # noqa: E402

from connector.fhir.cds_clients import CdsClients  # noqa: E402
from connector.fhir.cds_hooks import CdsDoor, cds_routes  # noqa: E402
from connector.fhir.used_tokens import UsedInMemory  # noqa: E402
from connector.store import open_ledger  # noqa: E402
from connector.store.cards import CardShelf  # noqa: E402

GOAL_MS = 50.0
PATIENTS, CLIENTS, CONNECTIONS, ROUNDS = 200, 8, 24, 5
PATH = f"/cds-services/{cds_case.VIEW}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (default 10)")
    parser.add_argument(
        "--per-second", type=float, default=40.0, help="charts opened in a hospital of some thousand beds (default 40)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = cds_case.make_bench(folder)
        for number in range(PATIENTS):
            assessed = fhir_cases.assessment(input_digest=f"{number:016x}" + "0" * 48)
            case_ref = bench.cases.of_patient(f"{cds_case.HOSPITAL}\x1f{number}")
            bench.shelve(assessed, case_ref=case_ref, patient=f"p{number}")
        port = multiprocessing.get_context("spawn").Queue()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(name, port), daemon=True)
        server.start()
        address = port.get(timeout=60)
        _measure(address, "/empty", _nothing, [None] * 200)  # warm
        _measure(address, PATH, _signed(bench.ehr, "warm"), [None] * 200)
        chance = random.Random(1)  # noqa: S311 - moments of a benchmark
        length = asked.seconds / ROUNDS
        for load in (f"{asked.per_second:g} calls a second", "as fast as it goes"):
            took: dict[str, list[float]] = {"empty": [], "first looks": [], "looks again": []}
            for number in range(ROUNDS):  # in turns, so that a busy machine is fair to all
                moments = sorted(chance.uniform(0, length) for _ in range(int(length * asked.per_second)))
                when = [None] * (1200 // ROUNDS) if load.startswith("as") else moments
                took["empty"] += _measure(address, "/empty", _nothing, when)
                took["first looks"] += _measure(address, PATH, _signed(bench.ehr, f"{load[:2]}{number}-{{}}"), when)
                took["looks again"] += _measure(address, PATH, _signed(bench.ehr, "warm"), when)
            for kind in ("first looks", "looks again"):
                _tell(f"{load}, {kind}", took[kind], took["empty"])
        server.terminate()
        commits = _commits(folder)
    print(f"one durable commit alone: p50 {_percentile(commits, 50):.1f} ms, p99 {_percentile(commits, 99):.1f} ms")


def _tell(load: str, ours: list[float], empty: list[float]) -> None:
    for share in (50, 99):
        took, nothing = _percentile(ours, share), _percentile(empty, share)
        print(
            f"{load}, p{share}: cards {took:.1f} ms, an empty endpoint {nothing:.1f} ms, {took / nothing:.1f} times as "
            f"long, {took / GOAL_MS:.2f} of the goal; {len(ours)} calls",
            flush=True,
        )


def _commits(folder: Path) -> list[float]:
    """Milliseconds of the audit record of one view, committed alone by nobody else's side."""
    shelf, took = CardShelf(open_ledger(f"sqlite:///{folder}/ledger.sqlite")), []
    for _ in range(200):
        begun = time.perf_counter()
        shelf.note_views([("patient-view", "bench", ("case",))], [])
        took.append((time.perf_counter() - begun) * 1000)
    return took


def _serve(folder: str, port: Any) -> None:
    """The door over the ledger of the folder, and an endpoint that does nothing."""
    refs = cds_case.CaseRefs(b"key", {cds_case.HOSPITAL: cds_case.SYSTEM})
    issuers = {cds_case.ISSUER: f"{folder}/ehr.jwks.json"}
    door = CdsDoor(
        CardShelf(open_ledger(f"sqlite:///{folder}/ledger.sqlite")),
        clients=CdsClients(issuers, used=UsedInMemory()),
        is_local=lambda _: False,
        public_url=cds_case.PUBLIC,
        fhir_servers=[cds_case.FHIR_SERVER],
        case_refs=refs.of_identifiers,
    )

    async def empty(_: Request) -> Response:
        return Response(b"{}", media_type="application/json")

    web = Starlette(routes=[Route("/empty", empty, methods=["POST"]), *cds_routes(door, origins=())])
    server = uvicorn.Server(uvicorn.Config(web, host="127.0.0.1", port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port.put(server.servers[0].sockets[0].getsockname()[1])
    thread.join()


def _nothing(_: int) -> tuple[bytes, dict[str, str]]:
    return b"{}", {"Content-Type": "application/json"}


def _signed(ehr: cds_case.Ehr, user: str) -> Any:
    """Calls about one patient after the other; a `{}` in the user's name makes each call another user's."""

    def of_call(number: int) -> tuple[bytes, dict[str, str]]:
        place = number % PATIENTS
        identifier = [{"system": cds_case.SYSTEM, "value": str(place)}]
        chart = cds_case.patient(id=f"p{place}", identifier=identifier)
        who = {"userId": f"Practitioner/{user.replace(' ', '').format(number)}"}
        body = json.dumps(cds_case.asks(f"p{place}", context=who, prefetch={"patient": chart})).encode()
        token = ehr.token(f"{cds_case.PUBLIC}{PATH}")
        return body, {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    return of_call


def _measure(port: int, path: str, of_call: Any, moments: Sequence[float | None]) -> list[float]:
    """
    Milliseconds of every call; what is sent is made before the clock runs.

    A call with a moment goes out then (seconds from the start), whether or not those before it are answered, and its
    time counts from that moment; without one each client sends its next call when the last one is answered.
    """
    made = [of_call(number) for number in range(len(moments))]
    kept = threading.local()
    begun = time.perf_counter() + 0.05

    def call(number: int) -> float:
        moment = moments[number]
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPConnection("127.0.0.1", port)
            kept.connection.connect()
        if moment is not None:
            time.sleep(max(0.0, begun + moment - time.perf_counter()))
        started = time.perf_counter() if moment is None else begun + moment
        kept.connection.request("POST", path, *made[number])
        answer = kept.connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - started) * 1000
        assert answer.status == 200, content
        assert path == "/empty" or b'"summary"' in content, "an empty answer would be no measure"
        return took

    with ThreadPoolExecutor(CLIENTS if moments[0] is None else CONNECTIONS) as threads:
        return list(threads.map(call, range(len(moments))))


def _percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


if __name__ == "__main__":
    main()

"""How long the EHR waits for its cards under parallel load, beside an empty Starlette endpoint.

Signed `patient-view` calls with a prefetched patient.

One server process (uvicorn), its ledger in SQLite with some hundred patients; clients keep their connections open.
Prints the 50th and 99th percentile of both, their ratio, and the share of the 50 ms goal: with every client asking
again at once, which measures the throughput of the machine, and at a pace that a large hospital may reach.
"""

import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / place) for place in ("fhir", "judges")]

import cds_case  # noqa: E402 - an EHR with a key, and assessments, are made as the tests make them
import fhir_cases  # noqa: E402

from connector.fhir.cds_clients import CdsClients  # noqa: E402
from connector.fhir.cds_hooks import CdsDoor, cds_routes  # noqa: E402
from connector.fhir.used_tokens import UsedInMemory  # noqa: E402
from connector.store import open_ledger  # noqa: E402
from connector.store.cards import CardShelf  # noqa: E402

GOAL_MS = 50.0
PATIENTS, CLIENTS, CALLS = 200, 8, 150  # of each client
PER_SECOND = 40  # charts opened in a hospital of some thousand beds
PATH = f"/cds-services/{cds_case.VIEW}"


def main() -> None:
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
        for path, of_call in (("/empty", _nothing), (PATH, _signed(bench.ehr))):
            _measure(address, path, of_call, calls=20)  # warm
        empty = _measure(address, "/empty", _nothing, calls=CALLS)
        cards = _measure(address, PATH, _signed(bench.ehr), calls=CALLS)
        paced_empty = _measure(address, "/empty", _nothing, calls=CALLS // 3, per_second=PER_SECOND)
        paced = _measure(address, PATH, _signed(bench.ehr), calls=CALLS // 3, per_second=PER_SECOND)
        server.terminate()
    rows = {"as fast as it goes": (cards, empty), f"{PER_SECOND} calls a second": (paced, paced_empty)}
    for name, (ours, of_nothing) in rows.items():
        for share in (50, 99):
            asked, nothing = _percentile(ours, share), _percentile(of_nothing, share)
            print(
                f"{name}, p{share}: cards {asked:.1f} ms, an empty endpoint {nothing:.1f} ms, {asked / nothing:.1f} "
                f"times as long, {asked / GOAL_MS:.2f} of the goal; {CLIENTS} clients, {len(ours)} calls"
            )


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


def _signed(ehr: cds_case.Ehr) -> Any:
    def of_call(number: int) -> tuple[bytes, dict[str, str]]:
        place = number % PATIENTS
        identifier = [{"system": cds_case.SYSTEM, "value": str(place)}]
        chart = cds_case.patient(id=f"p{place}", identifier=identifier)
        body = json.dumps(cds_case.asks(f"p{place}", prefetch={"patient": chart})).encode()
        token = ehr.token(f"{cds_case.PUBLIC}{PATH}")
        return body, {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    return of_call


def _measure(port: int, path: str, of_call: Any, *, calls: int, per_second: float = 0.0) -> list[float]:
    """Milliseconds of every call; what is sent is made before the clock runs."""
    made = [[of_call(client * calls + number) for number in range(calls)] for client in range(CLIENTS)]

    def client(mine: list[tuple[bytes, dict[str, str]]]) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        took = []
        begun = time.perf_counter()
        for number, (body, headers) in enumerate(mine):
            if per_second:
                time.sleep(max(0.0, begun + number * CLIENTS / per_second - time.perf_counter()))
            started = time.perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            took.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, content
            assert path == "/empty" or b'"summary"' in content, "an empty answer would be no measure"
        return took

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [one for mine in threads.map(client, made) for one in mine]


def _percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


if __name__ == "__main__":
    main()

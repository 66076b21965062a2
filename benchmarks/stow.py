"""How many instances a second arrive safely over STOW-RS, beside Orthanc's plugin and a plain receiver, in one run.

    python benchmarks/stow.py [--rounds 3] [--requests 10] [--only NAME ...]

Prints instances a second, and the ratio to Orthanc's DICOMweb plugin (which syncs its files too). Ours is durable: file
and folder synced, receipt committed to SQLite, before the answer. `starlette` is what one would write first: Starlette
with python-multipart, each part to a file, nothing synced and nothing recorded. Ten CT of 0.5 MB or fifty of 10 KB a
request, over one client and over four. Senders and receivers share this machine's processors.
"""

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
from receivers import make_objects, our_inbox, print_ratios, running

OURS, REFERENCE, PLAIN = "connector", "orthanc", "starlette"
RECEIVERS = (REFERENCE, OURS, PLAIN)
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_BOUNDARY = "benchmark-boundary"
HEADERS = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
    "Accept": "application/dicom+json",
}


def serve_ours(port: int, folder: str) -> None:
    """Our routes with a SQLite ledger under uvicorn (run in a process of its own)."""
    import uvicorn  # noqa: PLC0415 - only the child pays for the imports
    from starlette.applications import Starlette  # noqa: PLC0415

    from connector.dicom.receive_stow import stow_routes  # noqa: PLC0415

    routes = stow_routes(our_inbox(folder), Path(folder, "in"), authorise=lambda _: "benchmark")
    uvicorn.run(Starlette(routes=routes), port=port, log_config=None, access_log=False)


def serve_plain(port: int, folder: str) -> None:
    """Starlette and python-multipart, each part to a file (run in a process of its own)."""
    import uvicorn  # noqa: PLC0415 - as above
    from python_multipart.multipart import MultipartParser, parse_options_header  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import JSONResponse, Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def store(request: Request) -> Response:
        _, options = parse_options_header(request.headers["content-type"])
        stored, handle = 0, None

        def begin() -> None:
            nonlocal handle
            handle = Path(folder, f"{time.monotonic_ns()}.dcm").open("wb")  # noqa: SIM115 - closed at the part's end

        def data(octets: bytes, start: int, end: int) -> None:
            handle.write(octets[start:end])

        def end() -> None:
            nonlocal stored
            handle.close()
            stored += 1

        parser = MultipartParser(
            options[b"boundary"], {"on_part_begin": begin, "on_part_data": data, "on_part_end": end}
        )
        async for octets in request.stream():
            parser.write(octets)
        return JSONResponse({"stored": stored})

    routes = [Route("/dicom-web/studies", store, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=port, log_config=None, access_log=False)


def command(name: str, port: int, folder: Path) -> list[str]:
    if name != REFERENCE:
        return [sys.executable, __file__, "--serve", name, str(port), str(folder)]
    settings = {
        "HttpPort": port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomServerEnabled": False,
        "Plugins": [_PLUGIN], "StorageDirectory": str(folder), "IndexDirectory": str(folder), "KeepAlive": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return ["Orthanc", str(folder / "orthanc.json")]


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/dicom-web/studies"


def answers(port: int) -> bool:
    """Whether a receiver speaks HTTP."""
    try:
        httpx.get(address(port), timeout=5)
    except httpx.TransportError:
        return False
    return True


def body(files: list[Path]) -> bytes:
    begin = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(begin + path.read_bytes() + b"\r\n" for path in files) + f"--{_BOUNDARY}--\r\n".encode()


def send(port: int, bodies: list[bytes]) -> None:
    with httpx.Client(timeout=120) as client:
        for content in bodies:
            client.post(address(port), content=content, headers=HEADERS).raise_for_status()


def measure(name: str, sets: dict[str, list[list[Path]]]) -> dict[str, float]:
    """Instances a second of one receiver; a fresh one for each row, so that none meets an instance twice."""
    rates = {}
    for kind, requests in sets.items():
        bodies = [body(files) for files in requests]
        for clients in (1, 4):
            with running(partial(command, name), answers) as (port, _), ThreadPoolExecutor(clients) as pool:
                start = time.monotonic()
                list(pool.map(lambda part, to=port: send(to, part), [bodies[at::clients] for at in range(clients)]))
                seconds = time.monotonic() - start
            rates[f"{kind} x{clients}"] = sum(map(len, requests)) / seconds
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=RECEIVERS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, port, folder = options.serve
        {OURS: serve_ours, PLAIN: serve_plain}[name](int(port), folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        sets = {}
        for kind, each, size_bytes in (("10 CT", 10, 512 * 1024), ("50 small", 50, 10 * 1024)):
            count = each * options.requests
            files = sorted(make_objects(Path(folder, kind), count, size_bytes).iterdir())
            sets[kind] = [files[at : at + each] for at in range(0, count, each)]
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
        for _ in range(options.rounds):
            for name in options.only:
                rounds[name].append(measure(name, sets))
    print_ratios(rounds, reference=REFERENCE)


if __name__ == "__main__":
    main()

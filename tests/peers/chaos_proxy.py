"""A proxy before a real FHIR server that hides, refuses, loses answers, pages twice, and repeats and reorders hooks."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

_PASSED_ON = ("accept", "content-type", "authorization", "if-match", "if-none-exist", "prefer")


@dataclass
class Request:
    """One request of a client; a product may change it before it goes on."""

    method: str
    path: str  # below the base, without a leading slash
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.path.split("/", maxsplit=1)[0]

    @property
    def is_search(self) -> bool:
        return self.method == "GET" and "/" not in self.path and self.path != "metadata"

    @property
    def is_write(self) -> bool:
        return self.method in ("POST", "PUT")


@dataclass
class Answer:
    """What the client gets; `drops` closes the connection instead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False

    @classmethod
    def outcome(cls, status: int, code: str = "processing", **headers: str) -> "Answer":
        issue = {"severity": "error", "code": "processing", "details": {"coding": [{"code": code}]}}
        return cls(status, json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode(), headers)


class Product:
    """How a product behaves: what it says of itself, what it refuses, and how it changes requests and answers."""

    def statement(self, upstream: dict) -> dict:
        return upstream

    def before(self, request: Request) -> Answer | None:
        """Change the request, or answer it without the server."""

    def after(self, request: Request, answer: Answer) -> Answer:  # noqa: ARG002 - products use it
        return answer


@dataclass
class Fault:
    """What happens to the next requests that match: a status, or the connection cut before or after it was done."""

    matches: Callable[[Request], bool]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    code: str = "processing"
    cut: str = ""  # before, after
    times: int = 1


@dataclass
class ChaosProxy:
    """A running proxy; tests set `product` and queue `faults`."""

    upstream: str
    base_url: str = ""
    product: Product = field(default_factory=Product)
    faults: list[Fault] = field(default_factory=list)
    met: deque = field(default_factory=deque)  # (method, path, status) of each answer
    pages: dict[str, list] = field(default_factory=dict)
    pages_twice: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Answer:
        refused = self.product.before(request)
        fault = self._fault(request)
        if fault is not None and fault.cut == "before":
            return Answer(0, drops=True)
        if fault is not None and fault.status:
            return Answer.outcome(fault.status, fault.code, **fault.headers)
        if refused is not None:
            return refused
        if request.is_search and (token := dict(request.query).get("_page")):
            return self._page(request, self.pages.pop(token))
        answer = self._forward(request)
        if request.path == "metadata":
            answer.body = json.dumps(self.product.statement(json.loads(answer.body))).encode()
        answer = self.product.after(request, answer)
        if self.pages_twice and request.is_search and answer.status == 200:
            entries = json.loads(answer.body).get("entry", [])
            answer = self._page(request, entries) if len(entries) > 1 else answer
        return Answer(0, drops=True) if fault is not None and fault.cut == "after" else answer

    def _fault(self, request: Request) -> Fault | None:
        with self.lock:
            fault = next((one for one in self.faults if one.matches(request)), None)
            if fault is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
            return fault

    def _page(self, request: Request, entries: list) -> Answer:
        """Two entries a page, the second of which comes again on the next page."""
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries[:2]}
        if len(entries) > 2:
            token = f"p{len(self.met)}-{len(entries)}"
            self.pages[token] = entries[1:]
            bundle["link"] = [{"relation": "next", "url": f"{self.base_url}/{request.kind}?_page={token}"}]
        return Answer(200, json.dumps(bundle).encode(), {"Content-Type": "application/fhir+json"})

    def _forward(self, request: Request) -> Answer:
        query = f"?{urlencode(request.query)}" if request.query else ""
        got = self.http.request(
            request.method, f"{self.upstream}/{request.path}".rstrip("/") + query, content=request.body,
            headers={name: value for name, value in request.headers.items() if name in _PASSED_ON},
        )  # fmt: skip
        body = got.content.replace(self.upstream.encode(), self.base_url.encode())
        kept = ("Content-Type", "ETag", "Location", "WWW-Authenticate", "Retry-After")
        return Answer(got.status_code, body, {name: got.headers[name] for name in kept if name in got.headers})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        proxy: ChaosProxy = self.server.proxy
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command, url.path.removeprefix("/fhir").strip("/"), parse_qsl(url.query),
            {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length),
        )  # fmt: skip
        answer = proxy.handle(request)
        proxy.met.append((request.method, request.path, 0 if answer.drops else answer.status))
        if answer.drops:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def chaos(upstream: str, product: Product | None = None) -> Iterator[ChaosProxy]:
    """A proxy on a free port of loopback, before a server that is reached without sign-in or by the client's token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = ChaosProxy(upstream, f"http://127.0.0.1:{server.server_port}/fhir", product or Product())
    server.proxy = proxy
    proxy.http = httpx.Client(timeout=60, trust_env=False, limits=httpx.Limits(max_connections=64))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        proxy.http.close()


@dataclass
class HookShuffler:
    """Stands between an EHR's notices and our hook: of two that come together the later goes first, and each twice."""

    target: str
    url: str = ""
    passed_on: list[int] = field(default_factory=list)  # the statuses of our hook
    held: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)
    is_over: bool = False

    def run(self) -> None:
        """Send on until it is over."""
        with httpx.Client(base_url=self.target, timeout=20, trust_env=False) as http:
            while not self.is_over:
                with self.came:
                    self.came.wait_for(lambda: self.held or self.is_over)
                    self.came.wait_for(lambda: len(self.held) > 1 or self.is_over, timeout=0.4)
                    notices, self.held = self.held[::-1], []
                for path, headers, body in [*notices, *notices]:
                    while not self.is_over:
                        with suppress(httpx.TransportError):  # our door opens later than the EHR begins to speak
                            self.passed_on.append(http.post(path, headers=headers, content=body).status_code)
                            break
                        time.sleep(0.2)


class _HookHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        shuffler: HookShuffler = self.server.shuffler
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {name: self.headers[name] for name in ("X-Connector-Secret", "Content-Type") if name in self.headers}
        with shuffler.came:
            shuffler.held.append((self.path, kept, body))
            shuffler.came.notify_all()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def shuffled_hooks(target: str) -> Iterator[HookShuffler]:
    """A shuffler on a free port of loopback, before the HTTP door at `target`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HookHandler)
    server.daemon_threads = True
    shuffler = HookShuffler(target, f"http://127.0.0.1:{server.server_port}")
    server.shuffler = shuffler
    accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    sending = threading.Thread(target=shuffler.run, daemon=True)
    accepting.start()
    sending.start()
    try:
        yield shuffler
    finally:
        with shuffler.came:
            shuffler.is_over = True
            shuffler.came.notify_all()
        sending.join(10)
        server.shutdown()
        server.server_close()

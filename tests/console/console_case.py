"""A console over a ledger with a clock that tests move, looked at through HTTP without a browser."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ledger_case import Bench, Clock, make_bench, receipt
from starlette.testclient import TestClient

from connector.console.glance import glance_at
from connector.console.pages import make_console
from connector.console.passwords import hash_password
from connector.console.signing import Cookies
from connector.console.site import Site
from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.report.dose_slices import DoseSlices
from connector.store.accounts import Accounts
from connector.store.acts import Acts
from connector.store.contradicting import Contradicting
from connector.store.desk import Desk as DeskOfLedger
from connector.store.logbook import Asked, Logbook
from connector.store.newest import Newest
from connector.store.unanswered import Unanswered
from connector.store.worklist import Worklist

PASSWORD = "a long sentence for tests"  # noqa: S105 - of these tests
IDENTITY = PatientIdentity((Identifier("P1", "TEST"),), "Testerin", "Tilda", None, "F")


@cache
def password_hash() -> str:
    """Made once: it is slow by design."""
    return hash_password(PASSWORD)


class Files:
    """Every study names the same person, and every document is a PDF."""

    def identity(self, study_instance_uid: str) -> PatientIdentity | None:
        return IDENTITY if study_instance_uid else None

    def document(self, document_id: str) -> tuple[str, str, bytes] | None:
        return f"{document_id[:4]}.pdf", "application/pdf", b"%PDF-1.7"

    def series(self, study_instance_uid: str) -> list[tuple[str, int, bool]]:
        return [("CT", 3, False), ("OT", 1, True)] if study_instance_uid else []

    def image(self, study_instance_uid: str, number: int, index: int) -> bytes:
        if (number, index) != (0, 1) or not study_instance_uid:
            raise ImpossibleInput("the pixels do not decode")
        return b"PNG"

    def dose(self, summary: str, rtdose: Path, study_instance_uid: str) -> DoseSlices:
        raise ImpossibleInput(f"the files are gone: {bool(summary and rtdose and study_instance_uid)}")

    def dose_png(self, slices: DoseSlices, across: int, index: int) -> bytes:
        raise ImpossibleInput(f"there is none: {slices} {across} {index}")


@dataclass
class Desk:
    """A ledger, a console over it, and browsers that talk to it."""

    bench: Bench
    site: Site
    token: str = ""
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def browser(self, name: str = "", *, host: str = "127.0.0.1", base: str = "http://127.0.0.1") -> TestClient:
        """A browser, signed in when a name is given."""
        client = TestClient(
            make_console(self.site, token=self.token), base_url=base, client=(host, 5), follow_redirects=False,
            headers={"Accept": "text/html"},
        )  # fmt: skip
        if name:
            token = self.site.accounts.begin(name, self.users[name], way="password")
            cookie = "__Host-connector_session" if base.startswith("https") else "connector_session"
            client.cookies.set(cookie, self.site.cookies._serializer("connector_session").dumps(token))
        return client

    def events(self, kind: str) -> list[dict]:
        return self.site.logbook.events(Asked(kind=kind))[0]


def make_desk(
    folder: Path, *, idle_seconds: float = 1800, token: str = "", made_up_patients: bool = False,
    **users: tuple[str, ...],
) -> Desk:  # fmt: skip
    bench = make_bench(f"sqlite:///{folder / 'ledger.sqlite'}", folder)
    clock: Clock = bench.clock
    accounts = Accounts(bench.engine, idle_seconds=idle_seconds, longest_seconds=36_000, now=clock)
    for name, roles in users.items():
        accounts.add(name, password_hash(), roles)
    site = Site(
        worklist=Worklist(bench.engine, now=clock), newest=Newest(bench.engine, glance_at),
        contradicting=Contradicting(bench.engine), logbook=Logbook(bench.engine, bench.ledger.trail, now=clock),
        acts=Acts(bench.ledger, now=clock), accounts=accounts, cookies=Cookies(b"k" * 32), studies=Files(),
        settings=[("CONNECTOR_STOW_TOKEN", "set (hidden)", "Bearer token")], checks={"disk": lambda: None},
        made_up_patients=made_up_patients, ehr_way=DeskOfLedger(bench.ledger, now=clock).ehr_way,
        unanswered=Unanswered(bench.engine, now=clock).look,
    )  # fmt: skip
    return Desk(bench, site, token, users)


def form_of(html: str) -> dict[str, str]:
    """The hidden fields of the page's last form that changes something."""
    form = next(form for form in reversed(html.split("<form")) if "form_token" in form)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def sign_in(client: TestClient, name: str, password: str):
    page = client.get("/sign-in")
    return client.post("/sign-in", data=form_of(page.text) | {"name": name, "password": password})


def set_aside(bench: Bench, study: str, reason: str, *, patient: str = "P1") -> str:
    """A study that waits for a person; returns its case."""
    bench.inbox.receive(receipt(f"{study}.1", study=study, patient=patient))
    bench.ledger.complete_study(study, "test")
    job_id = next(job for job, _ in bench.ledger.jobs.take_due() if bench.ledger.jobs.claim(job))
    lease_of(bench, job_id, reason)
    return bench.ledger.study(study).case_ref


def lease_of(bench: Bench, job_id: str, reason: str) -> None:
    """Stop a claimed job as a worker does."""
    import sqlalchemy as sa  # noqa: PLC0415 - only here

    from connector.store import tables as t  # noqa: PLC0415 - only here

    with bench.engine.begin() as connection:
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.id == job_id)
            .values(state="set_aside", reason=reason, lease_token=None, lease_until=None)
        )

"""What every page needs: the services behind it, the templates, the person who asks, and a checked form."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from connector import __version__
from connector.console.addresses import Addresses
from connector.console.glance import Glance
from connector.console.people import Person
from connector.console.signing import Cookies
from connector.console.wording import FILTERS, TESTS
from connector.core.case import PatientIdentity
from connector.store.accounts import Accounts
from connector.store.acts import Acts
from connector.store.contradicting import Contradicting
from connector.store.logbook import Logbook
from connector.store.newest import Newest
from connector.store.worklist import Worklist
from connector.web.access import is_local

if TYPE_CHECKING:
    from connector.report.dose_slices import DoseSlices

HERE = Path(__file__).parent
LARGEST_FORM_BYTES = 64 * 1024


class Studies(Protocol):
    """What the DICOM room tells of a study that lies on disk."""

    def identity(self, study_instance_uid: str) -> PatientIdentity | None:
        """Whom the images name; None when none of them can be read."""

    def document(self, document_id: str) -> tuple[str, str, bytes] | None:
        """File name, media type and content of a document as a person opens it."""

    def series(self, study_instance_uid: str) -> list[tuple[str, int, bool]]:
        """Modality, number of planes and whether they may show the patient's name, of every series of images."""

    def image(self, study_instance_uid: str, number: int, index: int) -> bytes:
        """One plane of a series as a PNG. Raises ImpossibleInput."""

    def dose(self, summary: str, rtdose: Path, study_instance_uid: str) -> "DoseSlices":
        """The dose map of an assessment. Raises ImpossibleInput."""

    def dose_png(self, slices: "DoseSlices", across: int, index: int) -> bytes:
        """One cut through a dose map as a PNG."""


@dataclass(frozen=True, slots=True)
class Site:
    """The services behind the pages."""

    worklist: Worklist
    newest: Newest[Glance | None]
    contradicting: Contradicting
    logbook: Logbook
    acts: Acts
    accounts: Accounts
    cookies: Cookies
    studies: Studies
    settings: Sequence[tuple[str, str, str]]
    checks: Mapping[str, Callable[[], str | None]]
    is_local: Callable[[Request], bool] = is_local
    made_up_patients: bool = False
    openid_name: str = ""  # of the provider, for the sign-in page; empty: none is set up
    # Documents that the PACS never answered for: how many, and the oldest.
    unanswered: Callable[[], tuple[int, list[dict[str, Any]]]] = lambda: (0, [])
    waiting_messages: Callable[[], list[dict[str, Any]]] = list  # of HL7 v2
    card_feedback: Callable[[], list[dict[str, Any]]] = list  # on CDS Hooks cards
    ehr_way: Callable[[], dict[str, Any] | None] = lambda: None  # how the EHR is written; None before it was asked
    templates: Environment = field(init=False)
    addresses: Addresses = field(init=False)

    def __post_init__(self) -> None:
        made = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        made.filters.update(FILTERS)
        made.tests.update(TESTS)
        made.globals["version"] = __version__
        object.__setattr__(self, "templates", made)
        object.__setattr__(self, "addresses", Addresses(self.cookies.key))

    @property
    def has_sign_in(self) -> bool:
        """Whether people sign in here: an OpenID provider is set, or a local user exists."""
        return bool(self.openid_name) or self.accounts.any_account()

    def page(self, request: Request, template: str, *, status: int = 200, **content: Any) -> Response:
        """Render a page for the person who asks."""
        person = getattr(request.state, "person", None)
        html = self.templates.get_template(template).render(
            person=person,
            nonce=request.state.nonce,
            form_token=self.cookies.form_token(request),
            action_key=secrets.token_urlsafe(18),
            path=request.url.path,
            now=datetime.now(UTC).timestamp(),
            has_sign_in=self.has_sign_in,
            **content,
        )
        response = HTMLResponse(html, status_code=status)
        self.cookies.keep_form_mark(request, response)
        return response

    def refuse(self, request: Request, *, status: int, title: str, text: str) -> Response:
        """A page that says what was wrong and what to do."""
        return self.page(request, "refused.html", status=status, title=title, text=text)

    async def form(self, request: Request) -> Mapping[str, str]:
        """The fields of a form of ours. Raises HTTPException 403 for a forged or outdated one, 413 for a huge one."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_FORM_BYTES:
            raise HTTPException(413, "The form is too large, or does not tell its length: send less.")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "The form came from another site: open the page here and send it again.")
        async with request.form(max_files=0, max_fields=20, max_part_size=LARGEST_FORM_BYTES) as sent:
            # PostgreSQL keeps no text with a NUL in it, and no person types one.
            fields = {name: value.replace("\0", "") for name, value in sent.items() if isinstance(value, str)}
        if not self.cookies.is_form_token(request, fields.get("form_token", "")):
            raise HTTPException(403, "The form is outdated: go back, load the page again, and send it once more.")
        return fields


def person_of(request: Request) -> Person:
    """Who asks; the entrance has seen to it that somebody does."""
    person: Person = request.state.person
    return person


def require(allowed: bool, what: str) -> None:  # noqa: FBT001 - reads as `require(person.is_operator, …)`
    """Raise HTTPException 403 with what the person's role would have to be."""
    if not allowed:
        raise HTTPException(403, what)

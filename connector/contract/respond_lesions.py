"""A case of lesions as the command takes it, and its reading into the core's own types."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, WithJsonSchema

from connector.contract.reading import CaseModel, Exact, Line, Whole, WholeDate, exact, parse, whole_date
from connector.contract.respond_measurement import MEASUREMENT_SCHEMA, measurement, measurement_of_text
from connector.core.case import LesionRole
from connector.core.errors import BadCase
from connector.core.response.case import (
    CRITERIA,
    AfterComplete,
    ContinuingResponse,
    CriteriaName,
    EquivocalConfirmed,
    Lesion,
    NewLesion,
    Policies,
    ResponseCase,
    Visit,
)
from connector.core.response.readers import Adjudication, Readers

_Kind = TypeVar("_Kind")
_CRITERIA = tuple(CRITERIA)


class PoliciesCase(CaseModel):
    """What a protocol chooses where RECIST leaves a choice."""

    confirm: bool = False
    confirm_days: Annotated[Whole, Field(ge=0)] = 28
    min_sd_days: Annotated[Whole, Field(ge=0)] = 42
    max_ne: Annotated[Whole, Field(ge=0)] = 1
    accept_sd: bool = False
    continuing_response: Annotated[ContinuingResponse, Field(strict=False)] = ContinuingResponse.PER_VISIT
    response_after_complete: Annotated[AfterComplete, Field(strict=False)] = AfterComplete.PROGRESSION
    mrecist_5_mm: bool = False
    equivocal_confirmed: Annotated[EquivocalConfirmed, Field(strict=False)] = EquivocalConfirmed.WHEN_STATED

    def chosen(self) -> Policies:
        """Return the policies in the core's own type."""
        if self is _DEFAULT_POLICIES:
            return _DEFAULT
        return Policies(
            confirm=self.confirm,
            confirm_days=self.confirm_days,
            min_sd_days=self.min_sd_days,
            max_ne=self.max_ne,
            accept_sd=self.accept_sd,
            continuing_response=self.continuing_response,
            response_after_complete=self.response_after_complete,
            mrecist_5_mm=self.mrecist_5_mm,
            equivocal_confirmed=self.equivocal_confirmed,
        )


_DEFAULT_POLICIES, _DEFAULT = PoliciesCase(), Policies()


class FormCase(CaseModel):
    """What all forms share."""

    criteria: CriteriaName
    policies: PoliciesCase = _DEFAULT_POLICIES


class LesionCase(CaseModel):
    """A lesion for life; `axis` says which one was measured."""

    id: Line
    role: Annotated[LesionRole, Field(strict=False)]
    site: Line
    lymph_node: bool
    axis: Literal["long", "short", "long_axis", "short_axis"] | None = None
    slice_thickness_mm: Exact | None = None


class VisitCase(CaseModel):
    """
    One visit; a lesion that is left out was not evaluable.

    `confirms_equivocal_of`: the date of the visit that first showed this new lesion, then as equivocal.
    """

    date: WholeDate
    measurements: dict[str, Annotated[Any, WithJsonSchema(MEASUREMENT_SCHEMA)]]
    new_lesion: Annotated[NewLesion, Field(strict=False)]
    label: Line | None = None
    reader: Line | None = None
    markers_normal: bool | None = None
    confirms_equivocal_of: WholeDate | None = None


class ReadersCase(CaseModel):
    """Keeps readers apart; `adjudicated` is the reader whom an adjudicator has followed where they disagree."""

    primary: Line
    policy: Annotated[Adjudication, Field(strict=False)] = Adjudication.PRIMARY_READER
    adjudicated: Line | None = None


class LesionsCase(FormCase):
    """
    Lesions over time; the first visit is the baseline.

    With `readers`, the first visit of each reader is that reader's baseline, and each is judged alone.
    """

    treatment_start: WholeDate
    lesions: list[LesionCase]
    visits: list[VisitCase]
    new_therapy_date: WholeDate | None = None
    death_date: WholeDate | None = None
    last_contact_date: WholeDate | None = None
    readers: ReadersCase | None = None


_AXES = {None: None, "long": "long", "short": "short", "long_axis": "long", "short_axis": "short"}


def read_lesions(case: Any) -> tuple[ResponseCase, Readers | None]:
    """Read a parsed case of lesions, and who reads it when readers are kept apart. Raises BadCase."""
    plain = plain_case(case) if isinstance(case, dict) else None
    if plain is not None:
        return plain, None
    read = parse(LesionsCase, case)
    if read.readers is None:
        return of_models(read), None
    return of_models(read), Readers(read.readers.primary, read.readers.policy, read.readers.adjudicated)


def of_models(read: LesionsCase) -> ResponseCase:
    """Turn a checked case into the core's type; measurements are read here, with their place for the error."""
    return ResponseCase(
        criteria=read.criteria,
        lesions=tuple(
            Lesion(
                id=lesion.id,
                role=lesion.role,
                site=lesion.site,
                lymph_node=lesion.lymph_node,
                axis=_AXES[lesion.axis],
                slice_thickness_mm=lesion.slice_thickness_mm,
            )
            for lesion in read.lesions
        ),
        visits=tuple(_visit(number, visit) for number, visit in enumerate(read.visits)),
        treatment_start=read.treatment_start,
        policies=read.policies.chosen(),
        new_therapy_date=read.new_therapy_date,
        death_date=read.death_date,
        last_contact_date=read.last_contact_date,
    )


def _visit(number: int, visit: VisitCase) -> Visit:
    measurements = {}
    for lesion_id, value in visit.measurements.items():
        try:
            measurements[lesion_id] = measurement(value)
        except ValueError as fault:
            raise BadCase(f"visits.{number}.measurements.{lesion_id}", value, str(fault)) from None
    return Visit(
        on=visit.date,
        measurements=measurements,
        new_lesion=visit.new_lesion,
        label=visit.label,
        reader=visit.reader,
        markers_normal=visit.markers_normal,
        confirms_equivocal_of=visit.confirms_equivocal_of,
    )


# Nearly every line of a long file is just as the models want it, and is read without them in a fraction of the steps.
# Whatever is unusual in any way is left to them: they alone refuse, and name the field.
_ROLES = {role.value: role for role in LesionRole}
_NEW_LESIONS = {new_lesion.value: new_lesion for new_lesion in NewLesion}
_PLAIN_CASE = LesionsCase.model_fields.keys() - {"readers"}
_PLAIN_LESION, _PLAIN_VISIT = LesionCase.model_fields.keys(), VisitCase.model_fields.keys()
_FIELDS_ALWAYS_GIVEN = 3  # of a visit: the date, the measurements, the word on new lesions
_LATER_DATES = ("new_therapy_date", "death_date", "last_contact_date")


def plain_case(case: dict[str, Any]) -> ResponseCase | None:
    """Read a case that the models would take as it is; None: not sure, ask them."""
    try:
        if not case.keys() <= _PLAIN_CASE or case["criteria"] not in _CRITERIA:
            return None
        policies = _only(dict, case.get("policies", {}))
        lesions = tuple([_plain_lesion(lesion) for lesion in _only(list, case["lesions"])])
        known = {lesion.id for lesion in lesions}
        return ResponseCase(
            criteria=case["criteria"],
            lesions=lesions,
            visits=tuple([_plain_visit(visit, known) for visit in _only(list, case["visits"])]),
            treatment_start=whole_date(case["treatment_start"]),
            policies=parse(PoliciesCase, policies).chosen() if policies else _DEFAULT,
            **{name: whole_date(case[name]) for name in _LATER_DATES if case.get(name) is not None},
        )
    except (AttributeError, BadCase, LookupError, TypeError, ValueError):
        return None


def _plain_lesion(given: dict[str, Any]) -> Lesion:
    lesion_id, site, thickness_mm = given["id"], given["site"], given.get("slice_thickness_mm")
    if not (given.keys() <= _PLAIN_LESION and _is_plain(lesion_id) and _is_plain(site)):
        raise ValueError
    return Lesion(
        lesion_id,
        _ROLES[given["role"]],
        site,
        _only(bool, given["lymph_node"]),
        _AXES[given.get("axis")],
        None if thickness_mm is None else exact(thickness_mm),
    )


def _plain_visit(given: dict[str, Any], known: set[str]) -> Visit:
    measurements = given["measurements"]
    if not measurements.keys() <= known:
        raise ValueError
    visit = Visit(
        whole_date(given["date"]),
        {
            lesion_id: measurement_of_text(value) if value.__class__ is str else measurement(value)
            for lesion_id, value in measurements.items()
        },
        _NEW_LESIONS[given["new_lesion"]],
    )
    return visit if len(given) == _FIELDS_ALWAYS_GIVEN else _with_what_is_rare(visit, given)


def _with_what_is_rare(visit: Visit, given: dict[str, Any]) -> Visit:
    if not given.keys() <= _PLAIN_VISIT:
        raise ValueError
    truth, since = given.get("markers_normal"), given.get("confirms_equivocal_of")
    texts = {name: given[name] for name in ("label", "reader") if given.get(name) is not None}
    if not all(map(_is_plain, texts.values())):
        raise ValueError
    return visit._replace(
        **texts,
        markers_normal=None if truth is None else _only(bool, truth),
        confirms_equivocal_of=None if since is None else whole_date(since),
    )


def _is_plain(text: str) -> bool:
    # Whatever else may be in a line, the models look at each character.
    return text.isascii() and text.isprintable()


def _only(kind: type[_Kind], value: Any) -> _Kind:
    if not isinstance(value, kind):
        raise TypeError
    return value

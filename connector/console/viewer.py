"""Pictures of a case, plane by plane: the dose map with isodoses and dose-volume curves, and every series of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.console import charts
from connector.console.case_content import case_content
from connector.console.case_page import found_case
from connector.console.site import Site, person_of, require
from connector.console.wording import short_ref
from connector.core.errors import ImpossibleInput
from connector.report.dose_content import AXIAL, CORONAL

if TYPE_CHECKING:
    from connector.report.dose_slices import DoseSlices

CUTS = {"axial": AXIAL, "coronal": CORONAL}
_ROLES = "Pictures are for clinicians and physicists."
_NAMING = (
    "These images have text burned in, or are of a kind that often has some, which may name the patient: they open for"
    " a clinician or physicist who signed in by name."
)
_CURVE_POINTS = 200


def routes(site: Site) -> list[Route]:
    """Pages and their pictures."""

    async def dose(request: Request) -> Response:
        require(person_of(request).is_clinical, _ROLES)
        content = await run_in_threadpool(_dose_page, site, request)
        return await run_in_threadpool(site.page, request, "viewer.html", **content)

    async def dose_slice(request: Request) -> Response:
        require(person_of(request).is_clinical, _ROLES)
        return await run_in_threadpool(_dose_slice, site, request)

    async def images(request: Request) -> Response:
        require(person_of(request).is_clinical, _ROLES)
        content = await run_in_threadpool(_images_page, site, request)
        return await run_in_threadpool(site.page, request, "viewer.html", **content)

    async def image(request: Request) -> Response:
        require(person_of(request).is_clinical, _ROLES)
        return await run_in_threadpool(_image, site, request)

    case = "/cases/{case_ref}"
    return [
        Route(case + "/dose", dose),
        Route(case + "/dose/{cut}/{index}", dose_slice),
        Route(case + "/studies/{study}/images/{series}", images),
        Route(case + "/studies/{study}/images/{series}/{index}", image),
    ]


def _number(text: str, *, below: int) -> int:
    """A whole number from 0. Raises HTTPException 404: an address we made has no other."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < below):  # noqa: PLR2004 - more digits than planes
        raise HTTPException(404, "There is no such plane.")
    return int(text)


def _asked_slice(request: Request, *, count: int, else_: int) -> int:
    text = request.query_params.get("slice", "")
    return min(int(text), count - 1) if text.isascii() and text.isdecimal() and len(text) < 10 else else_  # noqa: PLR2004 - as above


# Dose


def _dose_of(site: Site, request: Request) -> tuple[dict[str, Any], "DoseSlices"]:
    case_ref = request.path_params["case_ref"]
    found_case(site, case_ref)
    assessment = site.worklist.assessment(case_ref, request.query_params.get("assessment") or None)
    path = site.worklist.document_path(assessment["id"], "rtdose") if assessment else None
    if assessment is None or not path:
        raise HTTPException(404, "This assessment has no dose map, or its files were tidied away.")
    try:
        slices = site.studies.dose(assessment["summary"], Path(path), assessment["study_instance_uid"])
    except (ImpossibleInput, OSError) as fault:
        raise HTTPException(404, f"The dose map cannot be shown: {fault}.") from fault
    return assessment, slices


def _dose_page(site: Site, request: Request) -> dict[str, Any]:
    case_ref = request.path_params["case_ref"]
    assessment, slices = _dose_of(site, request)
    _note_dose(site, request)
    cut = request.query_params.get("cut", "axial")
    cut = cut if cut in CUTS else "axial"
    count = slices.count(CUTS[cut])
    index = _asked_slice(request, count=count, else_=slices.hottest(CUTS[cut]))
    suffix = f"?assessment={assessment['id']}"
    base = f"/cases/{case_ref}/dose"
    return {
        "case_ref": case_ref,
        "title": "Dose map",
        "count": count,
        "index": index,
        "address": f"{base}/{cut}/INDEX{suffix}",
        "page": f"{base}{suffix}&cut={cut}",
        "alt": f"{cut.capitalize()} cut INDEX of {count}: isodose lines over the {slices.under}",
        "others": [(name.capitalize(), f"{base}{suffix}&cut={name}", name == cut) for name in CUTS],
        "size": slices.size(CUTS[cut]),
        "isodoses": slices.isodoses,
        "under": slices.under,
        "dvh": _curves(slices),
        "dose": case_content(assessment["summary"])["dose"],
        "closed": "",
    }


def _note_dose(site: Site, request: Request) -> None:
    """A picture asked for without its page is a look as well; many of them within a while are one."""
    person, case_ref = person_of(request), request.path_params["case_ref"]
    site.logbook.note_look("viewed", actor=person.name, ref=f"dose:{case_ref}", case_ref=case_ref, detail="dose map")


def _note_images(site: Site, request: Request, uid: str) -> None:
    person, case_ref = person_of(request), request.path_params["case_ref"]
    site.logbook.note_look("viewed", actor=person.name, ref=uid, case_ref=case_ref, detail="images")


def _curves(slices: "DoseSlices") -> Any:
    """Cumulative curves of every region that has voxels."""
    filled = [(name, one) for name, one in zip(slices.names, slices.curves, strict=True) if one is not None]
    highest = max((one.max_gy for _, one in filled), default=0.0)
    lines = []
    for place, (name, one) in enumerate(filled):
        levels = np.linspace(0, one.max_gy, _CURVE_POINTS)
        points = [(float(level), 100 * one.volume_fraction_at(float(level))) for level in levels]
        lines.append(charts.Series(name, [*points, (one.max_gy, 0.0)], f"line-{place % charts.LINE_CLASSES}"))
    return charts.dose_volume(lines, highest)


def _dose_slice(site: Site, request: Request) -> Response:
    cut = CUTS.get(request.path_params["cut"])
    if cut is None:
        raise HTTPException(404, "There is no such cut.")
    _, slices = _dose_of(site, request)
    _note_dose(site, request)
    index = _number(request.path_params["index"], below=slices.count(cut))
    return Response(site.studies.dose_png(slices, cut, index), media_type="image/png")


# Images


def _study_of(site: Site, request: Request) -> str:
    found = found_case(site, request.path_params["case_ref"])
    for study in found["studies"]:
        uid = str(study["study_instance_uid"])
        if short_ref(uid) == request.path_params["study"]:
            return uid
    raise HTTPException(404, "There is no such study of this case.")


def _listed(site: Site, uid: str) -> list[tuple[str, int, bool]]:
    try:
        return site.studies.series(uid)
    except ImpossibleInput as fault:
        raise HTTPException(404, f"The images cannot be shown: {fault}.") from fault


def _images_page(site: Site, request: Request) -> dict[str, Any]:
    case_ref = request.path_params["case_ref"]
    uid = _study_of(site, request)
    listed = _listed(site, uid)
    if not listed:
        raise HTTPException(404, "The study holds no images, or its files were tidied away.")
    number = _number(request.path_params["series"], below=len(listed))
    _note_images(site, request, uid)
    modality, count, may_name = listed[number]
    base = f"/cases/{case_ref}/studies/{short_ref(uid)}/images"
    return {
        "case_ref": case_ref,
        "title": f"{modality} images",
        "count": count,
        "index": _asked_slice(request, count=count, else_=count // 2),
        "address": f"{base}/{number}/INDEX",
        "page": f"{base}/{number}?",
        "alt": f"{modality} image INDEX of {count}",
        "others": [
            (f"{kind}, {planes} planes", f"{base}/{place}", place == number)
            for place, (kind, planes, _) in enumerate(listed)
        ],
        "size": (640, 640),
        "isodoses": [],
        "under": "",
        "dvh": "",
        "dose": None,
        "closed": _NAMING if may_name and not person_of(request).sees_identity else "",
    }


def _image(site: Site, request: Request) -> Response:
    uid = _study_of(site, request)
    series = _number(request.path_params["series"], below=10_000)
    index = _number(request.path_params["index"], below=10**9)
    if not person_of(request).sees_identity:
        listed = _listed(site, uid)
        require(series >= len(listed) or not listed[series][2], _NAMING)
    _note_images(site, request, uid)
    try:
        return Response(site.studies.image(uid, series, index), media_type="image/png")
    except ImpossibleInput as fault:
        raise HTTPException(404, f"The image cannot be shown: {fault}.") from fault

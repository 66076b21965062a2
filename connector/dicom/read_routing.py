"""Looks at files in a folder as the routing rules look at a study that comes in."""

from collections.abc import Iterable
from mmap import ACCESS_READ, mmap
from pathlib import Path

from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.dicom.receive_head import Head, read_head
from connector.dicom.receive_part10 import read_file_meta
from connector.routing import SeriesSeen, StudySeen

_LARGEST_META_BYTES = 64 * 1024


def studies_in(paths: Iterable[Path], *, calling_ae: str = "") -> tuple[list[StudySeen], list[Skipped]]:
    """
    The studies of some files as if `calling_ae` had sent them, and the files that are none of DICOM.

    Files that the service would refuse are skipped for the same reason.
    """
    heads: dict[str, dict[str, list[Head]]] = {}
    skipped = []
    for path in paths:
        try:
            head = _head_of(path)
        except (ImpossibleInput, OSError, ValueError) as fault:
            skipped.append(Skipped(str(path), str(fault) if isinstance(fault, ImpossibleInput) else "cannot be read"))
            continue
        heads.setdefault(head.study_instance_uid, {}).setdefault(head.series_instance_uid, []).append(head)
    sources = frozenset({calling_ae} - {""})
    return [
        StudySeen(uid, sources, tuple(_series(members) for _, members in sorted(series.items())))
        for uid, series in sorted(heads.items())
    ], skipped


def _head_of(path: Path) -> Head:
    with path.open("rb") as handle, mmap(handle.fileno(), 0, access=ACCESS_READ) as octets:
        known = read_file_meta(octets[: 2 * _LARGEST_META_BYTES])
        if known is None:
            raise ImpossibleInput("the file ends inside its file meta information")
        announced, begin = known
        with memoryview(octets) as whole, whole[begin:] as dataset:
            return read_head(dataset, announced.transfer_syntax_uid)


def _series(members: list[Head]) -> SeriesSeen:
    first = members[0]
    return SeriesSeen(
        modality=first.modality,
        sop_classes=frozenset(head.sop_class_uid for head in members),
        body_part=first.body_part,
        description=first.series_description,
        procedure_codes=frozenset(first.procedure_codes),
        instances=len({head.sop_instance_uid for head in members}),
    )

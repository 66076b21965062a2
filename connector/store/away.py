"""Says why the ledger's database cannot be used and what to do, without a word of what was to be written."""

import errno
import os
from pathlib import Path

from connector.core.errors import ConnectorError

_FOLDER, _ADDRESS = "CONNECTOR_DATA_DIR", "CONNECTOR_DATABASE_URL"
_TO_WHOM = "give it to the user of the service, or run this as that user (systemd: the installed `connector` does)"
_WHY_SHUT = {
    errno.EACCES: f"this user may not write there: {_TO_WHOM}",
    errno.EPERM: f"this user may not write there: {_TO_WHOM}",
    errno.EROFS: "its file system is read-only: mount it to be written, or name another folder",
    errno.ENOSPC: "its disk is full: make room",
    errno.EDQUOT: "its quota is used up: make room",
    errno.EEXIST: "is no folder: name one",
    errno.ENOTDIR: "is no folder: name one",
    errno.ENOENT: "is not there and cannot be made: name another folder",
}
_SQLITE = {
    "SQLITE_CANTOPEN": f"its file cannot be opened, or its folder is not there: {_TO_WHOM}",
    "SQLITE_READONLY": f"its file cannot be written by this user: {_TO_WHOM}",
    "SQLITE_FULL": "the disk is full: make room",
    "SQLITE_IOERR": "its disk fails or is full: see the system's log",
    "SQLITE_NOTADB": "its file is no ledger: move it away, or restore a backup",
    "SQLITE_CORRUPT": "its file is damaged: restore a backup",
    "SQLITE_BUSY": "another process holds it for longer than 30 s: stop that one",
    "SQLITE_LOCKED": "another process holds it: stop that one",
}
# PostgreSQL, appendix A: classes of SQLSTATE.
_POSTGRES = {
    "42501": "its user may not do that: make it the owner of the database",
    "53": "the server lacks disk, memory or connections: see its log",
    "57P": "the server was stopped or starts: try again",
}


class DatabaseAway(ConnectorError):
    """The ledger cannot be opened."""


class FolderShut(ConnectorError):
    """The data folder cannot be used."""


def require_folder(folder: Path) -> None:
    """Make the data folder if need be. Raises FolderShut, which says why it cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise shut(folder, fault.errno) from None
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise shut(folder, errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES)


def shut(folder: Path, number: int | None) -> FolderShut:
    """What to raise for the system's error number."""
    why = _WHY_SHUT.get(number or 0) or f"cannot be used ({os.strerror(number or 0)}): name another folder"
    return FolderShut(f"{_FOLDER}={folder}: {why}")


def why_away(fault: Exception) -> str:
    """
    One sentence that names the setting, for what a database's driver raised.

    What it says while it connects speaks of the server, the user and the database, and is told; what it says of a
    statement may hold its values, and is told by its kind only.
    """
    said = getattr(fault, "orig", None) or fault
    name = getattr(said, "sqlite_errorname", None)
    if name is not None:
        why = next((told for begin, told in _SQLITE.items() if name.startswith(begin)), f"it fails ({name})")
        return f"the ledger does not answer: {why}; check {_FOLDER} and {_ADDRESS}"
    state = str(getattr(said, "sqlstate", None) or "")
    told = next((told for begin, told in _POSTGRES.items() if state.startswith(begin)), "")
    if not told and getattr(fault, "statement", None) is None and said is not fault:
        first = (str(said).strip().splitlines() or [""])[0]
        told = first.removeprefix("connection failed: ").rpartition("failed: ")[2].removeprefix("FATAL:").strip()
    return f"the database does not answer ({told or type(said).__name__}): check {_ADDRESS}"

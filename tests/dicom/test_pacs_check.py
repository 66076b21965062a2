"""Given a PACS that is set wrongly, `check` says what the PACS lacks, or which setting to look at."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pacs_case import CT, SR, VERIFICATION, scripted
from pynetdicom import AE

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs_association import Pacs
from connector.dicom.pacs_check import check_pacs
from connector.neighbours import check_neighbours
from connector.settings import Settings

LOOK = "; check CONNECTOR_PACS_HOST, CONNECTOR_PACS_PORT and CONNECTOR_PACS_AE_TITLE"


def at(port: int, *, tls: ssl.SSLContext | None = None) -> Pacs:
    return Pacs(host="127.0.0.1", port=port, ae_title="PACS", calling_ae_title="CONNECTOR", tls=tls, answer_seconds=1.0)


def test_a_pacs_that_takes_all_that_is_written_is_well() -> None:
    with scripted(contexts=(VERIFICATION, CT, SR)) as pacs:
        check_pacs(pacs, written=[CT, SR])


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ((CT,), "does not take Comprehensive 3D SR Storage of CONNECTOR: have them enabled there"),
        ((), "does not take CT Image Storage, Comprehensive 3D SR Storage of CONNECTOR"),
    ],
)
def test_what_a_pacs_does_not_take_is_named_before_the_first_study(taken: tuple[str, ...], said: str) -> None:
    with scripted(contexts=(VERIFICATION, *taken)) as pacs, pytest.raises(Refused, match=said):
        check_pacs(pacs, written=[CT, SR])


def test_check_proposes_what_this_site_writes() -> None:
    """RT Plans are written by setting only, and a PACS without them is well as long as none are."""
    with scripted() as pacs:
        given = {"pacs_host": pacs.host, "pacs_port": pacs.port}
        lacking = [check_neighbours(Settings(rt_dose_plan=plan, **given))["pacs"] or "" for plan in (False, True)]
    assert all("RT Dose Storage" in one and "Encapsulated PDF Storage" in one for one in lacking)
    assert ["RT Plan Storage" in one for one in lacking] == [False, True]


def _knows_another(entity: AE) -> None:
    entity.require_calling_aet = ["OTHER"]


def _goes_by_its_name(entity: AE) -> None:
    entity.ae_title, entity.require_called_aet = "ARCHIVE", True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_knows_another, "it does not know our AE title: register it there"),
        (_goes_by_its_name, "it goes by another AE title: correct the setting"),
    ],
)
def test_a_title_that_is_not_accepted_is_told(change: Callable[[AE], None], said: str) -> None:
    with scripted(change=change) as pacs, pytest.raises(Refused, match=said + LOOK):
        check_pacs(pacs, written=[CT])


def test_a_port_on_which_nothing_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as shut:
        port = shut.getsockname()[1]
    with pytest.raises(TryLater, match="nothing listens there: correct host and port, or have it started" + LOOK):
        check_pacs(at(port), written=[CT])


def test_a_program_that_is_no_dicom_node_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        said = "is no DICOM node or speaks TLS: then set CONNECTOR_PACS_TLS_CA_FILE" + LOOK
        with pytest.raises(TryLater, match=said):
            check_pacs(at(mute.getsockname()[1]), written=[CT])


def test_a_pacs_that_speaks_no_tls_is_told() -> None:
    with scripted() as pacs, pytest.raises(TryLater, match=r"TLS fails \(.*\): it may speak none at that port"):
        check_pacs(at(pacs.port, tls=ssl.create_default_context()), written=[CT])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"-NOAUTH Authentication required.\r\n", "(Authentication required.): check CONNECTOR_BROKER_URL"),
        (b"", "): check CONNECTOR_BROKER_URL"),  # hangs up
    ],
)
def test_what_a_broker_answers_is_told_and_its_password_is_not(answer: bytes, said: str, tmp_path: Path) -> None:
    """A Redis with a password, as PROTOCOL says it answers who gives none, or a wrong one."""
    with socket.create_server(("127.0.0.1", 0)) as redis:

        def serve() -> None:
            while True:
                try:
                    caller, _ = redis.accept()
                except OSError:
                    return
                with caller:
                    while answer and caller.recv(4096):
                        caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        url = f"redis://:geheim@127.0.0.1:{redis.getsockname()[1]}/0"
        told = check_neighbours(Settings(data_dir=tmp_path, broker_url=url))["broker"] or ""
        redis.shutdown(socket.SHUT_RDWR)
    assert said in told
    assert "geheim" not in told


def test_an_audit_repository_that_is_away_or_speaks_no_tls_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        address = f"127.0.0.1:{plain.getsockname()[1]}"

        def hang_up() -> None:
            caller, _ = plain.accept()
            caller.sendall(b"no TLS here\r\n")
            caller.close()

        threading.Thread(target=hang_up, daemon=True).start()
        by_tls = check_neighbours(Settings(data_dir=tmp_path, audit_syslog=address))["audit_syslog"] or ""
        open_one = check_neighbours(Settings(data_dir=tmp_path, audit_syslog=address, audit_syslog_tls=False))
    away = check_neighbours(Settings(data_dir=tmp_path, audit_syslog=address, audit_syslog_tls=False))
    assert "TLS fails" in by_tls
    assert by_tls.endswith("check CONNECTOR_AUDIT_SYSLOG")
    assert open_one["audit_syslog"] is None
    assert "(nothing listens there" in (away["audit_syslog"] or "")

"""Each part runs with what its Kubernetes manifest gives it and nothing more: its own secrets, its own settings."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from kubernetes_pods import pods, secrets_of, variables_of
from state_peers import answers, free_port, postgres_server, redis_server, wait_until

from connector.demo.archive import ARCHIVE_AE_TITLE, Archive
from connector.demo.case import DemoCase, build
from connector.dicom.pacs import PacsDestination
from connector.dicom.pacs_association import Pacs
from connector.ports import Document

PARTS = ("listen", "web", "worker", "beat")
# The bundled EHR asks for no sign-in.
SIGN_IN = {"CONNECTOR_EHR_CLIENT_ID", "CONNECTOR_EHR_KEY_ID", "CONNECTOR_EHR_PRIVATE_KEY_FILE"}


@dataclass
class Cluster:
    """The parts as pods: one data folder, and for each part its own environment and secret files."""

    folder: Path
    secrets: dict[str, str]
    overlay: dict[str, str]
    web_port: int
    dicom_port: int
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def environment(self, part: str) -> dict[str, str]:
        pod = pods()[part]
        (container,) = pod["containers"]
        mounted = self.folder / f"secrets-{part}"
        mounted.mkdir(exist_ok=True)
        for secret in secrets_of(pod):
            (mounted / secret).write_text(self.secrets.get(secret, "unused"))
        changed = {key: self.overlay.get(key, value) for key, value in variables_of(pod).items() if key not in SIGN_IN}
        has_data = any(one["name"] == "data" for one in container["volumeMounts"])
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")},
            **changed,
            "CONNECTOR_SECRETS_DIR": str(mounted),
            "CONNECTOR_DATA_DIR": str(self.folder / "data") if has_data else "/proc/nothing/may/be/written",
            "CONNECTOR_HTTP_PORT": str(self.web_port),
            "CONNECTOR_DICOM_PORT": str(self.dicom_port),
            **{key: self.overlay[key] for key in ("CONNECTOR_QUIET_SECONDS", "CONNECTOR_DISK_RESERVE_MB")},
        }

    def start(self, part: str) -> subprocess.Popen:
        (container,) = pods()[part]["containers"]
        with (self.folder / f"{part}.log").open("ab") as log:
            self.running[part] = subprocess.Popen(
                [sys.executable, "-m", "connector", *container["args"]],
                env=self.environment(part), stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        return self.running[part]

    def wait_until_open(self, part: str, port: int) -> None:
        """Wait for a part's port; a part that ended instead tells its log."""

        def is_open() -> bool:
            assert self.running[part].poll() is None, (self.folder / f"{part}.log").read_text()[-4000:]
            return answers(port)

        wait_until(is_open, seconds=240, what=f"the start of {part}")

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DemoCase:
    return build(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def archive(case: DemoCase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with Archive(tmp_path_factory.mktemp("archive")) as made:
        for entry in json.loads(case.bundle.read_bytes())["entry"]:
            made.records.put(entry["resource"])
        yield made


@pytest.fixture(scope="module")
def cluster(case: DemoCase, archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    def folder(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    with ExitStack() as stack:
        database_url = stack.enter_context(postgres_server(folder("postgres")))
        broker_url, _ = stack.enter_context(redis_server(folder("redis")))
        made = Cluster(
            folder=folder("cluster"),
            secrets={"connector_database_url": database_url, "connector_broker_url": broker_url,
                     "connector_console_token": "looks", "connector_stow_token": "stores"},
            overlay={
                "CONNECTOR_ALLOWED_CALLING_AE_TITLES": "PACS", "CONNECTOR_QUIET_SECONDS": "1",
                "CONNECTOR_DISK_RESERVE_MB": "16", "CONNECTOR_PACS_HOST": "127.0.0.1",
                "CONNECTOR_PACS_PORT": str(archive.dicom_port), "CONNECTOR_PACS_AE_TITLE": ARCHIVE_AE_TITLE,
                "CONNECTOR_EHR_URL": archive.fhir_url, "CONNECTOR_PATIENT_ISSUERS": case.patient_issuers,
            },
            web_port=free_port(), dicom_port=free_port(),
        )  # fmt: skip
        stack.callback(made.stop)
        assert made.start("migrate").wait(240) == 0
        for part in PARTS:
            made.start(part)
        made.wait_until_open("listen", made.dicom_port)
        made.wait_until_open("web", made.web_port)
        yield made


def test_a_study_goes_the_whole_way(cluster: Cluster, case: DemoCase, archive: Archive) -> None:
    sender = PacsDestination(
        Pacs(host="127.0.0.1", port=cluster.dicom_port, ae_title="CONNECTOR", calling_ae_title="PACS")
    )
    for path in sorted(case.studies[0].rglob("*.dcm")):
        sender.deliver(Document("image", "pacs", path.name, path.read_bytes(), ""))
    wait_until(
        lambda: any(one.modality == "SR" for one in list(archive.shelf.receipts.values()))
        and bool(archive.records.search("CarePlan", [])),
        seconds=240, what="the report's and the plan's arrival",
    )  # fmt: skip
    assert all(process.poll() is None for part, process in cluster.running.items() if part != "migrate")


def test_the_doors_know_their_secrets(cluster: Cluster) -> None:
    url = f"http://127.0.0.1:{cluster.web_port}"
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert httpx.get(f"{url}/metrics").status_code == 401, "the console token is set"
    looked = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer looks"})
    assert 'connector_studies{state="complete"}' in looked.text
    stowed = httpx.post(f"{url}/dicom-web/studies", headers={"Authorization": "Bearer stores"}, content=b"")
    assert stowed.status_code == 415, "let in, and told what to send"

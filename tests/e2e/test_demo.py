"""`connector demo` and the first commands of a newcomer, as processes."""

import json
from pathlib import Path

import pytest
from commands import connector, connector_here, last_line
from pydicom import dcmread

from connector import __version__


def test_the_demo_ends_with_everything_in_its_archive(tmp_path: Path) -> None:
    done = connector("demo", "--folder", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    for what in ("measurement reports (SR)", "dose maps (RT Dose)", "CarePlan", "RiskAssessment", "Observation"):
        assert what in done.stdout
    archive = tmp_path / "demo/archive"
    classes = [dcmread(path, stop_before_pixels=True).SOPClassUID.name for path in (archive / "pacs").rglob("*.dcm")]
    # Four patients with three studies each, one of them answered again after a late Observation; the fifth waits.
    assert classes.count("Comprehensive 3D SR Storage") == 4 * 3 + 1
    assert classes.count("RT Dose Storage") == 2
    plans = [json.loads(path.read_text()) for path in (archive / "ehr").glob("CarePlan-*.json")]
    assert sorted(plan["status"] for plan in plans) == ["draft"] * 4 + ["revoked"] * 8
    log = (tmp_path / "demo/service.log").read_text()
    assert "contradict in birth date" in log
    for word in ("Fictitious", "DEMO-0001", "Bilobar", "DEMO-0003"):
        assert word not in log


def test_the_demo_does_not_replace_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = connector("demo", "--folder", tmp_path)
    assert done.returncode == 1
    assert "holds other files" in last_line(done.stderr)
    assert (tmp_path / "thesis.txt").exists()


def test_help_and_version_are_quick_to_read() -> None:
    assert __version__ in connector("--version").stdout
    assert "connector demo" in connector("--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [("replay", "9"), ("release", "1.2.3"), ("study", "complete", "1.2.3"), ("erase", "--because", "order", "1.2.3")],
)
def test_an_operator_who_names_an_unknown_id_is_told_what_to_do(tmp_path: Path, arguments) -> None:
    done = connector_here(*arguments, data_dir=str(tmp_path))
    assert done.returncode == 2
    assert arguments[-1] in last_line(done.stderr)
    assert "Traceback" not in done.stderr


def test_status_of_an_empty_service_is_json(tmp_path: Path) -> None:
    status = json.loads(connector("status", data_dir=str(tmp_path)).stdout)
    assert (status["instances"], status["waiting"]) == (0, [])


def test_check_reads_settings_back_and_explains_them(tmp_path: Path) -> None:
    check = json.loads(connector_here("check", data_dir=str(tmp_path), disk_reserve_mb="1").stdout)
    assert check["database"] == check["disk"] == "ok"
    assert check["pacs"].startswith("not set")
    settings = json.loads(connector_here("check", "--explain").stdout)
    assert {"CONNECTOR_PACS_HOST", "CONNECTOR_QUIET_SECONDS"} <= {row["setting"] for row in settings}
    assert all(row["meaning"] for row in settings)


def test_check_names_everything_that_is_away_at_once(tmp_path: Path) -> None:
    """What an administrator sees who has mistyped three addresses: a sentence for each, and the place to look."""
    nobody = {
        "broker_url": "redis://127.0.0.1:1/0", "database_url": "postgresql+psycopg://u:p@127.0.0.1:1/x",
        "pacs_host": "pacs.invalid",
    }  # fmt: skip
    done = connector_here("check", data_dir=str(tmp_path), **nobody)
    assert done.returncode == 1
    check = json.loads(done.stdout)
    assert "check CONNECTOR_DATABASE_URL" in check["database"]
    assert "check CONNECTOR_BROKER_URL" in check["broker"]
    assert "pacs.invalid has no address" in check["pacs"]
    status = connector("status", data_dir=str(tmp_path), **nobody)
    assert status.returncode == 1
    assert "CONNECTOR_DATABASE_URL" in last_line(status.stderr)


def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = connector("serve", data_dir=str(tmp_path), dicom_port="eleven")
    assert done.returncode == 2
    assert "CONNECTOR_DICOM_PORT" in last_line(done.stderr)


def test_parts_that_need_a_broker_say_so(tmp_path: Path) -> None:
    done = connector("worker", data_dir=str(tmp_path))
    assert done.returncode == 2
    assert "CONNECTOR_BROKER_URL" in last_line(done.stderr)

"""Values of attributes as PS3.5 writes them and as senders do: names, sex, dates, times, zones, decimals."""

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import image_case as case
import pytest

from connector.core.case import Identifier
from connector.dicom import read_values as values
from connector.dicom.headers import identity, read_header


def test_who_the_patient_is():
    dataset = case.instance(
        case.CT, "1.2", PatientName="Müller^Jörg^^Dr", SpecificCharacterSet="ISO_IR 100",
        OtherPatientIDsSequence=[case.item(PatientID="7", IssuerOfPatientID="OTHER"), case.item(PatientID="")],
    )  # fmt: skip
    found = identity(dataset)
    assert found.identifiers == (Identifier("P1", "HOSPITAL"), Identifier("7", "OTHER"))
    assert (found.family_name, found.given_name) == ("Müller", "Jörg")
    assert (found.birth_date, found.sex) == (date(1960, 1, 1), "F")


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("", None, None), ("^^^", None, None), ("Solo", "Solo", None), ("^Jane", None, "Jane"),
        ("=山田^太郎=やまだ^たろう", "山田", "太郎"), ("Yamada^Tarou=山田^太郎", "Yamada", "Tarou"),
    ],
)  # fmt: skip
def test_names(name, family, given):
    found = identity(case.instance(case.CT, "1.2", PatientName=name))
    assert (found.family_name, found.given_name) == (family, given)


@pytest.mark.parametrize(
    ("characters", "family", "given"),
    [
        ("ISO_IR 101", "Łuć", "Żaneta"), ("ISO_IR 126", "Διονυσιος", "Νικος"), ("ISO_IR 127", "قباني", "لنزار"),
        ("ISO_IR 138", "שרון", "דבורה"), ("ISO_IR 166", "นามสกุล", "ชื่อ"), ("GBK", "王", "小东"),
        ("GB18030", "王", "小东"), ("ISO_IR 192", "Łuć", "小东"),
    ],
)  # fmt: skip
def test_names_in_the_file_s_character_set(tmp_path, characters, family, given):
    """Character sets of PS3.3, tables C.12-2 and C.12-5."""
    named = case.instance(case.REPORT, "1.2", PatientName=f"{family}^{given}", SpecificCharacterSet=characters)
    found = identity(read_header(case.save(named, tmp_path / "name.dcm")).dataset)
    assert (found.family_name, found.given_name) == (family, given)


@pytest.mark.parametrize(("sex", "expected"), [("M", "M"), ("f", "F"), ("O", "O"), ("U", None), ("", None)])
def test_sex(sex, expected):
    assert identity(case.instance(case.CT, "1.2", PatientSex=sex)).sex == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20260102", date(2026, 1, 2)),
        ("2026.01.02", date(2026, 1, 2)),
        ("20261302", None),
        ("2026", None),
        (None, None),
    ],
)
def test_dates(written, expected):
    assert values.day(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("120000", time(12)), ("1200", time(12)), ("12", time(12)), ("120000.5", time(12, 0, 0, 500000)),
        ("12:30:00", time(12, 30)), ("235960", time(23, 59, 59)), ("250000", None), ("", None), ("noon", None),
    ],
)  # fmt: skip
def test_times(written, expected):
    assert values.time_of_day(written) == expected


ZONE = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20260102083000", datetime(2026, 1, 2, 8, 30, tzinfo=ZONE)),
        ("20260102083000.25+0130", datetime(2026, 1, 2, 8, 30, 0, 250000, timezone(timedelta(minutes=90)))),
        ("20260102", None), ("20261302083000", None), ("2026010225", None), ("", None),
    ],
)  # fmt: skip
def test_date_times(written, expected):
    assert values.date_time(written, ZONE) == expected


@pytest.mark.parametrize(("written", "expected"), [("-0500", ZONE), ("+9900", None), ("UTC", None)])
def test_zones(written, expected):
    assert values.zone_of(case.item(TimezoneOffsetFromUTC=written)) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12.50", "12.50"),
        (" 3 ", "3"),
        ("4.2661001e+009", "4266100100"),
        ("", None),
        ("x", None),
        ("NaN", None),
        (None, None),
    ],
)
def test_decimals(written, expected):
    found = values.decimal(written)
    assert found == (None if expected is None else Decimal(expected))

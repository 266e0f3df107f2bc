"""Dates of data files: every notation that a mapping may name, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from extract.datasets.dates import DateError, DateReader, as_utc, check_formats, zone_named


def read(value: object, *formats: str, zone: str = "UTC", **options: object) -> str:
    reader = DateReader(formats or ("iso",), zone_named(zone), **options)  # type: ignore[arg-type]
    return as_utc(reader.parser()(value))


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("Sat May 16 23:58:44 UTC 2009", "%a %b %d %H:%M:%S %Z %Y", "2009-05-16T23:58:44Z"),
        ("Mon Apr 06 22:19:45 PDT 2009", "%a %b %d %H:%M:%S %Z %Y", "2009-04-07T05:19:45Z"),
        ("Wed Sep 17 08:33:14 +0000 2014", "%a %b %d %H:%M:%S %z %Y", "2014-09-17T08:33:14Z"),
        ("Wed Sep 17 08:33:14 -0430 2014", "%a %b %d %H:%M:%S %z %Y", "2014-09-17T13:03:14Z"),
        ("31/12/2019 07:05", "%d/%m/%Y %H:%M", "2019-12-31T07:05:00Z"),
        ("1/2/19", "%d/%m/%y", "2019-02-01T00:00:00Z"),
        ("10/3/17 1:05 PM", "%m/%d/%y %I:%M %p", "2017-10-03T13:05:00Z"),
        ("10/3/17 12:05 am", "%m/%d/%y %I:%M %p", "2017-10-03T00:05:00Z"),
        ("20140102", "%Y%m%d", "2014-01-02T00:00:00Z"),
        ("2014-032", "%Y-%j", "2014-02-01T00:00:00Z"),
        ("3 September 2020", "%d %B %Y", "2020-09-03T00:00:00Z"),
        ("1600000000", "epoch_s", "2020-09-13T12:26:40Z"),
        ("1600000000.25", "epoch_s", "2020-09-13T12:26:40.250000Z"),
        ("1600000000123", "epoch_ms", "2020-09-13T12:26:40.123000Z"),
        ("1600000000123456", "epoch_us", "2020-09-13T12:26:40.123456Z"),
        ("-1", "epoch_s", "1969-12-31T23:59:59Z"),
        ("2024-03-05", "iso", "2024-03-05T00:00:00Z"),
        ("2024-03-05 10:00", "iso", "2024-03-05T10:00:00Z"),
        ("2024-03-05T10:00:00.123456789+05:30", "iso", "2024-03-05T04:30:00.123456Z"),
        ("2024-03-05 10:00:00 UTC", "iso", "2024-03-05T10:00:00Z"),
    ],
)
def test_notations(text: str, item: str, expected: str) -> None:
    assert read(text, item) == expected


def test_naive_times_are_in_the_zone_and_offsets_win_over_it() -> None:
    assert read("2011-07-01 12:00", zone="Europe/London") == "2011-07-01T11:00:00Z"
    assert read("2011-01-01 12:00", zone="Europe/London") == "2011-01-01T12:00:00Z"
    assert read("2011-07-01T12:00+00:00", zone="Europe/London") == "2011-07-01T12:00:00Z"
    assert read("1600000000", "epoch_s", zone="Asia/Tokyo") == "2020-09-13T12:26:40Z"


def test_the_repeated_hour_is_the_earlier_one() -> None:
    assert read("2011-10-30 01:30", zone="Europe/London") == "2011-10-30T00:30:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024.00.31 06:52", "2024-01-31T06:52:00Z"),
        ("2024.11.03 23:59", "2024-12-03T23:59:00Z"),
        ("2019.02.30 21:42", "2019-03-30T21:42:00Z"),
    ],
)
def test_zero_based_months(text: str, expected: str) -> None:
    assert read(text, "%Y.%m.%d %H:%M", month_is_zero_based=True) == expected


def test_zero_based_months_end_at_eleven() -> None:
    with pytest.raises(DateError, match="month"):
        read("2024.12.03 10:00", "%Y.%m.%d %H:%M", month_is_zero_based=True)


def test_the_first_format_that_fits_counts() -> None:
    assert read("2018-06-03", "%m/%d/%Y", "%Y-%m-%d") == "2018-06-03T00:00:00Z"
    assert read("3/1/2018", "%m/%d/%Y", "%Y-%m-%d") == "2018-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "item", "reason"),
    [
        ("soon", "iso", "does not match iso"),
        ("2024-02-30", "iso", "day is out of range"),
        ("30/02/2024", "%d/%m/%Y", "day is out of range"),
        ("13 Foo 2024", "%d %b %Y", "no English month"),
        ("1600000000123", "epoch_s", "unit is a smaller one"),
        ("nan", "epoch_s", "not a number"),
        ("Sat May 16 23:58:44 XYZ 2009", "%a %b %d %H:%M:%S %Z %Y", "time_zone_abbreviations"),
        ("2024-03-05 noon", "%Y-%m-%d", "does not match"),
    ],
)
def test_refusals_say_why(text: str, item: str, reason: str) -> None:
    with pytest.raises(DateError, match=reason):
        read(text, item)


def test_an_ambiguous_abbreviation_is_given_by_the_mapping() -> None:
    item = "%a %b %d %H:%M:%S %Z %Y"
    text = "Sat May 16 23:58:44 IST 2009"
    with pytest.raises(DateError, match="IST"):
        read(text, item)
    offset = {"IST": timedelta(hours=5, minutes=30)}
    assert read(text, item, abbreviations=offset) == "2009-05-16T18:28:44Z"


def test_values_that_are_dates_already() -> None:
    assert read(datetime(2020, 1, 2, 3, tzinfo=UTC)) == "2020-01-02T03:00:00Z"
    naive = datetime(2020, 7, 2, 3)  # noqa: DTZ001 - a Parquet column without a zone
    assert read(naive, zone="Europe/Paris") == "2020-07-02T01:00:00Z"
    assert read(date(2020, 7, 2), zone="Europe/Paris") == "2020-07-01T22:00:00Z"
    assert read(1_600_000_000, "epoch_s") == "2020-09-13T12:26:40Z"


@pytest.mark.parametrize("item", ["%Q %Y", "%Y-%m", "%d %d %m %Y", "day first", "%H:%M"])
def test_formats_that_cannot_work_are_refused(item: str) -> None:
    with pytest.raises(ValueError, match=r"understood|lacks|twice|neither"):
        check_formats([item])


def test_zones() -> None:
    assert zone_named("Europe/London") == ZoneInfo("Europe/London")
    assert zone_named("+02:00").utcoffset(None) == timedelta(hours=2)
    with pytest.raises(ValueError, match="no time zone"):
        zone_named("Europe/Londn")

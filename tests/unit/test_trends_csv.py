"""Files of the Google Trends site in every shape it writes, told by their structure."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from extract._trends_csv import ExportError, category_of, parse_export, read_value, split_name

ENGLISH = "Category: All categories\n\n"


def days(first: str, count: int, step: int = 1) -> list[str]:
    start = date.fromisoformat(first)
    return [(start + timedelta(days=step * n)).isoformat() for n in range(count)]


def export_of(text: str, **options: str) -> list[tuple[str, str | None, str]]:
    """(term, region, resolution) of a file's columns."""
    export = parse_export(text.encode(), **options)  # type: ignore[arg-type]
    return [(column.term, column.region, export.resolution) for column in export.columns]


def rows(dates: list[str], value: str = "5") -> str:
    return "".join(f"{day},{value}\n" for day in dates)


@pytest.mark.parametrize(
    ("head", "dates", "resolution"),
    [
        ("Day", days("2026-01-01", 4), "day"),
        ("Tag", days("2026-01-01", 4), "day"),
        ("Jour", days("2026-01-01", 4), "day"),
        ("日", days("2026-01-01", 4), "day"),
        ("Week", days("2025-12-28", 4, 7), "week"),
        ("Woche", days("2025-12-28", 4, 7), "week"),
        ("週", days("2025-12-28", 4, 7), "week"),
        ("Semana", days("2025-12-28", 1, 7), "week"),
        ("Month", ["2026-01", "2026-02", "2026-03"], "month"),
        ("Mese", ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"], "month"),
        ("Mes", ["2026-01"], "month"),
        ("Year", ["2023-01-01", "2024-01-01", "2025-01-01"], "year"),
        ("Time", ["2026-01-01T03", "2026-01-01T04", "2026-01-01T05"], "hour"),
        ("Uhrzeit", ["2026-01-01T03:08:00", "2026-01-01T03:16:00"], "minute"),
        ("Time", ["2026-01-01T23:00:00+01:00", "2026-01-02T00:00:00+01:00"], "hour"),
        ("Time", [f"{day} 00:00:00" for day in days("2026-01-01", 3)], "day"),
        ("Time", [f"{day}T00:00:00Z" for day in days("2026-01-04", 3, 7)], "week"),
        ("Day", ["1/12/2026", "1/13/2026", "1/14/2026"], "day"),
        ("Tag", ["01.01.2026", "02.01.2026", "03.01.2026"], "day"),
        ("Jour", ["30/01/2026", "31/01/2026", "01/02/2026"], "day"),
        ("Day", ["2026/01/01", "2026/01/02"], "day"),
        ("日", ["2026年1月1日", "2026年1月2日"], "day"),
        ("일", ["2026. 1. 1.", "2026. 1. 2."], "day"),
        ("Week", ["2016-01-03 - 2016-01-09", "2016-01-10 - 2016-01-16"], "week"),
        ("Week", ["2016-01-03 – 2016-01-09"], "week"),
    ],
)
def test_resolution_comes_from_the_dates(head: str, dates: list[str], resolution: str) -> None:
    text = f"{head},acme: (United States)\n{rows(dates)}"
    assert export_of(ENGLISH + text) == [("acme", "United States", resolution)]
    assert export_of(text) == [("acme", "United States", resolution)]


@pytest.mark.parametrize("order", ["mdy", "dmy"])
def test_dates_that_nothing_tells_apart_need_the_setting(order: str) -> None:
    text = "Day,acme: (Italy)\n1/2/2026,3\n2/2/2026,4\n"
    with pytest.raises(ExportError, match="no line can be used"):
        parse_export(text.encode())
    if order == "mdy":
        assert parse_export(text.encode(), date_order=order).resolution == "month"
    else:
        export = parse_export(text.encode(), date_order=order)
        assert (export.first_day, export.resolution) == (date(2026, 2, 1), "day")


@pytest.mark.parametrize(
    ("name", "term", "region"),
    [
        ("acme: (United States)", "acme", "United States"),
        ("acme: (Weltweit)", "acme", "Weltweit"),
        ("acme\u00a0: (France)", "acme", "France"),
        ("アクメ：（日本）", "アクメ", "日本"),
        ("acme: (日本)", "acme", "日本"),
        ("acme", "acme", None),
        ("ratio 3:1: (Peru)", "ratio 3:1", "Peru"),
        ("tea (green): (Peru)", "tea (green)", "Peru"),
        ("tea (green)", "tea (green)", None),
        ("acme: (Georgia (country))", "acme", "Georgia (country)"),
        ('"acme, inc": (Peru)', '"acme, inc"', "Peru"),
        ("=1+1: (Peru)", "=1+1", "Peru"),
        (": (Peru)", ": (Peru)", None),
        ("a)", "a)", None),
    ],
)
def test_a_name_ends_with_its_region(name: str, term: str, region: str | None) -> None:
    assert split_name(" ".join(name.split())) == (term, region)


@pytest.mark.parametrize(
    ("text", "value", "is_bad"),
    [
        ("0", "0", False),
        ("100", "100", False),
        ("<1", "<1", False),
        ("< 1", "<1", False),
        ("&lt;1", "<1", False),
        ("＜1", "<1", False),
        ("７３", "73", False),
        ("٧٣", "73", False),
        ("12.5", "12.5", False),
        ("12,5", "12.5", False),
        ("", "", False),
        ("101", "", True),
        ("1,000", "", True),
        ("-3", "", True),
        ("<10", "", True),
        ("nan", "", True),
        ("1e1", "", True),
        ("=1+1", "", True),
        ("@SUM(A1)", "", True),
    ],
)
def test_values(text: str, value: str, is_bad: bool) -> None:
    found, problem = read_value(text)
    assert (found, bool(problem)) == (value, is_bad)


def test_several_terms_with_commas_quotes_and_hostile_names() -> None:
    text = (
        ENGLISH + 'Day,"""acme, inc"": (United States)","=HYPERLINK(""http://x""): (Canada)"\n'
        '2026-01-01,7,"<1"\n"2026-01-02","8",\n'
    )
    export = parse_export(text.encode())
    assert [(c.term, c.region) for c in export.columns] == [
        ('"acme, inc"', "United States"),
        ('=HYPERLINK("http://x")', "Canada"),
    ]
    assert [(c.column.region, c.day.day, c.value) for c in export.cells] == [
        ("United States", 1, "7"),
        ("Canada", 1, "<1"),
        ("United States", 2, "8"),
    ]
    assert export.bad_lines == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_same_answer_in_any_dress_has_one_digest(
    delimiter: str, encoding: str, ending: str
) -> None:
    lines = [["Woche", "Müsli: (Deutschland)"], *[[day, "4"] for day in days("2026-01-04", 3, 7)]]
    plain = "Kategorie: Alle Kategorien\n\n" + "".join(",".join(line) + "\n" for line in lines)
    dressed = "Kategorie: Alle Kategorien" + 2 * ending
    dressed += "".join(delimiter.join(line) + ending for line in lines)
    export = parse_export(dressed.encode(encoding))
    assert export.digest == parse_export(plain.encode()).digest
    assert export.columns[0].term == "Müsli"
    other = plain.replace(",4\n", ",5\n", 1)
    assert parse_export(other.encode()).digest != export.digest


def test_a_windows_file_is_read() -> None:
    text = "Tag,Müsli: (Österreich)\n" + rows(days("2026-01-01", 2))
    assert parse_export(text.encode("cp1252")).columns[0].term == "Müsli"


def test_partial_column_and_its_bad_cells() -> None:
    text = (
        "date,acme,isPartial\n2026-01-01,7,False\n2026-01-02,8,maybe\n2026-01-03,9,True\n"
        "2026-01-04,10,True\n"
    )
    export = parse_export(text.encode())
    assert [(c.value, c.is_partial) for c in export.cells] == [
        ("7", False),
        ("9", True),
        ("10", True),
    ]
    assert [column.name for column in export.columns] == ["acme"]
    (bad,) = export.bad_lines
    assert (bad.line, "isPartial" in bad.reason) == (3, True)


def test_bad_lines_and_cells_are_named_and_the_rest_kept() -> None:
    text = ENGLISH + (
        "Day,acme: (Peru),anchor: (Peru)\n"
        "2026-01-01,1,2\n"
        "2026-01-02,many,3\n"
        "2026-01-32,1,1\n"
        "2026-01-03,4\n"
        "2026-01-03,4,5,6\n"
        "2026-01-01,9,9\n"
        "2026-01-01,1,2\n"
        "2026-01-04,5,6,\n"
        "garbage\n"
    )
    export = parse_export(text.encode())
    told = {(bad.line, bad.reason.split(":")[0]) for bad in export.bad_lines}
    assert told == {
        (5, "acme"),
        (6, "Day"),
        (7, "2 fields instead of 3"),
        (8, "4 fields instead of 3"),
        (9, "2026-01-01 comes twice with other values"),
        (12, "Day"),
    }
    values = [(c.day.day, c.column.term, c.value) for c in export.cells]
    assert values == [
        (1, "acme", "1"),
        (1, "anchor", "2"),
        (2, "anchor", "3"),
        (4, "acme", "5"),
        (4, "anchor", "6"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Category: All categories\n\nCountry,acme: (1/1/25 - 12/31/25)\nPeru,100\n", "map"),
        ("Kategorie: X\n\nLand,acme：（2025）\nPeru,100\nChile,\n", "map"),
        (
            "Category: All\n\nTOP\nacme shop,100\n\nRISING\nacme,Breakout\n",
            "related",
        ),
        ("類別: X\n\n熱門\nacme shop,100\n\n人氣上升\nacme,+350%\n", "related"),
        ("a,b\n1,2\n", "no row begins with a date"),
        ("", "empty"),
        ("\n\n,,\n", "empty"),
        ("2026-01-01,5\n2026-01-02,6\n", "names"),
        ("Thing,acme\n2026-01-01,5\n", "one point"),
        ("Day,acme\n2026-01-01,5\n2026-01-03,5\n2026-01-05,5\n", "apart"),
    ],
)
def test_what_is_no_series_says_what_it_is(text: str, reason: str) -> None:
    with pytest.raises(ExportError, match=reason) as caught:
        parse_export(text.encode())
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"\x1f\x8brest", b"%PDF-1.7", b"\x00" * 9])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(ExportError):
        parse_export(content)


def test_a_gap_does_not_change_the_resolution() -> None:
    dates = days("2026-01-01", 3) + days("2026-03-01", 3)
    export = parse_export(("Day,acme\n" + rows(dates)).encode())
    assert (export.resolution, export.first_day, export.last_day) == (
        "day",
        date(2026, 1, 1),
        date(2026, 3, 3),
    )


def test_a_window_ends_with_its_last_period() -> None:
    weekly = parse_export(("Week,a\n" + rows(days("2026-01-04", 2, 7))).encode())
    assert weekly.last_day == date(2026, 1, 17)
    monthly = parse_export(b"Month,a\n2026-01,3\n2026-02,4\n")
    assert monthly.last_day == date(2026, 2, 28)


def test_category_is_what_follows_its_heading() -> None:
    assert category_of(["Category: All categories"]) == ""
    assert category_of(["Kategorie: Alle Kategorien"]) == ""
    assert category_of(["Category: Shopping"]) == "Shopping"
    assert category_of(["類別：購物"]) == "購物"
    assert category_of(["just text"]) == ""

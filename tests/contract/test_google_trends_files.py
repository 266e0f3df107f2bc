"""Downloaded files as a source: what lands, once, whatever happens in between."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extract import google_trends
from extract._outcomes import FixError
from extract.base import Context, ExtractError, Json, Page, Product

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CATALOGUE = (
    Product("acme", "Acme", "Acme", "tools", {"keyword": ("Acme",), "sku": ("ACME-1",)}),
    Product("pear", "Pear", "Pear", "tools", {"keyword": ("pear tablet",)}),
)


def context(folder: Path) -> Context:
    return Context("r1", lambda: NOW, CATALOGUE, folder, folder)


def settings(**changes: Any) -> google_trends.Settings:
    return google_trends.Settings(**({"folder": "trends"} | changes))


def write(folder: Path, name: str, text: str, *, saved: datetime = NOW) -> Path:
    path = folder / "trends" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (saved.timestamp(), saved.timestamp()))
    return path


def series(
    header: str, first: str = "2026-01-01", count: int = 5, *, value: int = 40, step: int = 1
) -> str:
    start = date.fromisoformat(first)
    lines = [f"{start + timedelta(days=step * n)},{value + n}\n" for n in range(count)]
    return f"Category: All categories\n\n{header}\n" + "".join(lines)


def pull(
    root: Path, cursor: Json | None = None, *, stop_after: int = 1_000, **changes: Any
) -> tuple[list[Page], Json]:
    """The pages of a pull that is killed after some, and the cursor saved then."""
    pages: list[Page] = []
    saved = dict(cursor or {})
    for page in google_trends.pull(settings(**changes), saved, context(root)):
        if len(pages) == stop_after:
            break
        pages.append(page)
        saved = json.loads(json.dumps(page.cursor))
    return pages, saved


def landed(pages: list[Page]) -> list[str]:
    return [record.record_id for page in pages for record in page.records]


def payloads(pages: list[Page]) -> list[Json]:
    return [record.payload for page in pages for record in page.records]


def notes(pages: list[Page]) -> str:
    return "\n".join(note for page in pages for note in page.notes)


def three_files(folder: Path) -> None:
    write(folder, "a.csv", series("Day,Acme: (United States)"))
    write(folder, "b/b.csv", series("Tag,Acme: (Weltweit)", "2026-01-03"))
    write(folder, "c.csv", series("Week,pear tablet: (Peru)", "2026-01-04", step=7))


def test_a_file_becomes_points_with_what_it_says_of_itself(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", series('Day,"""acme"": (United States)"'))
    pages, _ = pull(tmp_path)
    first = payloads(pages)[0]
    draw = first["draw"]
    assert len(draw) == 16
    assert first == {
        "term": "Acme",
        "geo": "US",
        "date": "2026-01-01",
        "time": None,
        "value": "40",
        "is_partial": False,
        "resolution": "day",
        "window_start": "2026-01-01",
        "window_end": "2026-01-05",
        "draw": draw,
        "request": draw,
        "category": "",
        "property": "",
        "file": "a.csv",
        "column": '"acme": (United States)',
        "region_name": "United States",
    }
    assert landed(pages)[0] == f"Acme|US|2026-01-01|day|{draw}"
    assert len(set(landed(pages))) == 5
    assert notes(pages) == ""


def test_second_pull_lands_nothing_and_a_touched_file_neither(tmp_path: Path) -> None:
    three_files(tmp_path)
    pages, cursor = pull(tmp_path)
    assert len(landed(pages)) == 15
    again, same = pull(tmp_path, cursor)
    assert (again, same) == ([], cursor)
    later = NOW.timestamp() + 60
    os.utime(tmp_path / "trends" / "a.csv", (later, later))
    touched, moved = pull(tmp_path, cursor)
    assert landed(touched) == []
    assert pull(tmp_path, moved)[0] == []


@pytest.mark.parametrize("stop_after", range(4))
def test_killed_after_any_page_nothing_is_lost_or_twice(tmp_path: Path, stop_after: int) -> None:
    three_files(tmp_path)
    whole, _ = pull(tmp_path)
    before, cursor = pull(tmp_path, stop_after=stop_after)
    after, _ = pull(tmp_path, cursor)
    assert landed(before) + landed(after) == landed(whole)


def test_the_same_answer_under_another_name_lands_once(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", series("Day,Acme: (Peru)"))
    write(tmp_path, "a (1).csv", series("Day,Acme: (Peru)").replace("\n", "\r\n"))
    pages, _ = pull(tmp_path, regions={"Peru": "PE"})
    assert len(landed(pages)) == 5
    assert "says the same as a (1).csv" in notes(pages)


def test_another_answer_to_the_same_question_is_another_draw(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", series("Day,Acme: (United States)"))
    first, cursor = pull(tmp_path)
    write(
        tmp_path,
        "a.csv",
        series("Day,Acme: (United States)", value=41),
        saved=NOW + timedelta(hours=1),
    )
    second, _ = pull(tmp_path, cursor)
    assert len(landed(second)) == 5
    assert not set(landed(first)) & set(landed(second))
    windows = {(p["window_start"], p["window_end"]) for p in payloads([*first, *second])}
    assert len(windows) == 1


def test_a_period_that_was_not_over_when_the_file_was_saved_is_partial(tmp_path: Path) -> None:
    saved = datetime(2026, 1, 18, 15, tzinfo=UTC)
    write(tmp_path, "a.csv", series("Week,Acme: (Peru)", "2026-01-04", 3, step=7), saved=saved)
    pages, _ = pull(tmp_path)
    assert [p["is_partial"] for p in payloads(pages)] == [False, False, True]
    for said in (True, False):
        pages, _ = pull(tmp_path, is_last_point_partial=said)
        assert [p["is_partial"] for p in payloads(pages)] == [False, False, said]


def test_terms_and_regions_of_the_settings(tmp_path: Path) -> None:
    text = series("Jour,Acme SA: (Pérou)")
    write(tmp_path, "a.csv", text)
    plain, _ = pull(tmp_path)
    assert {(p["term"], p["geo"]) for p in payloads(plain)} == {("Acme SA", "Pérou")}
    assert "'Pérou' has no code" in notes(plain)
    assert "'Acme SA'" in notes(plain)
    mapped, _ = pull(tmp_path, terms={"acme sa": "acme"}, regions={"pérou": "PE"})
    assert {(p["term"], p["geo"]) for p in payloads(mapped)} == {("acme", "PE")}
    assert notes(mapped) == ""


def test_two_columns_of_one_meaning_do_not_mix(tmp_path: Path) -> None:
    text = "Day,Acme: (Peru),acme inc: (Peru)\n2026-01-01,5,6\n2026-01-02,7,8\n"
    write(tmp_path, "a.csv", text)
    pages, _ = pull(tmp_path, terms={"acme inc": "acme"}, regions={"Peru": "PE"})
    assert [p["value"] for p in payloads(pages)] == ["5", "7"]
    (reject,) = (reject for page in pages for reject in page.rejects)
    assert "acme inc" in reject.reason


def test_region_of_files_that_name_none(tmp_path: Path) -> None:
    text = '"Time","Acme"\n"2026-01-01 00:00:00","5"\n"2026-01-02 00:00:00","<1"\n'
    write(tmp_path, "time_series_GB_20260101-0000_20260102-0000.csv", text)
    write(tmp_path, "other.csv", text)
    pages, _ = pull(tmp_path, geo="US")
    found = {(p["geo"], p["resolution"], p["value"], p["draw"]) for p in payloads(pages)}
    assert {entry[:3] for entry in found} == {
        (geo, "day", value) for geo in ("US", "GB") for value in ("5", "<1")
    }
    assert len({entry[3] for entry in found}) == 2


def test_hours_keep_their_time(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "Time,Acme: (Worldwide)\n2026-01-01T03,5\n2026-01-01T04,6\n")
    pages, _ = pull(tmp_path)
    assert [(p["time"], p["resolution"], p["geo"]) for p in payloads(pages)] == [
        ("03:00:00", "hour", ""),
        ("04:00:00", "hour", ""),
    ]
    assert len(set(landed(pages))) == 2


def test_bad_cells_are_rejected_by_name_and_the_rest_lands(tmp_path: Path) -> None:
    text = series("Day,Acme: (Peru)") + "2026-01-06,=cmd\n2026-13-01,3\n"
    write(tmp_path, "a.csv", text)
    pages, cursor = pull(tmp_path)
    assert len(landed(pages)) == 5
    rejects = [reject for page in pages for reject in page.rejects]
    assert [reject.origin for reject in rejects] == ["a.csv:9", "a.csv:10"]
    assert "Acme: (Peru): '=cmd' is no number" in rejects[0].reason
    assert all("a.csv, line" in reject.reason for reject in rejects)
    assert pull(tmp_path, cursor)[0] == []


def test_a_file_that_is_no_series_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, "a_map.csv", "Country,Acme: (2025)\nPeru,100\n")
    write(tmp_path, "b_related.csv", "TOP\nacme shop,100\n\nRISING\nacme login,Breakout\n")
    write(tmp_path, "c_huge.csv", "x" * (google_trends.FILE_BYTES + 1))
    write(tmp_path, "d.csv", series("Day,Acme: (Peru)"))
    pages, cursor = pull(tmp_path)
    assert len(landed(pages)) == 5
    reasons = [reject.reason for page in pages for reject in page.rejects]
    assert [reason.split(":")[0] for reason in reasons] == [
        "a_map.csv",
        "b_related.csv",
        "c_huge.csv",
    ]
    assert all(word in notes(pages) for word in ("map", "related", "bytes"))
    assert pull(tmp_path, cursor)[0] == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FixError, match="no folder"):
        pull(tmp_path)
    (tmp_path / "trends").mkdir()
    with pytest.raises(FixError, match="fits") as caught:
        pull(tmp_path)
    assert "sources.google_trends.files" in caught.value.remedy
    with pytest.raises(FixError, match="no file to read") as caught:
        pull(tmp_path, folder=None)
    assert "sources.google_trends.folder" in caught.value.remedy


def test_plan_and_probe_of_files(tmp_path: Path) -> None:
    probe = google_trends.probe(settings(), context(tmp_path))
    assert not probe.is_configured
    three_files(tmp_path)
    assert google_trends.probe(settings(), context(tmp_path)).is_authorised
    (planned,) = google_trends.plan(settings(), {}, context(tmp_path))
    assert (planned.what, planned.requests) == ("3 files", 0)
    _, cursor = pull(tmp_path)
    (planned,) = google_trends.plan(settings(), cursor, context(tmp_path))
    assert planned.what == "0 files"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", series("Day,Acme: (Peru)"))
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExtractError, match="fits"):
        pull(tmp_path)


# Recorded bodies ----------------------------------------------------------------------------------

RECORDED = {
    "interest_over_time_ok_2": ("day", 5),
    "interest_over_time_news_2": ("day", 5),
    "interest_over_time_froogle_2": ("day", 5),
    "interest_over_time_images_2": ("day", 5),
    "interest_over_time_youtube_2": ("day", 5),
    "interest_over_time_partial_2": ("week", 260),
    "interest_over_time_multiple_regions_2": ("week", 261),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", list(RECORDED))
def test_recorded_answers_of_the_site_land_value_by_value(
    tmp_path: Path, shared: Path, name: str
) -> None:
    """The site's own answer, written as its export writes it: every value lands at its date."""
    body = json.loads((shared / "fixtures" / "google_trends" / f"{name}.json").read_text("utf-8"))
    asked = json.loads(_query(body["request"]["url"], "req"))
    points = body["response"]["json"]["default"]["timelineData"]
    columns = [
        (
            item["complexKeywordsRestriction"]["keyword"][0]["value"],
            item["geo"].get("region", "Worldwide"),
        )
        for item in asked["comparisonItem"]
    ]
    lines = [
        "Category: All categories\n\n",
        "X," + ",".join(f"{term}: ({region})" for term, region in columns) + ",isPartial\n",
    ]
    expected = []
    for point in points:
        day = datetime.fromtimestamp(int(point["time"]), UTC).date().isoformat()
        is_partial = bool(point.get("isPartial"))
        lines.append(f"{day},{','.join(point['formattedValue'])},{is_partial}\n")
        expected += [
            (term, "" if region == "Worldwide" else region, day, value, is_partial)
            for (term, region), value in zip(columns, point["formattedValue"], strict=True)
        ]
    write(tmp_path, "recorded.csv", "".join(lines))
    regions = {region: region for _, region in columns if region != "Worldwide"}
    pages, _ = pull(tmp_path, regions=regions)
    found = [(p["term"], p["geo"], p["date"], p["value"], p["is_partial"]) for p in payloads(pages)]
    assert sorted(found) == sorted(expected)
    resolution, count = RECORDED[name]
    assert ({p["resolution"] for p in payloads(pages)}, len(points)) == ({resolution}, count)
    assert [reject for page in pages for reject in page.rejects] == []


@pytest.mark.shared
def test_a_recorded_map_is_refused_by_what_it_is(tmp_path: Path, shared: Path) -> None:
    path = shared / "fixtures" / "google_trends" / "interest_by_region_ok_2.json"
    body = json.loads(path.read_text("utf-8"))
    lines = ["Category: All categories\n\nCountry,pizza: (2021),bagel: (2021)\n"]
    lines += [
        f'"{place["geoName"]}",{",".join(place["formattedValue"])}\n'
        for place in body["response"]["json"]["default"]["geoMapData"]
    ]
    write(tmp_path, "geoMap.csv", "".join(lines))
    pages, _ = pull(tmp_path)
    assert landed(pages) == []
    assert "map of interest by region" in notes(pages)


def _query(url: str, name: str) -> str:
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(url).query)[name][0]

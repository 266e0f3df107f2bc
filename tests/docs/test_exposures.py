"""Exposures of the lineage site: every reader of the marts has one, and each says what is true."""

from __future__ import annotations

import pytest

from charts import CHARTS
from tests.docs.exposures import read_exposures, remedy, rewritten, stated, tables_of_results
from tests.docs.tables_read import parse, tables_read

EXPOSURES = read_exposures()
TABLES = tables_of_results()


@pytest.mark.parametrize("name", TABLES)
def test_every_result_has_an_exposure_that_is_true(name: str) -> None:
    assert len(TABLES[name]) > 3
    assert name in EXPOSURES, remedy(name, TABLES[name])
    assert stated(EXPOSURES[name]) == TABLES[name], remedy(name, TABLES[name])


def test_the_charts_of_the_exposures_are_those_there_are() -> None:
    charts = {name for name in EXPOSURES if name.startswith("chart_")}
    assert charts == {f"chart_{chart}" for chart in CHARTS}
    for name in charts:
        assert EXPOSURES[name]["url"] == f"../charts/{name.removeprefix('chart_')}.svg"
        assert EXPOSURES[name]["config"]["tags"] == ["chart", "result"]


def test_every_exposure_says_who_and_what() -> None:
    for name, exposure in EXPOSURES.items():
        assert exposure["owner"]["name"], name
        assert len(exposure["description"].split()) > 5, name
        assert "result" in exposure["config"]["tags"], name


def test_only_the_lists_of_tables_are_written_anew() -> None:
    text = (
        "  - name: one\n    label: x\n    depends_on:\n      - ref('a')\n      - ref('b')\n\n"
        "  - name: other\n    depends_on:\n      - ref('a')\n"
    )
    assert rewritten(text, {"other": {"d", "c"}, "third": {"e"}}) == text.replace(
        "  - name: other\n    depends_on:\n      - ref('a')\n",
        "  - name: other\n    depends_on:\n      - ref('c')\n      - ref('d')\n",
    )


CODE = '''
from charts.reading import open_it, LATE
from charts import style
from pandas import fct_frames

SQL = "select * from marts.fct_posts"
UNUSED = "mart_unused"

class Reader:
    def rows(self):
        """Reads mart_in_a_docstring, from marts.mart_in_another."""
        return table("mart_of_a_method")

def picture(file):
    """mart_in_prose"""
    raise_(f"mart_lag_correlation holds {file}")
    return helper(Reader(), SQL, LATE, style.size)

def helper(*_):
    return open_it(f"select 1 from {table('dim_products')}")

def idle():
    return table("mart_idle")
'''
READING = """
LATE: str = "ops_runs"
NEEDED = {"mart_needed": ()}
def open_it(_):
    return rows("bridge_date_events", NEEDED)
"""
STYLE = """
size = "mart_sufficiency"
other = "mart_effect"
"""


def test_what_code_can_come_to_read_is_found_and_nothing_else() -> None:
    texts = {"charts.trends": CODE, "charts.reading": READING, "charts.style": STYLE}
    modules = {name: parse(text, find=texts.__contains__) for name, text in texts.items()}
    assert tables_read([("charts.trends", "picture")], read=modules.get) == {
        "fct_posts",
        "mart_of_a_method",
        "dim_products",
        "bridge_date_events",
        "ops_runs",
        "mart_sufficiency",
    }

"""Exposures as the files of dbt state them, and what the code says that they should.

`python -m tests.docs.exposures` writes the lists of tables anew where they differ; a new chart's
other words are for its author.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from charts import CHARTS, PAGES
from tests.docs.dbt_files import read_project
from tests.docs.tables_read import IN_SQL, Place, tables_read

REPOSITORY = Path(__file__).resolve().parents[2]
DBT = REPOSITORY / "dbt_project"
EVERY_CHART: Place = ("charts.picture", "write")
EVERY_PAGE: Place = ("charts.paging", "write_pages")
"""Open the file and read what captions and the order of products need."""


def read_exposures() -> dict[str, dict[str, Any]]:
    """Every exposure by name."""
    return {
        exposure["name"]: exposure
        for file in _files()
        for exposure in yaml.safe_load(file.read_text(encoding="utf-8"))["exposures"]
    }


def _files() -> list[Path]:
    return sorted((DBT / "models").glob("*__exposures.yml"))


def _in_sql(*files: Path) -> set[str]:
    return {name for file in files for name in IN_SQL.findall(file.read_text(encoding="utf-8"))}


def tables_of_results() -> dict[str, set[str]]:
    """By exposure, the marts that the code behind it can come to read."""
    marts = {model.name for model in read_project(DBT).of("marts")}
    found = {
        f"chart_{chart}": tables_read([(f"charts.{chart}", "picture"), EVERY_CHART])
        for chart in CHARTS
    }
    found |= {
        "product_pages": tables_read([(f"charts.{PAGES}", "PAGES"), EVERY_PAGE]),
        # It shows every chart, which it finds by name when it runs.
        "report": tables_read([("charts.report", "make")]).union(*found.values()),
        "insights_json": tables_read([("pipeline.insights", "write_insights")]),
        "analyst_macros": _in_sql(*(DBT / "analyst_macros").glob("*.sql")),
        "cookbook": _in_sql(REPOSITORY / "docs" / "cookbook.md"),
        "exports": marts,
    }
    return {name: tables & marts for name, tables in found.items()}


def stated(exposure: dict[str, Any]) -> set[str]:
    """The models on which an exposure says that it depends."""
    refs = exposure["depends_on"]
    return {match[1] for ref in refs if (match := re.fullmatch(r"ref\('(\w+)'\)", ref))}


def remedy(exposure: str, tables: set[str]) -> str:
    """What to do about an exposure that is missing or says something else."""
    return (
        f"dbt_project/models/*__exposures.yml: exposure {exposure} (label, type, owner, "
        f"description, tags) with\n{_list(tables)}"
        "python -m tests.docs.exposures writes the lists of those that are there."
    )


def _list(tables: set[str]) -> str:
    return "    depends_on:\n" + "".join(f"      - ref('{name}')\n" for name in sorted(tables))


def rewritten(text: str, wanted: dict[str, set[str]]) -> str:
    """A file of exposures with its lists of tables as wanted; everything else stays."""
    for name, tables in wanted.items():
        list_of_name = (
            rf"(  - name: {name}\n(?:(?!  - name: ).*\n)*?)    depends_on:\n(?:      - .*\n)+"
        )
        text = re.sub(list_of_name, rf"\g<1>{_list(tables)}", text)
    return text


def main() -> int:
    """Write the lists anew; returns how many files changed."""
    wanted = tables_of_results()
    changed = 0
    for file in _files():
        text = file.read_text(encoding="utf-8")
        new = rewritten(text, wanted)
        changed += new != text
        file.write_text(new, encoding="utf-8")
    return changed


if __name__ == "__main__":
    main()
    missing = tables_of_results().keys() - read_exposures().keys()
    sys.exit(f"no exposure yet: {', '.join(sorted(missing))}" if missing else 0)

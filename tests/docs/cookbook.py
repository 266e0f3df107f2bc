"""The questions of docs/cookbook.md, and the analyses of dbt that are written from them.

The page is what people edit; `python -m tests.docs.cookbook` writes dbt_project/analyses anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from pipeline.paths import DBT_PROJECT, PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "cookbook.md"
ANALYSES = DBT_PROJECT / "analyses"
DESCRIPTIONS = "_analyses.yml"
HEAD = "{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}\n"
# What lies in the published file alone.
OF_THE_FILE = re.compile(r"\b(?:from|join)\s+(?!marts\.)\w+\s*\(|\bstart_here\b|\bclean_text\(")
EXAMPLE = "'medlar'"
ANY_PRODUCT = """'{{ var("product_id", "medlar") }}'"""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the page: what it asks, how its answer is read, and the SQL."""

    title: str
    prose: str
    sql: str

    @property
    def name(self) -> str:
        words = re.findall(r"[a-z0-9]+", self.title.lower().replace("'", ""))
        return "_".join(words)

    @property
    def is_analysis(self) -> bool:
        """Whether it asks tables alone, which dbt knows, and no macro of the published file."""
        return "marts." in self.sql and not OF_THE_FILE.search(self.sql)


def questions(page: str | None = None) -> list[Question]:
    """In the order of the page."""
    text = PAGE.read_text(encoding="utf-8") if page is None else page
    found = re.findall(r"^### ([^\n]+)\n((?:(?!^##|^```).)*)```sql\n(.*?)```", text, re.S | re.M)
    return [Question(title, prose.strip(), sql) for title, prose, sql in found]


def analysis(question: Question) -> str:
    """The same SQL with references that dbt follows, and any product instead of the example."""
    sql = re.sub(r"\bmarts\.(\w+)", r"{{ ref('\1') }}", question.sql)
    return HEAD + without_end(sql).replace(EXAMPLE, ANY_PRODUCT) + "\n"


def without_end(sql: str) -> str:
    """A query without its semicolon and its last limit: `dbt show` writes a limit behind it."""
    return re.sub(r"\nlimit \d+$", "", sql.strip().rstrip(";"))


def files(asked: list[Question]) -> dict[str, str]:
    """Name -> content of every file of the folder of analyses."""
    chosen = [question for question in asked if question.is_analysis]
    described = {
        "version": 2,
        "analyses": [
            {
                "name": question.name,
                "description": f"{question.title} {' '.join(question.prose.split())}",
            }
            for question in chosen
        ],
    }
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=88)
    return {f"{question.name}.sql": analysis(question) for question in chosen} | {
        DESCRIPTIONS: "# From docs/cookbook.md: edit that page.\n" + text
    }


def main() -> None:
    """Write the folder anew."""
    ANALYSES.mkdir(exist_ok=True)
    written = files(questions())
    for file in ANALYSES.iterdir():
        if file.name not in written:
            file.unlink()
    for name, content in written.items():
        (ANALYSES / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()

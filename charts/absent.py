"""What a picture says instead where the file has no such mart, or the mart holds nothing."""

from __future__ import annotations

from collections.abc import Sequence

from charts.panels import source_words, window_words
from charts.picture import Picture
from charts.reading import Overview, Published
from charts.style import Heading, Sheet, message_sheet


def lacks(published: Published, table: str, columns: Sequence[str]) -> str:
    """What the file of an older version is without, in words; empty where it has all of it."""
    if not published.has(table):
        return f"the table {table}"
    missing = sorted(column for column in columns if not published.has(table, column))
    return f"the column {missing[0]} of {table}" if missing else ""


def lacking(name: str, question: str, overview: Overview, what: str) -> Picture:
    """A sheet for a file that was published without `what`."""
    reason = "another version of the project made it, or a build that did not finish"
    lines = [
        f"The published file is without {what}: {reason}.",
        "Build and publish again: social-signals run.",
    ]
    return saying(name, question, overview, "This file cannot answer that yet", lines)


def saying(
    name: str, question: str, overview: Overview, headline: str, lines: Sequence[str]
) -> Picture:
    """A picture of words alone, with the facts that every caption states."""
    return Picture(name, sheet_of_words(question, overview, headline, lines))


def sheet_of_words(question: str, overview: Overview, headline: str, lines: Sequence[str]) -> Sheet:
    """A sheet of words alone, with the facts that every caption states."""
    heading = Heading(
        question=question,
        headline=headline,
        caption=(
            f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}.",
            f"Source: {source_words(overview)}.",
        ),
        is_simulated=overview.is_simulated,
    )
    return message_sheet(heading, lines)


def not_held(table: str) -> list[str]:
    """What to say, and to do, of a file without this table."""
    return [
        f"The table {table} is not in the published file: another version made it.",
        "Build and publish again: social-signals run.",
    ]

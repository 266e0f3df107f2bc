"""A daily table checked and laid out: which products can be used, why others cannot, and panels.

The rows lie in a temporary DuckDB file, so that memory does not grow with them. What is wrong with
a product blocks that product, named with its rows; the others are analysed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from pipeline.console import meter
from pipeline.daily_files import DailyFile, DailyFileError, check_size
from pipeline.daily_sql import (
    CLEAN,
    DATE_ORDER,
    DECIMAL_STYLE,
    DUPLICATES,
    PRODUCTS,
    ROLES,
    SERIES,
    WEEKDAYS,
    parse_rows,
)
from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    import pyarrow as pa

    from udfs.lead_lag.panel import Panel

MOST_BAD_RATIO = 0.10
MOST_YEARS = 30
_MEMORY = "700MB"
_MOST_PRODUCTS = 512
_MOST_CELLS = 400_000
_DAYS_OF_DOUBLE_SIZE = 1_500
_LEAST_WEEKS = 8
_FEWEST_OPEN_WEEKDAYS = 4
_LINES_SHOWN = 3
_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the table. `blocked`: why it cannot be used, empty where it can.

    `is_bad`: it is blocked because rows are wrong, not because they are few. `days`: days with both
    series. `is_level`: its outcome is neither a count nor an amount and stays on its own scale.
    `note`: which of its rows were set aside, empty where all count.
    """

    code: int
    product_id: str
    category: str | None
    first_day: date | None
    last_day: date | None
    days: int
    blocked: str = ""
    is_bad: bool = False
    is_simulated: bool = False
    is_level: bool = False
    note: str = ""


@dataclass(slots=True)
class DailyTable:
    """The products of a file in order of their ids, what was noticed, and the way to the rows."""

    connection: duckdb.DuckDBPyConnection
    products: list[Product]
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def panels(self) -> Iterator[Panel]:
        """Panels of the usable products, a bounded number at a time; product_ids are the ids."""
        yield from self._panels(
            _chunks([product for product in self.products if not product.blocked])
        )

    def whole_panel(self, most_cells: int) -> Panel | None:
        """All usable counts and amounts in one panel, None where there is none.

        Raises `DailyFileError` for more product-days than `most_cells`.
        """
        usable = [p for p in self.products if not p.blocked and not p.is_level]
        days = [day for p in usable for day in (p.first_day, p.last_day) if day is not None]
        if not days:
            return None
        check_size(len(usable) * ((max(days) - min(days)).days + 1), most_cells)
        return next(self._panels([usable]))

    def _panels(self, chunks: list[list[Product]]) -> Iterator[Panel]:
        self.connection.execute(
            "create or replace temporary table places (code bigint, chunk bigint, place bigint)"
        )
        codes = np.array([p.code for chunk in chunks for p in chunk], dtype=np.int64)
        if not codes.size:
            return
        sizes = [len(chunk) for chunk in chunks]
        numbers = np.repeat(np.arange(len(chunks)), sizes)
        places = np.concatenate([np.arange(size) for size in sizes])
        self.connection.execute(
            "insert into places select * from (select unnest($1), unnest($2), unnest($3))",
            [codes.tolist(), numbers.tolist(), places.tolist()],
        )
        reader = self.connection.execute(SERIES).to_arrow_reader(200_000)
        for number, rows in _by_chunk(reader):
            yield _panel(chunks[number], rows)


@contextmanager
def read_daily(file: DailyFile) -> Iterator[DailyTable]:
    """Read, parse and check a whole file.

    Raises `DailyFileError` where nothing of it can be used: no rows, dates whose order cannot be
    told, several rows a day in every product.
    """
    with tempfile.TemporaryDirectory(prefix="social-signals-") as folder:
        connection = duckdb.connect(
            str(Path(folder) / "rows.duckdb"),
            config={"memory_limit": _MEMORY, "temp_directory": str(Path(folder) / "spill")},
        )
        try:
            connection.execute("set enable_progress_bar = false")
            connection.execute("set preserve_insertion_order = false")
            yield _Checks(file, connection).run()
        finally:
            connection.close()


class _Checks:
    """One file on its way from text to a checked table."""

    def __init__(self, file: DailyFile, connection: duckdb.DuckDBPyConnection) -> None:
        self.file = file
        self.connection = connection
        self.notices = list(file.notices)
        self.problems: list[str] = []
        self.blocked: dict[int, str] = {}
        self.bad: set[int] = set()
        self.notes: dict[int, str] = {}
        self.lines: dict[int, int] = {}
        self.is_units = file.columns["outcome"].strip().lower() == "units"

    def run(self) -> DailyTable:
        self._load()
        with meter("checking rows") as progress:
            progress.update(0, self.file.rows_read)
            self._parse()
            return self._check()

    def _check(self) -> DailyTable:
        found = self._rows(PRODUCTS)
        duplicates = self._rows(DUPLICATES)
        self.lines = self.file.lines(_rows_to_name(found, duplicates))
        self._rows_without_product()
        for product in found:
            self._judge_rows(product)
        self._judge_returns(found)
        self._judge_duplicates(duplicates, found)
        self.connection.execute(CLEAN)
        self.connection.execute("drop table lines; drop table coded")
        closed = self._closed_weekdays()
        for product in found:
            self._judge_days(product)
        self.connection.execute(
            "create table closed_weekdays as select unnest($1) as code, unnest($2) as weekday",
            [[code for code, _ in closed], [weekday for _, weekday in closed]],
        )
        products = [
            Product(
                code=product["code"],
                product_id=product["product_id"],
                category=product["category"],
                first_day=product["first_day"],
                last_day=product["last_day"],
                days=product["days_both"],
                blocked=self.blocked.get(product["code"], ""),
                is_bad=product["code"] in self.bad,
                is_simulated=product["is_simulated"],
                is_level=product["is_level"] and not self.is_units,
                note=self.notes.get(product["code"], ""),
            )
            for product in found
        ]
        for product_ in products:
            if product_.is_bad:
                self.problems.append(f"product {product_.product_id!r}: {product_.blocked}")
        return DailyTable(self.connection, products, self.notices, self.problems)

    def _load(self) -> None:
        failures: list[SocialSignalsError] = []
        batches = _shown(self.file)
        first = next(batches, None)
        if first is None or first.num_rows == 0:
            raise DailyFileError(f"{self.file.file} holds no row.", "Give rows below the header.")
        import pyarrow as pa

        def all_batches() -> Iterator[pa.RecordBatch]:
            yield first
            try:
                yield from batches
            except SocialSignalsError as error:
                failures.append(error)
                raise

        reader = pa.RecordBatchReader.from_batches(first.schema, all_batches())
        self.connection.register("batches", reader)
        columns = ", ".join(
            f"trim({role}, ' \t\r\n\u00a0') as {role}"
            if role in self.file.columns
            else f"null::varchar as {role}"
            for role in ROLES
        )
        try:
            self.connection.execute(f"create table texts as select row, {columns} from batches")
        except duckdb.Error as error:
            # What went wrong while reading comes back wrapped.
            raise (failures[0] if failures else _no_room(self.file.file, error)) from None
        self.connection.unregister("batches")
        if self.file.ragged_rows:
            lines = ", ".join(map(str, self.file.ragged_lines()))
            more = ", …" if self.file.ragged_rows > 5 else ""
            self.problems.append(
                f"{_count(self.file.ragged_rows, 'row')} with more or fewer cells than the header "
                f"set aside (line {lines}{more})"
            )

    def _parse(self) -> None:
        self.connection.execute(
            parse_rows(
                self.file.columns,
                has_decimal_comma=self._has_decimal_comma(),
                is_day_first=self._is_day_first(),
                is_mood=self.file.columns["signal"].strip().lower() == "sentiment_mean",
                is_units=self.is_units,
            )
        )
        self.connection.execute("drop table texts")
        self._outside_notices()

    def _has_decimal_comma(self) -> bool:
        row = self._rows(DECIMAL_STYLE)[0]
        if row["with_comma"] and not row["with_point"]:
            self.notices.append("Numbers have a decimal comma and were read so.")
            return True
        return bool(
            row["either"]
            and not row["with_point"]
            and not row["with_comma"]
            and self.file.delimiter == ";"
        )

    def _is_day_first(self) -> bool:
        row = self._rows(DATE_ORDER)[0]
        if not row["dates"]:
            return True
        if row["day_first"] and row["month_first"]:
            lines = self.file.lines({row["day_first_row"], row["month_first_row"]})
            raise DailyFileError(
                f"{self.file.file}: dates stand in two orders: {row['day_first_text']!r} (line "
                f"{lines.get(row['day_first_row'])}) and {row['month_first_text']!r} (line "
                f"{lines.get(row['month_first_row'])}).",
                "Write dates as 2026-01-31.",
            )
        if not row["day_first"] and not row["month_first"] and not row["dotted"]:
            raise DailyFileError(
                f"{self.file.file}: whether {row['example']!r} begins with the day or the month "
                "cannot be told.",
                "Write dates as 2026-01-31.",
            )
        return bool(row["day_first"] or not row["month_first"])

    def _outside_notices(self) -> None:
        row = self._rows(
            """
            select count(*) filter (where is_blank_mood) as blank_moods,
                count(*) filter (where is_se_unusable) as unusable_errors,
                count(*) filter (where is_open_after_all) as open_after_all
            from lines
            """
        )[0]
        if row["blank_moods"]:
            self.notices.append(
                f"{_count(row['blank_moods'], 'day')} without posts: their mood counts as not "
                "observed."
            )
        if row["unusable_errors"]:
            self.notices.append(
                f"{_count(row['unusable_errors'], 'standard error')} below 0 or infinite: "
                "taken as unknown."
            )
        if row["open_after_all"]:
            self.notices.append(
                f"{_count(row['open_after_all'], 'closed day')} with sales: taken as open."
            )

    def _rows_without_product(self) -> None:
        row = self._rows(
            "select count(*) as n, min(row) as first from lines where coalesce(product_id, '') = ''"
        )[0]
        if row["n"]:
            line = self.file.lines({row["first"]})[row["first"]]
            self.problems.append(
                f"{_count(row['n'], 'row')} without a product_id set aside (first: line {line})"
            )

    def _judge_rows(self, product: dict[str, Any]) -> None:
        """Values that no daily series of sales can hold."""
        code, bad = product["code"], product["bad_rows"]
        where = self._lines(product["bad_row_list"])
        if bad > MOST_BAD_RATIO * product["given_rows"]:
            self._block(
                code,
                f"{bad:,} of {_count(product['given_rows'], 'row')} cannot be read, for instance "
                f"{product['bad_what']} ({where})",
            )
        elif bad:
            note = f"{_count(bad, 'row')} set aside, for instance {product['bad_what']} ({where})"
            self.notes[code] = note
            self.problems.append(f"product {product['product_id']!r}: {note}")
        metric, signal = self.file.columns["outcome"], self.file.columns["signal"]
        for key, name, what in (
            ("infinite_outcome", metric, "infinite or beyond 1e15"),
            ("infinite_signal", signal, "infinite or beyond 1e15"),
            ("negative_posts", self.file.columns.get("posts", "posts"), "negative or infinite"),
        ):
            if product[f"{key}_rows"]:
                self._block(code, self._days_of(product, key, f"{name} {what}"))
        self._judge_zones(product)

    def _judge_returns(self, found: list[dict[str, Any]]) -> None:
        """Days below 0: more came back than was sold, or the column is none of units."""
        metric = self.file.columns["outcome"]
        returned = [product for product in found if product["negative_outcome_rows"]]
        kept = []
        for product in returned:
            code, days = product["code"], product["negative_outcome_rows"]
            told = self._days_of(product, "negative_outcome", f"{metric} negative")
            if days > MOST_BAD_RATIO * product["given_rows"]:
                self._block(code, told)
                continue
            kept.append(product)
            before = f"{self.notes[code]}; " if code in self.notes else ""
            self.notes[code] = f"{before}{told}: not counted"
        if kept:
            name, note = kept[0]["product_id"], self.notes[kept[0]["code"]]
            self.notices.append(
                f"{_count(len(kept), 'product')} with days on which more came back than was sold; "
                f"such days count as not observed, for instance product {name!r}: {note}."
            )

    def _days_of(self, product: dict[str, Any], key: str, words: str) -> str:
        first = f"{product[f'{key}_day']} ({self._lines([product[f'{key}_row']])})"
        return f"{words} on {_count(product[f'{key}_rows'], 'day')}, first on {first}"

    def _judge_zones(self, product: dict[str, Any]) -> None:
        offsets = product["offsets"]
        if len(offsets) < 2:
            return
        minutes = [_minutes(offset) for offset in offsets]
        known = [value for value in minutes if value is not None]
        # An hour is the clock's change in spring and autumn.
        if len(known) < len(minutes) or max(known) - min(known) > 60:
            example = self._lines(product["offset_rows"])
            shown = " and ".join(offset or "no zone" for offset in offsets[:4])
            self._block(
                product["code"],
                f"times in two zones ({shown}; {example}): its days must be counted in one zone",
            )

    def _judge_duplicates(
        self, duplicates: list[dict[str, Any]], found: list[dict[str, Any]]
    ) -> None:
        same = [row for row in duplicates if row["is_same"]]
        if same:
            extra = sum(row["count"] - 1 for row in same)
            example = same[0]
            self.notices.append(
                f"{_count(extra, 'row')} repeated word for word and counted once, for instance "
                f"product {example['product_id']!r} on {example['day']} "
                f"({self._lines(example['rows'])})."
            )
        by_code: dict[int, list[dict[str, Any]]] = {}
        for row in duplicates:
            if not row["is_same"]:
                by_code.setdefault(row["code"], []).append(row)
        for code, rows in by_code.items():
            first = rows[0]
            self._block(
                code,
                f"{_count(len(rows), 'day')} with several rows that differ, first on "
                f"{first['day']} ({self._lines(first['rows'])})",
            )
        if by_code and len(by_code) == len(found):
            code, rows = next(iter(by_code.items()))
            raise DailyFileError(
                f"{self.file.file}: every product has days with several rows that differ: product "
                f"{rows[0]['product_id']!r}, {self.blocked[code]}.",
                "One row a product and day: add up or average what belongs together first.",
            )

    def _closed_weekdays(self) -> list[tuple[int, int]]:
        """Weekdays (code, ISO weekday) on which a product never sells, over more than 8 weeks."""
        closed: list[tuple[int, int]] = []
        zeros: dict[int, int] = {}
        for row in self._rows(WEEKDAYS):
            absent = [day for day in range(1, 8) if not row["days"][day - 1]]
            empty = [
                day
                for day in range(1, 8)
                if row["days"][day - 1] >= _LEAST_WEEKS
                and row["totals"][day - 1] == 0
                and row["usual"] >= 3
            ]
            is_long = row["span"] > 7 * _LEAST_WEEKS
            if not is_long or 7 - len(absent) - len(empty) < _FEWEST_OPEN_WEEKDAYS:
                continue
            closed += [(row["code"], day) for day in (*absent, *empty)]
            for day in empty:
                zeros[day] = zeros.get(day, 0) + 1
        for day, count in sorted(zeros.items()):
            self.notices.append(
                f"{_NAMES[day - 1]} are 0 throughout in {_count(count, 'product')}: taken as "
                "closed, not as days without demand."
            )
        return closed

    def _judge_days(self, product: dict[str, Any]) -> None:
        code = product["code"]
        first, last = product["first_day"], product["last_day"]
        if first is not None and (last - first).days > 366 * MOST_YEARS:
            self._block(code, f"its days run from {first} to {last}: no series is that long")
        if code in self.blocked:
            return
        for key, name in (("outcome", "outcome"), ("signal", "signal")):
            gap = product[f"{key}_gap"]
            rhythm = _rhythm(gap)
            if rhythm and product[f"{key}_days"] > 2:
                column = self.file.columns[name]
                self.blocked[code] = f"one row a {rhythm} ({column}): daily values are needed"
                return

    def _block(self, code: int, reason: str) -> None:
        self.bad.add(code)
        self.blocked[code] = f"{self.blocked[code]}; {reason}" if code in self.blocked else reason

    def _lines(self, rows: list[int]) -> str:
        shown = [str(self.lines.get(row, row)) for row in rows[:_LINES_SHOWN]]
        word = "row" if self.file.file.suffix.lower() == ".parquet" else "line"
        return f"{word} {shown[0]}" if len(shown) == 1 else f"{word}s {', '.join(shown)}"

    def _rows(self, query: str) -> list[dict[str, Any]]:
        result = self.connection.execute(query)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _no_room(file: Path, error: duckdb.Error) -> DailyFileError:
    what = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return DailyFileError(
        f"the rows of {file} could not be kept: {what}.",
        f"Make room in the temporary folder {tempfile.gettempdir()}, or set TMPDIR to another.",
    )


def _shown(file: DailyFile) -> Iterator[pa.RecordBatch]:
    """The batches of a file, with a meter of their rows."""
    with meter("reading rows") as progress:
        for batch in file.batches():
            progress.update(file.rows_read)
            yield batch


def _rows_to_name(found: list[dict[str, Any]], duplicates: list[dict[str, Any]]) -> set[int]:
    rows: set[int] = set()
    for product in found:
        rows.update(product["bad_row_list"])
        if len(product["offsets"]) > 1:
            rows.update(product["offset_rows"])
        for key, value in product.items():
            if key.endswith("_row") and value is not None:
                rows.add(value)
    for duplicate in duplicates:
        rows.update(duplicate["rows"])
    return rows


def _minutes(offset: str) -> int | None:
    if not offset:
        return None
    if offset == "Z":
        return 0
    digits = offset[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:4] or 0)
    return -minutes if offset[0] == "-" else minutes


def _rhythm(gap: float | None) -> str:
    if gap is None:
        return ""
    return "week" if gap == 7 else "month" if 28 <= gap <= 31 else ""


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


# Panels -----------------------------------------------------------------------------------------


def _chunks(products: list[Product]) -> list[list[Product]]:
    """Products of like windows together, as many as fit. Every usable product has a day."""
    dated = [(p.first_day, p.last_day, p) for p in products if p.first_day and p.last_day]
    dated.sort(key=lambda each: (each[2].is_level, each[0], each[1], each[2].product_id))
    chunks: list[list[Product]] = []
    end = date.min
    for _, last, product in dated:
        is_alike = bool(chunks) and chunks[-1][0].is_level == product.is_level
        start = chunks[-1][0].first_day if is_alike else None
        size = len(chunks[-1]) + 1 if chunks else 1
        days = (max(end, last) - start).days + 1 if start else 0
        # A long window also takes more seasonal terms a product.
        cells = size * days * (1 + days // _DAYS_OF_DOUBLE_SIZE)
        if start is None or size > _MOST_PRODUCTS or cells > _MOST_CELLS:
            chunks.append([])
            end = last
        chunks[-1].append(product)
        end = max(end, last)
    return chunks


def _by_chunk(reader: pa.RecordBatchReader) -> Iterator[tuple[int, dict[str, Any]]]:
    """The columns of all rows of one chunk after the other."""
    kept: list[dict[str, Any]] = []
    current = -1
    for batch in reader:
        columns = {
            name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names
        }
        chunk = columns["chunk"]
        cuts = np.flatnonzero(np.diff(chunk)) + 1
        edges = [0, *cuts.tolist(), len(chunk)]
        for start, end in pairwise(edges):
            if start == end:
                continue
            if kept and chunk[start] != current:
                yield current, _joined(kept)
                kept = []
            current = int(chunk[start])
            kept.append({name: values[start:end] for name, values in columns.items()})
    if kept:
        yield current, _joined(kept)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _panel(products: list[Product], rows: dict[str, Any]) -> Panel:
    from udfs.lead_lag.panel import Panel

    day = rows["day"].astype("datetime64[D]")
    first = day.min()
    dates = np.arange(first, day.max() + np.timedelta64(1, "D"))
    place = rows["place"].astype(np.int64)
    column = (day - first).astype(np.int64)
    shape = (len(products), len(dates))

    def number(name: str) -> Any:  # noqa: ANN401
        laid = np.full(shape, np.nan)
        laid[place, column] = rows[name].astype(np.float64)
        return laid

    def flag(name: str) -> Any:  # noqa: ANN401
        laid = np.zeros(shape, dtype=np.bool_)
        laid[place, column] = rows[name].astype(np.bool_)
        return laid

    is_closed = flag("is_closed")
    weekday = (dates.astype(np.int64) + 3) % 7 + 1  # 1 = Monday
    mask = np.zeros(len(products), dtype=np.int64)
    mask[place] = rows["closed_weekdays"]
    is_closed |= (mask[:, None] >> weekday[None, :] & 1).astype(np.bool_)
    return Panel(
        product_ids=tuple(product.product_id for product in products),
        dates=dates,
        signal=number("signal"),
        outcome=number("outcome"),
        signal_variance=number("signal_se") ** 2,
        posts=number("posts"),
        promo=flag("promo"),
        holiday=flag("holiday"),
        stock_out=flag("stock_out"),
        is_open=~is_closed,
        categories=tuple(product.category for product in products),
        scale="identity" if products[0].is_level else "auto",
    )

"""How long the report of many products takes, and how large it is.

    python -m benchmarks.report
    python -m benchmarks.report --products 5000 --keep report.html

The products are copies of those of a published file (the demo's where it was made, else a small
invented one) under other ids and names, some of them hostile: every mart has rows for each.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from charts import report
from charts.reading import published_file
from tests.fake_published import NASTY, NINE, make_published

# Rows that the report does not read by product would only make the file large.
AS_THEY_ARE = ("fct_order", "fct_refund", "fct_posts", "dim_dates", "dim_platforms", "ops_")
POSTS_A_PRODUCT = 200
# Copies that differ in nothing would be compressed to nothing.
NOISE = {
    "fct_daily_signals": ("date_day", ("sentiment_mean", "units")),
    "mart_lag_correlation": ("lag_days", ("correlation",)),
}
NAMES = (
    "</template><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "\u202egnp.exe",
    "小米手机",
)


def main() -> int:
    """Print seconds, sizes and memory; exit with 1 where the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--like", type=Path, help="a published file to copy products of")
    parser.add_argument("--keep", type=Path, help="where to keep the report")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = options.like or published_file("demo")
        if not base.is_file():
            base = make_published(Path(folder) / "small.duckdb", (*NINE, *NASTY[:4]))
        file = Path(folder) / "published.duckdb"
        count = multiplied(base, file, options.products)
        started, worked = time.perf_counter(), time.process_time()
        output = report.make(file, options.keep or Path(folder) / "report.html", target="benchmark")
        seconds, work = time.perf_counter() - started, time.process_time() - worked
        size = output.stat().st_size / 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:,} products: {seconds:.1f} s ({work:.1f} s of processors), {size:.1f} MB, "
        f"{memory:,.0f} MiB at most"
    )
    # Copies are whole: a few more than a thousand are a thousand. Seconds of processors say more
    # on a machine that others use.
    is_kept = count > 1100 or (work <= 15 and size <= 10)
    print("promised for 1,000: 15 s, 10 MB" + ("" if is_kept else ": BROKEN"))
    return 0 if is_kept else 1


def multiplied(base: Path, file: Path, products: int) -> int:
    """Copy a published file so that it has about as many products; return how many."""
    connection = duckdb.connect(str(file))
    connection.execute(f"attach '{str(base).replace(chr(39), chr(39) * 2)}' as base (read_only)")
    connection.execute("create schema marts")
    own = connection.execute("select count(*) from base.marts.dim_products").fetchall()[0][0]
    copies = max(1, -(-products // own))
    rows = connection.execute(
        "select table_name, list(column_name) from duckdb_columns() "
        "where database_name = 'base' and schema_name = 'marts' group by 1 order by 1"
    ).fetchall()
    types = {
        (table, column): kind
        for table, column, kind in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where database_name = 'base' and schema_name = 'marts'"
        ).fetchall()
    }
    for table, columns in rows:
        where = ""
        if "product_id" not in columns or table.startswith(AS_THEY_ARE):
            connection.execute(f"create table marts.{table} as from base.marts.{table}")
            continue
        if table == "bridge_post_products":
            where = (
                "qualify row_number() over (partition by product_id order by hash(post_key))"
                f" <= {POSTS_A_PRODUCT}"
            )
        other = ("insight_id", "product_theme_key", "product_month_key")
        changed = ["product_id || '-' || copy as product_id"]
        changed += [f"{name} || '-' || copy as {name}" for name in other if name in columns]
        noise = (
            f"(hash(product_id, copy, {NOISE[table][0]}) % 1000 / 1000.0)" if table in NOISE else ""
        )
        for name in NOISE.get(table, ("", ()))[1]:
            changed.append(f"({name} * (0.6 + 0.8 * {noise}))::{types[table, name]} as {name}")
        if table == "dim_products":
            names = ", ".join(f"'{name}'" for name in NAMES)
            changed.append(
                "case when copy % 10 = 9 then list_value(" + names + ")[1 + copy % 4] "
                "else product_name || ' ' || copy end as product_name"
            )
        connection.execute(
            f"create table marts.{table} as select * exclude (copy) replace "
            f"({', '.join(changed)}) from (from base.marts.{table} {where}), "
            f"range({copies}) as copies(copy)"
        )
    count = connection.execute("select count(*) from marts.dim_products").fetchall()[0][0]
    connection.close()
    return int(count)


if __name__ == "__main__":
    sys.exit(main())

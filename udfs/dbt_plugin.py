"""The functions of Python that SQL models may call, registered on dbt's DuckDB connection.

A model that calls one of them is a table, never a view: a view would fail for every reader whose
connection lacks the function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin

from udfs.normalise import is_empty, normalise
from udfs.pseudonyms import pseudonym_of, read_key

_UNDETERMINED = "und"


class Plugin(BasePlugin):  # type: ignore[misc]  # dbt-duckdb ships no types
    """dbt-duckdb's hook: it looks for a class of this name in the module of the profile."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Register every function of this module on a fresh connection."""
        register(conn)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a connection; each maps null to null."""
    text, number = "VARCHAR", "DOUBLE"
    _create(connection, "normalise_text", normalise_text, [text], text)
    _create(connection, "text_key", text_key, [text], text)
    _create(connection, "is_empty_text", is_empty_text, [text], "BOOLEAN")
    _create(connection, "detect_language", detect_language, [text], text)
    _create(connection, "pseudonym", pseudonym, [text], text)
    _create(connection, "student_t_two_sided_p", student_t_two_sided_p, [number, number], number)
    _create(connection, "student_t_quantile", student_t_quantile, [number, number], number)


def normalise_text(texts: pa.ChunkedArray) -> pa.Array:
    """Return the normal form of each text: what is hashed, compared and scored."""
    return _map(texts, normalise, pa.string())


def text_key(texts: pa.ChunkedArray) -> pa.Array:
    """Return the sha256 (hex) of each text's normal form: equal texts share one score."""
    return _map(texts, hash_of, pa.string())


def hash_of(text: str) -> str:
    """Return the key under which a text's score is stored."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()


def pseudonym(texts: pa.ChunkedArray) -> pa.Array:
    """Return the pseudonym of each text under the key of the environment.

    Raises PseudonymKeyError without a key; no key ever stands in SQL.
    """
    key = read_key()
    return _map(texts, lambda text: pseudonym_of(key, text), pa.string())


def is_empty_text(texts: pa.ChunkedArray) -> pa.Array:
    """Say of each text whether links, @names and punctuation are all it holds."""
    return _map(texts, lambda text: is_empty(normalise(text)), pa.bool_())


def detect_language(texts: pa.ChunkedArray) -> pa.Array:
    """Return the ISO 639-1 code of each text's language, `und` where it cannot be told."""
    return _map(texts, _language_detector(), pa.string())


def student_t_two_sided_p(t_values: pa.ChunkedArray, degrees: pa.ChunkedArray) -> pa.Array:
    """Return P(|T| >= |t|) of Student's t; null where t is unknown or no freedom is left.

    The degrees of freedom need not be whole: an effective sample size seldom is.
    """
    # Imported late: scipy.special takes a quarter of a second that most dbt commands can save.
    from scipy.special import stdtr

    t_value = np.abs(_doubles(t_values))
    freedom = _doubles(degrees)
    is_known = ~np.isnan(t_value) & (freedom > 0)
    p_value = 2.0 * stdtr(np.where(is_known, freedom, 1.0), -np.where(is_known, t_value, 0.0))
    return pa.array(np.minimum(p_value, 1.0), type=pa.float64(), mask=~is_known)


def student_t_quantile(probabilities: pa.ChunkedArray, degrees: pa.ChunkedArray) -> pa.Array:
    """Return the t below which Student's t lies with the given probability (0 to 1, both excluded).

    Null where the probability or the degrees of freedom leave none.
    """
    from scipy.special import stdtrit  # late, as above

    probability = _doubles(probabilities)
    freedom = _doubles(degrees)
    is_known = (probability > 0) & (probability < 1) & (freedom > 0)
    quantile = stdtrit(np.where(is_known, freedom, 1.0), np.where(is_known, probability, 0.5))
    return pa.array(quantile, type=pa.float64(), mask=~is_known)


def _create(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    function: Callable[..., pa.Array],
    parameters: list[str],
    result: str,
) -> None:
    connection.create_function(  # type: ignore[call-overload]  # the stubs know enums alone
        name,
        function,
        parameters,
        result,
        type="arrow",
        null_handling="special",
    )


def _map(texts: pa.ChunkedArray, function: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Apply a function to every text that is not null."""
    values = texts.to_pylist()
    return pa.array([None if text is None else function(text) for text in values], type=kind)


def _doubles(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a column as float64 with NaN for null."""
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _language_detector() -> Callable[[str], str]:
    try:
        from udfs.sentiment import languages
    except ImportError:
        return lambda _text: _UNDETERMINED
    return languages.detect

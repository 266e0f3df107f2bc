"""The lineage site: dbt's own page about this project, one file that asks for nothing.

It is made of the manifest that the build has just left and of the columns in the work file, so dbt
does not run again: `dbt docs generate --static` would read, compile and ask everything anew, which
takes longer than all steps after the build together. docs/decisions has the reasons for what is
left out of the page and closed in it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.util
import json
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.building import run_dbt
from pipeline.console import meter
from pipeline.fingerprints import BUILT, DOCUMENTED, read_mark, write_mark
from pipeline.lineage_contents import (
    MODEL_CARD,
    OVERVIEW,
    PARTS,
    Json,
    catalog,
    contents,
)
from pipeline.paths import DBT_PROJECT, PROJECT_ROOT
from pipeline.secrets import redact
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError
from warehouse.schema import open_work

PLACES = ('"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"')
"""Where dbt's page waits for its data."""

DEFAULTS = 'resource_types:["model","seed","snapshot","source",'
OPTIONS = "r.assign({},l.options"
_DRAWS = (
    "var d=u.parseState(n.params);d.show_graph&&l.ready((function(){"
    "o.assign(s.selection.dirty,d.selected);var e=s.updateSelection();l.updateGraph(e)}));"
)
_DRAWS_WHEN_ASKED = (
    f"var drawAsked=function(){{{_DRAWS}}};drawAsked();"
    'document.addEventListener("click",(function(t){t.target.closest(\'a[href*="g_v=1"]\')'
    "&&setTimeout((function(){e.$apply(drawAsked)}),50)}));"
)
BETTER = (
    # A link in a text opens its graph: by itself the page reads its address only when it loads.
    (_DRAWS, _DRAWS_WHEN_ASKED),
    # Before its templates are filled in, the page asks for files named "{{ getIcon(…) }}".
    ('xlink:href="{{', 'ng-attr-href="{{'),
    # A picture of a hundred models is hidden behind a thousand tests: they come when asked for.
    (f'{DEFAULTS}"test","unit_test",', DEFAULTS),
    (OPTIONS, f"{OPTIONS},{{resource_types:l.selection.clean.resource_types}}"),
    # Edges that can be seen: dbt's are of nearly the colour of what lies behind them.
    *((f'"{part}-color":"{dark}"', f'"{part}-color":"#8fc7d6"')
      for part in ("line", "target-arrow") for dark in ("#027599", "#006f8a")),
    # Words that can be read: dbt's links and notes are too pale (2.4 and 2.6 to 1), nothing grows.
    ("minimum-scale=1,maximum-scale=1,", ""),
    ("#0bb", "#007a7d"),
    ("#8b969e", "#5b666f"),
    # Tables that are cut off can be moved by the keyboard.
    *((f'class="{box}"', f'class="{box}" tabindex="0"')
      for box in ("detail-body", "table-responsive")),
    # Room for names instead of for gaps.
    ("rankSep:200,edgeSep:30,nodeSep:50", "rankSep:80,edgeSep:15,nodeSep:35"),
    ("//# sourceMappingURL=main.js.map", ""),
    ('ng-app="dbt"', 'ng-app="dbt" ng-csp="no-unsafe-eval"'),
)  # fmt: skip
"""Small changes to dbt's page. One that no longer fits a newer page is left out; nothing that must
hold rests on them."""
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


class LineageError(SocialSignalsError):
    """The lineage site cannot be made."""


def make_site(settings: Settings) -> bool:
    """Make the lineage site of a target from its last build; False if it is of that build already.

    Raises LineageError if dbt's page or manifest is not of a kind that is known, or cannot be
    written; BuildError if there is no manifest and dbt cannot make one.
    """
    paths = settings.paths
    try:
        current = _fingerprint(read_mark(paths.state / BUILT))
        mark = paths.state / DOCUMENTED
        if current is not None and paths.lineage.exists() and read_mark(mark) == current:
            return False
        manifest = read_manifest(paths.dbt_target / "manifest.json")
        if manifest is None:
            with meter("docs") as progress:
                run_dbt(settings, ["compile"], progress)
            manifest = read_manifest(paths.dbt_target / "manifest.json") or {}
        write_page(settings, manifest, paths.lineage)
        if current is not None:
            write_mark(mark, current)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, SyntaxError) as error:
        raise LineageError(
            f"The lineage site cannot be made of what dbt left: {type(error).__name__}: {error}.",
            f"Run social-signals build --full-refresh; what dbt left is in {paths.dbt_target}.",
        ) from error
    return True


def _fingerprint(built: str | None) -> str | None:
    """Hash of the build and of what its page is made with (hex); None without a finished build."""
    if built is None:
        return None
    here = Path(__file__).parent
    files = [here / "lineage.py", here / "lineage_contents.py"]
    files += [DBT_PROJECT / OVERVIEW, PROJECT_ROOT / MODEL_CARD]
    digest = hashlib.sha256(built.encode() + page_app().encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def page_app() -> str:
    """dbt's page without data, as the installed dbt brings it. Raises LineageError without one."""
    try:
        found = importlib.util.find_spec("dbt.task.docs")
    except ModuleNotFoundError:
        found = None
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder) / "index.html"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise LineageError(
        "The installed dbt brings no documentation page.",
        "Install the versions of constraints.txt: pip install -e . -c constraints.txt",
    )


def read_manifest(file: Path) -> Json | None:
    """What dbt wrote of the project; None if there is nothing whole."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(content, dict) and all(key in content for key in (*PARTS, "macros"))
    return content if is_whole else None


def write_page(settings: Settings, manifest: Json, page: Path) -> None:
    """Write the site of a target, whole or not at all.

    Raises LineageError if dbt's page is of a kind that cannot be filled.
    """
    with open_work(settings.paths.work) as connection:
        columns = catalog(connection, manifest)
    words = machine_words(settings)
    text = fill(
        page_app(),
        without_machine(contents(manifest), words),
        without_machine(columns, words),
        title=f"{settings.name}: lineage of Social Signals",
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    temporary = page.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)


def machine_words(settings: Settings) -> list[tuple[str, str]]:
    """Folders of this machine and what stands for each; longer ones first."""
    folders = {
        PROJECT_ROOT: "$SOCIAL_SIGNALS_HOME",
        settings.paths.data.absolute(): "$SOCIAL_SIGNALS_DATA",
        settings.catalogue_folder.absolute(): "$SOCIAL_SIGNALS_CATALOGUE",
        Path.home(): "~",
    }
    if settings.sentiment.model_dir:
        folders[PROJECT_ROOT / settings.sentiment.model_dir] = "$MODEL"
    folders |= {folder.resolve(): word for folder, word in folders.items()}
    words = [(str(folder), word) for folder, word in folders.items() if len(str(folder)) > 1]
    return sorted(words, key=lambda pair: (-len(pair[0]), pair))


def without_machine(content: Json, words: Iterable[tuple[str, str]]) -> str:
    """Content as JSON in ASCII, folders of the machine and secrets replaced."""
    text = json.dumps(content, separators=(",", ":"))
    for folder, word in words:
        text = text.replace(json.dumps(folder)[1:-1], word)
    return redact(text)


def fill(app: str, manifest: str, columns: str, *, title: str) -> str:
    """dbt's page with its data, both JSON, closed against everything outside.

    Raises LineageError if the page has no places for its data.
    """
    for place, data in zip(PLACES, (manifest, columns), strict=True):
        if app.count(place) != 1:
            raise LineageError(
                "The documentation page of the installed dbt is of a kind that this version "
                "cannot fill.",
                "Install the versions of constraints.txt: pip install -e . -c constraints.txt",
            )
        app = app.replace(place, _expression(data))
    for old, new in BETTER:
        app = app.replace(old, new)
    app = re.sub(r'<link rel="(?:canonical|shortcut icon)"[^>]*>', "", app)
    app = re.sub(r"<title>[^<]*</title>", lambda _: f"<title>{html.escape(title)}</title>", app,
                 count=1)  # fmt: skip
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy(app)}">'
    return app.replace("<head>", f'<head>{head}<link rel="icon" href="data:,">', 1)


def _expression(data: str) -> str:
    """JSON (ASCII) as a JavaScript expression. Parsing a text is faster than reading a literal;
    without `<` nothing in it can end the script."""
    text = data.replace("\\", "\\\\").replace("'", "\\'").replace("<", "\\u003c")
    return f"JSON.parse('{text}')"


def policy(page: str) -> str:
    """What the browser lets the page do: run its own script, by its hash, and show itself.

    Nothing is fetched, nothing is sent; a script in a text does not run. dbt's page has a tracker
    (off unless the manifest says otherwise) and shows descriptions as HTML.
    """
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in SCRIPT.findall(page)
    )
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )

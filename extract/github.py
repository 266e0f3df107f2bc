"""GitHub: tracked repositories day by day, their releases and stars; repositories of a topic.

A repository's record is asked for in full once a day, since a count that did not change is a fact
of that day too, and later on that day under its ETag: "not modified" is no request of GitHub's
limit. Releases are read page by page under theirs. Stars come oldest first, so they are read from
the last page backwards until those that are known. Who gave a star is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, Field

from extract._github_pages import (
    LISTED_STARS,
    Stars,
    check_found,
    check_issues,
    check_record,
    check_releases,
    check_stars,
    epoch,
    page_of,
)
from extract._live import LiveSettings, OwnUrl, Planned, Probe, latest_second, open_http
from extract._outcomes import Answer, FixError, RetryError
from extract._patience import Patience
from extract._queries import named_terms
from extract._state import (
    Batch,
    Progress,
    and_what_came_since,
    digest,
    one_after_the_other,
    walk_listing,
    window_key,
)
from extract.base import Context, Cursor, ExtractError, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

NAME = "github"
STREAMS: tuple[tuple[str, str], ...] = (
    ("github", "repositories"),
    ("github", "issue_counts"),
    ("github", "releases"),
    ("github", "stars"),
)
IS_SIMULATED = False
TOKEN = "SOCIAL_SIGNALS_GITHUB_TOKEN"  # noqa: S105 - the name of a variable
CREDENTIALS: tuple[str, ...] = (TOKEN,)

REPOSITORIES, ISSUES = "github/repositories", "github/issue_counts"
RELEASES, STARS = "github/releases", "github/stars"
_JSON = "application/vnd.github+json"
_DATED = "application/vnd.github.star+json"
_VERSION = "2022-11-28"
_FOUND_PAGE = 100
_WITHOUT_TOKEN = 60
"""Requests an hour that GitHub grants an address without a token."""
_SCORE = ("score",)
"""Of a search, not of the repository."""


def _check_name(name: str) -> str:
    owner, slash, repository = name.strip().partition("/")
    if not (slash and owner and repository) or "/" in repository or ".." in (owner, repository):
        raise ValueError(f"{name!r} is no repository: write owner/name.")
    return name.strip()


class Settings(LiveSettings):
    """`[sources.github]`. Read are the catalogue's terms of kind `repository` and `repositories`;
    of `topics` and `searches` the `search_size` repositories with the most stars, once a day.

    `stars`, `releases` and `issues` switch these parts off; `star_overlap_hours` is how far each
    pull reads stars again. A first reading of stars takes a request for 100 of them.
    """

    base_url: OwnUrl = "https://api.github.com"
    repositories: tuple[Annotated[str, AfterValidator(_check_name)], ...] = ()
    topics: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    search_size: Annotated[int, Field(ge=1, le=1_000)] = 100
    releases: bool = True
    stars: bool = True
    issues: bool = True
    star_overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24
    page_size: Annotated[int, Field(ge=2, le=100)] = 100
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.5


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield what is new of each repository, then of each topic; one that is gone is named and
    does not stop the others."""
    names, queries = _asked(settings, context)
    progress = Progress.of(cursor, source=NAME, without=_SCORE)
    kinds = ("releases", "stars")
    keys = {name: [f"{kind} {name}" for kind in kinds] for name in names}
    walks = [key for listed in keys.values() for key in listed]
    windows = [window_key(key, context.since, context.until) for key in walks]
    progress.keep_only([*walks, *windows])
    known = progress.extra.get("repositories", {})
    progress.extra["repositories"] = {name: known[name] for name in names if name in known}
    searched = progress.extra.get("searched", {})
    progress.extra["searched"] = {key: searched[key] for key in queries if key in searched}
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, progress)
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (name, partial(reader.repository, name)) for name in names
        ]
        if not reader.is_backfill:
            parts += [(key, partial(reader.found, key, names)) for key in queries]
        yield from one_after_the_other(parts, source=NAME)


def _asked(settings: Settings, context: Context) -> tuple[list[str], list[str]]:
    """Names of repositories, without regard to case once each, and queries for more of them."""
    listed = [*named_terms(context.catalogue, "repository"), *settings.repositories]
    names = {name.lower(): name for name in reversed(listed)}
    queries = [f"topic:{topic.strip()}" for topic in settings.topics] + list(settings.searches)
    if not names and not queries:
        raise FixError(
            f"{NAME}: there is no repository to read.",
            "Add terms of kind repository (owner/name) to terms.csv, or set "
            "sources.github.repositories or topics.",
        )
    return sorted(names), list(dict.fromkeys(queries))


def _open(settings: Settings, context: Context) -> Http:
    token = context.environment.get(TOKEN, "").strip()
    return open_http(
        settings,
        context,
        source=NAME,
        allowed=[settings.base_url],
        secrets=[token] if token else [],
        credentials=CREDENTIALS,
        # GitHub asks for a minute where it names no time.
        patience=Patience(wait_s=settings.max_wait_s, blind_wait_s=60.0),
    )


class _Reader:
    """One pull: where it stands and what it asks with."""

    def __init__(
        self, http: Http, settings: Settings, context: Context, progress: Progress
    ) -> None:
        self.http = http
        self.settings = settings
        self.context = context
        self.progress = progress
        self.token = context.environment.get(TOKEN, "").strip()
        self.is_backfill = context.since is not None or context.until is not None

    def get(
        self,
        route: str,
        parameters: Mapping[str, str | int] | None = None,
        *,
        parse: Callable[[Answer], Any],
        accept: str = _JSON,
        etag: str | None = None,
    ) -> Answer:
        headers = {"Accept": accept, "X-GitHub-Api-Version": _VERSION}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if etag and etag.isascii() and etag.isprintable():
            headers["If-None-Match"] = etag
        url = f"{self.settings.base_url}{route}"
        answer = self.http.get(url, parameters, headers=headers, parse=parse)
        self.http.settle(answer)
        if answer.status == 304 and "If-None-Match" not in headers:
            raise RetryError(
                f"{NAME}: {route} is said to be unchanged, though nothing of it is known.",
                "Run again; if it stays, check any cache before sources.github.base_url.",
            )
        return answer

    def repository(self, name: str) -> Iterator[Page]:
        """Its counts of the day, then its releases, then its stars."""
        known = self._state(name)
        today = f"{self.context.clock.now():%Y-%m-%d}"
        is_first = known.get("day") != today
        answer = self.get(
            _route(name),
            parse=check_record,
            etag=None if is_first or self.is_backfill else known.get("etag"),
        )
        if answer.status != 304:
            page = self._counted(name, answer, today, is_first=is_first)
            if page is not None:
                yield page
        if self.settings.issues and not self.is_backfill:
            yield from self._issues(name, today)
        if self.settings.releases:
            yield from self._listing(name, "releases", partial(self._fetch_releases, name))
        if self.settings.stars:
            yield from self._listing(name, "stars", partial(self._fetch_stars, name))

    def _state(self, name: str) -> Json:
        return dict(self.progress.extra["repositories"].get(name, {}))

    def _remember(self, name: str, **changes: object) -> None:
        """Keep something of a repository; earlier cursors stay as they were."""
        known = self.progress.extra["repositories"]
        self.progress.extra["repositories"] = {**known, name: {**known.get(name, {}), **changes}}

    def _counted(self, name: str, answer: Answer, today: str, *, is_first: bool) -> Page | None:
        """The record of the day, unless it has landed just so today."""
        content = {**answer.content, "_tracked_as": name}
        found_id, stars = str(content["id"]), content["stargazers_count"]
        if self._state(name).get("id", found_id) != found_id:
            # Another repository under an old name: nothing of it is known.
            known = self.progress.extra["repositories"]
            self.progress.extra["repositories"] = {k: v for k, v in known.items() if k != name}
            for kind in ("releases", "stars"):
                self.progress.walks.pop(f"{kind} {name}", None)
        is_changed = is_first or self._state(name).get("digest") != digest(content)
        self._remember(name, id=found_id, stars=stars)
        if self.is_backfill:
            return None
        self._remember(name, day=today, etag=answer.headers.get("etag"), digest=digest(content))
        if not is_changed:
            return None
        notes = []
        if str(content["full_name"]).lower() != name:
            notes.append(
                f"{NAME}: {name} is {content['full_name']} now: correct the term or setting."
            )
        if stars > LISTED_STARS and self.settings.stars and is_first:
            notes.append(
                f"{NAME} {name}: of its {stars:,} stars GitHub lists the oldest {LISTED_STARS:,}; "
                "what came later is known from the daily counts alone."
            )
        record = Record(REPOSITORIES, found_id, content, answer.fetched_at)
        return Page([record], self.progress.cursor(), notes=notes)

    def _issues(self, name: str, today: str) -> Iterator[Page]:
        """Open issues, once a day: the record's own count holds pull requests too."""
        state = self._state(name)
        if state.get("issues_day") == today:
            return
        query = f"repo:{name} is:issue is:open"
        try:
            answer = self.get("/search/issues", {"q": query, "per_page": 1}, parse=check_issues)
        except FixError as error:
            if error.status != 422:
                raise
            # A search does not know every repository, such as one that has moved.
            note = f"{NAME} {name}: its issues cannot be counted. {error.message}"
            yield Page([], self.progress.cursor(), notes=[note])
            return
        self._remember(name, issues_day=today)
        counted = {key: answer.content.get(key) for key in ("total_count", "incomplete_results")}
        # The one issue that comes with the count is somebody's text, which nobody asked for.
        payload = {**counted, "_repository": state["id"], "_query": query}
        record = Record(ISSUES, f"{state['id']}|open_issues", payload, answer.fetched_at)
        yield Page([record], self.progress.cursor())

    def _listing(
        self, name: str, kind: str, fetch: Callable[[Json | None], Batch]
    ) -> Iterator[Page]:
        usual = f"{kind} {name}"
        key = window_key(usual, self.context.since, self.context.until)
        once = partial(self._listing_once, key, usual, fetch)
        yield from and_what_came_since(self.progress, key, once, is_backfill=self.is_backfill)

    def _listing_once(
        self, key: str, usual: str, fetch: Callable[[Json | None], Batch]
    ) -> Iterator[Page]:
        for batch in walk_listing(
            self.progress.walk(key),
            self.progress.seen,
            fetch,
            latest=latest_second(self.context),
            max_pages=self.settings.max_pages,
            what=f"{NAME} {usual}",
        ):
            if batch.reached and key != usual:
                del self.progress.walks[key]
            yield self.progress.page(batch)

    def _fetch_releases(self, name: str, resume: Json | None) -> Batch:
        number = int((resume or {}).get("page", 1))
        state = self._state(name)
        pages = state.get("releases", {})
        known = {} if self.is_backfill else pages.get(str(number), {})
        answer = self.get(
            f"{_route(name)}/releases",
            {"per_page": self.settings.page_size, "page": number},
            parse=partial(check_releases, page=number),
            etag=known.get("etag"),
        )
        if answer.status == 304:
            following = {"page": number + 1} if known.get("has_next") else None
            # A position of its own, lest pages without news look like a circle.
            return Batch([], {f"unchanged page {number}": 0}, following, following is None)
        has_next = page_of(answer, "next") is not None
        if not self.is_backfill:
            page = {"etag": answer.headers.get("etag"), "has_next": has_next}
            self._remember(name, releases={**pages, str(number): page})
        records: list[Record] = []
        rejects: list[Reject] = []
        positions: dict[str, int] = {}
        for item in answer.content:
            release_id = item.get("id") if isinstance(item, dict) else None
            if not isinstance(release_id, int) or isinstance(release_id, bool):
                rejects.append(Reject(RELEASES, repr(item), "a release has no id", name))
                continue
            second = epoch(item.get("published_at")) or epoch(item.get("created_at")) or 0
            positions[str(release_id)] = second
            if self._is_wanted(second):
                payload = {**item, "_repository": state["id"]}
                records.append(Record(RELEASES, str(release_id), payload, answer.fetched_at))
        following = {"page": number + 1} if has_next else None
        return Batch(records, positions, following, following is None, rejects)

    def _fetch_stars(self, name: str, resume: Json | None) -> Batch:
        """A page of stars, from the newest back; see `Stars`."""
        state = self._state(name)
        usual = f"stars {name}"
        stars = Stars.begin(
            resume,
            known_until=self.progress.walk(usual).done,
            since=self.context.since,
            overlap_hours=self.settings.star_overlap_hours,
            count=state["stars"],
            page_size=self.settings.page_size,
            now=self.context.clock.now(),
        )
        known = {} if self.is_backfill or resume else state.get("last_stars", {})
        etag = known.get("etag") if known.get("page") == stars.page else None
        while True:
            answer = self.get(
                f"{_route(name)}/stargazers",
                {"per_page": self.settings.page_size, "page": stars.page},
                parse=partial(check_stars, page=stars.page),
                accept=_DATED,
                etag=etag,
            )
            last = page_of(answer, "last")
            if resume is not None or last is None or last <= stars.page:
                break
            # The count lags behind the list.
            stars.page, etag = last, None
        if not self.is_backfill and resume is None:
            last_stars = {"page": stars.page, "etag": answer.headers.get("etag")}
            self._remember(name, last_stars=last_stars)
        items = [] if answer.status == 304 else answer.content
        groups, rejects, is_end = stars.take(items, is_unchanged=answer.status == 304)
        records = [
            Record(
                STARS,
                f"{state['id']}|{text}",
                {"starred_at": text, "count": count, "_repository": state["id"]},
                answer.fetched_at,
            )
            for text, count in groups.items()
            if self._is_wanted(epoch(text) or 0)
        ]
        if is_end and stars.covered_until and not self.is_backfill:
            covered = {"covered_until": stars.covered_until, "_repository": state["id"]}
            record_id = f"{state['id']}|covered"
            records.append(Record(STARS, record_id, covered, answer.fetched_at))
        positions = {f"{text} page {stars.page}": epoch(text) or 0 for text in stars.met}
        positions[f"page {stars.page}"] = 0
        following = None if is_end else stars.resume()
        refused = [Reject(STARS, text, "starred_at is no instant", name) for text in rejects]
        return Batch(records, positions, following, is_end, refused)

    def found(self, query: str, names: list[str]) -> Iterator[Page]:
        """The repositories of a topic or search with the most stars, once a day."""
        today = f"{self.context.clock.now():%Y-%m-%d}"
        state = self.progress.extra["searched"].get(query, {})
        number = int(state.get("page", 1)) if state.get("day") == today else 1
        if state.get("day") == today and state.get("is_done"):
            return
        size = min(_FOUND_PAGE, self.settings.search_size)
        for _ in range(self.settings.max_pages):
            answer = self.get(
                "/search/repositories",
                {"q": query, "sort": "stars", "order": "desc", "per_page": size, "page": number},
                parse=check_found,
            )
            records, rejects, notes = [], [], []
            for item in answer.content["items"]:
                found_id = item.get("id") if isinstance(item, dict) else None
                if not isinstance(found_id, int) or isinstance(found_id, bool):
                    reject = Reject(REPOSITORIES, repr(item), "a repository has no id", query)
                    rejects += [reject] if self.progress.seen.is_new_reject(reject) else []
                    continue
                record = Record(REPOSITORIES, str(found_id), item, answer.fetched_at)
                # A tracked one has landed with its whole record.
                is_tracked = str(item.get("full_name", "")).lower() in names
                if not is_tracked and self.progress.seen.is_new(record):
                    records.append(record)
            if answer.content.get("incomplete_results"):
                notes.append(f"{NAME} {query!r}: GitHub's search timed out, some are missing.")
            is_last = page_of(answer, "next") is None
            is_done = number * size >= self.settings.search_size or is_last
            number += 1
            # Nothing found is no answer for the whole day.
            is_answered = bool(answer.content["items"])
            reached = {
                "day": today,
                "page": number if is_answered else 1,
                "is_done": is_done and is_answered,
            }
            searched = self.progress.extra["searched"]
            self.progress.extra["searched"] = {**searched, query: reached}
            yield Page(records, self.progress.cursor(), rejects, notes)
            if is_done:
                return

    def _is_wanted(self, second: int) -> bool:
        """Whether an instant lies in the window of a backfill; always without one."""
        instant = datetime.fromtimestamp(second, UTC)
        since, until = self.context.since, self.context.until
        return not (
            (since is not None and instant < since) or (until is not None and instant >= until)
        )


def _route(name: str) -> str:
    return f"/repos/{quote(name, safe='/')}"


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One request a repository for the count of its stars, which decides the rest."""
    names, queries = _asked(settings, context)
    progress = Progress.of(cursor, source=NAME)
    planned = []
    token = context.environment.get(TOKEN, "").strip()
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, progress)
        for name in names:
            body = reader.get(_route(name), parse=check_record).content
            state = progress.extra.get("repositories", {}).get(name, {})
            requests = 1 + settings.issues
            requests += max(1, len(state.get("releases", {}))) * settings.releases
            stars = min(int(body.get("stargazers_count") or 0), LISTED_STARS)
            if settings.stars:
                is_known = progress.walk(f"stars {name}").done is not None
                requests += 1 if is_known else -(-stars // settings.page_size)
            planned.append(_planned(name, requests, settings, bool(token)))
    for query in queries:
        requests = -(-settings.search_size // _FOUND_PAGE)
        planned.append(_planned(query, requests, settings, bool(token)))
    return planned


def _planned(what: str, requests: int, settings: Settings, has_token: bool) -> Planned:
    minutes = requests * settings.pace_s / 60
    if not has_token:
        minutes = max(minutes, requests // _WITHOUT_TOKEN * 60)
    basis = "counted by GitHub" if has_token else f"{_WITHOUT_TOKEN} requests an hour without token"
    return Planned(what, requests, minutes=minutes, basis=basis)


def probe(settings: Settings, context: Context) -> Probe:
    """Ask for the rate limit, which costs none of it."""
    try:
        _asked(settings, context)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, Progress())
        try:
            reader.get("/rate_limit", parse=lambda answer: len(answer.body))
        except FixError as error:
            is_refused = error.status in (401, 403)
            return Probe(
                is_configured=True,
                is_reachable=error.status != 0,
                is_authorised=False if is_refused else None,
                message=str(error),
            )
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=str(error))
    hint = "" if reader.token else f"Without {TOKEN} GitHub grants {_WITHOUT_TOKEN} requests/hour."
    return Probe(is_configured=True, is_reachable=True, is_authorised=True, message=hint)

"""Mastodon: timelines of hashtags on several servers, and what became of their statuses.

A timeline is read from its newest status downwards until what was read last time, less an overlap
for statuses that reach a server late. A day after a status was published it is read once more, for
its counts, its edits, and whether it is gone. Only public statuses land, and none of an account
that asks to be left alone: `noindex`, or #nobot, #noindex, #noarchive in its profile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import AfterValidator, Field

from extract._live import (
    LiveSettings,
    Planned,
    Probe,
    check_own_url,
    latest_second,
    open_http,
    seconds,
)
from extract._outcomes import Answer, FixError, RetryError, parse_json
from extract._queries import catalogue_terms
from extract._state import (
    Batch,
    Progress,
    Walk,
    and_what_came_since,
    each_on_its_own,
    one_after_the_other,
    walk_listing,
    window_key,
)
from extract.base import (
    Context,
    Cursor,
    Deletion,
    ExtractError,
    Json,
    Page,
    ReadDeletion,
    Record,
    Reject,
)

if TYPE_CHECKING:
    from extract._http import Http

NAME = "mastodon"
STREAMS: tuple[tuple[str, str], ...] = (("mastodon", "statuses"), ("mastodon", "deletions"))
POSTS_STREAM = "statuses"
IS_SIMULATED = False
CREDENTIALS: tuple[str, ...] = ()
"""None is needed. A server that asks for a login takes a token from the variable that
`token_variable` names."""

STATUSES, GONE = "mastodon/statuses", "mastodon/deletions"
_PAGE_STATUSES = 20
_PENDING_LIMIT = 400
"""Statuses of a server that wait for their second reading; of more, the newest are kept."""
_VOLATILE = ("account", "card", "filtered", "favourited", "reblogged", "muted", "bookmarked")
"""Changes though the status does not; it lands with what does."""
_OPT_OUT = re.compile(r"#(?:nobot|noindex|noarchive|nobots)\b", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>")
_TAG = re.compile(r"[\w·]*[^\W\d][\w·]*")


def _check_template(url: str) -> str:
    return check_own_url(url.replace("{instance}", "mastodon.example")) and url.rstrip("/")


class Settings(LiveSettings):
    """`[sources.mastodon]`. Without `tags` the catalogue's hashtags and its keywords of one word.

    `instances` are servers by name; `base_url` is how their addresses are made. `first_days` is how
    far back the first pull goes, `overlap_hours` how far each pull reads again; a status is read
    once more after `refresh_after_hours`, at most `refresh_statuses` of a server in a run.
    """

    instances: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:\d+)?$")], ...] = (
        "mastodon.social",
    )
    base_url: Annotated[str, AfterValidator(_check_template)] = "https://{instance}"
    tags: tuple[str, ...] = ()
    first_days: Annotated[int, Field(ge=1, le=10_000)] = 7
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 6
    page_size: Annotated[int, Field(ge=2, le=40)] = 40
    refresh_after_hours: Annotated[int, Field(ge=0)] = 24
    refresh_statuses: Annotated[int, Field(ge=0)] = 100
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 1.0


def token_variable(instance: str) -> str:
    """The environment variable of a server's token, which few servers need."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in instance).upper()
    return f"SOCIAL_SIGNALS_MASTODON_{plain}_TOKEN"


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield statuses that are new or changed since the cursor, server by server."""
    tags = _tags(settings, context)
    instances = _instances(settings)
    progress = Progress.of(cursor, source=NAME, without=_VOLATILE)
    names = [f"{instance} #{tag}" for instance in instances for tag in tags]
    keys = [window_key(name, context.since, context.until) for name in names]
    progress.keep_only([*names, *keys])
    parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
        (instance, partial(_pull_instance, settings, context, progress, instance, tags))
        for instance in instances
    ]
    yield from each_on_its_own(parts, source=NAME)


def _instances(settings: Settings) -> list[str]:
    if not settings.instances:
        raise FixError(f"{NAME}: there is no server to ask.", "Set sources.mastodon.instances.")
    return list(dict.fromkeys(instance.lower() for instance in settings.instances))


def _tags(settings: Settings, context: Context) -> list[str]:
    own = [tag.lstrip("#") for tag in settings.tags]
    for tag in own:
        if not _TAG.fullmatch(tag):
            raise FixError(
                f"{NAME}: {tag!r} is no hashtag.",
                "Write letters, digits and _ in sources.mastodon.tags, at least one letter.",
            )
    terms = own or [
        term.lstrip("#") for term in catalogue_terms(context.catalogue, ("hashtag", "keyword"))
    ]
    tags = list(dict.fromkeys(term.lower() for term in terms if _TAG.fullmatch(term)))
    if not tags:
        raise FixError(
            f"{NAME}: there is no hashtag to read.",
            "Add hashtags to terms.csv, or set sources.mastodon.tags.",
        )
    return tags


@contextmanager
def _open(settings: Settings, context: Context, instance: str) -> Iterator[_Server]:
    url = settings.base_url.replace("{instance}", instance)
    variable = token_variable(instance)
    token = context.environment.get(variable, "").strip()
    with open_http(
        settings,
        context,
        source=NAME,
        allowed=[url],
        secrets=[token] if token else [],
        credentials=(variable,),
    ) as http:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        yield _Server(http, settings, context, instance, url, headers)


def _pull_instance(
    settings: Settings, context: Context, progress: Progress, instance: str, tags: list[str]
) -> Iterator[Page]:
    with _open(settings, context, instance) as server:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = []
        for tag in tags:
            name = f"{instance} #{tag}"
            key = window_key(name, context.since, context.until)
            walk_once = partial(server.walk, progress, tag, name, key)
            is_backfill = key != name
            pages = partial(and_what_came_since, progress, key, walk_once, is_backfill=is_backfill)
            parts.append((name, pages))
        if context.since is None and context.until is None:
            parts.append((f"{instance} statuses", partial(server.refresh, progress)))
        yield from one_after_the_other(parts, source=NAME)


@dataclass(frozen=True, slots=True)
class _Server:
    """One server to ask."""

    http: Http
    settings: Settings
    context: Context
    name: str
    url: str
    headers: Mapping[str, str]

    def walk(self, progress: Progress, tag: str, name: str, key: str) -> Iterator[Page]:
        walk = progress.walk(key)
        # Fixed for the walk, also for the run that takes it up again after a stop.
        floor = int((walk.resume or {}).get("floor", self.floor(walk)))
        for batch in walk_listing(
            walk,
            progress.seen,
            partial(self._fetch, tag, floor),
            latest=latest_second(self.context),
            max_pages=self.settings.max_pages,
            what=f"{NAME} {name}",
        ):
            if key == name:
                self._expect(progress, batch)
            elif batch.reached:
                del progress.walks[key]
            yield progress.page(batch)

    def floor(self, walk: Walk) -> int:
        """The first second that a walk has to reach."""
        if self.context.since is not None:
            return seconds(self.context.since) or 0
        if walk.done is None:
            now = int(self.context.clock.now().timestamp())
            return max(0, now - self.settings.first_days * 86_400)
        return max(0, walk.done - self.settings.overlap_hours * 3600)

    def _fetch(self, tag: str, floor: int, resume: Json | None) -> Batch:
        """A page of a timeline: what is older than `max_id`."""
        max_id = (resume or {}).get("max_id")
        parameters: dict[str, str | int] = {"limit": self.settings.page_size}
        if max_id is not None:
            parameters["max_id"] = str(max_id)
        answer = self.http.get(
            f"{self.url}/api/v1/timelines/tag/{quote(tag, safe='')}",
            parameters,
            headers=self.headers,
            parse=partial(_parse_timeline, max_id=max_id),
        )
        self.http.settle(answer)
        records: list[Record] = []
        positions: dict[str, int] = {}
        rejects: list[Reject] = []
        until = seconds(self.context.until)
        for status in answer.content:
            if isinstance(status, dict) and not is_wanted(status):
                continue
            status_id, position = _id_of(status), _position(status)
            if status_id is None or position is None:
                problem = "it has no usable id" if status_id is None else "created_at is no instant"
                rejects.append(Reject(STATUSES, repr(status), problem, tag))
                continue
            record = self._record(status_id, status, answer.fetched_at)
            positions[record.record_id] = position
            if (until is None or position < until) and (
                self.context.since is None or position >= floor
            ):
                records.append(record)
        all_positions = [p for p in map(_position, answer.content) if p is not None]
        following = _older(answer, max_id, until, all_positions)
        reached = following is None or (bool(all_positions) and min(all_positions) < floor)
        resume = None if following is None else {"max_id": following, "floor": floor}
        return Batch(records, positions, resume, reached, rejects)

    def _record(self, status_id: str, status: Json, fetched_at: datetime) -> Record:
        payload = {**status, "_instance": self.name, "_author": _author(status, self.name)}
        return Record(STATUSES, f"{self.name}|{status_id}", payload, fetched_at)

    def _expect(self, progress: Progress, batch: Batch) -> None:
        """Remember which statuses are to be read once more, oldest first."""
        now = int(self.context.clock.now().timestamp())
        known = progress.extra.get("pending", {})
        done_to = progress.extra.get("refreshed_to", {}).get(self.name, -1)
        pending = dict(known.get(self.name, {}))
        for record_id, position in batch.positions.items():
            if position > done_to:
                pending.setdefault(record_id.partition("|")[2], min(position, now))
        ordered = sorted(pending.items(), key=lambda entry: (entry[1], entry[0]))
        progress.extra["pending"] = {**known, self.name: dict(ordered[-_PENDING_LIMIT:])}

    def refresh(self, progress: Progress) -> Iterator[Page]:
        """Read statuses that were published long enough ago; those that are gone are told."""
        due_before = self.context.clock.now().timestamp()
        due_before -= self.settings.refresh_after_hours * 3600
        pending = progress.extra.get("pending", {}).get(self.name, {})
        due = [(status_id, position) for status_id, position in pending.items()]
        due = [(status_id, position) for status_id, position in due if position <= due_before]
        due = due[: self.settings.refresh_statuses]
        for start in range(0, len(due), _PAGE_STATUSES):
            records: list[Record] = []
            stopped: ExtractError | None = None
            for status_id, position in due[start : start + _PAGE_STATUSES]:
                try:
                    found = self._status(status_id)
                except ExtractError as error:
                    # What was fetched lands with this page; the rest stays pending.
                    stopped = error
                    break
                del pending[status_id]
                done_to = progress.extra.get("refreshed_to", {})
                furthest = max(position, done_to.get(self.name, -1))
                progress.extra["refreshed_to"] = {**done_to, self.name: furthest}
                if progress.seen.is_new(found):
                    records.append(found)
            if records:
                yield Page(records, progress.cursor())
            if stopped is not None:
                raise stopped
        if due:
            yield Page([], progress.cursor())

    def _status(self, status_id: str) -> Record:
        """A status as it is now, or the news that it is gone."""
        url = f"{self.url}/api/v1/statuses/{quote(status_id, safe='')}"
        parse = partial(_parse_status, status_id=status_id)
        try:
            answer = self.http.get(url, headers=self.headers, parse=parse)
        except FixError as error:
            if _is_gone(error):
                return self._gone(status_id, "gone")
            raise
        self.http.settle(answer)
        if not is_wanted(answer.content):
            return self._gone(status_id, "not_public")
        return self._record(status_id, answer.content, answer.fetched_at)

    def _gone(self, status_id: str, reason: str) -> Record:
        now = self.context.clock.now()
        payload = {
            "id": status_id,
            "_instance": self.name,
            "reason": reason,
            "seen_at": now.astimezone(UTC).isoformat(),
        }
        return Record(GONE, f"{self.name}|{status_id}", payload, now)

    def count(self, tag: str, floor: int) -> int | None:
        """Statuses under a tag since a second, by the server's own count of the last days."""
        url = f"{self.url}/api/v1/tags/{quote(tag, safe='')}"
        answer = self.http.get(url, headers=self.headers)
        self.http.settle(answer)
        history = answer.content.get("history") if isinstance(answer.content, dict) else None
        if not isinstance(history, list):
            return None
        days = [day for day in history if isinstance(day, dict)]
        since = floor - floor % 86_400
        try:
            return sum(int(day["uses"]) for day in days if int(day["day"]) >= since)
        except (KeyError, TypeError, ValueError):
            return None


def _is_gone(error: FixError) -> bool:
    """Whether the API itself says that a status is not there; any other 404 is an address that
    leads nowhere, such as a page of a proxy."""
    try:
        content = json.loads(error.body)
    except ValueError:
        return False
    is_told = isinstance(content, dict) and isinstance(content.get("error"), str)
    return error.status in (404, 410) and is_told


def is_wanted(status: Json) -> bool:
    """Whether a status is public and its author does not ask to be left alone; of a boost, both
    the boost and what it passes on."""
    if status.get("visibility", "public") != "public":
        return False
    account = status.get("account")
    if isinstance(account, dict):
        note = account.get("note")
        # Names of fields stand beside the note in a profile, and both are where people ask.
        told = [note, *(_listed_texts(account.get("fields")))]
        words = _MARKUP.sub("", " ".join(text for text in told if isinstance(text, str)))
        if account.get("noindex") is True or _OPT_OUT.search(words):
            return False
    boosted = status.get("reblog")
    return not isinstance(boosted, dict) or is_wanted(boosted)


def _listed_texts(fields: object) -> list[object]:
    if not isinstance(fields, list):
        return []
    return [value for field in fields if isinstance(field, dict) for value in field.values()]


def _parse_timeline(answer: Answer, *, max_id: str | None) -> Any:  # noqa: ANN401 - as received
    """A list of statuses older than asked; a cache may answer another question."""
    content = parse_json(answer)
    if not isinstance(content, list):
        raise RetryError(
            f"{NAME}: the answer holds no list of statuses.",
            "Run again; if it stays, check sources.mastodon.instances.",
        )
    if max_id is not None and max_id.isdigit():
        ids = [_id_of(status) for status in content]
        if any(found.isdigit() and int(found) >= int(max_id) for found in ids if found):
            raise RetryError(
                f"{NAME}: the answer holds statuses of another page than asked for.",
                "Run again; if it stays, a cache before the server ignores the query.",
            )
    return content


def _parse_status(answer: Answer, *, status_id: str) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    if not isinstance(content, dict) or _id_of(content) != status_id:
        raise RetryError(
            f"{NAME}: the answer is not the status {status_id} that was asked for.",
            "Run again; if it stays, check sources.mastodon.instances.",
        )
    return content


def _older(
    answer: Answer, max_id: str | None, until: int | None, positions: list[int]
) -> str | None:
    """The id below which the next page begins, None at the end."""
    ids = [found for found in map(_id_of, answer.content) if found]
    if not ids:
        return None
    are_numbers = all(found.isdigit() for found in ids)
    following = _linked(answer) or (min(ids, key=int) if are_numbers else ids[-1])
    if following == max_id:
        return None
    if until is not None and positions and min(positions) > until and are_numbers:
        # Ids of Mastodon hold their time: a backfill need not read what is too young.
        made = {int(found) >> 16: found for found in ids}
        is_timed = all(abs(at / 1000 - max(positions)) < 30 * 86_400 for at in made)
        if is_timed and following.isdigit():
            return str(min(int(following), (until * 1000) << 16))
    return following


def _linked(answer: Answer) -> str | None:
    """`max_id` of the `Link` header's next page."""
    for part in answer.headers.get("link", "").split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            given = parse_qs(urlsplit(address.strip(" <>")).query).get("max_id", [""])[0]
            return given or None
    return None


def _id_of(status: object) -> str | None:
    found = status.get("id") if isinstance(status, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and found.strip() and "|" not in found else None


def _author(status: Json, instance: str) -> str | None:
    """The author's name with the server, which an account leaves out at home."""
    account = status.get("account")
    name = account.get("acct") if isinstance(account, dict) else None
    if not isinstance(name, str) or not name.strip():
        return None
    name = name.strip().lower()
    return name if "@" in name else f"{name}@{instance}"


def _position(status: object) -> int | None:
    text = status.get("created_at") if isinstance(status, dict) else None
    instant = _instant(text)
    return None if instant is None else int(instant.timestamp())


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.timestamp() >= 0 else None


def _deletion(payload: Json) -> Deletion | None:
    instance, status_id = payload.get("_instance"), payload.get("id")
    seen_at = _instant(payload.get("seen_at"))
    if not isinstance(instance, str) or not isinstance(status_id, str) or seen_at is None:
        return None
    return Deletion(f"{instance}|{status_id}", None, seen_at)


DELETIONS: dict[str, ReadDeletion] = {"deletions": _deletion}


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One request a tag and server: servers tell how often a tag was used in the last days."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    for instance in _instances(settings):
        with _open(settings, context, instance) as server:
            for tag in _tags(settings, context):
                name = f"{instance} #{tag}"
                walk = progress.walk(window_key(name, context.since, context.until))
                found = server.count(tag, server.floor(walk))
                requests = 1 if found is None else found // settings.page_size + 2
                planned.append(
                    Planned(
                        name,
                        requests,
                        {} if found is None else {"statuses": found},
                        minutes=requests * max(settings.pace_s, 0.5) / 60,
                        basis="not told by the server"
                        if found is None
                        else "counted by the server, the last 7 days at most",
                    )
                )
        waiting = len(progress.extra.get("pending", {}).get(instance, {}))
        again = min(waiting, settings.refresh_statuses)
        if again:
            minutes = again * max(settings.pace_s, 0.5) / 60
            planned.append(
                Planned(f"{instance} statuses", again, minutes=minutes, basis="one each")
            )
    return planned


def probe(settings: Settings, context: Context) -> Probe:
    """Ask every server for one status."""
    try:
        tags, instances = _tags(settings, context), _instances(settings)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    for instance in instances:
        try:
            with _open(settings, context, instance) as server:
                answer = server.http.get(
                    f"{server.url}/api/v1/timelines/tag/{quote(tags[0], safe='')}",
                    {"limit": 1},
                    headers=server.headers,
                    parse=partial(_parse_timeline, max_id=None),
                )
                server.http.settle(answer)
        except FixError as error:
            is_refused = error.status in (401, 403)
            return Probe(
                is_configured=True,
                is_reachable=error.status != 0,
                is_authorised=False if is_refused else None,
                message=f"{instance}: {error}",
            )
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=f"{instance}: {error}")
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)

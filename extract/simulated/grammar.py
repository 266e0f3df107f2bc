"""Turns a polarity into words: frames are expanded, decorated and roughened.

The polarity (1, 0, -1) is decided elsewhere from the latent mood; this module only writes. The
same frame with other fillers, aspects, emoji, tags and typos gives many thousands of texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from extract.base import ExtractError, Product
from extract.simulated import phrases
from extract.simulated.draws import Dice, cumulate
from extract.simulated.languages import LANGUAGE_WEIGHTS, OTHER_LANGUAGES

POSITIVE, NEUTRAL, NEGATIVE = 1, 0, -1

_SLOT = re.compile(r"\{(\w+)\}")
_SOFTWARE = re.compile(
    r"\b(ai|app|apps|analytics|chat\w*|checkout|cloud|data|platform|saas|service|software|tools?)\b",
    re.IGNORECASE,
)
_ASPECT_SLOTS = {"good", "bad", "plain"}
_FRAMES = {
    POSITIVE: phrases.POSITIVE,
    NEUTRAL: phrases.NEUTRAL,
    NEGATIVE: phrases.NEGATIVE,
}
_TWO_PRODUCTS = {
    POSITIVE: phrases.TWO_PRODUCTS_GOOD,
    NEUTRAL: phrases.TWO_PRODUCTS_PLAIN,
    NEGATIVE: phrases.TWO_PRODUCTS_BAD,
}
_TITLES = {
    POSITIVE: phrases.TITLES_GOOD,
    NEUTRAL: phrases.TITLES_PLAIN,
    NEGATIVE: phrases.TITLES_BAD,
}
_EMOJI = {
    POSITIVE: phrases.EMOJI_GOOD,
    NEUTRAL: phrases.EMOJI_ANY,
    NEGATIVE: phrases.EMOJI_BAD,
}
_LANGUAGE_KEYS = {POSITIVE: "positive", NEUTRAL: "neutral", NEGATIVE: "negative"}
_LANGUAGES = tuple(LANGUAGE_WEIGHTS)
_LANGUAGE_CUMULATIVE = cumulate(tuple(LANGUAGE_WEIGHTS.values()))
_SARCASM_RATIO = 0.09  # of the negative ones: about 3 % of all
_MIXED_RATIO = 0.05
_TWO_PRODUCTS_RATIO = 0.05
_TAG_CHARACTERS = re.compile(r"[^\w]+")


@cache
def _parts(frame: str) -> tuple[tuple[bool, str], ...]:
    """(is a slot, text) pieces of a frame."""
    pieces = _SLOT.split(frame)
    return tuple((index % 2 == 1, piece) for index, piece in enumerate(pieces) if piece)


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


class Voice:
    """How a product is written about: its mentions and the aspects that fit its category."""

    def __init__(self, product: Product) -> None:
        def terms(kind: str) -> tuple[str, ...]:
            found = (term.strip() for term in product.terms.get(kind, ()))
            return tuple(term for term in found if term.strip("#@$ "))

        words = tuple(self._display(term, product) for term in terms("keyword"))
        tags = tuple("#" + _TAG_CHARACTERS.sub("", term) for term in terms("hashtag"))
        cash = tuple("$" + term.strip("$ ") for term in terms("cashtag"))
        handles = tuple("@" + term.strip("@ ") for term in terms("handle"))
        groups = [(words, 0.66), (tags, 0.15), (handles, 0.13), (cash, 0.06)]
        used = [(group, weight) for group, weight in groups if group]
        if not used:
            raise ExtractError(
                f"terms.csv: product {product.product_id!r} has no term that a post could use.",
                "Add a line of kind keyword, hashtag, cashtag or handle.",
            )
        self.groups = tuple(group for group, _ in used)
        self.cumulative = cumulate([weight for _, weight in used])
        # Reddit and reviews have no cashtags and handles: words first, whatever there is else.
        self.plain = words or self.groups[0]
        self.exclusions = terms("exclusion")
        self.handles = tuple(handle[1:] for handle in handles)
        is_software = _SOFTWARE.search(f"{product.category} {product.product_name}")
        aspects = phrases.SOFTWARE_ASPECTS if is_software else phrases.GOODS_ASPECTS
        self.aspects = tuple(aspects.values())

    @staticmethod
    def _display(term: str, product: Product) -> str:
        """The spelling of a keyword: as in the product's or brand's name where it occurs there."""
        for name in (product.product_name, product.brand):
            position = name.lower().find(term.lower())
            found = name[position : position + len(term)]
            if position >= 0 and found.lower() == term.lower():
                return found
        return term


class Writer:
    """Writes texts with the given dice."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def mention(self, voice: Voice) -> str:
        group = self.dice.pick_weighted(voice.groups, voice.cumulative)
        return self.dice.pick(group)

    def plain_mention(self, voice: Voice) -> str:
        return self.dice.pick(voice.plain)

    def expand(self, frame: str, fill: Mapping[str, str], voice: Voice) -> str:
        """The frame with every slot filled, slots inside fillers included."""
        found = []
        for is_slot, piece in _parts(frame):
            if not is_slot:
                found.append(piece)
            elif piece in fill:
                found.append(fill[piece])
            else:
                found.append(self._fill(piece, fill, voice))
        return "".join(found)

    def _fill(self, slot: str, fill: Mapping[str, str], voice: Voice) -> str:
        name = slot.removesuffix("_cap")
        if name in _ASPECT_SLOTS:
            options: Sequence[str] = self.dice.pick(voice.aspects)[name]
        else:
            options = phrases.WORDS[name]
        text = self.expand(self.dice.pick(options), fill, voice)
        return _capitalise(text) if name != slot else text

    def opinion(self, polarity: int, voice: Voice, mention: str, other: str = "") -> str:
        """One or two sentences of the polarity; `other` is a second product to name."""
        luck = self.dice
        fill = {"p": mention, "q": other}
        if other:
            return self.expand(luck.pick(_TWO_PRODUCTS[polarity]), fill, voice)
        frames: Sequence[str] = _FRAMES[polarity]
        if polarity == NEGATIVE and luck.chance(_SARCASM_RATIO):
            frames = phrases.SARCASM
        elif polarity == NEUTRAL and luck.chance(4 * _MIXED_RATIO):
            frames = phrases.MIXED
        text = self.expand(luck.pick(frames), fill, voice)
        if polarity != NEUTRAL and luck.chance(0.30):
            closer = "{close_good}" if polarity == POSITIVE else "{close_bad}"
            text = f"{text} {self.expand(closer, fill, voice)}"
        elif luck.chance(0.06):
            text = f"{text} {_capitalise(self.expand('{plain}.', fill, voice))}"
        return text

    def long_opinion(self, polarity: int, voice: Voice, mention: str, sentences: int) -> str:
        """Several sentences, most of the polarity, some of none, at most one of the opposite."""
        good, bad = "On the plus side, {good}.", "On the other hand, {bad}."
        clauses = {POSITIVE: ("{good_cap}.", bad), NEGATIVE: ("{bad_cap}.", good)}
        usual, turn = clauses.get(polarity, ("{plain_cap}.", self.dice.pick((good, bad))))
        texts = [self.opinion(polarity, voice, mention)]
        has_turned = False
        for _ in range(sentences - 1):
            roll = self.dice.uniform()
            clause = "{plain_cap}." if roll < 0.15 else usual
            if roll > 0.85 and not has_turned:
                clause, has_turned = turn, True
            texts.append(self.expand(clause, {"p": mention}, voice))
        return " ".join(texts)

    def language(self) -> str:
        return self.dice.pick_weighted(_LANGUAGES, _LANGUAGE_CUMULATIVE)

    def foreign(self, language: str, polarity: int, mention: str) -> str:
        openers, verdicts, closers = OTHER_LANGUAGES[language][_LANGUAGE_KEYS[polarity]]
        luck = self.dice
        opener, verdict = luck.pick(openers), luck.pick(verdicts).replace("{p}", mention)
        closer = luck.pick(closers)
        if language == "ja":
            return f"{opener}{verdict}{closer}"
        end = "" if verdict.endswith("?") else luck.pick((".", "!", "."))
        return " ".join(part for part in (opener, verdict + end, closer) if part)

    def title(self, polarity: int, voice: Voice, mention: str) -> str:
        return self.expand(self.dice.pick(_TITLES[polarity]), {"p": mention}, voice)

    def decorate(self, text: str, polarity: int, tags: Sequence[str]) -> str:
        """Emoji (now and then the wrong ones), hashtags, a filler word."""
        luck = self.dice
        if luck.chance(0.10):
            filler = luck.pick(phrases.WORDS["filler"])
            text = f"{filler} {text}" if luck.chance(0.4) else f"{text} {filler}"
        if luck.chance(0.22):
            emoji = luck.pick(phrases.EMOJI_ANY if luck.chance(0.2) else _EMOJI[polarity])
            text = f"{text} {emoji * luck.pick((1, 1, 1, 2, 3))}"
        if luck.chance(0.16):
            text = f"{text} #{luck.pick(tags) if luck.chance(0.4) else luck.pick(phrases.HASHTAGS)}"
        return text

    def roughen(self, text: str, keep: Sequence[str]) -> str:
        """Typos, lost capitals and full stops, shouting, elongation; never inside `keep`."""
        luck = self.dice
        roll = luck.uniform()
        if roll < 0.24:
            text = _lower_except(text, keep if luck.chance(0.3) else ())
        elif roll < 0.255:
            text = text.upper()
        if luck.chance(0.18):
            text = text.rstrip(".")
        elif luck.chance(0.08):
            text = text.replace(".", luck.pick(("!", "!!", "...", "!!!")), 1)
        if luck.chance(0.08):
            text = self._with_typo(text, keep)
        if luck.chance(0.03):
            text = self._elongated(text, keep)
        return text

    def _with_typo(self, text: str, keep: Sequence[str]) -> str:
        words = text.split(" ")
        index = self.dice.below(len(words))
        word = words[index]
        if len(word) < 4 or not word.isalpha() or _touches(word, keep):
            return text
        at = 1 + self.dice.below(len(word) - 2)
        kind = self.dice.below(3)
        if kind == 0:
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif kind == 1:
            word = word[:at] + word[at + 1 :]
        else:
            word = word[:at] + word[at] + word[at:]
        words[index] = word
        return " ".join(words)

    def _elongated(self, text: str, keep: Sequence[str]) -> str:
        words = text.split(" ")
        index = self.dice.below(len(words))
        word = words[index]
        if _touches(word, keep):
            return text
        for vowel in "oaei":
            if vowel in word[1:] and word.isalpha():
                words[index] = word.replace(vowel, vowel * (3 + self.dice.below(4)), 1)
                break
        return " ".join(words)

    def off_topic(self, exclusion: str, voice: Voice) -> str:
        return self.expand(self.dice.pick(phrases.OFF_TOPIC), {"e": exclusion}, voice)

    def chatter(self, voice: Voice) -> str:
        """A sentence that mentions no product."""
        return self.expand(self.dice.pick(phrases.NO_MENTION), {}, voice)

    def spam(self, voice: Voice, mention: str, url: str) -> str:
        fill = {"p": mention, "url": url, "hot": self.dice.pick(phrases.HOT)}
        return self.expand(self.dice.pick(phrases.SPAM), fill, voice).strip()


def _touches(word: str, keep: Sequence[str]) -> bool:
    lowered = word.lower()
    return any(part in lowered for kept in keep for part in kept.lower().split() if part)


def _lower_except(text: str, keep: Sequence[str]) -> str:
    """The text in small letters; links stay as they are, since their letters count."""
    return " ".join(
        word if "://" in word or any(kept and kept in word for kept in keep) else word.lower()
        for word in text.split(" ")
    )

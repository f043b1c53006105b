"""Writes one text in one form, so that "CAFÉ (Retail) Ltd." and "cafe retail" are the same features.

What is kept matters as much as what goes: the words inside brackets stay ("(manufacture)" is the strongest hint
an index entry has), only the brackets go. A legal form says how a company is owned, not what it does, so it is
dropped, but only at the end of the text and never as its only word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Single tokens after punctuation is gone; dotted forms ("S.A.", "G.m.b.H.") are joined by `_DOTTED` first. Forms that
# are everyday words as well ("spa", "as", "ag", "kg", "lp") stay: losing the word costs more than keeping the form.
LEGAL_SUFFIXES = frozenset(
    """
    ltd limited plc llp cic cio cyf cyfyngedig inc incorporated corp corporation llc lllp pllc
    gmbh ohg sa sas sarl sasu srl bv nv vof oy pty pte
    """.split()  # noqa: SIM905 - a list of thirty quoted words is harder to read and to keep
)
# "co" and "company" are words of a trade name as well ("Water Company"): they go only before another suffix.
_BEFORE_SUFFIX = frozenset({"co", "company", "public"})

_DOTTED = re.compile(r"\b(?:\w\.){2,}(?=\W|$)")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2018\u2019\u02bc](?=\w)")
_NOT_WORD = re.compile(r"[\W_]+")
_MARKS = re.compile("[\u0300-\u036f]+")
_MAX_PASSES = 4


def normalise(text: str) -> str:
    """Return `text` folded to lower-case words separated by single spaces; `""` when nothing is left.

    Steps: Unicode NFKC with Latin accents removed, case fold, "&" read as "and", apostrophes inside words joined,
    brackets and other punctuation to spaces, legal suffixes at the end dropped. Idempotent: a normalised text
    comes back unchanged.
    """
    words = _NOT_WORD.sub(" ", _DOTTED.sub(_undot, _APOSTROPHE.sub("", _fold(text).replace("&", " and ")))).split()
    return " ".join(_without_suffix(words))


def normalise_all(texts: Iterable[str]) -> list[str]:
    """Return `[normalise(t) for t in texts]`."""
    return [normalise(text) for text in texts]


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Case folding can undo NFKC and the other way round (UTR 15), so repeat until nothing moves.
    for _ in range(_MAX_PASSES):
        bare = _MARKS.sub("", unicodedata.normalize("NFKD", text))
        folded = unicodedata.normalize("NFKC", bare.casefold())
        if folded == text:
            break
        text = folded
    return text


def _undot(match: re.Match[str]) -> str:
    return match.group().replace(".", "")


def _without_suffix(words: Sequence[str]) -> Sequence[str]:
    end = len(words)
    while end > 1 and words[end - 1] in LEGAL_SUFFIXES:
        end -= 1
        while end > 1 and words[end - 1] in _BEFORE_SUFFIX:
            end -= 1
    return words[:end]

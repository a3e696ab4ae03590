"""Did you mean: names that differ by case, punctuation or one letter."""

from collections.abc import Collection, Container, Iterable
from functools import lru_cache
from typing import Final

# Two-letter names are all one letter apart; such hints would be noise.
SHORTEST_TYPO: Final = 4
# A name longer than this is nobody's typo, and its forms would cost memory.
LONGEST_NAME: Final = 80
# Spellings of one name differ by a few underscores at most; comparing lengths first is nearly free.
MOST_DIFFERENCE: Final = 4
# An object with more keys than this is not searched for a slip.
MOST_KEYS: Final = 200
_PUNCTUATION: Final = str.maketrans("", "", "_-. ")


@lru_cache(maxsize=4096)
def forms(name: str) -> dict[str, None]:
    """The name without case and punctuation, then each way to leave out one letter; keys in a steady order.

    Two names that share a form are at most one letter left out, added, exchanged or swapped apart.
    """
    if len(name) > LONGEST_NAME:
        return {}
    bare = name.casefold().translate(_PUNCTUATION)
    if len(bare) < SHORTEST_TYPO:
        return {bare: None} if bare else {}
    return dict.fromkeys([bare, *(bare[:i] + bare[i + 1 :] for i in range(len(bare)))])


def slip_of(name: str, keys: Collection[str], planned: Container[str]) -> str | None:
    """The key that was probably meant to be `name`: one that is like it and that the plan does not know."""
    if len(keys) > MOST_KEYS:
        return None
    own = forms(name).keys()
    for key in keys:
        if key in planned or abs(len(key) - len(name)) > MOST_DIFFERENCE:
            continue
        if not own.isdisjoint(forms(key)):
            return key
    return None


class NearNames:
    """An index of names; a question costs the asked name's length, however many names there are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_bare: dict[str, str] = {}
        self._by_form: dict[str, str] = {}
        for name in names:
            for position, form in enumerate(forms(name)):
                self._by_form.setdefault(form, name)
                if position == 0:  # a difference of case and punctuation is nearer than a missing letter
                    self._by_bare.setdefault(form, name)

    def nearest(self, word: str) -> str | None:
        """The name that was probably meant, or None. Never the word itself."""
        asked = forms(word)
        for bare in asked:
            if (name := self._by_bare.get(bare, word)) != word:
                return name
            break
        for form in asked:
            if (name := self._by_form.get(form, word)) != word:
                return name
        return None


@lru_cache(maxsize=512)
def near_names(names: tuple[str, ...]) -> NearNames:
    """The index of these names, kept for the next question."""
    return NearNames(names)

"""How many callbacks get lost, by what became of the latest: a belief that each one changes.

One that is lost may be the one in two hundred that always is, or the first of an
outage. The next one tells which: two in a row are enough to believe that none come,
two or three that come to believe that most do, and some ten to rely on them again.
"""

import math
from dataclasses import dataclass

#: The shares that may get lost: hardly any, some of them, or all.
SHARES = (0.005, 0.25, 0.98)

#: What is believed of each before the first one: whoever asks for callbacks has made a way for them.
AT_FIRST = (0.98, 0.01, 0.01)

#: How often, per callback, one of these turns into another.
CHANGES = 1 / 2000


@dataclass(frozen=True)
class Losses:
    """What is believed of each of the SHARES; together it is 1."""

    beliefs: tuple[float, ...] = AT_FIRST

    @property
    def share(self) -> float:
        """The share of the next callbacks that gets lost, as a power of a half: so exactly it is known at best."""
        expected = sum(belief * share for belief, share in zip(self.beliefs, SHARES, strict=True))
        return math.ldexp(1.0, round(math.log2(expected)))

    def after(self, *, lost: bool) -> "Losses":
        """Return what is believed after one more callback that came or got lost (Bayes' rule)."""
        even = CHANGES / len(SHARES)
        before = [belief * (1 - CHANGES) + even for belief in self.beliefs]
        likely = [belief * (share if lost else 1 - share) for belief, share in zip(before, SHARES, strict=True)]
        return Losses(tuple(each / sum(likely) for each in likely))

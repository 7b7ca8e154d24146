"""Ideas for those who have a picture and no words for it: what is offered, and what Kie is then asked for.

What a person reads on the button stands in the catalogues as `idea-NAME`. What
Kie is asked for is the same in every language, so that an idea means the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PromptSuggestion:
    """A wish that suits most pictures."""

    name: str
    prompt: str


#: By a number that stays with the idea, because it stands behind buttons that are out in the world.
PROMPT_SUGGESTIONS: Mapping[int, PromptSuggestion] = {
    1: PromptSuggestion(
        "figure",
        "Make the main subject of this picture a collectible figure that stands on a round clear base on a desk. "
        "Behind it stands its packaging box, printed with the same character, and a screen that shows the figure "
        "being modelled in 3D. Realistic, indoors, soft daylight.",
    ),
    2: PromptSuggestion("snow", "Make it winter: fresh snow on every surface, falling snowflakes, a cold soft light."),
    3: PromptSuggestion("night", "Turn it into a night scene with warm artificial lights and a clear starry sky."),
    4: PromptSuggestion(
        "watercolour", "Repaint this picture as a loose watercolour on textured paper, keeping the composition."
    ),
    5: PromptSuggestion(
        "clean", "Remove the people in the background and whatever distracts, and fill in what was behind them."
    ),
    6: PromptSuggestion(
        "restore", "Restore this photo: remove scratches, stains and noise, bring back natural colours and detail."
    ),
}

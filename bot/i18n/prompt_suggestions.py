"""Suggested prompts for users who send an image without one.

The labels of their buttons are in the catalogues, as `idea-NAME`. The prompts are the same in every language, so that a
suggestion means the same everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PromptSuggestion:
    """A prompt that suits most images."""

    name: str
    prompt: str


#: The numbers are stored in buttons in users' chats and must not change.
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

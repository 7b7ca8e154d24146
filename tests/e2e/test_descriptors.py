"""A process that cannot open one more file still answers: all that it needs for that was read before it was ready."""

from tests.world import World, english, rows

#: Runs the bot, and takes its file descriptors away when it is ready, but for one: to ask Telegram for updates.
EXHAUSTED = """
import logging, os, resource, sys

class Exhaust(logging.Filter):
    def filter(self, record):
        if record.getMessage().startswith("ready: "):
            free = os.dup(0)
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, free + 1))
        return True

logging.getLogger("bot.app").addFilter(Exhaust())
from bot.__main__ import main
main(["run"])
"""


async def test_a_bot_without_a_free_descriptor_answers_in_every_language(world: World) -> None:
    bot = world.bot(command=("-c", EXHAUSTED))
    await bot.ready()
    people = {language: world.telegram.person(language_code=language) for language in ("en", "es", "ru", "zh", "fr")}
    for person in people.values():
        person.send_text("hello")
        person.send_text("/help")
    answers = {language: frozenset(await world.words(person.id, 2)) for language, person in people.items()}
    assert answers["en"] == answers["fr"] == {english("no-picture"), english("help")}
    assert len(set(answers.values())) == 4
    assert rows(world.database, "SELECT fault FROM inbox WHERE fault IS NOT NULL OR handled_at IS NULL") == []
    assert await bot.stop() == 0

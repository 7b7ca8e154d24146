"""A process that cannot open one more file still answers: all that it needs for that was read before it was ready."""

from tests.process_harness import ProcessHarness, query_database, render_english

#: Runs the bot, and takes its file descriptors away when it is ready, but for one: to ask Telegram for updates.
EXHAUSTING_SCRIPT = """
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


async def test_a_bot_without_a_free_descriptor_answers_in_every_language(world: ProcessHarness) -> None:
    bot = world.create_bot(command=("-c", EXHAUSTING_SCRIPT))
    await bot.start_until_ready()
    people = {language: world.telegram.person(language_code=language) for language in ("en", "es", "ru", "zh", "fr")}
    for person in people.values():
        person.send_text("hello")
        person.send_text("/help")
    answers = {language: frozenset(await world.wait_for_texts(person.id, 2)) for language, person in people.items()}
    assert answers["en"] == answers["fr"] == {render_english("no-picture"), render_english("help")}
    assert len(set(answers.values())) == 4
    assert (
        query_database(
            world.database,
            "SELECT quarantine_reason FROM inbox WHERE quarantine_reason IS NOT NULL OR handled_at IS NULL",
        )
        == []
    )
    assert await bot.stop() == 0

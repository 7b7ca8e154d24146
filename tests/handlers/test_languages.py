"""Every user is answered in the language of their app."""

from bot.i18n import sentence
from bot.sandbox.kie.tasks import failure
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo, render_english


async def test_a_person_is_spoken_to_in_their_language_from_the_first_word_to_the_last(house: BotHarness) -> None:
    person = house.telegram.person(user_id=1002, language_code="ru")
    house.kie.script_outcomes(failure("The input or output was flagged as sensitive."))
    person.send_photo(make_photo(), caption="пусть идёт снег")
    await house.receive_updates()
    await house.settle()
    assert house.progress_message(person.id)["text"] == sentence("got-it").translate("ru")
    await house.advance_time(60)
    assert house.sent_texts(person.id)[0].startswith("Модель")


async def test_somebody_whose_language_we_lack_is_spoken_to_in_english(house: BotHarness) -> None:
    person = house.telegram.person(user_id=1002, language_code="fi")
    person.send_text("/start")
    await house.receive_updates()
    await house.settle()
    assert house.sent_texts(person.id) == [render_english("start")]


async def test_an_admin_is_told_in_the_language_that_was_last_heard_from_them(house: BotHarness) -> None:
    admin = house.telegram.person(user_id=9009)
    admin.user["language_code"] = "es-MX"
    admin.send_text("/help")
    await house.receive_updates()
    house.kie.refuse_next_create(433, "cap")
    await house.request_edit(make_photo())
    assert sentence("admin-halt-cap").translate("es") in house.sent_texts(9009)


async def test_a_toast_and_a_button_are_in_the_persons_language(house: BotHarness) -> None:
    person = house.telegram.person(user_id=1002, language_code="zh-hans")
    person.send_photo(make_photo())
    await house.receive_updates()
    await house.settle()
    pressed = person.press_button(house.progress_message(person.id)["message_id"], "取消")
    await house.receive_updates()
    await house.settle()
    assert person.callback_answer(pressed) == {"text": sentence("toast-cancelled").translate("zh")}

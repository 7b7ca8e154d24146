"""Everybody is spoken to in the language of their app."""

from bot.sandbox.kie_tasks import fail
from bot.texts import sentence
from tests.house import House
from tests.world import a_photo, english


async def test_a_person_is_spoken_to_in_their_language_from_the_first_word_to_the_last(house: House) -> None:
    person = house.telegram.person(user_id=1002, language_code="ru")
    house.kie.script(fail("The input or output was flagged as sensitive."))
    person.send_photo(a_photo(), caption="пусть идёт снег")
    await house.receive()
    await house.settle()
    assert house.status(person.id)["text"] == sentence("got-it").into("ru")
    await house.pass_time(60)
    assert house.words(person.id)[0].startswith("Модель")


async def test_somebody_whose_language_we_lack_is_spoken_to_in_english(house: House) -> None:
    person = house.telegram.person(user_id=1002, language_code="fi")
    person.send_text("/start")
    await house.receive()
    await house.settle()
    assert house.words(person.id) == [english("start")]


async def test_an_admin_is_told_in_the_language_that_was_last_heard_from_them(house: House) -> None:
    admin = house.telegram.person(user_id=9009)
    admin.user["language_code"] = "es-MX"
    admin.send_text("/help")
    await house.receive()
    house.kie.refuse(433, "cap")
    await house.ask(a_photo())
    assert sentence("admin-halt-cap").into("es") in house.words(9009)


async def test_a_toast_and_a_button_are_in_the_persons_language(house: House) -> None:
    person = house.telegram.person(user_id=1002, language_code="zh-hans")
    person.send_photo(a_photo())
    await house.receive()
    await house.settle()
    pressed = person.press(house.status(person.id)["message_id"], "取消")
    await house.receive()
    await house.settle()
    assert person.answer_to(pressed) == {"text": sentence("toast-cancelled").into("zh")}

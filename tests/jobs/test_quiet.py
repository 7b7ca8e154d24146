"""Quiet in groups: a sign when a request is accepted, the uploading action, the picture, a sign at the end."""

from collections import Counter

import pytest

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import fail
from bot.sandbox.telegram.refusals import bad_request, too_many
from tests.group import SEEN, Friends, friends
from tests.house import House
from tests.world import a_photo, english

CUT_AFTER = Fault(Kind.CUT_AFTER)


@pytest.fixture
def here(house: House) -> Friends:
    """A supergroup."""
    return friends(house)


async def _asked(here: Friends) -> int:
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    return asked


async def test_an_edit_is_one_message_two_signs_and_the_action(here: Friends) -> None:
    asked = await _asked(here)
    assert here.signs(asked) == ["👀"]
    assert [call.method for call in here.calls()] == ["setMessageReaction"]
    await here.house.pass_time(40)
    assert here.signs(asked) == ["👌"]
    counted = Counter(call.method for call in here.calls())
    assert counted == {"setMessageReaction": 2, "sendChatAction": 1, "sendPhoto": 1}


async def test_what_is_left_out_of_an_album_is_said_with_the_picture(here: Friends) -> None:
    here.ada.send_photo(a_photo(), caption="/edit make it snow", album="7", chat=here.group)
    here.ada.send_other("video", album="7", chat=here.group)
    [answer] = await here.answered()
    assert answer["caption"] == english("answer-without-rest")
    assert Counter(call.method for call in here.calls())["sendMessage"] == 0


async def test_a_refusal_is_one_message_and_a_sign(here: Friends) -> None:
    here.house.kie.script(fail("The input or output was flagged as sensitive."))
    asked = await _asked(here)
    await here.house.pass_time(40)
    assert here.signs(asked) == ["🤷"]
    assert Counter(call.method for call in here.calls()) == {"setMessageReaction": 2, "sendMessage": 1}


async def test_what_takes_long_or_is_held_up_is_not_told_unasked(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    await _asked(here)
    await here.house.pass_time(3000)
    assert here.words() == []
    assert len(here.pictures()) == 1


async def test_what_is_taken_back_gets_a_sign(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    asked = await _asked(here)
    here.ada.send_text("/cancel", chat=here.group)
    await here.hear()
    await here.house.pass_time(5)
    assert here.signs(asked) == ["🫡"]
    assert here.words() == [english("taken-back", count=1)]


async def test_a_caption_that_is_edited_meanwhile_gets_no_further_sign(here: Friends) -> None:
    here.house.kie.refuse(433, "cap")
    asked = await _asked(here)
    for words in ("rain", "hail"):
        here.ada.edit_caption(asked, f"/edit make it {words}", chat=here.group)
        await here.hear()
    assert (await here.house.job()).request.prompt == "make it hail"
    await here.house.pass_time(400)
    await here.house.pass_time(60)
    assert here.signs(asked) == ["👌"]
    assert Counter(call.method for call in here.calls())["setMessageReaction"] == 2


async def test_an_order_in_doubt_is_asked_about_because_only_the_person_can_decide(here: Friends) -> None:
    here.house.kie.faults.add("createTask", CUT_AFTER)
    asked = await _asked(here)
    await here.house.pass_time(5)
    [question] = here.texts()
    assert question["text"] == english("doubt")
    assert question["reply_to_message"]["message_id"] == asked
    assert await here.press(here.grace, question["message_id"], "Try again") == english("toast-not-yours")
    assert await here.press(here.ada, question["message_id"], "Try again") == english("toast-again")
    await here.house.pass_time(60)
    assert here.words() == [], "the question goes once it is decided"
    assert len(here.pictures()) == 1


async def test_an_order_that_is_left_in_doubt_says_so_in_the_same_message(here: Friends) -> None:
    here.house.kie.faults.add("createTask", CUT_AFTER)
    asked = await _asked(here)
    await here.house.pass_time(5)
    await here.press(here.ada, here.texts()[0]["message_id"], "Leave it")
    await here.house.pass_time(5)
    assert here.words() == [english("doubt-left")]
    assert here.signs(asked) == ["🤷"]


async def test_however_slow_the_picture_is_the_action_is_shown_twice_at_most(
    here: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.deliver.SHOW_AGAIN_AFTER", 0.0)
    here.house.telegram.faults.always("sendPhoto", bad_request("PHOTO_INVALID"))
    await _asked(here)
    await here.house.pass_time(40)
    assert 1 <= len(here.calls("sendChatAction")) <= 2


async def test_a_second_try_to_send_shows_no_further_action(here: Friends) -> None:
    here.house.kie.faults.add("result", Fault(Kind.CUT_BEFORE), times=3)
    await _asked(here)
    await here.house.pass_time(60)
    assert len(here.pictures()) == 1
    assert 1 <= len(here.calls("sendChatAction")) <= 2


async def test_neither_does_one_that_telegram_put_off(here: Friends) -> None:
    here.house.telegram.faults.add("sendPhoto", too_many(20), times=3)
    await _asked(here)
    await here.house.pass_time(120)
    assert len(here.pictures()) == 1
    assert 1 <= len(here.calls("sendChatAction")) <= 2


async def test_a_sign_that_is_not_allowed_there_changes_nothing(here: Friends) -> None:
    here.house.telegram.faults.always("setMessageReaction", bad_request("REACTION_INVALID"))
    await _asked(here)
    await here.house.pass_time(40)
    assert len(here.pictures()) == 1
    assert len(here.calls("setMessageReaction")) == 2


async def test_more_answers_than_a_minute_allows_come_all_and_only_signs_are_dropped(here: Friends) -> None:
    here.house.telegram.cloud.enforce_limits = True
    here.house.kie.pay_in(1000)
    requests = 26
    for _ in range(requests):
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    for _ in range(20):
        await here.house.pass_time(20)
    assert len(here.pictures()) == requests
    sent = here.calls("sendPhoto", "sendMessage", "sendDocument")
    assert [call.error for call in sent if call.error] == [], "Telegram never had to say no"
    times = sorted(call.at for call in sent)
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[20:], strict=False))
    signs = here.calls("setMessageReaction")
    assert len(signs) < 2 * requests
    assert max(call.at - times[0] for call in signs) <= times[-1] - times[0] + 30
    assert Counter(call.method for call in here.calls())["sendMessage"] == 0


async def test_signs_do_not_use_up_the_messages_of_a_minute(here: Friends) -> None:
    for _ in range(15):
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    await here.house.pass_time(4)
    await here.house.pass_time(40)
    assert len(here.pictures()) == 15
    assert len(here.calls("setMessageReaction")) > 5


async def test_what_is_taken_back_at_once_gets_one_sign(here: Friends) -> None:
    asked = here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    here.ada.send_text("/cancel", chat=here.group)
    await here.hear()
    assert here.signs(asked) == ["🫡"]
    assert len(here.calls("setMessageReaction")) == 1


async def test_a_new_request_gets_no_sign_either_while_telegram_wants_to_be_left_alone(here: Friends) -> None:
    here.house.telegram.faults.add("sendPhoto", too_many(20))
    await _asked(here)
    await here.house.pass_time(22)
    [refused] = here.calls("sendPhoto")
    other = await _asked(here)
    assert here.signs(other) == []
    await here.house.pass_time(22)
    assert min(call.at for call in here.calls(*SEEN) if call.at > refused.at) >= refused.at + 20


async def test_signs_wait_while_telegram_wants_to_be_left_alone(here: Friends) -> None:
    here.house.telegram.faults.add("sendPhoto", too_many(20))
    asked = await _asked(here)
    await here.house.pass_time(60)
    [refused, taken] = here.calls("sendPhoto")
    quiet = [call for call in here.calls(*SEEN) if refused.at < call.at < refused.at + 20]
    assert [call.method for call in quiet if call.method != "sendChatAction"] == []
    assert taken.at >= refused.at + 20
    assert here.signs(asked) == ["👌"]


async def test_status_in_a_group_is_told_when_it_is_asked_for_and_kept_true(here: Friends) -> None:
    for _ in range(6):
        here.house.kie.refuse(433, "cap")
    for _ in range(5):
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    here.grace.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
    await here.hear()
    here.ada.send_text("/status", chat=here.group)
    await here.hear()
    await here.house.pass_time(8)
    told = here.texts()
    assert here.words().count(english("more-under-way", count=2)) == 1
    stands = [message for message in told if "reply_markup" in message]
    assert len(stands) == 3
    assert await here.press(here.grace, stands[0]["message_id"], "Cancel") == english("toast-not-yours")
    assert await here.press(here.ada, stands[0]["message_id"], "Cancel") == english("toast-cancelled")
    assert (await here.house.job(1)).state is State.CANCELLED
    for _ in range(25):
        await here.house.pass_time(100)
    assert len(here.pictures()) == 5
    left = [message["text"] for message in here.texts() if "more edits" not in message["text"]]
    assert left == [english("cancelled-here"), english("waiting-for-owner")], "the others went with their answers"

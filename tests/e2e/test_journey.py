"""The main job, from end to end over sockets, with the bot as a process."""

from tests.world import World, a_photo


async def test_a_photo_and_a_caption_come_back_as_an_edited_picture_in_reply(world: World) -> None:
    ada = world.telegram.person()
    await world.bot().ready()
    asked = ada.send_photo(a_photo(), caption="make it snow")
    [answer] = await world.pictures(ada.id)
    assert answer["reply_to_message"]["message_id"] == asked
    [task] = world.kie.tasks.values()
    assert task.prompt == "make it snow"

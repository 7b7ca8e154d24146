"""Where a picture was taken, and with what, never reaches Kie: a canary in every format that can carry one."""

import pytest

from tests.house import House
from tests.pictures.telling import TELLING


@pytest.mark.parametrize("content", TELLING.values(), ids=TELLING.keys())
async def test_what_a_file_tells_about_its_sender_stays_here(house: House, content: bytes) -> None:
    assert b"canary" in content
    house.ada.send_document(content, "canary.jpg", "application/octet-stream", caption="make it snow")
    await house.receive()
    await house.settle()
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs
    assert b"canary" not in b"".join(task.inputs)
    assert "canary.jpg" not in repr([call.body for call in house.kie.calls])

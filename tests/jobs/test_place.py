"""Where a picture was taken, and with what, never reaches Kie: a canary in every format that can carry one."""

import pytest

from tests.house import House
from tests.pictures.files import exif, saved
from tests.pictures.telling import TELLING

#: Already upright, so that there is nothing to do but to cut out what they tell.
UPRIGHT = {f"upright {kind}": saved(kind, exif=exif(1, camera="canary")) for kind in ("JPEG", "PNG", "WEBP")}
FILES = TELLING | UPRIGHT


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
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

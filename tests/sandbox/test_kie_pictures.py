"""The local Kie stores uploads, and really looks at the pictures of a task."""

import asyncio
import io
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie import LocalKie
from bot.sandbox.kie_inputs import NO_PICTURE, TOO_LARGE, UNREACHABLE
from bot.sandbox.kie_tasks import STUCK
from tests.sandbox.kie_asking import KEY, Asking, Clock, picture


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def asking(clock: Clock) -> AsyncIterator[Asking]:
    kie = LocalKie(key=KEY, clock=clock, duration=lambda: 0.0)
    await kie.start()
    async with aiohttp.ClientSession() as session:
        yield Asking(kie, session)
    await kie.stop()


async def failure(asking: Asking, *urls: str) -> str | None:
    """The failMsg of a task for these pictures."""
    task_id = await asking.ordered(*urls)
    await asking.prepared(task_id)
    shown = (await asking.look(task_id))["data"]
    return str(shown["failMsg"]) if shown["state"] == "fail" else None


async def test_an_upload_answers_in_the_recorded_shape(asking: Asking) -> None:
    data = picture()
    answer = await asking.upload(data, fileName="cat 1.jpg")
    assert list(answer) == ["success", "code", "msg", "data"]
    receipt = answer["data"]
    assert re.fullmatch(r"kieai/\d+/images/bot/cat 1\.jpg", receipt["filePath"])
    assert receipt["downloadUrl"] == f"{asking.kie.url}/{receipt['filePath'].replace(' ', '%20')}"
    assert (receipt["success"], receipt["fileSize"], receipt["mimeType"]) == (True, len(data), "image/jpeg")
    assert re.fullmatch(r"2025-10-09T\d\d:\d\d:\d\d\.000Z", receipt["uploadedAt"])


async def test_an_upload_without_a_name_gets_an_unguessable_one(asking: Asking) -> None:
    answer = await asking.upload(picture(), name="cat.webp")
    assert re.fullmatch(r"\d{13}-[0-9a-z]{11}\.webp", answer["data"]["fileName"])


async def test_uploaded_files_are_public(asking: Asking) -> None:
    url = await asking.uploaded(picture("blue"))
    assert await asking.fetch(url) == (200, "image/jpeg", picture("blue"))


async def test_the_same_name_overwrites(asking: Asking) -> None:
    answers = [await asking.upload(picture(colour), fileName="a.jpg") for colour in ("red", "blue")]
    first, second = (answer["data"]["downloadUrl"] for answer in answers)
    assert first == second
    assert (await asking.fetch(first))[2] == picture("blue")


async def test_uploads_expire_after_a_day_or_at_once(asking: Asking, clock: Clock) -> None:
    first = await asking.uploaded()
    clock.now += 24 * 3600 + 1
    second = await asking.uploaded()
    statuses = [(await asking.fetch(url))[0] for url in (first, second)]
    asking.kie.files.expire()
    assert [*statuses, (await asking.fetch(second))[0]] == [404, 200, 404]


async def test_an_upload_needs_a_path(asking: Asking) -> None:
    answer = await asking.upload(picture(), uploadPath="")
    assert answer == {"success": False, "code": 400, "msg": "Missing required parameter: uploadPath"}
    assert asking.kie.calls[0].status == 400


async def test_an_upload_needs_the_key(asking: Asking) -> None:
    answer = await Asking(asking.kie, asking.session, key="wrong").upload(picture())
    assert answer == {"success": False, "code": 401, "msg": "Authentication failed: Invalid API Key"}
    assert asking.kie.calls[0].status == 401


async def test_an_upload_that_is_no_form_is_refused(asking: Asking) -> None:
    answer = await asking.post("/api/file-stream-upload", {"uploadPath": "x"})
    assert (answer["success"], answer["msg"]) == (False, "Missing required parameter: file")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
async def test_these_kinds_are_accepted(asking: Asking, kind: str) -> None:
    assert await failure(asking, await asking.uploaded(picture(kind=kind))) is None


async def test_several_pictures_arrive_in_their_order(asking: Asking) -> None:
    sent = [picture(colour) for colour in ("red", "green", "blue")]
    task_id = await asking.ordered(*[await asking.uploaded(data) for data in sent])
    await asking.prepared(task_id)
    assert asking.kie.tasks[task_id].inputs == sent


@pytest.mark.parametrize("data", [b"no picture", b"", picture(kind="gif"), picture(size=(900, 600))[:-200]])
async def test_what_is_no_picture_makes_the_task_fail(asking: Asking, data: bytes) -> None:
    assert await failure(asking, await asking.uploaded(data)) == NO_PICTURE


async def test_a_cameras_double_picture_makes_the_task_fail(asking: Asking) -> None:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    first.save(out, "mpo", save_all=True, append_images=[second])
    assert await failure(asking, await asking.uploaded(out.getvalue())) == NO_PICTURE


async def test_more_than_ten_megabytes_make_the_task_fail(asking: Asking) -> None:
    limit = 10 * 1024 * 1024
    fitting = picture().ljust(limit, b"\0")
    assert await failure(asking, await asking.uploaded(fitting)) is None
    assert await failure(asking, await asking.uploaded(fitting + b"\0")) == TOO_LARGE


@pytest.mark.parametrize("url", ["http://192.0.2.1/a.png", "https://example.com/a.png", "http://127.0.0.1:9/a.png"])
async def test_what_cannot_be_fetched_makes_the_task_fail(asking: Asking, url: str) -> None:
    assert await failure(asking, url) == UNREACHABLE


async def test_only_addresses_of_this_machine_are_asked(asking: Asking) -> None:
    # Linux reaches a local server at 0.0.0.0 too, so it is the rule that refuses here, not the network.
    url = (await asking.uploaded()).replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - nothing binds to it
    assert await failure(asking, url) == UNREACHABLE


async def test_a_file_that_is_gone_makes_the_task_fail_without_cost(asking: Asking) -> None:
    url = await asking.uploaded()
    asking.kie.files.expire()
    assert await failure(asking, url) == UNREACHABLE
    assert asking.kie.credits == 100.0


async def test_a_redirect_is_not_followed(asking: Asking) -> None:
    target = await asking.uploaded()

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound(target)

    app = web.Application()
    app.add_routes([web.get("/a.png", elsewhere)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://localhost:{runner.addresses[0][1]}/a.png"
    assert await failure(asking, url) == UNREACHABLE
    await runner.cleanup()


async def test_a_fault_in_its_own_fetching_makes_the_task_fail(asking: Asking) -> None:
    asking.kie.faults.add("fetch", Fault(Kind.CUT_BEFORE))
    url = await asking.uploaded()
    assert [await failure(asking, url), await failure(asking, url)] == [UNREACHABLE, None]


async def test_fetching_that_hangs_keeps_the_task_running(asking: Asking, clock: Clock) -> None:
    asking.kie.faults.add("fetch", Fault(Kind.HANG))
    task_id = await asking.ordered()
    clock.now += 1000
    assert (await asking.look(task_id))["data"]["state"] == "generating"


async def test_a_test_can_end_a_task_when_it_likes(asking: Asking) -> None:
    asking.kie.script(STUCK)
    task_id = await asking.ordered()
    await asking.prepared(task_id)
    before = asking.kie.tasks[task_id].state
    waiting = asyncio.create_task(asking.kie.wait_for(lambda: asking.kie.tasks[task_id].state == "success"))
    asking.kie.finish(task_id)
    await waiting
    assert before == "waiting"

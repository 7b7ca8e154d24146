"""The local Kie stores uploads, and fetches and checks the input images of a task."""

import asyncio
import io
import re

import pytest
from aiohttp import web
from PIL import Image

from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.image_fetch import IMAGE_TOO_LARGE, IMAGE_TYPE_UNSUPPORTED, IMAGE_UNREACHABLE
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import STUCK
from tests.sandbox.kie.api_client import KieApiClient, SandboxManualClock, make_picture


@pytest.fixture
def task_seconds() -> float:
    return 0.0


async def failure_message(kie_client: KieApiClient, *urls: str) -> str | None:
    """Return the failMsg of a task for these images, None for a success."""
    task_id = await kie_client.create_task_id(*urls)
    await kie_client.wait_until_prepared(task_id)
    shown = (await kie_client.get_record(task_id))["data"]
    return str(shown["failMsg"]) if shown["state"] == "fail" else None


async def test_an_upload_answers_in_the_recorded_shape(kie: LocalKie, kie_client: KieApiClient) -> None:
    data = make_picture()
    answer = await kie_client.upload(data, fileName="cat 1.jpg")
    assert list(answer) == ["success", "code", "msg", "data"]
    receipt = answer["data"]
    assert re.fullmatch(r"kieai/\d+/images/bot/cat 1\.jpg", receipt["filePath"])
    assert receipt["downloadUrl"] == f"{kie.url}/{receipt['filePath'].replace(' ', '%20')}"
    assert (receipt["success"], receipt["fileSize"], receipt["mimeType"]) == (True, len(data), "image/jpeg")
    assert re.fullmatch(r"2025-10-09T\d\d:\d\d:\d\d\.000Z", receipt["uploadedAt"])


async def test_an_upload_without_a_name_gets_an_unguessable_one(kie_client: KieApiClient) -> None:
    answer = await kie_client.upload(make_picture(), name="cat.webp")
    assert re.fullmatch(r"\d{13}-[0-9a-z]{11}\.webp", answer["data"]["fileName"])


async def test_uploaded_files_are_public(kie_client: KieApiClient) -> None:
    url = await kie_client.upload_picture(make_picture("blue"))
    assert await kie_client.fetch(url) == (200, "image/jpeg", make_picture("blue"))


async def test_the_same_name_overwrites(kie_client: KieApiClient) -> None:
    answers = [await kie_client.upload(make_picture(colour), fileName="a.jpg") for colour in ("red", "blue")]
    first, second = (answer["data"]["downloadUrl"] for answer in answers)
    assert first == second
    assert (await kie_client.fetch(first))[2] == make_picture("blue")


async def test_uploads_expire_after_a_day_or_at_once(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    first = await kie_client.upload_picture()
    clock.now += 24 * 3600 + 1
    second = await kie_client.upload_picture()
    statuses = [(await kie_client.fetch(url))[0] for url in (first, second)]
    kie.files.expire_all()
    assert [*statuses, (await kie_client.fetch(second))[0]] == [404, 200, 404]


async def test_an_upload_needs_a_path(kie: LocalKie, kie_client: KieApiClient) -> None:
    answer = await kie_client.upload(make_picture(), uploadPath="")
    assert answer == {"success": False, "code": 400, "msg": "Missing required parameter: uploadPath"}
    assert kie.calls[0].status == 400


async def test_an_upload_needs_the_key(kie: LocalKie, kie_client: KieApiClient) -> None:
    answer = await KieApiClient(kie, kie_client.session, key="wrong").upload(make_picture())
    assert answer == {"success": False, "code": 401, "msg": "Authentication failed: Invalid API Key"}
    assert kie.calls[0].status == 401


async def test_an_upload_that_is_no_form_is_refused(kie_client: KieApiClient) -> None:
    answer = await kie_client.post("/api/file-stream-upload", {"uploadPath": "x"})
    assert (answer["success"], answer["msg"]) == (False, "Missing required parameter: file")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
async def test_these_kinds_are_accepted(kie_client: KieApiClient, kind: str) -> None:
    assert await failure_message(kie_client, await kie_client.upload_picture(make_picture(kind=kind))) is None


async def test_several_pictures_arrive_in_their_order(kie: LocalKie, kie_client: KieApiClient) -> None:
    sent = [make_picture(colour) for colour in ("red", "green", "blue")]
    task_id = await kie_client.create_task_id(*[await kie_client.upload_picture(data) for data in sent])
    await kie_client.wait_until_prepared(task_id)
    assert kie.tasks[task_id].inputs == sent


@pytest.mark.parametrize("data", [b"no picture", b"", make_picture(kind="gif"), make_picture(size=(900, 600))[:-200]])
async def test_what_is_no_picture_makes_the_task_fail(kie_client: KieApiClient, data: bytes) -> None:
    assert await failure_message(kie_client, await kie_client.upload_picture(data)) == IMAGE_TYPE_UNSUPPORTED


async def test_a_cameras_double_picture_makes_the_task_fail(kie_client: KieApiClient) -> None:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    first.save(out, "mpo", save_all=True, append_images=[second])
    assert await failure_message(kie_client, await kie_client.upload_picture(out.getvalue())) == IMAGE_TYPE_UNSUPPORTED


async def test_more_than_ten_megabytes_make_the_task_fail(kie_client: KieApiClient) -> None:
    limit = 10 * 1024 * 1024
    fitting = make_picture().ljust(limit, b"\0")
    assert await failure_message(kie_client, await kie_client.upload_picture(fitting)) is None
    assert await failure_message(kie_client, await kie_client.upload_picture(fitting + b"\0")) == IMAGE_TOO_LARGE


@pytest.mark.parametrize("url", ["http://192.0.2.1/a.png", "https://example.com/a.png", "http://127.0.0.1:9/a.png"])
async def test_what_cannot_be_fetched_makes_the_task_fail(kie_client: KieApiClient, url: str) -> None:
    assert await failure_message(kie_client, url) == IMAGE_UNREACHABLE


async def test_only_addresses_of_this_machine_are_asked(kie_client: KieApiClient) -> None:
    # Linux reaches a local server at 0.0.0.0 too, so it is the rule that refuses this, not the network
    url = (await kie_client.upload_picture()).replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - nothing binds to it
    assert await failure_message(kie_client, url) == IMAGE_UNREACHABLE


async def test_a_file_that_is_gone_makes_the_task_fail_without_cost(kie: LocalKie, kie_client: KieApiClient) -> None:
    url = await kie_client.upload_picture()
    kie.files.expire_all()
    assert await failure_message(kie_client, url) == IMAGE_UNREACHABLE
    assert kie.credits == 100.0


async def test_a_redirect_is_not_followed(kie_client: KieApiClient) -> None:
    target = await kie_client.upload_picture()

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound(target)

    app = web.Application()
    app.add_routes([web.get("/a.png", elsewhere)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://localhost:{runner.addresses[0][1]}/a.png"
    assert await failure_message(kie_client, url) == IMAGE_UNREACHABLE
    await runner.cleanup()


async def test_a_fault_in_its_own_fetching_makes_the_task_fail(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.faults.add("fetch", Fault(FaultKind.DISCONNECT_BEFORE))
    url = await kie_client.upload_picture()
    assert [await failure_message(kie_client, url), await failure_message(kie_client, url)] == [IMAGE_UNREACHABLE, None]


async def test_fetching_that_hangs_keeps_the_task_running(
    kie: LocalKie, kie_client: KieApiClient, clock: SandboxManualClock
) -> None:
    kie.faults.add("fetch", Fault(FaultKind.HANG))
    task_id = await kie_client.create_task_id()
    clock.now += 1000
    assert (await kie_client.get_record(task_id))["data"]["state"] == "generating"


async def test_a_test_can_end_a_task_when_it_likes(kie: LocalKie, kie_client: KieApiClient) -> None:
    kie.script_outcomes(STUCK)
    task_id = await kie_client.create_task_id()
    await kie_client.wait_until_prepared(task_id)
    before = kie.tasks[task_id].state
    waiting = asyncio.create_task(kie.wait_for(lambda: kie.tasks[task_id].state == "success"))
    kie.finish_task(task_id)
    await waiting
    assert before == "waiting"

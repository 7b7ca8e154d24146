"""Which images reach Kie, and which are refused with an explanation before anything is ordered."""

import io
from pathlib import Path

import pytest
from PIL import Image

from bot.images.inspect import inspect_image, obstacle_to_sending
from bot.job import FailureReason
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram.errors import bad_request
from tests.bot_harness import BotHarness, open_bot_harness
from tests.images.costly_files import jpeg_with_scans, tiff_with_strips
from tests.images.sample_files import (
    FILES_WITH_METADATA,
    ROTATED_HEIC,
    draw_image,
    encode_image,
    make_exif,
    png_chunk,
    png_header,
)
from tests.process_harness import TOKEN, make_photo

#: Two zero bytes before the first Huffman table, as some phones and drones write them.
UNUSUAL_JPEG = make_photo().replace(b"\xff\xc4", b"\x00\x00\xff\xc4", 1)

NO_FILE = bad_request("wrong file_id or the file is temporarily unavailable")


def _encode_picture(kind: str, size: tuple[int, int] = (64, 48), **how: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **how)
    return buffer.getvalue()


def _picture_with_position() -> bytes:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    return _encode_picture("JPEG", exif=exif)


async def _send_file(house: BotHarness, content: bytes, name: str = "picture") -> None:
    house.ada.send_document(content, file_name=name, mime_type="application/octet-stream", caption="make it snow")
    await house.receive_updates()
    await house.settle()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_file_reaches_kie_byte_for_byte_whatever_it_is_called(house: BotHarness, kind: str) -> None:
    content = _encode_picture(kind)
    await _send_file(house, content, "holiday.txt")
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [content]


@pytest.mark.parametrize(
    "content",
    [_picture_with_position(), _encode_picture("BMP"), _encode_picture("GIF"), _encode_picture("TIFF"), ROTATED_HEIC],
)
async def test_a_file_that_does_not_fit_is_made_to(house: BotHarness, content: bytes) -> None:
    await _send_file(house, content)
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert obstacle_to_sending(inspect_image(received)) is None
    assert b"Exif" not in received


async def test_only_the_place_is_taken_from_a_file_and_not_a_bit_of_the_picture(house: BotHarness) -> None:
    await _send_file(house, _picture_with_position())
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [_encode_picture("JPEG")]


async def test_a_photo_reaches_kie_as_telegram_has_it(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    photo = house.telegram.messages(house.ada.id)[0]
    assert task.inputs == [house.telegram.message_photo_bytes(photo)]


async def test_a_photo_in_which_an_app_left_a_stub_of_metadata_is_taken_as_it_is(house: BotHarness) -> None:
    await house.request_edit(_picture_with_position(), recompress=False)
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [_picture_with_position()]


async def test_a_picture_is_uploaded_under_a_name_that_nobody_can_guess(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.request_edit(make_photo())
    names = [url.rsplit("/", 1)[1] for task in house.kie.tasks.values() for url in task.image_urls]
    assert len(set(names)) == 2
    assert all(len(name) == len("0123456789abcdef") * 2 + len(".jpg") for name in names)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"%PDF-1.7 not a picture at all", "not a picture that I can read"),
        (make_photo()[:-400], "damaged or incomplete"),
        (make_photo()[:-400], "send it again as a photo instead of a file, or open it and save it as JPEG or PNG"),
        (encode_image("TIFF", draw_image("F")), "This is a TIFF file"),
        (b"8BPS\x00\x01" + bytes(100), "This is a Photoshop file"),
        (
            _encode_picture("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48), "red")]),
            "only edit still ones",
        ),
        (b"", "not a picture that I can read"),
        (
            png_header(1, 49_000_000) + png_chunk(b"IDAT") + png_chunk(b"IEND"),
            "This picture is too narrow: its longer side may be at most 20 times",
        ),
        (jpeg_with_scans(101), "takes far too long to open"),
        (tiff_with_strips(100_001), "takes far too long to open"),
        (_encode_picture("BMP", (2200, 100)), "too narrow"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_at_once_and_costs_nothing(
    house: BotHarness, content: bytes, expected: str
) -> None:
    await _send_file(house, content, "picture.jpg")
    assert expected in house.sent_texts()[0]
    assert house.kie.calls == []
    assert (await house.read_job()).reason is FailureReason.UNUSABLE_IMAGE


@pytest.mark.parametrize(
    "content", [UNUSUAL_JPEG, make_photo()[:-2]], ids=["stray bytes before a table", "no end marker"]
)
async def test_a_file_that_every_viewer_opens_is_edited(house: BotHarness, content: bytes) -> None:
    await _send_file(house, content)
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert obstacle_to_sending(inspect_image(received)) is None


async def test_a_photo_that_every_viewer_opens_is_edited(house: BotHarness) -> None:
    await house.request_edit(make_photo()[:-2], recompress=False)
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert inspect_image(received).file_size == len(received)


async def test_a_file_that_says_nothing_of_its_size_is_turned_away_when_it_is_too_large(house: BotHarness) -> None:
    house.telegram.faults.add("getFile", bad_request("file is too big"))
    await house.request_edit(make_photo())
    assert "at most 20 MB" in house.sent_texts()[0]


async def test_a_file_that_telegram_cannot_hand_out_for_a_moment_is_asked_for_again(house: BotHarness) -> None:
    house.telegram.faults.add("getFile", NO_FILE, times=3)
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert len(house.kie.tasks) == 1


async def test_a_file_that_telegram_does_not_have_is_given_up_with_a_word(house: BotHarness) -> None:
    house.telegram.faults.always("getFile", NO_FILE)
    await house.request_edit(make_photo())
    for _ in range(12):
        await house.advance_time(300)
    assert "could not get your picture from Telegram" in house.sent_texts()[0]


@pytest.mark.parametrize("call", ["getFile", "file"])
async def test_an_outage_of_telegrams_files_is_survived(house: BotHarness, call: str) -> None:
    house.telegram.faults.always(call, HTML_502)
    await house.request_edit(make_photo())
    await house.advance_time(1200)
    house.clock.now += 24 * 3600
    await house.advance_time(120)
    house.telegram.faults.clear()
    await house.advance_time(120)
    assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("fault", [Fault(FaultKind.RESPOND, status=404), HTML_502, Fault(FaultKind.DISCONNECT_BEFORE)])
async def test_trouble_with_a_file_passes(house: BotHarness, fault: Fault) -> None:
    house.telegram.faults.add("file", fault, times=2)
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert len(house.kie.tasks) == 1


async def test_the_token_is_in_nothing_that_leaves_for_kie(house: BotHarness) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert TOKEN.split(":")[1] not in repr([(call.headers, call.params, call.body) for call in house.kie.calls])


async def test_a_picture_that_cannot_be_passed_on_for_long_is_told_once_and_in_the_end_given_up(
    house: BotHarness,
) -> None:
    house.telegram.faults.always("file", Fault(FaultKind.DISCONNECT_BEFORE))
    await house.request_edit(make_photo())
    await house.advance_time(1200)
    assert "still waits" in house.progress_message()["text"]
    assert house.sent_texts() == []
    house.clock.now += 48 * 3600
    await house.advance_time(120)
    assert "was not ordered" in house.sent_texts()[-1]


async def test_an_upload_that_kie_refuses_is_told_at_once(house: BotHarness) -> None:
    refusal = b'{"success":false,"code":400,"msg":"file type not supported"}'
    house.kie.faults.always("upload", Fault(FaultKind.RESPOND, status=400, body=refusal))
    await house.request_edit(make_photo())
    assert "file type not supported" in house.sent_texts()[0]
    assert len(house.kie.calls_named("upload")) == 1


async def test_kie_is_given_telegrams_address_which_is_stored_nowhere(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, image_transport="direct", allow_token_in_urls=True) as house:
        await house.request_edit(make_photo())
        await house.advance_time(30)
        [task] = house.kie.tasks.values()
        assert TOKEN in task.image_urls[0]
        assert house.kie.calls_named("upload") == []
        assert len(house.pictures()) == 1
    assert all(TOKEN.encode() not in file.read_bytes() for file in tmp_path.iterdir())


#: These are upright, so only their metadata must be removed.
UPRIGHT_FILES = {
    f"upright {kind}": encode_image(kind, exif=make_exif(1, camera="canary")) for kind in ("JPEG", "PNG", "WEBP")
}
FILES_THAT_TELL = FILES_WITH_METADATA | UPRIGHT_FILES


@pytest.mark.parametrize("content", FILES_THAT_TELL.values(), ids=FILES_THAT_TELL.keys())
async def test_what_a_file_tells_about_its_sender_stays_here(house: BotHarness, content: bytes) -> None:
    assert b"canary" in content
    house.ada.send_document(content, "canary.jpg", "application/octet-stream", caption="make it snow")
    await house.receive_updates()
    await house.settle()
    await house.advance_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs
    assert b"canary" not in b"".join(task.inputs)
    assert "canary.jpg" not in repr([call.body for call in house.kie.calls])

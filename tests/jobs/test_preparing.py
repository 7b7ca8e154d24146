"""What reaches Kie, and which pictures are turned away with a kind word before anything is ordered."""

import io

import pytest
from PIL import Image

from bot.job import Reason
from bot.pictures.inspect import inspect, why_not_as_it_is
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.telegram.refusals import bad_request
from tests.house import House
from tests.pictures.excess import jpeg_of_scans, tiff_of_strips
from tests.pictures.files import chunk, drawn, png_header, saved
from tests.pictures.heic import TURNED
from tests.world import TOKEN, a_photo

#: two zero bytes before the first table of codes, as some phones and drones write
ODD = a_photo().replace(b"\xff\xc4", b"\x00\x00\xff\xc4", 1)

NO_FILE = bad_request("wrong file_id or the file is temporarily unavailable")


def _picture(kind: str, size: tuple[int, int] = (64, 48), **how: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **how)
    return buffer.getvalue()


def _with_place() -> bytes:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    return _picture("JPEG", exif=exif)


async def _send_file(house: House, content: bytes, name: str = "picture") -> None:
    house.ada.send_document(content, file_name=name, mime_type="application/octet-stream", caption="make it snow")
    await house.receive()
    await house.settle()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_file_reaches_kie_byte_for_byte_whatever_it_is_called(house: House, kind: str) -> None:
    content = _picture(kind)
    await _send_file(house, content, "holiday.txt")
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [content]


@pytest.mark.parametrize("content", [_with_place(), _picture("BMP"), _picture("GIF"), _picture("TIFF"), TURNED])
async def test_a_file_that_does_not_fit_is_made_to(house: House, content: bytes) -> None:
    await _send_file(house, content)
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert why_not_as_it_is(inspect(received)) is None
    assert b"Exif" not in received


async def test_only_the_place_is_taken_from_a_file_and_not_a_bit_of_the_picture(house: House) -> None:
    await _send_file(house, _with_place())
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [_picture("JPEG")]


async def test_a_photo_reaches_kie_as_telegram_has_it(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    photo = house.telegram.messages(house.ada.id)[0]
    assert task.inputs == [house.telegram.message_photo_bytes(photo)]


async def test_a_photo_in_which_an_app_left_a_stub_of_metadata_is_taken_as_it_is(house: House) -> None:
    await house.ask(_with_place(), as_the_client_does=False)
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    assert task.inputs == [_with_place()]


async def test_a_picture_is_uploaded_under_a_name_that_nobody_can_guess(house: House) -> None:
    await house.ask(a_photo())
    await house.ask(a_photo())
    names = [url.rsplit("/", 1)[1] for task in house.kie.tasks.values() for url in task.image_urls]
    assert len(set(names)) == 2
    assert all(len(name) == len("0123456789abcdef") * 2 + len(".jpg") for name in names)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"%PDF-1.7 not a picture at all", "not a picture that I can read"),
        (a_photo()[:-400], "damaged or incomplete"),
        (a_photo()[:-400], "send it again as a photo instead of a file, or open it and save it as JPEG or PNG"),
        (saved("TIFF", drawn("F")), "This is a TIFF file"),
        (b"8BPS\x00\x01" + bytes(100), "This is a Photoshop file"),
        (_picture("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48), "red")]), "only edit still ones"),
        (b"", "not a picture that I can read"),
        (
            png_header(1, 49_000_000) + chunk(b"IDAT") + chunk(b"IEND"),
            "This picture is too narrow: its longer side may be at most 20 times",
        ),
        (jpeg_of_scans(101), "takes far too long to open"),
        (tiff_of_strips(100_001), "takes far too long to open"),
        (_picture("BMP", (2200, 100)), "too narrow"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_at_once_and_costs_nothing(
    house: House, content: bytes, told: str
) -> None:
    await _send_file(house, content, "picture.jpg")
    assert told in house.words()[0]
    assert house.kie.calls == []
    assert (await house.job()).reason is Reason.PICTURE


@pytest.mark.parametrize("content", [ODD, a_photo()[:-2]], ids=["stray bytes before a table", "no end marker"])
async def test_a_file_that_every_viewer_opens_is_edited(house: House, content: bytes) -> None:
    await _send_file(house, content)
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert why_not_as_it_is(inspect(received)) is None


async def test_a_photo_that_every_viewer_opens_is_edited(house: House) -> None:
    await house.ask(a_photo()[:-2], as_the_client_does=False)
    await house.pass_time(1)
    [task] = house.kie.tasks.values()
    [received] = task.inputs
    assert inspect(received).size == len(received)


async def test_a_file_that_says_nothing_of_its_size_is_turned_away_when_it_is_too_large(house: House) -> None:
    house.telegram.faults.add("getFile", bad_request("file is too big"))
    await house.ask(a_photo())
    assert "at most 20 MB" in house.words()[0]


async def test_a_file_that_telegram_cannot_hand_out_for_a_moment_is_asked_for_again(house: House) -> None:
    house.telegram.faults.add("getFile", NO_FILE, times=3)
    await house.ask(a_photo())
    await house.pass_time(30)
    assert len(house.kie.tasks) == 1


async def test_a_file_that_telegram_does_not_have_is_given_up_with_a_word(house: House) -> None:
    house.telegram.faults.always("getFile", NO_FILE)
    await house.ask(a_photo())
    for _ in range(12):
        await house.pass_time(300)
    assert "could not get your picture from Telegram" in house.words()[0]


@pytest.mark.parametrize("call", ["getFile", "file"])
async def test_an_outage_of_telegrams_files_is_survived(house: House, call: str) -> None:
    house.telegram.faults.always(call, HTML_502)
    await house.ask(a_photo())
    await house.pass_time(1200)
    house.clock.now += 24 * 3600
    await house.pass_time(120)
    house.telegram.faults.clear()
    await house.pass_time(120)
    assert len(house.kie.tasks) == 1


@pytest.mark.parametrize("fault", [Fault(Kind.ANSWER, status=404), HTML_502, Fault(Kind.CUT_BEFORE)])
async def test_trouble_with_a_file_passes(house: House, fault: Fault) -> None:
    house.telegram.faults.add("file", fault, times=2)
    await house.ask(a_photo())
    await house.pass_time(30)
    assert len(house.kie.tasks) == 1


async def test_the_token_is_in_nothing_that_leaves_for_kie(house: House) -> None:
    await house.ask(a_photo())
    await house.pass_time(30)
    assert TOKEN.split(":")[1] not in repr([(call.headers, call.params, call.body) for call in house.kie.calls])


async def test_a_picture_that_cannot_be_passed_on_for_long_is_told_once_and_in_the_end_given_up(house: House) -> None:
    house.telegram.faults.always("file", Fault(Kind.CUT_BEFORE))
    await house.ask(a_photo())
    await house.pass_time(1200)
    assert "still waits" in house.status()["text"]
    assert house.words() == []
    house.clock.now += 48 * 3600
    await house.pass_time(120)
    assert "was not ordered" in house.words()[-1]


async def test_an_upload_that_kie_refuses_is_told_at_once(house: House) -> None:
    refusal = b'{"success":false,"code":400,"msg":"file type not supported"}'
    house.kie.faults.always("upload", Fault(Kind.ANSWER, status=400, body=refusal))
    await house.ask(a_photo())
    assert "file type not supported" in house.words()[0]
    assert len(house.kie.called("upload")) == 1

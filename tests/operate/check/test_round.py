"""Everything that an operator can have got wrong is found, named, and comes with what to do."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.operate.check.finding import Status
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.telegram.refusals import too_many
from tests.operate.check.site import Site
from tests.world import TOKEN

NOBODY = "http://127.0.0.1:9"


def _answer(status: int, body: bytes) -> Fault:
    return Fault(Kind.ANSWER, status=status, body=body, headers={"Content-Type": "application/json"})


async def test_where_all_is_well_every_subject_says_so(site: Site) -> None:
    findings = await site.round(public_url=site.front.url, telegram_updates="webhook")
    assert {each.status for each in findings} == {Status.OK}
    assert {each.remedy for each in findings} == {None}
    assert [each.name for each in findings] == [
        *("settings", "bot", "groups", "updates", "kie", "upload"),
        *("door", "callbacks", "webhook", "clock", "database", "disk"),
    ]


@pytest.mark.parametrize(
    ("changes", "name", "found", "remedy"),
    [
        ({"telegram_bot_token": f"{TOKEN}o"}, "bot", "does not know TELEGRAM_BOT_TOKEN", "@BotFather"),
        ({"telegram_api_url": NOBODY}, "bot", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_api_key": "sk-of-another-service"}, "kie", "does not accept KIE_API_KEY", "kie.ai/api-key"),
        ({"kie_api_url": NOBODY}, "kie", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_upload_url": NOBODY}, "upload", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_model": "google/unheard-of"}, "settings", "KIE_MODEL", "google/nano-banana-edit"),
    ],
)
async def test_a_wrong_setting_is_found_and_nothing_else(
    site: Site, changes: dict[str, Any], name: str, found: str, remedy: str
) -> None:
    troubles = await site.troubles(**changes)
    failures = [each for each in troubles.values() if each.status is Status.FAILURE]
    assert [each.name for each in failures] == [name]
    assert found in failures[0].found
    assert remedy in str(failures[0].remedy)
    assert {each.status for each in troubles.values()} <= {Status.FAILURE, Status.SKIPPED}


@pytest.mark.parametrize(
    ("call", "fault", "name", "found"),
    [
        ("getMe", _answer(200, b"<html>log in to this network</html>"), "bot", "answers, but not as it should"),
        ("getMe", too_many(7), "bot", "too many requests"),
        ("credit", _answer(200, b'{"code":401,"msg":"You do not have access"}'), "kie", "does not accept KIE_API_KEY"),
        ("credit", _answer(200, b'{"code":433,"msg":"cap"}'), "kie", "cap of KIE_API_KEY is used up"),
        ("credit", _answer(200, b'{"code":402,"msg":"none"}'), "kie", "no credits left"),
        ("credit", _answer(200, b'{"hello":"world"}'), "kie", "does not answer as Kie does"),
        ("credit", _answer(200, b'{"code":200,"data":0}'), "kie", "the key is good, but the account has 0 credits"),
        ("credit", _answer(200, b'{"code":200,"data":-2.5}'), "kie", "-2.5 credits"),
        ("credit", HTML_502, "kie", "answers, but not as it should"),
        ("credit", Fault(Kind.CUT_BEFORE), "kie", "answers, but not as it should"),
    ],
)
async def test_a_wrong_answer_is_a_failure_with_a_remedy(
    site: Site, call: str, fault: Fault, name: str, found: str
) -> None:
    (site.telegram if call == "getMe" else site.kie).faults.always(call, fault)
    finding = (await site.troubles())[name]
    assert finding.status is Status.FAILURE
    assert found in finding.found
    assert finding.remedy


async def test_what_groups_show_the_bot_is_said_in_words(site: Site) -> None:
    assert "is shown everything" in (await site.found("groups")).found
    site.telegram.cloud.privacy_mode = True
    assert "only replies to it and commands that name it" in (await site.found("groups")).found


async def test_a_bot_that_cannot_join_groups_is_said_and_no_failure(site: Site) -> None:
    me = b'{"ok":true,"result":{"id":424242,"is_bot":true,"first_name":"D","username":"d_bot","can_join_groups":false}}'
    site.telegram.faults.always("getMe", _answer(200, me))
    finding = await site.found("groups")
    assert (finding.status, finding.found[:26]) == (Status.OK, "cannot be added to groups ")


async def test_an_upload_host_in_trouble_is_a_warning(site: Site) -> None:
    site.kie.faults.always("uploadHost", HTML_502)
    assert (await site.troubles())["upload"].status is Status.WARNING


async def test_a_name_that_is_not_found_is_told_apart_from_a_server_that_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = socket.getaddrinfo

    def resolve(host: object, *more: Any, **how: Any) -> Any:
        if host in ("kie.example", b"kie.example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *more, **how)  # type: ignore[arg-type] # whatever it was asked for

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    finding = await site.found("kie", kie_api_url="https://kie.example")
    assert "the name kie.example is not found" in finding.found
    assert "DNS" in str(finding.remedy)


async def test_a_password_in_an_address_is_not_shown(site: Site) -> None:
    findings = await site.round(kie_api_url="http://ada:canary-word@127.0.0.1:9/canary-path")
    assert "canary" not in repr(findings)


async def test_a_server_that_speaks_no_tls_is_told(site: Site) -> None:
    finding = await site.found("upload", kie_upload_url=site.kie.url.replace("http:", "https:"))
    assert "there is no TLS with" in finding.found


def _self_signed(folder: Path) -> ssl.SSLContext:
    how = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=localhost"
    subprocess.run(["openssl", "req", "-x509", *how.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is nothing to make a certificate with")
async def test_a_certificate_that_nobody_vouches_for_is_told(site: Site, tmp_path: Path) -> None:
    context = _self_signed(tmp_path)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        finding = await site.found("upload", kie_upload_url=url)
    assert "certificate of localhost" in finding.found
    assert "SSL_CERT_FILE" in str(finding.remedy)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
async def test_a_proxy_that_is_away_is_named(site: Site, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://ada:canary@127.0.0.1:9")
    findings = await site.round(public_url=site.front.url)
    failures = {each.name: each.remedy for each in findings if each.status is Status.FAILURE}
    assert set(failures) == {"bot", "kie", "upload"}, "this machine's own door is asked past the proxy"
    assert all(f"at {name.upper()}" in str(remedy) for remedy in failures.values())
    assert "canary" not in repr(findings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("https_proxy", "ftp://127.0.0.1:1"),
        ("HTTP_PROXY", "http://[::1"),
        ("NO_PROXY", "localhost,[::1]"),
        ("NO_PROXY", "127.0.0.1,fe80::/10"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("SSL_CERT_FILE", "/"),
        ("SSL_CERT_FILE", __file__),
    ],
)
async def test_what_the_environment_says_of_the_network_and_is_not_right_is_a_mistake_in_the_settings(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    findings = await site.round()
    assert [(each.name, each.status) for each in findings[:2]] == [("settings", "failure"), ("bot", "skipped")]
    assert findings[0].found.startswith(name)
    assert findings[0].remedy


async def test_everything_ends_in_time_when_everything_hangs(site: Site) -> None:
    for call in ("getMe", "getWebhookInfo"):
        site.telegram.faults.always(call, Fault(Kind.HANG))
    for call in ("credit", "uploadHost"):
        site.kie.faults.always(call, Fault(Kind.HANG))
    began = asyncio.get_running_loop().time()
    findings = await site.round(patience=0.3)
    assert asyncio.get_running_loop().time() - began < 5
    hung = {each.name: each.found for each in findings if "no answer of" in each.found}
    assert list(hung) == ["bot", "updates", "kie", "upload"]
    assert hung["bot"].startswith("no answer of Telegram")
    assert {each.status for each in findings if each.name not in hung} == {Status.OK}


async def test_what_the_bot_can_run_with_but_better_would_not_is_a_warning(site: Site) -> None:
    site.database.touch(mode=0o644)
    found = await site.round(kie_webhook_key="canary-webhook-key", image_transport="direct", allow_token_in_urls=True)
    warnings = [each for each in found if each.status is Status.WARNING]
    assert [each.name for each in warnings] == ["settings"] * 3
    assert [each.found.split()[0] for each in warnings] == [
        "IMAGE_TRANSPORT=direct",
        str(site.database),
        "KIE_WEBHOOK_KEY",
    ]
    assert all(each.remedy for each in warnings)

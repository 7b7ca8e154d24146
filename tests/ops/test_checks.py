"""Every mistake of an operator is found, named, and comes with a remedy."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.ops.checks import FindingStatus, judge_clock_skew
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram.errors import too_many_requests, unauthorized
from bot.store.process_lock import hold_process_lock
from tests.ops.check_environment import CheckEnvironment
from tests.process_harness import TOKEN

UNREACHABLE_URL = "http://127.0.0.1:9"


def _http_response(status: int, body: bytes) -> Fault:
    return Fault(FaultKind.RESPOND, status=status, body=body, headers={"Content-Type": "application/json"})


async def test_where_all_is_well_every_subject_says_so(site: CheckEnvironment) -> None:
    findings = await site.run_checks(public_url=site.reverse_proxy.url, telegram_updates="webhook")
    assert {each.status for each in findings} == {FindingStatus.OK}
    assert {each.remedy for each in findings} == {None}
    assert [each.name for each in findings] == [
        *("settings", "bot", "groups", "updates", "kie", "upload"),
        *("door", "callbacks", "webhook", "clock", "database", "disk"),
    ]


@pytest.mark.parametrize(
    ("changes", "name", "found", "remedy"),
    [
        ({"telegram_bot_token": f"{TOKEN}o"}, "bot", "does not know TELEGRAM_BOT_TOKEN", "@BotFather"),
        ({"telegram_api_url": UNREACHABLE_URL}, "bot", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_api_key": "sk-of-another-service"}, "kie", "does not accept KIE_API_KEY", "kie.ai/api-key"),
        ({"kie_api_url": UNREACHABLE_URL}, "kie", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_upload_url": UNREACHABLE_URL}, "upload", "connection to 127.0.0.1:9 is refused", "network"),
        ({"kie_model": "google/unheard-of"}, "settings", "KIE_MODEL", "google/nano-banana-edit"),
    ],
)
async def test_a_wrong_setting_is_found_and_nothing_else(
    site: CheckEnvironment, changes: dict[str, Any], name: str, found: str, remedy: str
) -> None:
    troubles = await site.find_problems(**changes)
    failures = [each for each in troubles.values() if each.status is FindingStatus.FAILURE]
    assert [each.name for each in failures] == [name]
    assert found in failures[0].found
    assert remedy in str(failures[0].remedy)
    assert {each.status for each in troubles.values()} <= {FindingStatus.FAILURE, FindingStatus.SKIPPED}


@pytest.mark.parametrize(
    ("call", "fault", "name", "found"),
    [
        ("getMe", _http_response(200, b"<html>log in to this network</html>"), "bot", "answers, but not as it should"),
        ("getMe", too_many_requests(7), "bot", "too many requests"),
        (
            "credit",
            _http_response(200, b'{"code":401,"msg":"You do not have access"}'),
            "kie",
            "does not accept KIE_API_KEY",
        ),
        ("credit", _http_response(200, b'{"code":433,"msg":"cap"}'), "kie", "cap of KIE_API_KEY is used up"),
        ("credit", _http_response(200, b'{"code":402,"msg":"none"}'), "kie", "no credits left"),
        ("credit", _http_response(200, b'{"hello":"world"}'), "kie", "does not answer as Kie does"),
        (
            "credit",
            _http_response(200, b'{"code":200,"data":0}'),
            "kie",
            "the key is good, but the account has 0 credits",
        ),
        ("credit", _http_response(200, b'{"code":200,"data":-2.5}'), "kie", "-2.5 credits"),
        ("credit", HTML_502, "kie", "answers, but not as it should"),
        ("credit", Fault(FaultKind.DISCONNECT_BEFORE), "kie", "answers, but not as it should"),
    ],
)
async def test_a_wrong_answer_is_a_failure_with_a_remedy(
    site: CheckEnvironment, call: str, fault: Fault, name: str, found: str
) -> None:
    (site.telegram if call == "getMe" else site.kie).faults.always(call, fault)
    finding = (await site.find_problems())[name]
    assert finding.status is FindingStatus.FAILURE
    assert found in finding.found
    assert finding.remedy


async def test_what_groups_show_the_bot_is_said_in_words(site: CheckEnvironment) -> None:
    assert "is shown everything" in (await site.find_finding("groups")).found
    site.telegram.state.privacy_mode = True
    assert "only replies to it and commands that name it" in (await site.find_finding("groups")).found


async def test_a_bot_that_cannot_join_groups_is_said_and_no_failure(site: CheckEnvironment) -> None:
    me = b'{"ok":true,"result":{"id":424242,"is_bot":true,"first_name":"D","username":"d_bot","can_join_groups":false}}'
    site.telegram.faults.always("getMe", _http_response(200, me))
    finding = await site.find_finding("groups")
    assert (finding.status, finding.found[:26]) == (FindingStatus.OK, "cannot be added to groups ")


async def test_an_upload_host_in_trouble_is_a_warning(site: CheckEnvironment) -> None:
    site.kie.faults.always("uploadHost", HTML_502)
    assert (await site.find_problems())["upload"].status is FindingStatus.WARNING


async def test_a_name_that_is_not_found_is_told_apart_from_a_server_that_is_away(
    site: CheckEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = socket.getaddrinfo

    def resolve(host: object, *more: Any, **how: Any) -> Any:
        if host in ("kie.example", b"kie.example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *more, **how)  # type: ignore[arg-type] # passed on as they are

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    finding = await site.find_finding("kie", kie_api_url="https://kie.example")
    assert "the name kie.example is not found" in finding.found
    assert "DNS" in str(finding.remedy)


async def test_a_password_in_an_address_is_not_shown(site: CheckEnvironment) -> None:
    findings = await site.run_checks(kie_api_url="http://ada:canary-word@127.0.0.1:9/canary-path")
    assert "canary" not in repr(findings)


async def test_a_server_that_speaks_no_tls_is_told(site: CheckEnvironment) -> None:
    finding = await site.find_finding("upload", kie_upload_url=site.kie.url.replace("http:", "https:"))
    assert "no TLS connection to" in finding.found


def _self_signed_certificate(folder: Path) -> ssl.SSLContext:
    how = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=localhost"
    subprocess.run(["openssl", "req", "-x509", *how.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is nothing to make a certificate with")
async def test_a_certificate_that_nobody_vouches_for_is_told(site: CheckEnvironment, tmp_path: Path) -> None:
    context = _self_signed_certificate(tmp_path)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        finding = await site.find_finding("upload", kie_upload_url=url)
    assert "certificate of localhost" in finding.found
    assert "SSL_CERT_FILE" in str(finding.remedy)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
async def test_a_proxy_that_is_away_is_named(
    site: CheckEnvironment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://ada:canary@127.0.0.1:9")
    findings = await site.run_checks(public_url=site.reverse_proxy.url)
    failures = {each.name: each.remedy for each in findings if each.status is FindingStatus.FAILURE}
    assert set(failures) == {"bot", "kie", "upload"}, "this machine's own door is asked past the proxy"
    assert all(f"and {name.upper()}" in str(remedy) for remedy in failures.values())
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
    site: CheckEnvironment, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    findings = await site.run_checks()
    assert [(each.name, each.status) for each in findings[:2]] == [("settings", "failure"), ("bot", "skipped")]
    assert findings[0].found.startswith(name)
    assert findings[0].remedy


async def test_everything_ends_in_time_when_everything_hangs(site: CheckEnvironment) -> None:
    for call in ("getMe", "getWebhookInfo"):
        site.telegram.faults.always(call, Fault(FaultKind.HANG))
    for call in ("credit", "uploadHost"):
        site.kie.faults.always(call, Fault(FaultKind.HANG))
    began = asyncio.get_running_loop().time()
    findings = await site.run_checks(patience=0.3)
    assert asyncio.get_running_loop().time() - began < 5
    hung = {each.name: each.found for each in findings if "no answer from" in each.found}
    assert list(hung) == ["bot", "updates", "kie", "upload"]
    assert hung["bot"].startswith("no answer from Telegram")
    assert {each.status for each in findings if each.name not in hung} == {FindingStatus.OK}


async def test_what_the_bot_can_run_with_but_better_would_not_is_a_warning(site: CheckEnvironment) -> None:
    site.database.touch(mode=0o644)
    found = await site.run_checks(
        kie_webhook_key="canary-webhook-key", image_transport="direct", allow_token_in_urls=True
    )
    warnings = [each for each in found if each.status is FindingStatus.WARNING]
    assert [each.name for each in warnings] == ["settings"] * 3
    assert [each.found.split()[0] for each in warnings] == [
        "IMAGE_TRANSPORT=direct",
        str(site.database),
        "KIE_WEBHOOK_KEY",
    ]
    assert all(each.remedy for each in warnings)


@pytest.mark.parametrize(
    ("off", "status", "words"),
    [
        (0.0, FindingStatus.OK, "right to 1 s"),
        (30.0, FindingStatus.OK, "right to 30 s"),
        (-31.0, FindingStatus.WARNING, "31 s behind that of Kie"),
        (299.0, FindingStatus.WARNING, "299 s ahead of that of Kie"),
        (300.0, FindingStatus.FAILURE, "callbacks from Kie would be refused"),
        (-3600.0, FindingStatus.FAILURE, "3600 s behind that of Kie"),
    ],
)
def test_how_far_off_a_clock_may_be(off: float, status: FindingStatus, words: str) -> None:
    finding = judge_clock_skew(off, "Kie")
    assert finding.status is status
    assert words in finding.found
    assert bool(finding.remedy) is (status is not FindingStatus.OK)


async def test_a_clock_that_is_an_hour_off_is_found(site: CheckEnvironment) -> None:
    site.clock.now -= 3600
    finding = await site.find_finding("clock")
    assert finding.status is FindingStatus.FAILURE
    assert "behind" in finding.found
    assert "NTP" in str(finding.remedy)


async def test_one_server_is_enough_to_know_the_time(site: CheckEnvironment) -> None:
    site.clock.now += 60
    finding = await site.find_finding("clock", kie_api_url="http://127.0.0.1:9")
    assert (finding.status, finding.found[-8:]) == (FindingStatus.WARNING, "Telegram")


async def test_without_any_server_nothing_is_said_about_the_clock(site: CheckEnvironment) -> None:
    finding = await site.find_finding("clock", kie_api_url="http://127.0.0.1:9", telegram_api_url="http://127.0.0.1:9")
    assert finding.status is FindingStatus.SKIPPED


SOMEWHERE = "https://old.example/canary-path"


async def test_a_webhook_of_an_old_deployment_is_told_without_its_path(site: CheckEnvironment) -> None:
    site.telegram.state.webhook = {"url": SOMEWHERE}
    finding = await site.find_finding("updates")
    assert finding.status is FindingStatus.WARNING
    assert "old.example" in finding.found
    assert "canary" not in finding.found
    assert site.telegram.state.webhook == {"url": SOMEWHERE}


async def test_updates_that_wait_are_counted(site: CheckEnvironment) -> None:
    site.telegram.person().send_text("hello")
    finding = await site.find_finding("updates")
    assert (finding.status, finding.found) == (FindingStatus.OK, "polled for; 1 pending at Telegram")


@pytest.mark.parametrize(
    ("known", "runs", "status", "words"),
    [
        (None, False, FindingStatus.OK, "once the bot runs"),
        (None, True, FindingStatus.WARNING, "Telegram delivers no updates"),
        ({"url": SOMEWHERE}, False, FindingStatus.WARNING, "delivers updates to old.example"),
        ({}, True, FindingStatus.OK, "delivered to"),
        (
            {"last_error_date": -60, "last_error_message": "Connection refused"},
            False,
            FindingStatus.WARNING,
            "1 min ago",
        ),
        (
            {"last_error_date": -7200, "last_error_message": "Connection refused"},
            True,
            FindingStatus.OK,
            "delivered to",
        ),
    ],
)
async def test_where_updates_are_brought_is_compared_with_public_url(
    site: CheckEnvironment, known: dict[str, Any] | None, runs: bool, status: FindingStatus, words: str
) -> None:
    if known is not None:
        known = {"url": f"{site.reverse_proxy.url}/telegram/webhook"} | known
        if "last_error_date" in known:
            known["last_error_date"] += round(site.clock.now)
    site.telegram.state.webhook = known
    changes = {"public_url": site.reverse_proxy.url, "telegram_updates": "webhook"}
    if runs:
        with hold_process_lock(str(site.database)):
            finding = await site.find_finding("updates", **changes)
    else:
        finding = await site.find_finding("updates", **changes)
    assert finding.status is status
    assert words in finding.found
    assert (finding.remedy is None) is (status is FindingStatus.OK)


async def test_a_wrong_token_is_told_once(site: CheckEnvironment) -> None:
    site.telegram.faults.always("getWebhookInfo", unauthorized())
    assert (await site.find_finding("updates")).status is FindingStatus.SKIPPED

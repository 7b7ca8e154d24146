"""The key and the credits at Kie, by a question that costs nothing, and the host for uploads."""

from bot.kie.client import Kie
from bot.kie.errors import Garbled, Halt, Halted, KieError, Refused
from bot.operate.check.finding import Finding, failure, ok, warning
from bot.operate.check.reach import NotReached, Reach, host_of

NAME, UPLOAD = "kie", "upload"

_HALTS = {
    Halt.KEY: ("Kie does not accept KIE_API_KEY", "copy the key from https://kie.ai/api-key again"),
    Halt.CAP: ("the credit cap of KIE_API_KEY is used up", "raise it at https://kie.ai/api-key, or wait"),
    Halt.CREDITS: ("the account has no credits left", "top up at https://kie.ai"),
}


async def look(kie: Kie, reach: Reach, api_url: str) -> list[Finding]:
    """Ask Kie for the balance."""
    try:
        return [_balance(await kie.credits())]
    except Halted as error:
        return [failure(NAME, *_HALTS[error.cause])]
    except (Refused, Garbled) as error:
        found = f"{host_of(api_url)} does not answer as Kie does ({error})"
        return [failure(NAME, found, "look at KIE_API_URL if you set it, and at what is in between")]
    except KieError as error:
        why = await reach.why_not(api_url, str(error))
        return [failure(NAME, f"Kie cannot be asked: {why.found}", why.remedy)]


def _balance(credits_left: float) -> Finding:
    if credits_left <= 0:
        return failure(
            NAME, f"the key is good, but the account has {credits_left:g} credits", "top up at https://kie.ai"
        )
    return ok(NAME, f"the key is good, and {credits_left:g} credits are left")


async def look_at_upload(reach: Reach, upload_url: str) -> list[Finding]:
    """See whether the host for uploads answers; its own words for a GET there are 405 (Kie's documentation, 2026)."""
    try:
        answer = await reach.ask(f"{upload_url}/api/file-stream-upload")
    except NotReached as error:
        return [failure(UPLOAD, f"pictures cannot be uploaded: {error.found}", error.remedy)]
    if answer.status >= 500:
        found = f"{host_of(upload_url)} is in trouble (HTTP {answer.status})"
        return [warning(UPLOAD, found, "try again in a while; edits wait until it can take pictures")]
    return [ok(UPLOAD, f"{host_of(upload_url)} answers")]

"""Admission: what admins decide about people and chats, by a reply or by an id."""

import re

from bot.job import Instant
from bot.store.standings import Standing
from bot.store.transaction import Transaction
from bot.talk.access import Access, Verdict
from bot.talk.meanings import CommandGiven, Origin
from bot.texts import Sentence, sentence

#: What each command decides.
DECIDES = {"allow": Standing.ALLOWED, "deny": Standing.DENIED, "block": Standing.BLOCKED}


def decided(tx: Transaction, access: Access, origin: Origin, given: CommandGiven, me: int, now: Instant) -> Sentence:
    """Decide about those whom an admin means, in force at once; return what to say."""
    whom = _whom(tx, origin, given, me)
    if whom is None:
        return _asked_whom(origin, given)
    if any(access.is_admin(principal) for principal in whom):
        return sentence("admins-stay")
    standing = DECIDES[given.name]
    for principal in whom:
        tx.standings.decide(principal, standing, origin.user_id, now)
        _take_back(tx, access, principal, now)
    ids = ", ".join(map(str, whom))
    if standing is Standing.ALLOWED and not access.allowed:
        return sentence("now-allowed-anyway", ids=ids)
    return sentence(f"now-{standing}", ids=ids)


def _whom(tx: Transaction, origin: Origin, given: CommandGiven, me: int) -> list[int] | None:
    """Return the ids that are meant, None where that cannot be told."""
    words = given.words.replace(",", " ").split()
    if words:
        return [int(word) for word in words] if all(re.fullmatch(r"-?\d{1,15}", word) for word in words) else None
    if given.about is None:
        return None
    # a message of ours is about the one who asked for it
    about = tx.outbox.job_of(origin.chat_id, given.about.message_id)
    job = None if about is None else tx.jobs.get(about)
    speaker = given.about.speaker if job is None else job.request.user_id
    # whoever replies to themselves, or to a word of ours about nobody, has meant something else
    return None if speaker in (None, me, origin.user_id) else [speaker]


def _asked_whom(origin: Origin, given: CommandGiven) -> Sentence:
    if given.about is not None and given.about.speaker is None:
        return sentence("whom-hidden", command=given.name)
    return sentence("whom", where=origin.where, command=given.name, chat=f"{origin.chat_id}")


def _take_back(tx: Transaction, access: Access, principal: int, now: Instant) -> None:
    """Cancel what nobody is to pay for any more."""
    # what somebody asked for in a chat that has their own id is found both ways
    found = {job.id: job for job in tx.jobs.open_anywhere(principal) + tx.jobs.open_in(principal)}
    for job in found.values():
        if access.verdict(tx, job.request.user_id, job.request.chat_id) is not Verdict.WELCOME:
            tx.take_back(job, now)

"""Admission: what admins decide about people and chats, by a reply or by an id."""

import re
from dataclasses import dataclass

from bot.job import NAMELESS, Instant
from bot.store.standings import Standing
from bot.store.transaction import Transaction
from bot.talk.access import Access, Verdict
from bot.talk.meanings import CommandGiven, Origin
from bot.texts import Sentence, sentence

#: What each command decides.
DECIDES = {"allow": Standing.ALLOWED, "deny": Standing.DENIED, "block": Standing.BLOCKED}

#: Ids below this belong to supergroups and channels, the negative ones above it to basic groups.
BASIC_GROUPS = -1_000_000_000_000


@dataclass(frozen=True)
class _Meant:
    """Somebody whom an admin means."""

    id: int
    #: what they are, as the sentence `whose-id` says it
    kind: str


def decided(tx: Transaction, access: Access, origin: Origin, given: CommandGiven, me: int, now: Instant) -> Sentence:
    """Decide about those whom an admin means, in force at once; return what to say."""
    standing = DECIDES[given.name]
    whom = _whom(tx, access, origin, given, me)
    if whom is None:
        return _asked_whom(origin, given)
    if any(access.is_admin(each.id) for each in whom):
        return sentence("admins-stay")
    for each in whom:
        tx.standings.decide(each.id, standing, origin.user_id, now)
        _take_back(tx, access, each.id, now)
    ids = ", ".join(sentence("whose-id", kind=each.kind, id=f"{each.id}").into(origin.language) for each in whom)
    if standing is Standing.ALLOWED and not access.allowed:
        return sentence("now-allowed-anyway", ids=ids)
    return sentence(f"now-{standing}", ids=ids)


def _whom(tx: Transaction, access: Access, origin: Origin, given: CommandGiven, me: int) -> list[_Meant] | None:
    """Return who is meant, None where that cannot be told."""
    words = given.words.replace(",", " ").split()
    if words:
        are_ids = all(re.fullmatch(r"-?\d{1,15}", word) for word in words)
        return [_Meant(int(word), _kind(tx, origin, int(word))) for word in words] if are_ids else None
    if given.about is None:
        return None
    # a message of ours is about the one who asked for it
    about = tx.outbox.job_of(origin.chat_id, given.about.message_id)
    job = None if about is None else tx.jobs.get(about)
    speaker = given.about.speaker if job is None else job.request.user_id
    # whoever replies to themselves, or to a word of ours about nobody, has meant something else
    if speaker is None or speaker in (me, origin.user_id):
        return None
    # what was handed on to us alone was said in the chat that said it
    chat_id = origin.chat_id if origin.is_group else speaker
    charged_to = access.charged_to(tx, speaker, chat_id) if job is None else job.request.charged_to
    meant = _Meant(speaker, "channel" if speaker < 0 and speaker != chat_id else _kind(tx, origin, speaker))
    if charged_to in (speaker, chat_id, NAMELESS) or access.is_admin(charged_to):
        return [meant]
    return _with_placer(tx, given, meant, _Meant(charged_to, "placer"))


def _with_placer(tx: Transaction, given: CommandGiven, meant: _Meant, placer: _Meant) -> list[_Meant]:
    """Return who is meant by a message in the name of a chat, where it is known who answers for those in the group.

    Whoever is shut out has more such names, so they are shut out themselves. A channel is so as well, because it speaks
    in other groups; the group is not, because others in it speak in their own name. Who is let in is who speaks.
    """
    if DECIDES[given.name] is not Standing.ALLOWED:
        return [placer, meant] if meant.kind == "channel" else [placer]
    return [placer, meant] if tx.standings.of(placer.id) in (Standing.DENIED, Standing.BLOCKED) else [meant]


def _kind(tx: Transaction, origin: Origin, principal: int) -> str:
    """Say what somebody is, as far as an id shows it."""
    if principal > 0:
        return "nameless" if principal == NAMELESS else "person"
    # ids of supergroups look like those of channels, of which nothing is stored
    is_group = principal == origin.chat_id or principal > BASIC_GROUPS or tx.chats.is_known(principal)
    return "group" if is_group else "chat"


def _asked_whom(origin: Origin, given: CommandGiven) -> Sentence:
    if given.about is not None and given.about.speaker is None:
        return sentence("whom-hidden", command=given.name)
    return sentence("whom", where=origin.where, command=given.name, chat=f"{origin.chat_id}")


def _take_back(tx: Transaction, access: Access, principal: int, now: Instant) -> None:
    """Cancel what nobody is to pay for any more."""
    open_jobs = tx.jobs.open_anywhere(principal) + tx.jobs.open_in(principal) + tx.jobs.open_charged_to(principal)
    # what somebody asked for in a chat that has their own id is found both ways
    for job in {job.id: job for job in open_jobs}.values():
        if access.verdict(tx, job.request.user_id, job.request.chat_id) is not Verdict.WELCOME:
            tx.take_back(job, now)

"""Admission: what admins decide about people and chats, by a reply or by an id."""

import re
from dataclasses import dataclass

from bot import job_actions
from bot.clock import Instant
from bot.handlers.access import AccessDecision, AccessPolicy
from bot.handlers.update_types import CommandGiven, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.job import ANONYMOUS_SENDER_ID
from bot.store.access_rules import AccessRule
from bot.store.transaction import Transaction

#: What each command decides.
RULE_BY_COMMAND = {"allow": AccessRule.ALLOWED, "deny": AccessRule.DENIED, "block": AccessRule.BLOCKED}

#: Ids below this belong to supergroups and channels, the negative ones above it to basic groups.
LOWEST_BASIC_GROUP_ID = -1_000_000_000_000


@dataclass(frozen=True)
class _AccessTarget:
    """Somebody whom an admin means."""

    id: int
    #: what they are, as the sentence `whose-id` says it
    kind: str


def change_access(
    tx: Transaction, access: AccessPolicy, origin: UpdateOrigin, given: CommandGiven, me: int, now: Instant
) -> Sentence:
    """Decide about those whom an admin means, in force at once; return what to say."""
    standing = RULE_BY_COMMAND[given.name]
    whom = _resolve_targets(tx, access, origin, given, me)
    if whom is None:
        return _ask_for_target(origin, given)
    if any(access.is_admin(each.id) for each in whom):
        return sentence("admins-stay")
    for each in whom:
        tx.access_rules.set_rule(each.id, standing, origin.user_id, now)
        _cancel_disallowed_jobs(tx, access, each.id, now)
    ids = ", ".join(sentence("whose-id", kind=each.kind, id=f"{each.id}").translate(origin.language) for each in whom)
    if standing is AccessRule.ALLOWED and not access.allowed_ids:
        return sentence("now-allowed-anyway", ids=ids)
    return sentence(f"now-{standing}", ids=ids)


def _resolve_targets(
    tx: Transaction, access: AccessPolicy, origin: UpdateOrigin, given: CommandGiven, me: int
) -> list[_AccessTarget] | None:
    """Return who is meant, None where that cannot be told."""
    words = given.arguments.replace(",", " ").split()
    if words:
        are_ids = all(re.fullmatch(r"-?\d{1,15}", word) for word in words)
        return [_AccessTarget(int(word), _principal_kind(tx, origin, int(word))) for word in words] if are_ids else None
    if given.target is None:
        return None
    # a message of ours is about the one who asked for it
    about = tx.outbox.get_job_id(origin.chat_id, given.target.message_id)
    job = None if about is None else tx.jobs.get(about)
    speaker = given.target.author_id if job is None else job.request.user_id
    # whoever replies to themselves, or to a word of ours about nobody, has meant something else
    if speaker is None or speaker in (me, origin.user_id):
        return None
    # what was handed on to us alone was said in the chat that said it
    chat_id = origin.chat_id if origin.is_group else speaker
    charged_to = access.charged_to(tx, speaker, chat_id) if job is None else job.request.charged_to
    meant = _AccessTarget(
        speaker, "channel" if speaker < 0 and speaker != chat_id else _principal_kind(tx, origin, speaker)
    )
    if charged_to in (speaker, chat_id, ANONYMOUS_SENDER_ID) or access.is_admin(charged_to):
        return [meant]
    return _with_inviter(tx, given, meant, _AccessTarget(charged_to, "placer"))


def _with_inviter(
    tx: Transaction, given: CommandGiven, meant: _AccessTarget, placer: _AccessTarget
) -> list[_AccessTarget]:
    """Return who is meant by a message in the name of a chat, where it is known who answers for those in the group.

    Whoever is shut out has more such names, so they are shut out themselves. A channel is so as well, because it speaks
    in other groups; the group is not, because others in it speak in their own name. Who is let in is who speaks.
    """
    if RULE_BY_COMMAND[given.name] is not AccessRule.ALLOWED:
        return [placer, meant] if meant.kind == "channel" else [placer]
    return [placer, meant] if tx.access_rules.get(placer.id) in (AccessRule.DENIED, AccessRule.BLOCKED) else [meant]


def _principal_kind(tx: Transaction, origin: UpdateOrigin, principal: int) -> str:
    """Say what somebody is, as far as an id shows it."""
    if principal > 0:
        return "nameless" if principal == ANONYMOUS_SENDER_ID else "person"
    # ids of supergroups look like those of channels, of which nothing is stored
    is_group = principal == origin.chat_id or principal > LOWEST_BASIC_GROUP_ID or tx.chats.is_known(principal)
    return "group" if is_group else "chat"


def _ask_for_target(origin: UpdateOrigin, given: CommandGiven) -> Sentence:
    if given.target is not None and given.target.author_id is None:
        return sentence("whom-hidden", command=given.name)
    return sentence("whom", where=origin.chat_type, command=given.name, chat=f"{origin.chat_id}")


def _cancel_disallowed_jobs(tx: Transaction, access: AccessPolicy, principal: int, now: Instant) -> None:
    """Cancel what nobody is to pay for any more."""
    open_jobs = (
        tx.jobs.list_open_of_user(principal)
        + tx.jobs.list_open_in_chat(principal)
        + tx.jobs.list_open_charged_to(principal)
    )
    # what somebody asked for in a chat that has their own id is found both ways
    for job in {job.id: job for job in open_jobs}.values():
        if access.decide(tx, job.request.user_id, job.request.chat_id) is not AccessDecision.ALLOWED:
            job_actions.cancel_job(tx, job, now)

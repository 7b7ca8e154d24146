"""The commands /allow, /deny and /block, with which admins change who may use the bot."""

import re
from dataclasses import dataclass

from bot import job_operations
from bot.handlers.access import AccessDecision, AccessPolicy
from bot.handlers.update_types import CommandGiven, UpdateContext, UpdateOrigin
from bot.i18n import Sentence, sentence
from bot.job import ANONYMOUS_SENDER_ID
from bot.store.users import AccessRule

RULE_BY_COMMAND = {"allow": AccessRule.ALLOWED, "deny": AccessRule.DENIED, "block": AccessRule.BLOCKED}

#: Ids below this are those of supergroups and channels, negative ones above it those of basic groups.
LOWEST_BASIC_GROUP_ID = -1_000_000_000_000


@dataclass(frozen=True)
class _AccessTarget:
    """A user or chat that a command is about."""

    id: int
    #: the variant of the sentence `whose-id`
    kind: str


def change_access(ctx: UpdateContext, policy: AccessPolicy, command: CommandGiven, bot_id: int) -> Sentence:
    """Store an access rule for the users and chats that an admin means, effective at once; return the reply."""
    rule = RULE_BY_COMMAND[command.name]
    targets = _resolve_targets(ctx, policy, command, bot_id)
    if targets is None:
        return _ask_for_target(ctx.origin, command)
    if any(policy.is_admin(each.id) for each in targets):
        return sentence("admins-stay")
    for each in targets:
        ctx.tx.access_rules.set_rule(each.id, rule, ctx.origin.user_id, ctx.now)
        _cancel_disallowed_jobs(ctx, policy, each.id)
    names = [sentence("whose-id", kind=each.kind, id=f"{each.id}").translate(ctx.origin.language) for each in targets]
    is_moot = rule is AccessRule.ALLOWED and not policy.allowed_ids
    return sentence("now-allowed-anyway" if is_moot else f"now-{rule}", ids=", ".join(names))


def _resolve_targets(
    ctx: UpdateContext, policy: AccessPolicy, command: CommandGiven, bot_id: int
) -> list[_AccessTarget] | None:
    """Return whom a command is about; None where that is unclear."""
    words = command.arguments.replace(",", " ").split()
    if words:
        are_ids = all(re.fullmatch(r"-?\d{1,15}", word) for word in words)
        return [_AccessTarget(int(word), _principal_kind(ctx, int(word))) for word in words] if are_ids else None
    if command.target is None:
        return None
    # a message of the bot stands for the user who asked for it
    job_id = ctx.tx.outbox.get_job_id(ctx.origin.chat_id, command.target.message_id)
    job = None if job_id is None else ctx.tx.jobs.get(job_id)
    author = command.target.author_id if job is None else job.request.user_id
    # a reply to oneself, or to a message of the bot about no job, is a mistake
    if author is None or author in (bot_id, ctx.origin.user_id):
        return None
    # a message that is forwarded in private counts as written in the author's own chat
    chat_id = ctx.origin.chat_id if ctx.origin.is_group else author
    charged_to = policy.charged_to(ctx.tx, author, chat_id) if job is None else job.request.charged_to
    is_channel = author < 0 and author != chat_id
    target = _AccessTarget(author, "channel" if is_channel else _principal_kind(ctx, author))
    if charged_to in (author, chat_id, ANONYMOUS_SENDER_ID) or policy.is_admin(charged_to):
        return [target]
    return _with_inviter(ctx, command, target, _AccessTarget(charged_to, "placer"))


def _with_inviter(
    ctx: UpdateContext, command: CommandGiven, target: _AccessTarget, inviter: _AccessTarget
) -> list[_AccessTarget]:
    """Return whom a command is about if a message in the name of a chat counts for the user who added the bot.

    To deny or block one such chat is useless, since that user can create more: the user is denied or blocked. So is a
    channel, because it writes in other groups as well; a group is not, because its members write in their own names. To
    allow means the chat itself, and its user only if they are denied or blocked.
    """
    if RULE_BY_COMMAND[command.name] is not AccessRule.ALLOWED:
        return [inviter, target] if target.kind == "channel" else [inviter]
    is_shut_out = ctx.tx.access_rules.get(inviter.id) in (AccessRule.DENIED, AccessRule.BLOCKED)
    return [inviter, target] if is_shut_out else [target]


def _principal_kind(ctx: UpdateContext, principal: int) -> str:
    if principal > 0:
        return "nameless" if principal == ANONYMOUS_SENDER_ID else "person"
    # ids of supergroups look like those of channels, but nothing is stored about channels
    is_own_chat = principal == ctx.origin.chat_id
    return "group" if is_own_chat or principal > LOWEST_BASIC_GROUP_ID or ctx.tx.chats.is_known(principal) else "chat"


def _ask_for_target(origin: UpdateOrigin, command: CommandGiven) -> Sentence:
    if command.target is not None and command.target.author_id is None:
        return sentence("whom-hidden", command=command.name)
    return sentence("whom", where=origin.chat_type, command=command.name, chat=f"{origin.chat_id}")


def _cancel_disallowed_jobs(ctx: UpdateContext, policy: AccessPolicy, principal: int) -> None:
    jobs = ctx.tx.jobs
    open_jobs = (
        jobs.list_open_of_user(principal) + jobs.list_open_in_chat(principal) + jobs.list_open_charged_to(principal)
    )
    # in a private chat the lists overlap
    for job in {job.id: job for job in open_jobs}.values():
        if policy.decide(ctx.tx, job.request.user_id, job.request.chat_id) is not AccessDecision.ALLOWED:
            job_operations.cancel_job(ctx.tx, job, ctx.now)

"""One job's life, as the database remembers it: milestones with the time between them, paid calls, what was said."""

from collections.abc import Iterator

from bot.operate.lives.spans import moment, span
from bot.store.lives import Call, Life, Message

#: Columns of the names.
WIDTH = 12


def biography(life: Life) -> str:
    """Return what there is to tell, a line each; moments are UTC."""
    return "\n".join([*_head(life), "", *_milestones(life), *_calls(life.calls), *_messages(life.messages)])


def _head(life: Life) -> Iterator[str]:
    job, request = life.job, life.job.request
    yield f"job {job.id}: {job.state}" + (f", {job.reason}" if job.reason else "")
    if request.is_erased:
        yield _line("from", "nobody knows any more: it is erased")
    else:
        message = "none" if request.message_id is None else str(request.message_id)
        yield _line("from", f"chat {request.chat_id}, message {message}")
        yield _line("pictures", str(len(request.sources)))
    yield _line("form", f"{request.form.format}, {request.form.shape}, as {request.form.answer_as}")
    if request.variation_of is not None:
        yield _line("variation", f"of job {request.variation_of}")
    yield from _at_kie(life)
    for name, count in (("tries", job.tries), ("rejected", job.rejections), ("again", job.reorders)):
        if count:
            yield _line(name, str(count))


def _at_kie(life: Life) -> Iterator[str]:
    if life.job.task_id is not None:
        yield _line("task", life.job.task_id)
    if life.took is not None:
        yield _line("at Kie", span(0, life.took))
    if life.credits is not None:
        yield _line("credits", f"{life.credits:g}")
    if life.unread_result is not None:
        yield _line("Kie said", life.unread_result)


def _milestones(life: Life) -> Iterator[str]:
    before = None
    for name, at in sorted(life.milestones.items(), key=lambda each: each[1]):
        gap = "" if before is None else f"  +{span(before, at)}"
        yield _line(name.removesuffix("_at"), f"{moment(at)}{gap}")
        before = at


def _calls(calls: list[Call]) -> Iterator[str]:
    for number, call in enumerate(calls, start=1):
        took = "not over" if call.ended_at is None else f"{call.outcome} after {span(call.started_at, call.ended_at)}"
        task = "" if call.task_id is None else f", task {call.task_id}"
        yield _line(f"order {number}", f"{moment(call.started_at)}  {took}{task}")


def _messages(messages: list[Message]) -> Iterator[str]:
    for said in messages:
        name = f"{said.kind}, the answer" if said.is_answer else said.kind
        end = "waits" if said.ended_at is None else f"{said.ending} after {span(said.written_at, said.ended_at)}"
        message = "" if said.message_id is None else f", message {said.message_id}"
        trouble = [f"{count} {what}" for count, what in ((said.tries, "in vain"), (said.in_doubt, "in doubt")) if count]
        yield _line("said", f"{moment(said.written_at)}  {name}: {', '.join([f'{end}{message}', *trouble])}")


def _line(name: str, fact: str) -> str:
    return f"  {name:{WIDTH}}{fact}"

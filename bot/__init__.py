"""Darkroom: a Telegram bot that edits photos. The way of a request, room by room:

1. `doors` lets news in: an update is committed to the inbox before Telegram hears that it arrived;
   a callback from Kie only makes us look.
2. `talk` says whether it is meant for us, reads it and turns it, in one transaction, into a job, a
   part of one, or a reply.
3. `jobs` moves the job on, one step at a time: gather (pictures and words), prepare (fetch, look,
   upload), submit (the one paid call), watch (look at the task), deliver (the picture, or the
   reason why not); meanwhile tell keeps one message true that says how it stands.
4. `kie` speaks to Kie.ai, `chat` to Telegram, `pictures` looks at bytes, `texts` holds our words.
5. `store` keeps every fact in SQLite, so that a crash at any instant loses nothing.
6. `job` is the rule book of a job's life, `wish` what is wanted; `app` wires it all and takes it down in reverse.
7. `stats` counts what went on and has it drawn, for the admins who ask with /stats.
8. `sandbox` is a local Telegram and a local Kie, to try and to test all this without an account.
"""

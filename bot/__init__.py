"""Darkroom: a Telegram bot that edits photos. The way of a request through the packages:

1. `inbound` receives updates, by long polling or a webhook, and stores each before Telegram is told that it arrived.
2. `handlers` parses a stored update and turns it, in one transaction, into a job, a part of a job, or a reply.
3. `pipeline` moves a job forward, one step at a time: collect the request, prepare its images, submit the order (the
   only paid call), poll the task, deliver the image or the reason why there is none.
   A progress message shows how it stands.
4. `kie` and `telegram` are the two API clients, `images` inspects and converts images, `i18n` has every text for users.
5. `store` keeps everything in SQLite, so that a crash at any moment loses nothing.
6. `job` defines the states of a job; `app` connects the parts, starts and stops them.
7. `ops` helps the operator: check, backup, health, watchdog, retention; `stats` draws /stats.
8. `sandbox` is a local Telegram and a local Kie, to try and to test the bot without an account.
"""

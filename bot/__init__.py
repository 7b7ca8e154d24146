"""Darkroom: a Telegram bot that edits photos. The path of a request through the packages:

1. `inbound` receives updates by long polling or webhook, and stores each in the inbox before acknowledging it.
2. `handlers` parses a stored update and, in one transaction, turns it into a job, a part of a job, or a reply.
3. `pipeline` moves a job forward one step at a time: collect the request, prepare its images, submit the order (the
   only paid call), poll the task, deliver the image or the reason for the failure. Messages go through an outbox.
4. `kie` and `telegram` are the two API clients, `images` inspects and converts images, `i18n` has every text for users.
5. `store` keeps everything in SQLite, so that a crash at any moment loses nothing.
6. `job` defines a job and its states, `job_operations` what happens to it as a whole; `app` wires, starts and stops.
7. `ops` helps the operator: check, jobs, health, watchdog, retention; `stats` draws /stats.
8. `sandbox` is a local Telegram and a local Kie, to try and to test the bot without an account.
"""

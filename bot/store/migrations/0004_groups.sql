-- Groups, preferences, and several edits about one message.

-- What is known of a chat; that of a person has the person's id.
CREATE TABLE chats (
    chat_id         INTEGER PRIMARY KEY,
    language        TEXT,              -- chosen; NULL: that of the speaker's app
    format          TEXT,              -- chosen; NULL: as everybody gets it, here and below
    shape           TEXT,
    answer_as       TEXT,
    greeted_at      INTEGER,           -- a group: when the bot said hello
    former_id       INTEGER,           -- a supergroup: the id that it had as a group
    hears_all       INTEGER NOT NULL DEFAULT 0,   -- a group: whether the bot is an administrator
    admins          TEXT,              -- a group: the ids of its administrators, as JSON
    admins_known_at INTEGER,
    admins_due_at   INTEGER,           -- when to ask for them; NULL: nobody wants to know
    admins_tries    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX chats_admins_due ON chats (admins_due_at) WHERE admins_due_at IS NOT NULL;

-- An update that can only be understood when the administrators of this chat are known.
ALTER TABLE inbox ADD COLUMN awaits INTEGER;

DROP INDEX inbox_waiting;
CREATE INDEX inbox_waiting ON inbox (update_id) WHERE handled_at IS NULL AND awaits IS NULL;
CREATE INDEX inbox_awaiting ON inbox (awaits) WHERE handled_at IS NULL AND awaits IS NOT NULL;

CREATE TABLE jobs_2 (
    id           INTEGER PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN
        ('gathering', 'queued', 'submitting', 'running', 'succeeded', 'failed', 'cancelled')),
    chat_id      INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    message_id   INTEGER,            -- NULL where there is nothing left to reply to
    thread_id    INTEGER,
    prompt       TEXT NOT NULL,
    due_at       INTEGER,
    received_at  INTEGER NOT NULL,
    queued_at    INTEGER,
    submitted_at INTEGER,
    asked_at     INTEGER,
    overdue_at   INTEGER,
    finished_at  INTEGER,
    answering_at INTEGER,
    answered_at  INTEGER,
    erased_at    INTEGER,
    task_id      TEXT,
    tries        INTEGER NOT NULL DEFAULT 0,
    rejections   INTEGER NOT NULL DEFAULT 0,
    reorders     INTEGER NOT NULL DEFAULT 0,
    reason       TEXT,
    result_url   TEXT,
    credits      REAL,
    album        TEXT,               -- Telegram's media_group_id
    closes_by    INTEGER,            -- while an album is open: when it closes at the latest
    took         INTEGER,            -- milliseconds that Kie worked on the picture
    language     TEXT NOT NULL DEFAULT 'en',
    format       TEXT NOT NULL DEFAULT 'png',
    shape        TEXT NOT NULL DEFAULT 'auto',
    answer_as    TEXT NOT NULL DEFAULT 'photo',
    variation_of INTEGER             -- the job of which it is another variation
) STRICT;

INSERT INTO jobs_2 (id, state, chat_id, user_id, message_id, thread_id, prompt, due_at, received_at, queued_at,
                    submitted_at, asked_at, overdue_at, finished_at, answering_at, answered_at, erased_at, task_id,
                    tries, rejections, reorders, reason, result_url, credits, album, closes_by, took, language)
    SELECT id, state, chat_id, user_id, message_id, thread_id, prompt, due_at, received_at, queued_at,
           submitted_at, asked_at, overdue_at, finished_at, answering_at, answered_at, erased_at, task_id,
           tries, rejections, reorders, reason, result_url, credits, album, closes_by, took, language FROM jobs;

DROP TABLE jobs;
ALTER TABLE jobs_2 RENAME TO jobs;

CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, submitted_at);
CREATE INDEX jobs_by_person ON jobs (user_id, chat_id, state);
CREATE INDEX jobs_by_chat ON jobs (chat_id, state);
CREATE INDEX jobs_to_erase ON jobs (finished_at) WHERE erased_at IS NULL;
CREATE UNIQUE INDEX jobs_by_album ON jobs (chat_id, album) WHERE album IS NOT NULL;
CREATE INDEX jobs_took ON jobs (finished_at) WHERE took IS NOT NULL;
CREATE INDEX jobs_variations ON jobs (variation_of) WHERE variation_of IS NOT NULL;

CREATE TABLE outbox_2 (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN
        ('text', 'picture', 'file', 'reaction', 'status', 'toast', 'menu', 'deletion')),
    chat_id    INTEGER NOT NULL,
    thread_id  INTEGER,
    reply_to   INTEGER,              -- of a reaction or a deletion: the message that it is about
    body       TEXT NOT NULL,
    press_id   TEXT,                 -- of a toast: the press that it answers
    job_id     INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    is_answer  INTEGER NOT NULL DEFAULT 0,
    is_asked_for INTEGER NOT NULL DEFAULT 0, -- of a status: somebody wants to see it
    written_at INTEGER NOT NULL,
    due_at     INTEGER,              -- NULL while there is nothing to do about it
    tries      INTEGER NOT NULL DEFAULT 0,
    in_doubt   INTEGER NOT NULL DEFAULT 0,   -- sends that may have arrived
    ended_at   INTEGER,
    ending     TEXT CHECK (ending IN ('sent', 'gone', 'rejected', 'expired', 'unclear')),
    message_id INTEGER,
    shown      TEXT,                 -- of a status or a menu: what its message shows
    shown_at   INTEGER,
    touched    INTEGER NOT NULL DEFAULT 0,   -- of these: counts what may have changed it
    is_over    INTEGER NOT NULL DEFAULT 0    -- of these: its message is to be deleted
) STRICT;

INSERT INTO outbox_2 (id, key, kind, chat_id, thread_id, reply_to, body, press_id, job_id, is_answer, written_at,
                      due_at, tries, in_doubt, ended_at, ending, message_id, shown, shown_at, touched, is_over)
    SELECT id, key, kind, chat_id, thread_id, reply_to, body, press_id, job_id, is_answer, written_at,
           due_at, tries, in_doubt, ended_at, ending, message_id, shown, shown_at, touched, is_over FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_said ON outbox (due_at, id)
    WHERE due_at IS NOT NULL AND kind NOT IN ('status', 'menu', 'reaction');
CREATE INDEX outbox_told ON outbox (due_at, id) WHERE due_at IS NOT NULL AND kind IN ('status', 'menu', 'reaction');
CREATE INDEX outbox_by_job ON outbox (job_id);
CREATE INDEX outbox_by_message ON outbox (chat_id, message_id);
CREATE INDEX outbox_waiting ON outbox (chat_id) WHERE ended_at IS NULL;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;

-- What Telegram was last told about the bot itself: a digest of its menus of commands.
ALTER TABLE owner ADD COLUMN menus TEXT;

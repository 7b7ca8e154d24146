-- Requests that come in several messages, and messages of ours that change.

ALTER TABLE jobs ADD COLUMN album TEXT;            -- Telegram's media_group_id
ALTER TABLE jobs ADD COLUMN closes_by INTEGER;     -- while an album is open: when it closes at the latest
ALTER TABLE jobs ADD COLUMN took INTEGER;          -- milliseconds that Kie worked on the picture

CREATE UNIQUE INDEX jobs_by_album ON jobs (chat_id, album) WHERE album IS NOT NULL;
CREATE INDEX jobs_took ON jobs (finished_at) WHERE took IS NOT NULL;

ALTER TABLE sources ADD COLUMN full_url TEXT;      -- where Kie has it better than Telegram

-- The messages that a request consists of: its pictures, and the words that came with or after them.
CREATE TABLE parts (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    words      TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('picture', 'other', 'text')),
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX parts_by_job ON parts (job_id, message_id);

INSERT INTO parts (chat_id, message_id, job_id, words, kind)
    SELECT chat_id, message_id, id, prompt, 'picture' FROM jobs WHERE erased_at IS NULL;

CREATE INDEX line_in_order ON line (turn, job_id);

CREATE TABLE outbox_2 (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN ('text', 'picture', 'file', 'reaction', 'status', 'toast')),
    chat_id    INTEGER NOT NULL,
    thread_id  INTEGER,
    reply_to   INTEGER,
    body       TEXT NOT NULL,
    press_id   TEXT,               -- of a toast: the press that it answers
    job_id     INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    is_answer  INTEGER NOT NULL DEFAULT 0,
    written_at INTEGER NOT NULL,
    due_at     INTEGER,            -- NULL while there is nothing to do about it
    tries      INTEGER NOT NULL DEFAULT 0,
    in_doubt   INTEGER NOT NULL DEFAULT 0,   -- sends that may have arrived
    ended_at   INTEGER,
    ending     TEXT CHECK (ending IN ('sent', 'gone', 'rejected', 'expired', 'unclear')),
    message_id INTEGER,
    shown      TEXT,               -- of a status: what its message shows
    shown_at   INTEGER,
    touched    INTEGER NOT NULL DEFAULT 0,   -- of a status: counts what may have changed it
    is_over    INTEGER NOT NULL DEFAULT 0    -- of a status: its message is to be deleted
) STRICT;

INSERT INTO outbox_2 (id, key, kind, chat_id, thread_id, reply_to, body, job_id, is_answer, written_at, due_at, tries,
                      in_doubt, ended_at, ending, message_id)
    SELECT id, key, kind, chat_id, thread_id, reply_to, body, job_id, is_answer, written_at, due_at, tries,
           in_doubt, ended_at, ending, message_id FROM outbox;

DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_said ON outbox (due_at, id) WHERE due_at IS NOT NULL AND kind <> 'status';
CREATE INDEX outbox_told ON outbox (due_at, id) WHERE due_at IS NOT NULL AND kind = 'status';
CREATE INDEX outbox_by_job ON outbox (job_id);
CREATE INDEX outbox_by_message ON outbox (chat_id, message_id);
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;

-- What is going on, at a glance: the figures of a time that is over, as a picture for the admins.

CREATE INDEX jobs_received ON jobs (received_at);

CREATE TABLE outbox_2 (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN
        ('text', 'picture', 'file', 'figures', 'reaction', 'status', 'toast', 'menu', 'deletion')),
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

INSERT INTO outbox_2 (id, key, kind, chat_id, thread_id, reply_to, body, press_id, job_id, is_answer, is_asked_for,
                      written_at, due_at, tries, in_doubt, ended_at, ending, message_id, shown, shown_at, touched,
                      is_over)
    SELECT id, key, kind, chat_id, thread_id, reply_to, body, press_id, job_id, is_answer, is_asked_for,
           written_at, due_at, tries, in_doubt, ended_at, ending, message_id, shown, shown_at, touched,
           is_over FROM outbox;

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

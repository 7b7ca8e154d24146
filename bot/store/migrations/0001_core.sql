-- Moments are milliseconds since 1970, UTC. A state is a fact that survives a crash.

CREATE TABLE inbox (
    update_id   INTEGER PRIMARY KEY,
    body        TEXT,              -- the raw update; erased once it was handled
    received_at INTEGER NOT NULL,
    handled_at  INTEGER,
    fault       TEXT               -- why it was set aside
) STRICT;

CREATE INDEX inbox_waiting ON inbox (update_id) WHERE handled_at IS NULL;
CREATE INDEX inbox_handled ON inbox (handled_at) WHERE handled_at IS NOT NULL;

CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN
        ('gathering', 'queued', 'submitting', 'running', 'succeeded', 'failed', 'cancelled')),
    chat_id      INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    message_id   INTEGER NOT NULL,
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
    UNIQUE (chat_id, message_id)
) STRICT;

CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, submitted_at);
CREATE INDEX jobs_by_person ON jobs (user_id, chat_id, state);
CREATE INDEX jobs_to_erase ON jobs (finished_at) WHERE erased_at IS NULL;

CREATE TABLE sources (
    job_id         INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    file_id        TEXT NOT NULL,
    file_unique_id TEXT NOT NULL,
    is_photo       INTEGER NOT NULL,
    size           INTEGER,
    upload_url     TEXT,
    uploaded_at    INTEGER,
    PRIMARY KEY (job_id, place)
) STRICT, WITHOUT ROWID;

-- The queued jobs in the order of a fair queue, for their preparation as for their turn at Kie.
CREATE TABLE line (
    job_id   INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    chat_id  INTEGER NOT NULL,
    turn     REAL NOT NULL,        -- the chat's place among the chats
    place    REAL NOT NULL,        -- the person's place within the chat
    is_ready INTEGER NOT NULL      -- prepared: it only waits for its turn
) STRICT;

CREATE INDEX line_unready ON line (turn, job_id) WHERE is_ready = 0;
CREATE INDEX line_by_turn ON line (turn, job_id) WHERE is_ready = 1;
CREATE INDEX line_by_chat ON line (chat_id, place, job_id) WHERE is_ready = 1;

-- The last place that each chat (user_id 0) and each person in a chat was given.
CREATE TABLE lanes (
    chat_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    last    REAL NOT NULL,
    PRIMARY KEY (chat_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE line_clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    turn REAL NOT NULL             -- the turn that was served last
) STRICT;

INSERT INTO line_clock VALUES (1, 0);

CREATE TABLE owner (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    bot_id INTEGER NOT NULL
) STRICT;

-- One paid call each.
CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY,
    job_id     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    reference  TEXT NOT NULL UNIQUE,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,            -- when the call was over, whatever came of it
    outcome    TEXT CHECK (outcome IN ('accepted', 'not_ordered', 'unclear')),
    task_id    TEXT
) STRICT;

CREATE INDEX attempts_by_job ON attempts (job_id);
CREATE INDEX attempts_open ON attempts (started_at) WHERE ended_at IS NULL;
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;

-- Everything we say, before it is said.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL CHECK (kind IN ('text', 'picture', 'reaction')),
    chat_id    INTEGER NOT NULL,
    thread_id  INTEGER,
    reply_to   INTEGER,
    body       TEXT NOT NULL,
    job_id     INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    is_answer  INTEGER NOT NULL DEFAULT 0,
    written_at INTEGER NOT NULL,
    due_at     INTEGER,            -- NULL once it has ended
    tries      INTEGER NOT NULL DEFAULT 0,
    in_doubt   INTEGER NOT NULL DEFAULT 0,   -- sends that may have arrived
    ended_at   INTEGER,
    ending     TEXT CHECK (ending IN ('sent', 'gone', 'rejected', 'expired', 'unclear')),
    message_id INTEGER
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_job ON outbox (job_id);
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;

-- Why nothing is ordered at present; a row that is gone means all is well.
CREATE TABLE breakers (
    name   TEXT PRIMARY KEY,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL,
    trips  INTEGER NOT NULL,
    probed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Times are milliseconds since 1970, UTC; days are days since 1970, UTC. A state is a fact that survives a crash.

-- Every update that concerns the bot, from its arrival until its id is forgotten. A fair queue over chats.
CREATE TABLE inbox (
    update_id   INTEGER PRIMARY KEY,
    body        TEXT,              -- Telegram's JSON; erased once it is handled
    received_at INTEGER NOT NULL,
    handled_at  INTEGER,
    quarantine_reason TEXT,        -- why it was set aside without being handled
    waits_for_admins_of INTEGER,   -- the group whose administrators must be known first
    queue_turn  INTEGER NOT NULL DEFAULT 0,   -- one more than that of the previous update of its chat
    tries       INTEGER NOT NULL DEFAULT 0,   -- failures that a restart may cure; each causes one
    -- ANY, because the JSON is not validated here; 0 if an update belongs to no chat
    chat_id     ANY GENERATED ALWAYS AS (
        coalesce(json_extract(iif(json_valid(body), body, NULL), '$.message.chat.id'),
                 json_extract(iif(json_valid(body), body, NULL), '$.edited_message.chat.id'),
                 json_extract(iif(json_valid(body), body, NULL), '$.callback_query.message.chat.id'),
                 json_extract(iif(json_valid(body), body, NULL), '$.my_chat_member.chat.id'), 0)
    ) VIRTUAL
) STRICT;

CREATE INDEX inbox_waiting ON inbox (update_id) WHERE handled_at IS NULL AND waits_for_admins_of IS NULL;
CREATE INDEX inbox_by_turn ON inbox (queue_turn, update_id) WHERE handled_at IS NULL AND waits_for_admins_of IS NULL;
CREATE INDEX inbox_by_chat ON inbox (chat_id, update_id) WHERE handled_at IS NULL AND waits_for_admins_of IS NULL;
CREATE INDEX inbox_messages ON inbox (
    chat_id, json_extract(iif(json_valid(body), body, NULL), '$.message.message_id')
) WHERE handled_at IS NULL AND waits_for_admins_of IS NULL;
CREATE INDEX inbox_albums ON inbox (
    chat_id, json_extract(iif(json_valid(body), body, NULL), '$.message.media_group_id')
) WHERE handled_at IS NULL AND waits_for_admins_of IS NULL;
CREATE INDEX inbox_waiting_for_admins ON inbox (waits_for_admins_of)
    WHERE handled_at IS NULL AND waits_for_admins_of IS NOT NULL;
CREATE INDEX inbox_handled ON inbox (handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX inbox_quarantined ON inbox (handled_at) WHERE quarantine_reason IS NOT NULL;

CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN
        ('gathering', 'queued', 'submitting', 'running', 'succeeded', 'failed', 'cancelled')),
    chat_id      INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    charged_to   INTEGER NOT NULL DEFAULT 0,   -- the user whose limits it counts against
    message_id   INTEGER,            -- NULL if there is nothing left to reply to
    thread_id    INTEGER,
    media_group_id TEXT,
    prompt       TEXT NOT NULL,
    language     TEXT NOT NULL DEFAULT 'en',
    format       TEXT NOT NULL DEFAULT 'png',
    aspect_ratio TEXT NOT NULL DEFAULT 'auto',
    answer_as    TEXT NOT NULL DEFAULT 'photo',
    variation_of INTEGER,            -- the job that it is a variation of
    due_at       INTEGER,
    received_at  INTEGER NOT NULL,
    closes_by    INTEGER,            -- while an album is open: when it closes at the latest
    queued_at    INTEGER,
    submitted_at INTEGER,
    asked_at     INTEGER,            -- when the user was asked what to do about an uncertain order
    overdue_at   INTEGER,            -- when the user was notified that it takes unusually long
    finished_at  INTEGER,
    download_failing_since INTEGER,  -- when the user was notified that the image cannot be downloaded yet
    answering_at INTEGER,            -- when a send of the answer began
    answered_at  INTEGER,
    answer_deleted_at INTEGER,       -- when a user had the answer deleted from the chat for good
    erased_at    INTEGER,
    erase_when_ended INTEGER NOT NULL DEFAULT 0,   -- a variation of an erased request: erase it when it has ended
    task_id      TEXT,
    tries        INTEGER NOT NULL DEFAULT 0,
    rejections   INTEGER NOT NULL DEFAULT 0,
    reorders     INTEGER NOT NULL DEFAULT 0,
    reason       TEXT,
    result_url   TEXT,
    unparsed_result TEXT,            -- of a success without an image: Kie's record, for the operator
    kie_duration_ms INTEGER,
    credits      REAL,
    counted_day  INTEGER,            -- the day on which it counts for `charged_to`; NULL if refunded
    counted_for_all INTEGER NOT NULL DEFAULT 0    -- whether it also counts for its chat and for everybody
) STRICT;

CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_due_in_state ON jobs (state, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, submitted_at);
CREATE INDEX jobs_by_user ON jobs (user_id, chat_id, state);
CREATE INDEX jobs_by_chat ON jobs (chat_id, state);
CREATE INDEX jobs_waiting ON jobs (charged_to) WHERE state IN ('gathering', 'queued');
CREATE INDEX jobs_charged_to_others ON jobs (charged_to) WHERE charged_to <> user_id;
CREATE INDEX jobs_collecting_counted ON jobs (id) WHERE state = 'gathering' AND counted_for_all;
CREATE UNIQUE INDEX jobs_by_album ON jobs (chat_id, media_group_id) WHERE media_group_id IS NOT NULL;
CREATE INDEX jobs_variations ON jobs (variation_of) WHERE variation_of IS NOT NULL;
CREATE INDEX jobs_received ON jobs (received_at);
CREATE INDEX jobs_kie_duration ON jobs (finished_at) WHERE kie_duration_ms IS NOT NULL;
CREATE INDEX jobs_to_erase ON jobs (finished_at) WHERE erased_at IS NULL;
CREATE INDEX jobs_erased_when_ended ON jobs (finished_at) WHERE erase_when_ended = 1;

-- How many jobs there are in each state; maintained by triggers, because counting would read every job.
CREATE TABLE job_counts (
    state TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_counts_added AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (state, count) VALUES (NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER job_counts_changed AFTER UPDATE OF state ON jobs WHEN NEW.state <> OLD.state BEGIN
    UPDATE job_counts SET count = count - 1 WHERE state = OLD.state;
    INSERT INTO job_counts (state, count) VALUES (NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER job_counts_removed AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET count = count - 1 WHERE state = OLD.state;
END;

CREATE TABLE source_images (
    job_id         INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    file_id        TEXT NOT NULL,
    file_unique_id TEXT NOT NULL,
    is_photo       INTEGER NOT NULL,
    size           INTEGER,        -- bytes
    full_url       TEXT,           -- Kie's copy, if it is better than Telegram's
    upload_url     TEXT,           -- NULL: not uploaded, or Kie fetches it from Telegram
    uploaded_at    INTEGER,
    PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;

-- The messages that a request consists of: its images, and the text that came with or after them.
CREATE TABLE request_messages (
    chat_id    INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    text       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('image', 'other', 'text')),
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX request_messages_by_job ON request_messages (job_id, message_id);

-- Paid calls, each written before it is made.
CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY,
    job_id     INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    reference  TEXT NOT NULL UNIQUE,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,            -- when the call ended, whatever the outcome
    outcome    TEXT CHECK (outcome IN ('accepted', 'not_ordered', 'uncertain')),
    task_id    TEXT,               -- of an accepted call; else a candidate, to be confirmed by a poll
    cost       REAL                -- credits, as reported by Kie; NULL if unknown
) STRICT;

CREATE INDEX attempts_by_job ON attempts (job_id);
CREATE INDEX attempts_open ON attempts (started_at) WHERE ended_at IS NULL;
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;
-- one task never answers two orders
CREATE UNIQUE INDEX attempts_by_task ON attempts (task_id) WHERE outcome = 'accepted';

-- The queued jobs, with the turns that decide in which order they are prepared and ordered.
CREATE TABLE fair_queue (
    job_id    INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    chat_id   INTEGER NOT NULL,
    chat_turn REAL NOT NULL,       -- the turn of the job among all chats
    user_turn REAL NOT NULL,       -- the turn of the job within its chat
    is_ready  INTEGER NOT NULL,    -- whether it is prepared and only waits for its turn
    conversion_turn REAL,          -- the turn in the conversion queue; NULL: not in it
    -- that of the job: when to retry a failed preparation, or to notify the user that it takes long; NULL once the
    -- former has come
    due_at    INTEGER,
    notified_outage TEXT NOT NULL DEFAULT ''   -- the outage of which its group was notified
) STRICT;

CREATE INDEX fair_queue_in_order ON fair_queue (chat_turn, job_id);
CREATE INDEX fair_queue_ready ON fair_queue (chat_turn, job_id) WHERE is_ready = 1;
CREATE INDEX fair_queue_by_chat ON fair_queue (chat_id, user_turn, job_id) WHERE is_ready = 1;
CREATE INDEX fair_queue_to_prepare ON fair_queue (chat_turn, job_id)
    WHERE is_ready = 0 AND conversion_turn IS NULL AND due_at IS NULL;
CREATE INDEX fair_queue_conversions ON fair_queue (conversion_turn, job_id)
    WHERE is_ready = 0 AND conversion_turn IS NOT NULL;
CREATE INDEX fair_queue_conversions_due ON fair_queue (conversion_turn, job_id)
    WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL;
CREATE INDEX fair_queue_postponed ON fair_queue (due_at) WHERE is_ready = 0 AND due_at IS NOT NULL;
CREATE INDEX fair_queue_reminders ON fair_queue (due_at) WHERE is_ready = 1 AND due_at IS NOT NULL;
CREATE INDEX fair_queue_of_groups ON fair_queue (chat_id, job_id) WHERE chat_id < 0;
CREATE INDEX fair_queue_unnotified ON fair_queue (notified_outage, job_id) WHERE chat_id < 0;

CREATE TRIGGER fair_queue_added AFTER INSERT ON fair_queue BEGIN
    UPDATE fair_queue SET due_at = (SELECT due_at FROM jobs WHERE id = NEW.job_id) WHERE job_id = NEW.job_id;
END;

CREATE TRIGGER jobs_postponed AFTER UPDATE OF due_at ON jobs BEGIN
    UPDATE fair_queue SET due_at = NEW.due_at WHERE job_id = NEW.id;
END;

-- The last turn assigned to each chat (user_id 0) and each user in a chat. With chat_id 0, those of the conversion
-- queue: the last turn of each user and, with user_id 0, the turn served last.
CREATE TABLE fair_queue_lanes (
    chat_id   INTEGER NOT NULL,
    user_id   INTEGER NOT NULL,
    last_turn REAL NOT NULL,
    PRIMARY KEY (chat_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE fair_queue_clock (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    virtual_time REAL NOT NULL     -- the chat turn served last
) STRICT;

INSERT INTO fair_queue_clock VALUES (1, 0);

-- Every message that the bot sends, written in the transaction that causes it (outbox pattern).
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE, -- for deduplication
    kind       TEXT NOT NULL CHECK (kind IN ('text', 'image', 'file', 'stats_chart', 'reaction', 'progress_message',
        'callback_answer', 'menu', 'deletion')),
    chat_id    INTEGER NOT NULL,
    thread_id  INTEGER,
    reply_to   INTEGER,              -- for a reaction or a deletion: the message that it applies to
    body       TEXT NOT NULL,
    callback_query_id TEXT,          -- of a callback answer
    job_id     INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    is_answer  INTEGER NOT NULL DEFAULT 0,
    is_requested INTEGER NOT NULL DEFAULT 0,     -- of a progress message: the user asked for it
    replaces   TEXT,                 -- of a text: the kind that it replaces, if that can still be fetched
    written_at INTEGER NOT NULL,
    due_at     INTEGER,              -- NULL while there is nothing to do
    tries      INTEGER NOT NULL DEFAULT 0,
    uncertain_sends INTEGER NOT NULL DEFAULT 0,  -- sends that may have arrived
    ended_at   INTEGER,
    outcome    TEXT CHECK (outcome IN ('sent', 'gone', 'rejected', 'expired', 'unclear')),
    message_id INTEGER,
    shown      TEXT,                 -- of a progress message or a menu: what its message shows
    shown_at   INTEGER,
    revision   INTEGER NOT NULL DEFAULT 0,       -- of these: counts what may have made it out of date
    is_to_be_deleted INTEGER NOT NULL DEFAULT 0, -- of these: its message is to be deleted
    -- the queue within its chat in which it waits; the messages of one lane are sent in the order of their due times
    lane       TEXT GENERATED ALWAYS AS (
        CASE WHEN kind = 'callback_answer' THEN 'callback_answer'
             WHEN kind IN ('image', 'file', 'stats_chart') THEN 'heavy'
             WHEN kind NOT IN ('progress_message', 'menu', 'reaction') THEN 'message'
             -- the message exists in the chat and only has to be updated
             WHEN kind = 'progress_message' AND message_id IS NOT NULL AND NOT is_to_be_deleted THEN 'refresh'
             ELSE 'progress' END
    ) VIRTUAL
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_lane ON outbox (chat_id, lane, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_waiting ON outbox (chat_id, kind) WHERE ended_at IS NULL;
CREATE INDEX outbox_by_job ON outbox (job_id);
CREATE INDEX outbox_by_message ON outbox (chat_id, message_id);
CREATE INDEX outbox_menus ON outbox (coalesce(shown_at, written_at)) WHERE kind = 'menu' AND ended_at IS NULL;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX outbox_to_delete ON outbox (ended_at) WHERE job_id IS NULL AND ended_at IS NOT NULL;

-- A fair queue over chats: one row for each lane of a chat with pending messages; maintained by triggers.
CREATE TABLE outbox_lanes (
    chat_id    INTEGER NOT NULL,
    lane       TEXT NOT NULL,
    due_at     INTEGER NOT NULL,           -- of the first message
    served_at  INTEGER NOT NULL DEFAULT 0, -- when the previous message was sent or given up
    -- a chat that was just served goes behind the others
    queue_turn INTEGER GENERATED ALWAYS AS (max(due_at, served_at)) VIRTUAL,
    PRIMARY KEY (chat_id, lane)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_lanes_by_turn ON outbox_lanes (lane, queue_turn);

CREATE TRIGGER outbox_added AFTER INSERT ON outbox WHEN NEW.due_at IS NOT NULL BEGIN
    INSERT INTO outbox_lanes (chat_id, lane, due_at) VALUES (NEW.chat_id, NEW.lane, NEW.due_at)
        ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at);
END;

CREATE TRIGGER outbox_removed AFTER DELETE ON outbox WHEN OLD.due_at IS NOT NULL BEGIN
    DELETE FROM outbox_lanes WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL);
    UPDATE outbox_lanes SET due_at = (
        SELECT min(due_at) FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL)
        WHERE chat_id = OLD.chat_id AND lane = OLD.lane;
END;

-- after a change of any column that determines the lane or its due time
CREATE TRIGGER outbox_changed AFTER UPDATE OF due_at, chat_id, kind, message_id, is_to_be_deleted ON outbox
    WHEN OLD.due_at IS NOT NULL OR NEW.due_at IS NOT NULL BEGIN
    DELETE FROM outbox_lanes WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL);
    UPDATE outbox_lanes SET due_at = (
        SELECT min(due_at) FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL),
        served_at = max(served_at, coalesce(NEW.ended_at, NEW.shown_at, 0))
        WHERE chat_id = OLD.chat_id AND lane = OLD.lane;
    INSERT INTO outbox_lanes (chat_id, lane, due_at) SELECT NEW.chat_id, NEW.lane, NEW.due_at
        WHERE NEW.due_at IS NOT NULL
        ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at);
END;

-- Why no orders, or no uploads, are made at present; there is no row for a closed breaker.
CREATE TABLE circuit_breakers (
    name       TEXT PRIMARY KEY,
    opened_at  INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    trips      INTEGER NOT NULL,
    is_probed  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The bot that the database belongs to.
CREATE TABLE bot_identity (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    bot_id INTEGER NOT NULL,
    command_menus_digest TEXT      -- of the command menus last sent to Telegram
) STRICT;

-- The language of each user's app.
CREATE TABLE users (
    user_id  INTEGER PRIMARY KEY,
    language TEXT NOT NULL
) STRICT;

-- The preferences of a chat, and what is known about a group. A private chat has the user's id.
CREATE TABLE chats (
    chat_id         INTEGER PRIMARY KEY,
    language        TEXT,              -- chosen; NULL: that of the user's app
    format          TEXT,              -- chosen; NULL: the default, here and below
    aspect_ratio    TEXT,
    answer_as       TEXT,
    greeted_at      INTEGER,           -- a group: when the bot sent its greeting
    added_by        INTEGER,           -- a group: the user who added the bot; NULL: unknown
    former_id       INTEGER,           -- a supergroup: the id that it had as a group
    receives_all_messages INTEGER NOT NULL DEFAULT 0,   -- a group: whether the bot is an administrator
    admins          TEXT,              -- a group: the ids of its administrators, as JSON
    admins_known_at INTEGER,
    admins_due_at   INTEGER,           -- when to look them up; NULL: no lookup is pending
    admins_tries    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX chats_admins_due ON chats (admins_due_at) WHERE admins_due_at IS NOT NULL;
CREATE INDEX chats_admins_known ON chats (admins_known_at) WHERE admins_known_at IS NOT NULL;
CREATE INDEX chats_added_by ON chats (added_by) WHERE added_by IS NOT NULL;

-- What an admin decided about a user, a group or a channel.
CREATE TABLE access_rules (
    principal_id INTEGER PRIMARY KEY,
    rule         TEXT NOT NULL CHECK (rule IN ('allowed', 'denied', 'blocked')),
    decided_by   INTEGER NOT NULL,
    decided_at   INTEGER NOT NULL
) STRICT;

-- Accepted edits by day, without those that were refunded.
CREATE TABLE daily_usage (
    day      INTEGER NOT NULL,
    scope    TEXT NOT NULL CHECK (scope IN ('user', 'chat', 'all')),
    scope_id INTEGER NOT NULL,     -- 0 for all
    edits    INTEGER NOT NULL CHECK (edits >= 0),
    refunded_failures INTEGER NOT NULL DEFAULT 0,   -- of a user
    PRIMARY KEY (day, scope, scope_id)
) STRICT, WITHOUT ROWID;

-- What finished tasks cost, as reported by Kie, by the day on which that became known.
CREATE TABLE daily_spending (
    day     INTEGER PRIMARY KEY,
    credits REAL NOT NULL
) STRICT;

-- The operator's credit balance, as Kie reported it last.
CREATE TABLE credit_balance (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    balance   REAL,                -- credits; NULL before the first check
    asked_at  INTEGER,
    due_at    INTEGER,             -- when to check it; NULL if no edit has succeeded since the last check
    low_since INTEGER              -- since when it has been low, of which the admins were notified
) STRICT;

INSERT INTO credit_balance (id) VALUES (1);

-- Users whose erasure was too much for one transaction and is to be continued.
CREATE TABLE erasures (
    user_id     INTEGER PRIMARY KEY,
    asked_at    INTEGER NOT NULL,
    last_job_id INTEGER NOT NULL   -- later requests are kept
) STRICT;

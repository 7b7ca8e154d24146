-- Work per event does not grow with the backlog: what a plan and an intake ask for is found without reading what waits.

-- Which queue of its chat a message waits in. Those of one lane leave in the order in which they are due.
ALTER TABLE outbox ADD COLUMN lane TEXT GENERATED ALWAYS AS (
    CASE WHEN kind = 'toast' THEN 'toast'
         WHEN kind IN ('picture', 'file', 'figures') THEN 'heavy'
         WHEN kind NOT IN ('status', 'menu', 'reaction') THEN 'said'
         -- the message is there and only has to be brought up to date
         WHEN kind = 'status' AND message_id IS NOT NULL AND NOT is_over THEN 'refresh'
         ELSE 'told' END
) VIRTUAL;

DROP INDEX outbox_said;
DROP INDEX outbox_told;
CREATE INDEX outbox_by_lane ON outbox (chat_id, lane, due_at, id) WHERE due_at IS NOT NULL;

-- How much of a kind waits for a chat.
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (chat_id, kind) WHERE ended_at IS NULL;

-- Fair queueing over chats: one row for each lane of a chat in which something waits. The triggers below keep it.
CREATE TABLE chat_queues (
    chat_id   INTEGER NOT NULL,
    lane      TEXT NOT NULL,
    due_at    INTEGER NOT NULL,           -- of the first message
    served_at INTEGER NOT NULL DEFAULT 0, -- when the message before it was dealt with
    -- a chat that was served goes behind the others
    turn      INTEGER GENERATED ALWAYS AS (max(due_at, served_at)) VIRTUAL,
    PRIMARY KEY (chat_id, lane)
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_queues_by_turn ON chat_queues (lane, turn);

INSERT INTO chat_queues (chat_id, lane, due_at)
    SELECT chat_id, lane, min(due_at) FROM outbox WHERE due_at IS NOT NULL GROUP BY chat_id, lane;

CREATE TRIGGER outbox_added AFTER INSERT ON outbox WHEN NEW.due_at IS NOT NULL BEGIN
    INSERT INTO chat_queues (chat_id, lane, due_at) VALUES (NEW.chat_id, NEW.lane, NEW.due_at)
        ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at);
END;

CREATE TRIGGER outbox_removed AFTER DELETE ON outbox WHEN OLD.due_at IS NOT NULL BEGIN
    DELETE FROM chat_queues WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL);
    UPDATE chat_queues SET due_at = (
        SELECT min(due_at) FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL)
        WHERE chat_id = OLD.chat_id AND lane = OLD.lane;
END;

-- All that decides about lane and moment.
CREATE TRIGGER outbox_changed AFTER UPDATE OF due_at, chat_id, kind, message_id, is_over ON outbox
    WHEN OLD.due_at IS NOT NULL OR NEW.due_at IS NOT NULL BEGIN
    DELETE FROM chat_queues WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL);
    UPDATE chat_queues SET due_at = (
        SELECT min(due_at) FROM outbox WHERE chat_id = OLD.chat_id AND lane = OLD.lane AND due_at IS NOT NULL),
        served_at = max(served_at, coalesce(NEW.ended_at, NEW.shown_at, 0))
        WHERE chat_id = OLD.chat_id AND lane = OLD.lane;
    INSERT INTO chat_queues (chat_id, lane, due_at) SELECT NEW.chat_id, NEW.lane, NEW.due_at
        WHERE NEW.due_at IS NOT NULL
        ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at);
END;

-- How many jobs there are in each state, so that nobody has to count them.
CREATE TABLE job_counts (
    state TEXT PRIMARY KEY,
    jobs  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO job_counts (state, jobs) SELECT state, count(*) FROM jobs GROUP BY state;

CREATE TRIGGER jobs_counted AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (state, jobs) VALUES (NEW.state, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_recounted AFTER UPDATE OF state ON jobs WHEN NEW.state <> OLD.state BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE state = OLD.state;
    INSERT INTO job_counts (state, jobs) VALUES (NEW.state, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER jobs_uncounted AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE state = OLD.state;
END;

CREATE INDEX jobs_due_in_state ON jobs (state, due_at) WHERE due_at IS NOT NULL;

-- The moment of a job in the queue, as its own row has it: when a failed preparation may be tried again, or when its
-- person is to be told that it takes long. NULL once the former has come.
ALTER TABLE line ADD COLUMN due_at INTEGER;
-- Of a halt of orders: for which one its group was told.
ALTER TABLE line ADD COLUMN told TEXT NOT NULL DEFAULT '';

UPDATE line SET due_at = (SELECT due_at FROM jobs WHERE id = job_id);

CREATE TRIGGER line_entered AFTER INSERT ON line BEGIN
    UPDATE line SET due_at = (SELECT due_at FROM jobs WHERE id = NEW.job_id) WHERE job_id = NEW.job_id;
END;

CREATE TRIGGER jobs_put_off AFTER UPDATE OF due_at ON jobs BEGIN
    UPDATE line SET due_at = NEW.due_at WHERE job_id = NEW.id;
END;

DROP INDEX line_unready;
CREATE INDEX line_unready ON line (turn, job_id)
    WHERE is_ready = 0 AND conversion_turn IS NULL AND due_at IS NULL;
CREATE INDEX line_to_convert_now ON line (conversion_turn, job_id)
    WHERE is_ready = 0 AND conversion_turn IS NOT NULL AND due_at IS NULL;
CREATE INDEX line_put_off ON line (due_at) WHERE is_ready = 0 AND due_at IS NOT NULL;
CREATE INDEX line_reminders ON line (due_at) WHERE is_ready = 1 AND due_at IS NOT NULL;
CREATE INDEX line_untold ON line (told, job_id) WHERE chat_id < 0;

-- Fair queueing over chats in the inbox as well: an update's turn is one behind that of the one before it in its chat.
ALTER TABLE inbox ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
-- Whatever Telegram sent there; 0 where an update belongs to no chat.
ALTER TABLE inbox ADD COLUMN chat_id ANY GENERATED ALWAYS AS (
    coalesce(json_extract(iif(json_valid(body), body, NULL), '$.message.chat.id'),
             json_extract(iif(json_valid(body), body, NULL), '$.edited_message.chat.id'),
             json_extract(iif(json_valid(body), body, NULL), '$.callback_query.message.chat.id'),
             json_extract(iif(json_valid(body), body, NULL), '$.my_chat_member.chat.id'), 0)
) VIRTUAL;

CREATE INDEX inbox_by_turn ON inbox (turn, update_id) WHERE handled_at IS NULL AND awaits IS NULL;
CREATE INDEX inbox_by_chat ON inbox (chat_id, update_id) WHERE handled_at IS NULL AND awaits IS NULL;

-- Whether a message, or an item of an album, waits in the inbox.
CREATE INDEX inbox_messages ON inbox (
    chat_id, json_extract(iif(json_valid(body), body, NULL), '$.message.message_id')
) WHERE handled_at IS NULL AND awaits IS NULL;
CREATE INDEX inbox_albums ON inbox (
    chat_id, json_extract(iif(json_valid(body), body, NULL), '$.message.media_group_id')
) WHERE handled_at IS NULL AND awaits IS NULL;

-- Of what waits for more, what takes a place of everybody's: little, as most of it waits for words.
CREATE INDEX jobs_gathering_for_all ON jobs (id) WHERE state = 'gathering' AND counted_for_all;

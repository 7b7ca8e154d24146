-- What is done now and then never reads, or changes, all that is stored: it finds its rows by an index, in portions.

CREATE INDEX outbox_to_forget ON outbox (ended_at) WHERE job_id IS NULL AND ended_at IS NOT NULL;
CREATE INDEX outbox_menus ON outbox (coalesce(shown_at, written_at)) WHERE kind = 'menu' AND ended_at IS NULL;
CREATE INDEX chats_admins_known ON chats (admins_known_at) WHERE admins_known_at IS NOT NULL;
CREATE INDEX inbox_aside ON inbox (handled_at) WHERE fault IS NOT NULL;

-- Another variation of a request that was erased: its words and pictures go as well, when it has ended.
ALTER TABLE jobs ADD COLUMN erase_when_ended INTEGER NOT NULL DEFAULT 0;

WITH RECURSIVE variations (id) AS (
    SELECT jobs.id FROM jobs JOIN jobs AS first ON first.id = jobs.variation_of
        WHERE jobs.variation_of IS NOT NULL AND first.erased_at IS NOT NULL
    UNION SELECT jobs.id FROM jobs JOIN variations ON jobs.variation_of = variations.id
)
UPDATE jobs SET erase_when_ended = 1 WHERE id IN (SELECT id FROM variations) AND prompt <> '';

CREATE INDEX jobs_erased_when_ended ON jobs (finished_at) WHERE erase_when_ended = 1;

-- Who has had everything deleted, for as long as there is more than could be erased at once.
CREATE TABLE erasures (
    user_id  INTEGER PRIMARY KEY,
    asked_at INTEGER NOT NULL,
    last_job INTEGER NOT NULL      -- what was asked for later stays
) STRICT;

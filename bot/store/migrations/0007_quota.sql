-- Whose limits an edit counts for, and what is given back of it.

ALTER TABLE chats ADD COLUMN placed_by INTEGER;    -- a group: the person who added the bot; NULL: nobody knows

-- The one whose limits the request counts for: who asked, or who answers for those that speak in a chat's name.
ALTER TABLE jobs ADD COLUMN charged_to INTEGER NOT NULL DEFAULT 0;
-- Whether it counts for its chat and for everybody as well (`counted_on` is for `charged_to`).
ALTER TABLE jobs ADD COLUMN counted_for_all INTEGER NOT NULL DEFAULT 0;

UPDATE jobs SET charged_to = user_id, counted_for_all =
    counted_on IS NOT NULL AND NOT (state = 'gathering' AND closes_by IS NULL);

CREATE INDEX jobs_waiting ON jobs (charged_to) WHERE state IN ('gathering', 'queued');
CREATE INDEX jobs_of_chats ON jobs (charged_to) WHERE charged_to <> user_id;

-- What waits for words held a place of everybody's until now.
UPDATE counts SET edits = max(0, edits - (SELECT count(*) FROM jobs WHERE state = 'gathering' AND closes_by IS NULL
    AND counted_on = counts.day AND (counts.whose = 'all' OR chat_id = counts.id))) WHERE whose <> 'person';

ALTER TABLE counts ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0;   -- of a person: failures that were given back

ALTER TABLE attempts ADD COLUMN cost REAL;         -- credits, as Kie says, that its task cost; NULL: it does not say

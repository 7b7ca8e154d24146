-- Who may use the bot, how much of it, and what that costs.

-- What an admin decided about a person, a group or a channel.
CREATE TABLE standings (
    id         INTEGER PRIMARY KEY,
    standing   TEXT NOT NULL CHECK (standing IN ('allowed', 'denied', 'blocked')),
    decided_by INTEGER NOT NULL,
    decided_at INTEGER NOT NULL
) STRICT;

-- Accepted edits by UTC day (days since 1970), without those that came to nothing.
CREATE TABLE counts (
    day   INTEGER NOT NULL,
    whose TEXT NOT NULL CHECK (whose IN ('person', 'chat', 'all')),
    id    INTEGER NOT NULL,        -- 0 for all
    edits INTEGER NOT NULL CHECK (edits >= 0),
    PRIMARY KEY (day, whose, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE jobs ADD COLUMN counted_on INTEGER;    -- the day that it counts for; NULL once it came to nothing

CREATE INDEX line_of_groups ON line (chat_id, job_id) WHERE chat_id < 0;

-- What Kie said that finished tasks cost, by the UTC day on which that became known.
CREATE TABLE spending (
    day     INTEGER PRIMARY KEY,
    credits REAL NOT NULL
) STRICT;

-- What Kie said last about the operator's account.
CREATE TABLE account (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    balance  REAL,                 -- credits; NULL until it was asked for
    asked_at INTEGER,
    due_at   INTEGER,              -- when to ask again; NULL while nothing is ordered
    low_since INTEGER              -- since when the balance is so low that the admins were told
) STRICT;

INSERT INTO account (only) VALUES (1);

-- In which language somebody is spoken to.

ALTER TABLE jobs ADD COLUMN language TEXT NOT NULL DEFAULT 'en';

CREATE TABLE people (
    user_id  INTEGER PRIMARY KEY,
    language TEXT NOT NULL
) STRICT;

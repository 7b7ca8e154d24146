-- How often handling an update met a trouble that may be the machine's: after each the process ends and starts again.
ALTER TABLE inbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;

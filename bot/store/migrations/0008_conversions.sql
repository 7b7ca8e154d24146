-- Pictures that have to be decoded wait for that in a fair queue of their own.

ALTER TABLE line ADD COLUMN conversion_turn REAL;  -- the person's turn at it; NULL: nothing is known to need decoding

DROP INDEX line_unready;
CREATE INDEX line_unready ON line (turn, job_id) WHERE is_ready = 0 AND conversion_turn IS NULL;
CREATE INDEX line_to_convert ON line (conversion_turn, job_id) WHERE is_ready = 0 AND conversion_turn IS NOT NULL;

-- An answer that somebody deleted stays deleted: nothing of it is sent again, and nothing more is made from it.

ALTER TABLE jobs ADD COLUMN answer_deleted_at INTEGER;   -- when somebody had its answer deleted from the chat

UPDATE jobs SET result_url = NULL, answer_deleted_at =
    (SELECT min(written_at) FROM outbox WHERE job_id = jobs.id AND kind = 'deletion')
    WHERE id IN (SELECT job_id FROM outbox WHERE kind = 'deletion' AND job_id IS NOT NULL);

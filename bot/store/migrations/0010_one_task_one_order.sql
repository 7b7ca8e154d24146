-- A task never answers two orders; and what Kie said that cannot be, before that was looked at, is put right.

-- Of several orders that Kie answered with the same task the first one keeps it; the others are in doubt.
UPDATE attempts SET outcome = 'unclear', task_id = NULL
    WHERE outcome = 'accepted' AND id NOT IN (SELECT min(id) FROM attempts WHERE outcome = 'accepted' GROUP BY task_id);
UPDATE jobs SET state = 'submitting', task_id = NULL, overdue_at = NULL, due_at = coalesce(submitted_at, received_at)
    WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM attempts
        WHERE job_id = jobs.id AND outcome = 'accepted' AND attempts.task_id = jobs.task_id);

CREATE UNIQUE INDEX attempts_by_task ON attempts (task_id) WHERE outcome = 'accepted';

-- Days whose credits cannot be are reckoned anew from their edits, at the usual price where Kie's cannot be believed.
UPDATE spending SET credits = (SELECT total(CASE
        WHEN credits BETWEEN 0 AND 10000 THEN credits
        WHEN credits IS NOT NULL OR took IS NOT NULL THEN 4 ELSE 0 END)
    FROM jobs WHERE finished_at / 86400000 = spending.day)
    WHERE credits NOT BETWEEN 0 AND 1000000000
        OR day IN (SELECT finished_at / 86400000 FROM jobs WHERE credits NOT BETWEEN 0 AND 10000);
UPDATE jobs SET credits = NULL WHERE credits NOT BETWEEN 0 AND 10000;
UPDATE jobs SET took = min(max(coalesce(finished_at - submitted_at, 0), 0), 86400000)
    WHERE took NOT BETWEEN 0 AND 86400000;
UPDATE account SET balance = NULL, asked_at = NULL WHERE balance NOT BETWEEN -1000000000 AND 1000000000;

-- What Kie said when it could not fetch a picture from Telegram may hold the bot token.
UPDATE outbox SET body = iif(ended_at IS NULL, 'Kie.ai could not make this picture. Please send it again.', '')
    WHERE body GLOB '*[0-9][0-9][0-9][0-9][0-9][0-9]:' || replace(hex(zeroblob(15)), '0', '[A-Za-z0-9_-]') || '*';

-- A picture that Kie has made is not lost because it cannot be fetched, or found, at once.

-- Of a success in which no picture was found: what Kie said, without the order, for the operator.
ALTER TABLE jobs ADD COLUMN unread_result TEXT;

-- When the person was first to be told that the picture is made and cannot be fetched yet.
ALTER TABLE jobs ADD COLUMN unfetched_at INTEGER;

-- Of a text that was said in place of a picture or a file, which may still be had: which of them ('picture', 'file').
ALTER TABLE outbox ADD COLUMN instead_of TEXT;

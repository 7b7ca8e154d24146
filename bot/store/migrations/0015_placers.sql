-- In which groups somebody has placed the bot is asked when everything of theirs is deleted.
CREATE INDEX chats_placed ON chats (placed_by) WHERE placed_by IS NOT NULL;

"""How much is forgotten in one transaction: there may be any amount of it, and others wait meanwhile."""

#: Rows of a table, or requests with all that belongs to them.
DELETE_BATCH_SIZE = 100

"""Everything behind /stats but the command itself: counts the edits of a period, draws a chart of them, sends it."""

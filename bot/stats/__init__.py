"""The statistics behind /stats: counts the edits of a period, draws a chart of them, and sends it."""

"""What is going on, at a glance: the figures of a period, counted from the database, in words and as a picture.

`period` is what was asked about, `figures` counts, `caption` says it, `writing` puts on a `sheet` what stands in the
picture, and `drawing` draws it, in a process of its own (`drawing_child`) that `drawing_process` starts.
"""

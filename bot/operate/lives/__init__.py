"""`jobs`: what is under way, and the life of one job, for whoever is asked about an edit.

It reads the database beside a bot that runs, changes nothing, and shows no word of anybody.
"""

"""`jobs`: what is under way, and the life of one job, for whoever is asked about an edit.

It reads the database beside a bot that runs, changes nothing, and shows no word of anybody. What Kie said of a success
in which no picture was found is shown, so that whoever runs the bot can look for it.
"""

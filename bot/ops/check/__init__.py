"""`check`: whether the bot could do its work as it is set up, before the first start and after any trouble.

Every file looks at one subject, and ends in findings. Nothing is changed by it, no credit is spent, and a bot that
runs is not disturbed.
"""

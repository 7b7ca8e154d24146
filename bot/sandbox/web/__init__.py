"""The sandbox as a page: a chat with the real bot, and a workbench that shows what it does.

    browser --> guard --> server --> gestures (what people do), workbench (what is done to the bot and its partners)
    scene (cast, Telegram, Kie, bot) --> view --> feed --> browser

The page is on 127.0.0.1 only, under an address that nobody can guess.
"""

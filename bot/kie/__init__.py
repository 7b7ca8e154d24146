"""Kie.ai's API as a client sees it: order an edit, look at it, upload a picture, ask for the balance.

Knows nothing of bots or jobs. Start with `client`; `errors` says what a caller should do when something fails.
"""

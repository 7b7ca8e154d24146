"""What the local Kie makes of a wish, a file for each kind of thing.

`words` reads which edits a prompt asks for (`vocabulary`), `looks` makes them,
`album` puts several pictures side by side, `note` shows words that ask for
nothing it knows, and `mark` says that all of it is a stand-in.
"""

"""The sandbox as a page: chats with the real bot, and a workbench that shows its calls and switches faults on.

browser --> request_guard --> server --> actions --> session (Telegram, Kie, people, the bot's process)
session --> page_state (server-sent events) --> browser
"""

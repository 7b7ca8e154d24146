"""What Darkroom costs and how quick it is, measured on the running bot: `make bench`.

Three processes: the bot, as its operator starts it; the other side (`other_side`), the sandbox's Telegram
and Kie over sockets, whose CPU is not ours; and the bench, which asks both and reads `/proc`. What the same
calls cost without a bot is measured against the same servers (`bare`). One file per measure in `measures`;
each returns rows of the one table (`table`).
"""

"""Benchmarks of the running bot: `make bench`.

Three processes: the bot, as an operator starts it; the sandbox's Telegram and Kie (`fake_servers_process`), whose CPU
does not count; and the benchmark, which controls both and reads `/proc`. `baseline_script` makes the same calls without
a bot. `benchmarks` has one file each; their results become one table (`report`).
"""

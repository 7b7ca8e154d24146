"""Tests of `bot.images`."""

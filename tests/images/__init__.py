"""Promises of the room that looks at pictures and brings them home."""

"""Kie.ai's API client, which knows nothing of bots or jobs. `errors` says what callers should do about an error."""

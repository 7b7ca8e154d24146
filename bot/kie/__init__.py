"""The client for Kie.ai's API, independent of bots and jobs. `errors` says what a caller does about each error."""

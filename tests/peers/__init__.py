"""The bot in front of other servers than its own; `make test-peers`."""

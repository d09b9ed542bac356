"""The inference service (`bot serve`) and the bot's client for it."""

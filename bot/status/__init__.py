"""The status page of `bot run`: what runs and waits, how fast, for whom; personas and settings."""

from bot.status.server import status_page

__all__ = ["status_page"]

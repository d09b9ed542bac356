"""The terminal as a chat platform: typed lines are messages in a channel."""

from bot.platforms.console.platform import ConsolePlatform

__all__ = ["ConsolePlatform"]

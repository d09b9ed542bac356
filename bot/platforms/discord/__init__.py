"""Discord."""

from bot.platforms.discord.platform import DiscordPlatform

__all__ = ["DiscordPlatform"]

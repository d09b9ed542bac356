"""The keys by which a service knows who asks: hashes, so that ids stay in the bot."""

import hashlib

from bot.config import Config
from bot.conversation.events import Author, Place


def fair_share_key(place: Place, author: Author) -> str:
    """`server/user` for the service's fair queue."""
    ids = (f"{place.platform}:{place.server}", f"{place.platform}:{author.id}")
    return "/".join(hashlib.blake2s(part.encode(), digest_size=8).hexdigest() for part in ids)


def cache_salt(config: Config, place: Place) -> str:
    """Keeps a server's prompts to itself in the service's cache, where times would tell of them.

    Keyed with the bot's secrets, so that nobody can compute it from a server's id.
    """
    secrets = (
        config.discord.token,
        config.slack.bot_token,
        config.slack.client_secret,
        config.inference.api_key,
    )
    joined = "\n".join(secret.get_secret_value() for secret in secrets)
    key = hashlib.blake2b(joined.encode()).digest()
    server = f"{place.platform}:{place.server}"
    return hashlib.blake2b(server.encode(), key=key, digest_size=16).hexdigest()

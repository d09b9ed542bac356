"""What the bot keeps between starts."""

from bot.storage.database import StorageError
from bot.storage.store import Store, StoredPersona, Usage
from bot.storage.tables import ScopeKey

__all__ = ["ScopeKey", "StorageError", "Store", "StoredPersona", "Usage"]

"""What the bot keeps between starts."""

from bot.storage.answers import Quotas, RunningAnswer
from bot.storage.changes import FILE, Change
from bot.storage.database import StorageError, check_database
from bot.storage.hours import AnswerCounts, AnswersKey, Load, StoredHours
from bot.storage.personas import StoredPersona, TooManyPersonas
from bot.storage.questions import TakenQuestion
from bot.storage.settings import SettingsByScope
from bot.storage.store import Store, StoredPlace
from bot.storage.tables import ScopeKey
from bot.storage.usage import UsageSum

__all__ = [
    "FILE",
    "AnswerCounts",
    "AnswersKey",
    "Change",
    "Load",
    "Quotas",
    "RunningAnswer",
    "ScopeKey",
    "SettingsByScope",
    "StorageError",
    "Store",
    "StoredHours",
    "StoredPersona",
    "StoredPlace",
    "TakenQuestion",
    "TooManyPersonas",
    "UsageSum",
    "check_database",
]

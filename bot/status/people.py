"""Who did something, as far as it may be shown."""

from bot.conversation.texts import Texts
from bot.status.editing import STATUS_PAGE
from bot.storage import FILE


def who(id: str, platform: str, texts: Texts, shows_ids: bool) -> str:
    """The person with the platform's `id`; an empty one asked to be forgotten."""
    if id == STATUS_PAGE.id:
        return texts("page_this_page")
    if id == FILE and not platform:
        return texts("page_operator")
    if not id:
        return texts("page_forgotten")
    return id if shows_ids else texts("page_somebody", platform=platform.capitalize())

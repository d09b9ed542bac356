"""What commands ask about the conversation in a channel or thread."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.conversation.events import Place
from bot.storage import Store

KEY = "forgotten_until"


@dataclass(frozen=True)
class ChannelConversation:
    """`newest` is the platform's id of the message or interaction with the command."""

    store: Store
    place: Place
    newest: str
    again: Callable[[], Awaitable[bool]]

    async def forget(self) -> None:
        scope = self.place.scopes()[0]
        await self.store.set_setting(scope, KEY, self.newest, "")

    async def regenerate(self) -> bool:
        return await self.again()


async def forgotten_until(store: Store, place: Place) -> str:
    """The id up to which messages at `place` are no part of a conversation; "0" for none.

    What was forgotten in a channel is forgotten in its threads too.
    """
    stored = await store.get_settings(place.scopes())
    ids = ("0", *(str(values[KEY]) for values in stored.values() if KEY in values))
    return max(ids, key=lambda id: (len(id), id))  # of two numbers, the longer is the greater

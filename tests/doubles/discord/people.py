"""People who use Discord: what they do is done at once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.doubles.discord.forms import Modal
from tests.doubles.discord.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    SUBMIT,
    Interaction,
)
from tests.doubles.discord.messages import Body
from tests.doubles.discord.payloads import (
    Payload,
    attachment_payload,
    channel_payload,
    message_payload,
)
from tests.doubles.discord.state import (
    BUTTON,
    PRIVATE_THREAD,
    REPLY,
    Attachment,
    Channel,
    Message,
    User,
    button_name,
    plain,
    walk,
)

if TYPE_CHECKING:
    from tests.doubles.discord.world import World

SLASH, ON_MESSAGE = 1, 3
SUBCOMMAND, GROUP = 1, 2


@dataclass(eq=False, kw_only=True)
class Person(User):
    world: "World"
    accepts_dms: bool = True

    # Messages

    def say(
        self,
        channel: Channel,
        text: str,
        *,
        reply_to: Message | None = None,
        ping: bool = True,
        files: dict[str, bytes] | None = None,
        embeds: Sequence[dict[str, Any]] = (),
        extra: dict[str, Any] | None = None,
    ) -> Message:
        """Post `text`, with @name as mention of whoever is called so."""
        message = Message(channel, self, REPLY if reply_to else 0, reference=reply_to)
        message.extra = extra or {}
        attached = [Attachment(name, data) for name, data in (files or {}).items()]
        parse = {"parse": ["users", "roles", "everyone"], "replied_user": ping}
        body = {"content": self._with_mentions(text, channel), "allowed_mentions": parse}
        body |= {"embeds": list(embeds)}
        return self.world.post(message, body, attached)

    def post(self, forum: Channel, title: str, text: str) -> Message:
        """Begin a post in a forum: a thread whose first message has its id."""
        thread = self.world.start_thread(forum, self, {"name": title})
        message = Message(thread, self, id=thread.id)
        parse = {"parse": ["users", "roles", "everyone"]}
        content = self._with_mentions(text, forum)
        return self.world.post(message, {"content": content, "allowed_mentions": parse}, [])

    def dm(self, text: str, **options: Any) -> Message:
        return self.say(self.dms, text, **options)

    @property
    def dms(self) -> Channel:
        """The private conversation with the bot."""
        return self.world.dm(self, self.world.bot)

    def edit(self, message: Message, text: str) -> None:
        assert message.author is self
        body = {"content": self._with_mentions(text, message.channel)}
        self.world.revise(message, body, [])

    def delete(self, message: Message) -> None:
        assert message.author is self or message.channel.permits(self, "manage_messages")
        self.world.erase(message)

    def react(self, message: Message, emoji: str) -> None:
        self.world.react(message, self, emoji)

    def unreact(self, message: Message, emoji: str) -> None:
        self.world.react(message, self, emoji, remove=True)

    def thread(self, start: Channel | Message, name: str, *, private: bool = False) -> Channel:
        """Open a thread in a channel or from a message."""
        message = start if isinstance(start, Message) else None
        channel = start.channel if isinstance(start, Message) else start
        body = {"name": name} | ({"type": PRIVATE_THREAD} if private else {})
        return self.world.start_thread(channel, self, body, message)

    def _with_mentions(self, text: str, channel: Channel) -> str:
        roles = channel.guild.roles[1:] if channel.guild else []
        named = {role.name: role.mention for role in roles}
        named |= {user.name: user.mention for user in self.world.users.values()}
        longest_first = sorted(map(re.escape, named), key=len, reverse=True)
        pattern = rf"(?<!\w)@({'|'.join(longest_first)})\b"
        return re.sub(pattern, lambda match: named[match[1]], text)

    # Interactions

    def slash(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """Give the command `/name`, "persona use" for a subcommand, with these options.

        A channel is chosen from a list, and a file is attached: `(name, contents)`.
        """
        return self._command(COMMAND, channel, name, options)

    def complete(self, channel: Channel, name: str, /, **options: Any) -> Interaction:
        """Type the last of `options`; the response is what the bot proposes."""
        return self._command(AUTOCOMPLETE, channel, name, options)

    def use(self, message: Message, name: str) -> Interaction:
        """Choose an entry of the message's context menu."""
        channel = message.channel
        command = self.world.commands.offered(name, ON_MESSAGE, self, channel)
        resolved = {"messages": {str(message.id): message_payload(message)}}
        data = _data(command) | {"target_id": str(message.id), "resolved": resolved}
        return Interaction(COMMAND, self, channel, data)

    def click(self, message: Message, button: str) -> Interaction:
        """Press the button with this label, emoji or id."""
        assert not message.deleted, "the message is gone"
        for component in walk(message.components):
            names = map(plain, (button_name(component), component.get("custom_id", "")))
            if component["type"] == BUTTON and plain(button) in names:
                assert not component.get("disabled"), f"{button!r} can't be pressed"
                data = {"custom_id": component["custom_id"], "component_type": BUTTON}
                return Interaction(COMPONENT, self, message.channel, data, message)
        raise AssertionError(f"no button {button!r} among {message.buttons}")

    def submit(self, modal: Modal, answers: dict[str, str]) -> Interaction:
        """Send a form, filled by label; what is left out stays as the bot filled it."""
        data = {"custom_id": modal.custom_id, "components": modal.filled(answers)}
        return Interaction(SUBMIT, self, modal.channel, data, modal.message)

    def _command(self, kind: int, channel: Channel, name: str, given: Body) -> Interaction:
        first, *path = name.removeprefix("/").split()
        command = self.world.commands.offered(first, SLASH, self, channel)
        level = command
        data = nested = _data(command)
        for word in path:
            level = next(o for o in level["options"] if o["name"] == word)
            nested["options"] = [{"name": word, "type": level["type"]}]
            nested = nested["options"][0]
        options = {option["name"]: option for option in level.get("options", [])}
        assert given.keys() <= options.keys(), f"/{name} has {[*options]}, not {[*given]}"
        chosen = {value.id: value for value in given.values() if isinstance(value, Channel)}
        if chosen:
            found = {str(id): _resolved(value, self) for id, value in chosen.items()}
            data["resolved"] = {"channels": found}
        attached = {k: Attachment(*v) for k, v in given.items() if isinstance(v, tuple)}
        if attached:
            self.world.uploads |= {file.id: file for file in attached.values()}
            told = {str(f.id): attachment_payload(f, channel) for f in attached.values()}
            data["resolved"] = {"attachments": told}
        given = given | {name: str(file.id) for name, file in attached.items()}
        nested["options"] = [
            {
                "name": key,
                "type": options[key]["type"],
                "value": str(value.id) if isinstance(value, Channel) else value,
            }
            for key, value in given.items()
        ]
        if kind == AUTOCOMPLETE:
            focused = nested["options"][-1]
            assert options[focused["name"]].get("autocomplete"), f"{focused} isn't completed"
            focused["focused"] = True
        else:
            _check_options(options, given)
        return Interaction(kind, self, channel, data)


def _data(command: Body) -> Payload:
    return {key: command[key] for key in ("id", "name", "type", "guild_id") if key in command}


def _resolved(channel: Channel, person: Person) -> Payload:
    """What an interaction tells of a channel that was chosen."""
    payload = channel_payload(channel)
    told = {key: payload[key] for key in ("id", "name", "type", "parent_id", "guild_id")}
    told |= {k: payload[k] for k in ("thread_metadata", "owner_id") if k in payload}
    return told | {"permissions": str(channel.permissions_of(person))}


def _check_options(options: dict[str, Body], given: Body) -> None:
    """What Discord's client would not send."""
    for name, option in options.items():
        assert option["type"] not in (SUBCOMMAND, GROUP), f"{name} is a command of its own"
        assert name in given or not option.get("required"), f"{name} is required"
        choices = [choice["value"] for choice in option.get("choices") or []]
        if name in given and choices:
            assert given[name] in choices, f"{name} is one of {choices}, not {given[name]!r}"

"""Whatever people and the model write, nobody is pinged but the person who asked."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, Effort
from bot.conversation.reply import Reply, ReplyState
from bot.conversation.texts import Texts
from bot.platforms.discord.layout import Look
from bot.platforms.discord.messages import OWN_LINE
from bot.platforms.discord.sending import Pace
from bot.platforms.discord.view import DiscordView
from bot.platforms.written import WrittenAnswers
from tests.doubles.discord import DiscordDouble, Message
from tests.doubles.discord.messages import write

DOUBLE = DiscordDouble()
HOME = DOUBLE.guild("Home")
GENERAL = HOME.channel("general")
POWERFUL = HOME.role("powerful", "mention_everyone")
HOME.members[DOUBLE.bot.id] = [POWERFUL]
ANN, BEN = HOME.member("Ann"), HOME.member("Ben", roles=(POWERFUL,))
TEXTS = Texts(Config(), "en")

pieces = st.sampled_from(
    [
        ANN.mention,
        BEN.mention,
        f"<@!{BEN.id}>",
        POWERFUL.mention,
        "@everyone",
        "@here",
        "<",
        "@",
        ">",
        "`",
        "```\n",
        "\n",
        OWN_LINE,
        "word " * 90,
    ]
)
texts = st.lists(pieces | st.text("<@!&>1|`\n a", max_size=8), max_size=30).map("".join)


@pytest.mark.fuzz
@given(text=texts, reasoning=texts, question=texts, notice=texts, done=st.booleans())
async def test_nothing_that_is_shown_pings_anybody_else(
    text: str, reasoning: str, question: str, notice: str, done: bool
) -> None:
    shown: list[Message] = []

    async def send(after: Any, content: str, **options: Any) -> Any:
        message = Message(GENERAL, DOUBLE.bot)
        embeds = [embed.to_dict() for embed in options.get("embeds", [])]
        allowed = options["allowed_mentions"].to_dict()
        write(message, {"content": content, "embeds": embeds, "allowed_mentions": allowed}, [])
        shown.append(message)
        channel = discord.PartialMessageable(state=None, id=GENERAL.id)  # type: ignore[arg-type]
        return SimpleNamespace(channel=channel, id=message.id)

    async def whisper(line: str) -> None:
        raise AssertionError(line)

    reply = Reply(asker=str(ANN.id), effort=Effort.LOW, show_reasoning=True)
    reply.text, reply.reasoning = text, reasoning
    reply.change(ReplyState.DONE if done else ReplyState.FAILED, notice)
    heading = TEXTS("asked_about", name=BEN.mention, question=" ".join(question.split()))
    look = Look(TEXTS, asker=ANN.id, question=1, heading=heading)
    await DiscordView(look, send, whisper, Pace(), WrittenAnswers()).follow(reply)
    assert shown
    for message in shown:
        assert message.pings <= {"Ann"}
        for embed in message.embeds:
            assert embed["description"].strip("|").count("|") == 0

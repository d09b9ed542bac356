"""A double of Discord: REST v10 and gateway v10 on a real socket, and people who use it.

    discord = DiscordDouble()
    async with discord.running():                 # give the bot discord.api_url and discord.token
        guild = discord.guild("Home")
        general = guild.channel("general")
        ann = guild.member("Ann")
        await discord.connected()
        question = ann.say(general, "@bot hi")
        answer = await general.next_message()
        pressed = ann.click(answer, "Regenerate")
        await pressed.acknowledged()

What people do happens at once; what the bot does is awaited with `discord.until(...)`.
"""

from tests.doubles.discord.errors import ApiError
from tests.doubles.discord.forms import Modal
from tests.doubles.discord.interactions import Interaction
from tests.doubles.discord.people import Person
from tests.doubles.discord.server import DiscordDouble
from tests.doubles.discord.state import Channel, Guild, Message

__all__ = [
    "ApiError",
    "Channel",
    "DiscordDouble",
    "Guild",
    "Interaction",
    "Message",
    "Modal",
    "Person",
]

"""A double of Slack: Web API, Socket Mode and signed HTTP on a real socket, and people who use it.

    slack = SlackDouble()
    async with slack.running():          # give the bot slack.api_url, slack.bot_token and
        team = slack.workspace("Home")   # slack.app_token, or slack.signing_secret and deliver_to()
        general = team.channel("general")
        ann = team.member("Ann")
        await slack.connected()
        question = ann.say(general, "@bot hi")
        answer = await general.next_message()
        pressed = ann.click(answer, "Regenerate")
        await pressed.acknowledged()

What people do happens at once; what the bot does is awaited with `slack.until(...)`.
"""

from tests.doubles.slack.errors import SlackError
from tests.doubles.slack.interactions import Interaction
from tests.doubles.slack.people import Person
from tests.doubles.slack.server import SlackDouble
from tests.doubles.slack.state import Channel, Grid, Message, Workspace
from tests.doubles.slack.views import View

__all__ = [
    "Channel",
    "Grid",
    "Interaction",
    "Message",
    "Person",
    "SlackDouble",
    "SlackError",
    "View",
    "Workspace",
]

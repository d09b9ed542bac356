"""Discord and Slack in one bot."""

from pathlib import Path

from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import piped, write_config


async def test_one_bot_answers_on_discord_and_on_slack(tmp_path: Path) -> None:
    discord, slack = DiscordDouble(), SlackDouble()
    async with discord.running(), slack.running(), ScriptedInference().running() as inference:
        lounge = discord.guild("Home").channel("lounge")
        general = slack.workspace("Work").channel("general")
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            slack={
                "bot_token": slack.bot_token,
                "app_token": slack.app_token,
                "api_url": slack.api_url,
            },
            inference={"url": inference.url, "model": "scripted"},
        )
        async with piped(config, command="run") as bot:
            await bot.err.see("discord is connected")
            await slack.connected()
            lounge.guild.member("Ann").say(lounge, "@bot on Discord")
            general.workspace.member("Ben").say(general, "@bot on Slack")
            await discord.until(
                lambda: any(m.text.startswith("Hello there.") for m in lounge.from_bot)
            )
            await slack.until(
                lambda: any(m.text.startswith("Hello there.") for m in general.from_bot)
            )
            bot.stop()
            assert await bot.exit_code() == 0
        assert sorted(prompt[-1]["content"] for prompt in inference.prompts) == [
            "on Discord",
            "on Slack",
        ]

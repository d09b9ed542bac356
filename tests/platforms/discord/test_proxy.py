"""Discord is reached through the proxy that the environment names."""

from pathlib import Path

import pytest

from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import Say, ScriptedInference
from tests.doubles.proxy import ProxyDouble
from tests.end_to_end.processes import NOBODY, piped, write_config


async def test_rest_and_gateway_go_through_the_proxy_with_its_password(tmp_path: Path) -> None:
    discord = DiscordDouble()
    async with (
        discord.running(),
        ProxyDouble().running() as proxy,
        ScriptedInference().running() as inference,
    ):
        general = discord.guild("Home").channel("general")
        ann = general.guild.member("Ann")
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": inference.url, "model": "scripted"},
        )
        named = proxy.url.replace("//", "//me:sesame@")
        async with piped(config, command="run", HTTP_PROXY=named, NO_PROXY="") as bot:
            await bot.err.see("discord is connected")
            inference.script(Say("Hello there."))
            asked = ann.say(general, "@bot hi")
            await discord.until(lambda: asked.replies and "Hello there." in asked.replies[-1].text)
            assert "sesame" not in bot.err.text
        assert any("/gateway" in line for line in proxy.asked)
        assert any(line.startswith("GET ws") or "encoding=json" in line for line in proxy.asked)
        assert any(line.startswith("POST ") for line in proxy.asked)
        assert proxy.credentials == {"Basic bWU6c2VzYW1l"}


async def test_what_no_proxy_names_is_reached_directly(tmp_path: Path) -> None:
    discord = DiscordDouble()
    async with discord.running(), ProxyDouble().running() as proxy:
        config = write_config(
            tmp_path,
            discord={"token": discord.token, "api_url": discord.api_url},
            inference={"url": NOBODY},
        )
        direct = {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
        async with piped(config, command="run", **direct) as bot:
            await bot.err.see("discord is connected")
        assert proxy.asked == []


@pytest.mark.parametrize("platform", ["discord", "slack"])
async def test_a_proxy_that_refuses_is_one_line(tmp_path: Path, platform: str) -> None:
    async with ProxyDouble().running() as proxy:
        proxy.refuse = "502 Bad Gateway"
        sections = {
            "discord": {"token": "a.b.c", "api_url": "https://discord.invalid/api/v10"},
            "slack": {
                "bot_token": "xoxb-1",
                "app_token": "xapp-1",
                "api_url": "https://slack.invalid/api/",
            },
        }
        config = write_config(tmp_path, inference={"url": NOBODY}, **{platform: sections[platform]})
        address = proxy.url.replace("//", "//me:sesame@")
        named = {"HTTPS_PROXY": address, "NO_PROXY": ""}
        async with piped(config, command="run", **named) as bot:
            line = await bot.err.see(r"can't be reached.*502.*")
            assert "Traceback" not in bot.err.text
            assert '"exception"' not in bot.err.text
            assert f"{platform}.invalid" in line
            assert "sesame" not in bot.err.text
        assert proxy.asked[0].startswith("CONNECT ")

"""`search_here` on Slack: with the token that came with the question, in public channels."""

from tests.doubles.inference import Call
from tests.platforms.slack.conftest import Scene


async def test_it_finds_what_stands_in_public_channels(scene: Scene) -> None:
    scene.slack.sends_action_tokens = True
    public = scene.team.channel("public")
    hidden = scene.team.channel("hidden", private=True)
    scene.ben.say(public, "The launch is on Friday.")
    scene.ben.say(hidden, "The launch code is 4711.")
    scene.script(Call("search_here", {"query": "launch"}))
    await scene.ask("When is the start?")
    (result,) = (m for m in scene.last_prompt() if m["role"] == "tool")
    assert "Ben in #public (https://slack.example/" in result["content"]
    assert "Friday" in result["content"]
    assert "4711" not in result["content"]


async def test_without_a_token_there_is_none(scene: Scene) -> None:
    await scene.ask("Hello?")
    names = [tool["function"]["name"] for tool in scene.inference.requests[-1]["tools"]]
    assert "search_here" not in names

"""`search_here` on Discord: what the asker may read, and what may be told here."""

from tests.doubles.inference import Call
from tests.platforms.discord.conftest import Running


async def test_it_finds_what_the_asker_and_everybody_here_may_read(running: Running) -> None:
    async with running(message_content=True) as scene:
        public, hidden = scene.guild.channel("public"), scene.guild.channel("hidden")
        everybody = scene.guild.roles[0]
        hidden.deny("view_channel", to=everybody)
        hidden.allow("view_channel", to=scene.ann)
        hidden.allow("view_channel", "read_message_history", "send_messages")
        scene.ben.say(public, "The launch is on Friday.")
        scene.ann.say(hidden, "The launch code is 4711.")
        scene.script(Call("search_here", {"query": "launch"}))
        await scene.ask("When is the start?")
        (result,) = (m for m in scene.inference.prompts[-1] if m["role"] == "tool")
        assert "Ben in #public (https://discord.com/channels/" in result["content"]
        assert "Friday" in result["content"]
        assert "4711" not in result["content"]
        scene.script(Call("search_here", {"query": "launch"}))
        question = scene.ann.say(hidden, "@bot When is the start?")
        await scene.answer_to(question)
        (result,) = (m for m in scene.inference.prompts[-1] if m["role"] == "tool")
        assert "Friday" in result["content"]
        assert "4711" in result["content"]


async def test_there_is_none_in_private_or_without_the_intent(running: Running) -> None:
    async with running() as scene:
        await scene.ask("Hello?")
        names = [tool["function"]["name"] for tool in scene.inference.requests[-1]["tools"]]
        assert "search_here" not in names

"""Two bots on one token and one database, by mistake: Slack gives each event to one of them."""

from tests.end_to_end.processes import piped
from tests.platforms.slack.conftest import Running, ended


async def test_each_question_is_answered_once(running: Running) -> None:
    async with running() as scene, piped(scene.folder / "bot.yaml", command="run") as second:
        await second.err.see("slack is connected")
        await scene.slack.until(lambda: len(scene.slack.delivery.socket.connections) == 2)
        questions = [scene.ann.say(scene.general, f"@bot {n}") for n in range(5)]
        for question in questions:
            await scene.slack.until(lambda question=question: any(map(ended, question.replies)))
        assert ended(await scene.ask("and this?"))
        assert [len(question.replies) for question in questions] == [1] * 5
        assert len(scene.inference.requests) == 6

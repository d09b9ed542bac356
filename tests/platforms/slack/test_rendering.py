"""Answers with tables and formulas, and what the model reads of them later."""

from tests.doubles.inference import Say
from tests.platforms.slack.conftest import Scene, ended

ANSWER = (
    "Before\n\n| Mooring | Depth |\n|:--|--:|\n| Heron | 3.2 m |\n\n"
    "- [x] Drag is \\( \\theta \\) & more"
)


async def test_a_table_is_one_of_slacks_own(scene: Scene) -> None:
    scene.script(Say(ANSWER))
    answer = await scene.ask("drag?")
    await scene.slack.until(
        lambda: [b["type"] for b in answer.blocks[:3]] == ["markdown", "table", "markdown"]
    )
    assert answer.blocks[1]["rows"][1] == [
        {"type": "raw_text", "text": "Heron"},
        {"type": "raw_text", "text": "3.2 m"},
    ]
    assert answer.blocks[2]["text"] == "- ☑ Drag is θ & more"


async def test_the_next_prompt_has_the_answer_as_the_model_wrote_it(scene: Scene) -> None:
    scene.script(Say(ANSWER))
    first = await scene.ask("drag?")
    await scene.ask("and at rest?", thread=first.root)
    assert scene.inference.prompts[1][-2] == {"role": "assistant", "content": ANSWER}


async def test_an_answer_that_grows_when_it_is_escaped_is_shown_whole(scene: Scene) -> None:
    written = "x &lt; y &amp;&amp; y &gt; z; " * 496 + "FIN"
    scene.script(Say(written))
    question = scene.ann.say(scene.general, "@bot show the whole table")
    await scene.slack.until(lambda: any(map(ended, question.replies)))
    shown = "\n".join(message.text for message in question.replies)
    assert shown.count("z;") == 496
    assert "FIN" in shown
    refused = [call for call in scene.slack.requests if call.error]
    assert refused == []
    assert "Regenerate" in question.replies[-1].buttons

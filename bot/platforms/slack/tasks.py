"""The reasoning and the calls of an answer, as Slack's tasks.

https://docs.slack.dev/reference/block-kit/blocks/task-card-block
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import TaskCardBlock
from slack_sdk.models.messages.chunk import TaskUpdateChunk

from bot.conversation.reply import Reply, StepState
from bot.conversation.texts import Texts
from bot.platforms.slack.blocks import Block
from bot.platforms.slack.limits import TASK_LENGTH, TEXT_LENGTH

STATUS = {
    StepState.RUNNING: "in_progress",
    StepState.DONE: "complete",
    StepState.FAILED: "error",
}
MOST_CARDS = 8
CARD_DETAILS, CARD_OUTPUT = 400, 80
"""Characters in a card: a message has little room beside the answer."""


@dataclass(frozen=True)
class Task:
    """One task; `details` and `output` may be empty."""

    id: str
    title: str
    status: str
    details: str = ""
    output: str = ""

    def chunk(self) -> TaskUpdateChunk:
        """As a part of a stream."""
        return TaskUpdateChunk(
            id=self.id,
            title=self.title,
            status=self.status,
            details=self.details[-TEXT_LENGTH:] or None,
            output=self.output[:TASK_LENGTH] or None,
        )

    def card(self) -> Block:
        """As a block of a message."""
        card = TaskCardBlock(
            task_id=self.id,
            title=self.title,
            status=self.status,
            details=_rich_text(self.details[-CARD_DETAILS:]),
            output=_rich_text(self.output[:CARD_OUTPUT]),
        )
        return dict(card.to_dict())


def tasks_of(reply: Reply, texts: Texts) -> list[Task]:
    """All that there are so far."""
    tasks = []
    if reply.reasoning and reply.show_reasoning:
        thinking = not (reply.text.strip() or reply.state.final)
        status, details = ("in_progress", "") if thinking else ("complete", reply.reasoning)
        tasks.append(Task("reasoning", texts("reasoning_title"), status, details))
    for at, step in enumerate(reply.steps):
        title = f"{step.tool}: {step.about}" if step.about else step.tool
        tasks.append(Task(f"call-{at}", title, STATUS[step.state], output=step.output))
    return tasks


def cards(tasks: Sequence[Task]) -> list[Block]:
    """The newest of them as blocks."""
    return [task.card() for task in tasks[-MOST_CARDS:]]


def _rich_text(text: str) -> Block | None:
    if not text:
        return None
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}

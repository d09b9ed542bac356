"""`/effort`: how hard the model thinks."""

from bot.client import InferenceError
from bot.config import Effort
from bot.conversation.budget import answer_tokens
from bot.conversation.commands.definition import Command, CommandError, Context, Option, OptionKind


async def set_effort(context: Context, level: str, scope: str | None = None) -> str:
    texts = context.texts
    if level.lower() not in list(Effort):
        raise CommandError(texts("bad_effort", found=level, allowed=texts.choice(Effort)))
    effort = Effort(level.lower())
    target = context.scope(scope)
    context.require_change(target.kind)
    await context.store.settings.set(target, "effort", effort.value, context.author.id)
    answer = texts("effort_set", level=effort.value, scope=texts(f"scope_{target.kind}"))
    try:
        model = await context.client.model_info()
    except InferenceError:  # the service can't tell yet
        return answer
    if model.reasoning != "none":
        return answer
    count = answer_tokens(context.config, effort, model.context)
    return "\n".join([answer, texts("effort_no_reasoning", count=count)])


SCOPE = Option(OptionKind.SCOPE, "option_scope", False)

COMMANDS = [
    Command(
        "effort",
        set_effort,
        (Option(OptionKind.EFFORT, "option_level"), SCOPE),
    )
]

"""`/tools`: what the model can call here, and a changed tool allowed again."""

from bot.client import InferenceError
from bot.conversation.commands.definition import Command, CommandError, Context, Option, OptionKind
from bot.conversation.tool_context import context_of_author
from bot.tools.mcp.tool import ToolStatus

KEYS = {ToolStatus.ALLOWED: "tools_allowed_one", ToolStatus.CHANGED: "tools_changed"}


async def tools(context: Context, name: str = "") -> str:
    """All tools that may be used here; with a name, that one is allowed as it is now."""
    texts, toolbox = context.texts, context.responder.toolbox
    tool_context = context_of_author(context.here, context.author)
    if name:
        context.require_change("server")
        everywhere = context.place.local
        if not await toolbox.mcp.allow(name, tool_context, everywhere=everywhere):
            raise CommandError(texts("tools_unknown", name=name))
        return texts("tools_allowed", name=name)
    session = await toolbox.open(context.config, tool_context)
    lines = [
        f"- **{tool.name}**: {tool.description.partition('.')[0]}"
        for tool in session.tools
        if not tool.server
    ]
    for server, found in await toolbox.mcp.overview(tool_context):
        lines.append(texts("tools_server", server=server.name, approve=server.config.approve))
        if server.problem:
            lines.append(texts("tools_unreachable", reason=server.problem))
        for one, status in found:
            if status is not ToolStatus.NOT_ALLOWED:
                about = (one.raw.description or "").strip().partition("\n")[0][:100]
                lines.append(texts(KEYS[status], name=one.name, about=about))
    if not await _takes_tools(context):
        lines.insert(0, texts("tools_unused"))
    return "\n".join(lines)


async def _takes_tools(context: Context) -> bool:
    try:
        return await context.client.takes_tools()
    except InferenceError:  # the service can't tell yet
        return True


COMMANDS = [
    Command(
        "tools",
        tools,
        (Option(OptionKind.NAME, "option_tool", False),),
    )
]

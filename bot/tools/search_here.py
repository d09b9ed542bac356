"""`search_here`: what the platform's own search finds, with the rights of who asks.

Nothing is indexed or stored: each search asks the platform.
"""

from bot.tools.context import SearchHere
from bot.tools.definition import Arguments, Tool, ToolError, ToolResult

RESULTS = 10
TEXT_LENGTH = 600


def search_here(search: SearchHere) -> Tool:
    """The tool; `search` asks the platform."""

    async def run(arguments: Arguments) -> ToolResult:
        query = " ".join(arguments["query"].split())
        if not query:
            raise ToolError("the query is empty")
        hits = await search(query, RESULTS)
        shown = [
            f"{hit.author} in {hit.where} ({hit.link}):\n{hit.text[:TEXT_LENGTH]}" for hit in hits
        ]
        return ToolResult("\n\n".join(shown) or "Nothing was found.", str(len(hits)))

    return Tool(
        "search_here",
        "Searches the messages of this server or workspace that the person who asks may read.",
        {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "A few words"}},
            "required": ["query"],
        },
        run,
        about=lambda arguments: str(arguments.get("query", "")),
        reads_outside=True,
    )

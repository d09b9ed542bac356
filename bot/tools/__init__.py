"""What a model can call in an answer, and the one gate through which calls reach other hosts."""

from bot.tools.approval import Approval, ApprovalReason
from bot.tools.context import MessageHit, SearchHere, ToolContext
from bot.tools.definition import Tool, ToolError, ToolResult
from bot.tools.receipt import Receipt
from bot.tools.session import Session
from bot.tools.taint import Taint
from bot.tools.toolbox import Toolbox, ToolProvider

__all__ = [
    "Approval",
    "ApprovalReason",
    "MessageHit",
    "Receipt",
    "SearchHere",
    "Session",
    "Taint",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolProvider",
    "ToolResult",
    "Toolbox",
]

"""What a model can call in an answer, and the one gate through which calls reach other hosts."""

from bot.tools.approval import Approval, Reason
from bot.tools.asking import Asking, Hit, SearchHere
from bot.tools.definition import Output, Tool, ToolError
from bot.tools.receipt import Receipt
from bot.tools.session import Outcome, Session
from bot.tools.taint import Taint
from bot.tools.toolbox import OpensTools, Toolbox

__all__ = [
    "Approval",
    "Asking",
    "Hit",
    "OpensTools",
    "Outcome",
    "Output",
    "Reason",
    "Receipt",
    "SearchHere",
    "Session",
    "Taint",
    "Tool",
    "ToolError",
    "Toolbox",
]

"""What a model can call in an answer, and the one gate through which calls reach other hosts."""

from bot.tools.definition import Output, Tool, ToolError
from bot.tools.session import Outcome, Session
from bot.tools.toolbox import Toolbox

__all__ = ["Outcome", "Output", "Session", "Tool", "ToolError", "Toolbox"]

"""The calculator: one expression of numbers, operators and functions, with bounds on all of them.

simpleeval evaluates it without Python's `eval`: no attributes, no imports, no loops. Its own bounds
let `4000000 ** 4000000` pass, which takes hours: powers are bounded here by the size of the result.
"""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from bot.tools.definition import Arguments, Tool, ToolError, ToolResult

MOST_CHARACTERS = 500
MOST_BITS = 10_000
"""Of a whole number: 3,010 digits."""
MOST_OF_FACTORIAL = 1_000
MOST_DIGITS = 300

Number = int | float


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int):
        bits = max(abs(base), 1).bit_length() * abs(exponent)
        if abs(base) > 1 and bits > MOST_BITS:
            raise ToolError("the power is too large")
    result = base**exponent
    if isinstance(result, complex):
        raise ToolError("the result is not a real number")
    return result


def _round(number: Number, digits: int = 0) -> Number:
    if abs(digits) > MOST_DIGITS:
        raise ToolError(f"round takes up to {MOST_DIGITS} digits")
    return round(number, digits) if digits else round(number)


def _bounded(function: Callable[..., int], most: int) -> Callable[..., int]:
    def call(*numbers: int) -> int:
        if any(abs(number) > most for number in numbers):
            raise ToolError(f"{function.__name__} takes numbers up to {most}")
        return function(*numbers)

    return call


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(math, name)
        for name in (
            *("sqrt", "cbrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin"),
            *("acos", "atan", "atan2", "sinh", "cosh", "tanh", "degrees", "radians"),
            *("hypot", "floor", "ceil", "trunc", "gcd", "lcm"),
        )
    },
    "ln": math.log,
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "factorial": _bounded(math.factorial, MOST_OF_FACTORIAL),
    "comb": _bounded(math.comb, MOST_OF_FACTORIAL),
    "perm": _bounded(math.perm, MOST_OF_FACTORIAL),
}
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
_PARTS = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant),
    *_OPERATORS,
)
"""What an expression may be made of: no texts, which `*` would repeat, and no lists."""
_SIGNS = str.maketrans(
    {"\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-", "\u00a0": " "}
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def calculate(expression: str) -> str:
    """The value of an expression, as text. Raises ToolError."""
    if len(expression) > MOST_CHARACTERS:
        raise ToolError(f"the expression is too long: at most {MOST_CHARACTERS} characters")
    written = expression.translate(_SIGNS).replace("^", "**").strip().rstrip("=").strip()
    if not re.search(r"[A-Za-z]", written):  # in a function's arguments it parts them
        written = _THOUSANDS.sub("", written)
    try:
        _check(ast.parse(written, mode="eval"))
        value = SimpleEval(_OPERATORS, _FUNCTIONS, _NAMES).eval(written)
        return _shown(value)
    except ToolError:
        raise
    except ZeroDivisionError:
        raise ToolError("division by zero") from None
    except OverflowError:
        raise ToolError("the result is too large") from None
    except (InvalidExpression, SyntaxError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ToolError(f"the expression can't be evaluated: {reason}") from None
    except (RecursionError, MemoryError):
        raise ToolError("the expression is nested too deeply") from None


def _check(tree: ast.Expression) -> None:
    for part in ast.walk(tree):
        number = not isinstance(part, ast.Constant) or type(part.value) in (int, float)
        if not isinstance(part, _PARTS) or not number:
            raise ToolError("only numbers, operators and functions are understood")


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ToolError("the expression is not a number")
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise ToolError("the result is too large")
        return str(value)
    if not math.isfinite(value):
        raise ToolError("the result is not a finite number")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"


async def _run(arguments: Arguments) -> ToolResult:
    value = calculate(arguments["expression"])
    return ToolResult(value, value)


CALCULATOR = Tool(
    "calculator",
    "Evaluates an arithmetic expression exactly: + - * / // % ** and functions such as sqrt, log,"
    " sin, round, min, max, factorial; pi and e.",
    {
        "type": "object",
        "properties": {
            "expression": {"type": "string", "description": "For example (17.5 * 12) / 3"}
        },
        "required": ["expression"],
        "additionalProperties": False,
    },
    _run,
    about=lambda arguments: str(arguments.get("expression", "")),
)

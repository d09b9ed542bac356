"""`python -m tests.show_states`: print every state, or draw some of them."""

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

import structlog

from tests.show_states.check import check
from tests.show_states.every import all_states
from tests.show_states.pictures import drawings
from tests.show_states.plain import text_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.show_states", description=__doc__)
    parser.add_argument("--language", default="en")
    parser.add_argument("--json", action="store_true", help="the payloads too")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw six of them there")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    states = asyncio.run(all_states(given.language))
    for state in states:
        check(state)
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
        for name, drawing in drawings(states).items():
            (given.pictures / f"{name}.svg").write_text(drawing, encoding="utf-8")
        return
    for state in states:
        sys.stdout.write(f"== {state.platform}: {state.name} ({state.kind})\n{text_of(state)}\n")
        if given.json:
            sys.stdout.write(json.dumps(state.payload, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.write("\n")


main()

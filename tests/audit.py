"""`make audit`: the known vulnerabilities of what uv.lock pins.

pip-audit ends with 0 where its database knows none of the packages. This fails then: nothing was
audited. With `--optional`, as `make lint` calls it, it says so and goes on.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

BIN = Path(sys.executable).parent
EXPORT = ["uv", "export", "--quiet", "--frozen", "--all-extras", "--no-emit-project"]
AUDIT = ["pip-audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]


class Ending(IntEnum):
    """Exit codes."""

    CLEAN = 0
    VULNERABLE = 1
    NOT_AUDITED = 2


@dataclass(frozen=True)
class Outcome:
    ending: Ending
    lines: list[str]


def judged(report: str, errors: str) -> Outcome:
    """What pip-audit found, by its JSON report, which is empty where it failed, and its errors."""
    if not report:
        reason = errors.strip().rpartition("\n")[2]
        return Outcome(Ending.NOT_AUDITED, [f"nothing was audited: {reason}"])
    packages = json.loads(report)["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        reason = packages[0]["skip_reason"] if packages else "uv.lock pins no package"
        return Outcome(
            Ending.NOT_AUDITED, [f"nothing was audited of {len(packages)} packages: {reason}"]
        )
    found = [
        f"{package['name']} {package['version']}: {flaw['id']},"
        f" mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in audited
        for flaw in package["vulns"]
    ]
    total = f"{len(audited)} of {len(packages)} packages audited, {len(found)} vulnerabilities"
    return Outcome(Ending.VULNERABLE if found else Ending.CLEAN, [*found, total])


def audit(requirements: str) -> Outcome:
    """Ask the database about `requirements`, pinned and with hashes, one a line."""
    command = [BIN / AUDIT[0], *AUDIT[1:], "--format=json", "--requirement=/dev/stdin"]
    process = subprocess.run(
        command, input=requirements, capture_output=True, text=True, check=False
    )
    return judged(process.stdout, process.stderr)


def main(
    optional: Annotated[bool, typer.Option("--optional", help="Go on without a database.")] = False,
) -> None:
    """Tell of known vulnerabilities; exit code 1 if there are some, 2 if nothing was audited."""
    exported = subprocess.run([BIN / EXPORT[0], *EXPORT[1:]], stdout=subprocess.PIPE, check=True)
    outcome = audit(exported.stdout.decode())
    skipped = optional and outcome.ending is Ending.NOT_AUDITED
    for line in outcome.lines:
        typer.echo(f"audit: {'skipped, ' if skipped else ''}{line}", err=bool(outcome.ending))
    raise typer.Exit(0 if skipped else outcome.ending)


if __name__ == "__main__":
    typer.run(main)

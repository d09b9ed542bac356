"""`make audit` fails where packages are vulnerable, and where nothing was audited."""

import json
from typing import Any

import pytest

from tests.audit import Ending, audit, judged

CLEAN = {"name": "httpx", "version": "1.0", "vulns": []}
FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI: torch (2.11.0)"}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_without_known_vulnerabilities_pass() -> None:
    outcome = judged(report(CLEAN, UNKNOWN), "No known vulnerabilities found\n")
    assert outcome.ending is Ending.CLEAN
    assert outcome.lines == ["1 of 2 packages audited, 0 vulnerabilities"]


def test_a_vulnerability_is_one_line_with_the_version_that_mends_it() -> None:
    outcome = judged(report(CLEAN, CLEAN | {"vulns": [FLAW, FLAW | {"fix_versions": []}]}), "")
    assert outcome.ending is Ending.VULNERABLE
    assert outcome.lines == [
        "httpx 1.0: PYSEC-2026-1, mended in 1.1",
        "httpx 1.0: PYSEC-2026-1, mended in no version yet",
        "2 of 2 packages audited, 2 vulnerabilities",
    ]


def test_a_database_that_knows_no_package_audits_nothing() -> None:
    outcome = judged(report(UNKNOWN, UNKNOWN), "No known vulnerabilities found\n")
    assert outcome.ending is Ending.NOT_AUDITED
    assert outcome.lines == [f"nothing was audited of 2 packages: {UNKNOWN['skip_reason']}"]


def test_a_database_that_can_not_be_reached_audits_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("https_proxy", "http://127.0.0.1:9"), ("no_proxy", "")):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    outcome = audit(f"httpx==1.0 --hash=sha256:{'0' * 64}\n")
    assert outcome.ending is Ending.NOT_AUDITED
    (line,) = outcome.lines
    assert line.startswith("nothing was audited: ")
    assert "127.0.0.1" in line

"""What a point of evidence found, where it came from, and how it is written down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, machine

SOURCES = ("src", "benchmarks", "pyproject.toml", "requirements")
"""What figures depend on; the evidence itself may be newer than the commit it names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one point.

    Parameters
    ----------
    claim: what is to be shown, with its bar, in a sentence.
    passed: None where it could not be tried; ``skipped`` then says why.
    headline: the few figures the summary shows, in words.
    """

    claim: str
    passed: bool | None
    headline: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    skipped: str = ""


def no_data(claim: str, folder: str) -> Finding:
    """The point needs real data that is not there."""
    return Finding(claim, None, skipped=f"no data: ../shared/data/{folder} is not there")


def write(name: str, finding: Finding, into: Path, cpu_s: float, *, quick: bool) -> None:
    """One file, sorted and indented, so that two of them can be compared line by line."""
    document = {
        "name": name,
        "claim": finding.claim,
        "quick": quick,
        "passed": finding.passed,
        "skipped": finding.skipped,
        "headline": list(finding.headline),
        **provenance(),
        "seeds": list(finding.seeds),
        "data": dict(finding.data),
        "machine": machine(),
        "cpu_s": round(cpu_s, 1),
        "figures": finding.figures,
    }
    into.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
    (into / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def provenance() -> dict[str, Any]:
    """The commit, and whether the sources differ from it."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", *SOURCES)),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def summarise(folder: Path, names: Sequence[str]) -> None:
    """README.md from the JSON files that are there, in the order of ``names``."""
    lines = [
        "# Evidence",
        "",
        "What the swarm must show, and what it showed. Made by `make evidence` from the files",
        "beside this one; do not edit. Timings belong to the machine and the minute.",
        "",
        "| point | what is to be shown | outcome | figures | commit |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        path = folder / f"{name}.json"
        if path.is_file():
            lines.append(_row(json.loads(path.read_text(encoding="utf-8"))))
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(document: Mapping[str, Any]) -> str:
    outcome = {True: "shown", False: "**missed**", None: f"skipped: {document['skipped']}"}
    told = outcome[document["passed"]] + (" (far too short a run)" if document["quick"] else "")
    commit = document["commit"][:10] + (" + changes" if document["dirty"] else "")
    cells = (
        f"[{document['name']}]({document['name']}.json)",
        document["claim"],
        told,
        "<br>".join(document["headline"]),
        commit,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

"""``mirrorcore emergence baseline``: keep what a monitor has learned, and say what it is."""

from __future__ import annotations

from pathlib import Path

from command_calls import Caller

from mirrorcore.swarm.emergence.baseline import NAME


def watched(call: Caller, file: Path, extra: str = "", bars: int = 100) -> None:
    """A run of history that is watched."""
    file.write_text(f"[emergence]\nhistory = true\n{extra}", encoding="utf-8")
    done = call("backtest", "-c", str(file), "--bars", str(bars), "--symbols", "2", "--no-report")
    assert done.code == 0, done.err


def test_it_is_saved_shown_and_started_from(call: Caller, tmp_path: Path) -> None:
    config, file = tmp_path / "swarm.toml", tmp_path / "swarm.baseline"
    watched(call, config)
    saved = call("emergence", "baseline", "save", "last", str(file), "--json").document
    assert saved["symbols"] == ["AAA/USD", "BBB/USD"]
    assert saved["ticks"] == {"collective": 35}
    shown = call("emergence", "baseline", "show", str(file), runs=False)
    assert "collective      35 ticks" in shown.out
    assert f"learned in run {saved['run']}" in shown.out
    told = call("emergence", "baseline", "save", "last", str(file))
    assert told.code == 2
    assert "is there already" in told.err
    watched(call, config, 'learned = "swarm.baseline"\n')
    newest = max(call.runs.glob(f"*/{NAME}"), key=lambda one: one.stat().st_mtime_ns)
    grown = call("emergence", "baseline", "show", str(newest), "--json", runs=False).document
    assert grown["ticks"] == {"collective": 70}


def test_mistakes_are_told(call: Caller, tmp_path: Path) -> None:
    watched(call, tmp_path / "swarm.toml", bars=50)
    file = tmp_path / "file"
    told = call("emergence", "baseline", "save", "last", str(file))
    assert (told.code, file.exists()) == (2, False)
    assert "has left nothing to start from" in told.err
    file.write_text("something else", encoding="utf-8")
    told = call("emergence", "baseline", "show", str(file), runs=False)
    assert told.code != 0
    assert "is no baseline" in told.err
    assert "Traceback" not in told.err

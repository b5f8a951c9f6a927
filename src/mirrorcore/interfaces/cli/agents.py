"""``mirrorcore agents``: who there is, what each reads, says and can be told."""

from __future__ import annotations

import inspect
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli import own_agents
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.swarm.members import Member

_CONFIG = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default=False,
        help="Show the swarm of this file; mirrorcore.toml in this folder if there is one.",
    ),
]
_NAME = Annotated[str, typer.Argument(metavar="NAME", help="An agent of the list.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    agents = group("The agents of the swarm.")
    command(agents, "list")(list_agents)
    command(agents, "show")(show_agent)
    own_agents.register(agents)
    app.add_typer(agents, name="agents")


@dataclass(frozen=True, slots=True)
class Card:
    """One agent on paper. ``publishes`` and ``parameters`` are rows ready to be shown."""

    id: str
    kind: str
    type: str
    form: str
    votes: bool | None
    cadence: str
    horizon: str
    reads: list[str]
    reads_agents: list[str]
    publishes: list[dict[str, Any]]
    parameters: list[dict[str, Any]]
    summary: str
    description: str


def list_agents(session: Session, config: _CONFIG = None) -> Answer:
    """List the agents in the order in which they are called."""
    cards = _cards(session, config)

    def show(out: Console) -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for head in ("agent", "form", "votes", "cadence"):
            table.add_column(head, no_wrap=True)
        table.add_column("what it is")
        for card in cards:
            table.add_row(card.id, card.form, _votes(card.votes), card.cadence, card.summary)
        out.print(table)

    return Answer({"agents": [asdict(card) for card in cards]}, show)


def show_agent(session: Session, name: _NAME, config: _CONFIG = None) -> Answer:
    """Show one agent: description, what it reads and publishes, its parameters."""
    cards = {card.id: card for card in _cards(session, config)}
    card = cards.get(name)
    if card is None:
        from mirrorcore.config.mistakes import near

        meant = near(name, cards)
        hint = f"did you mean {meant}?" if meant else f"known are: {', '.join(cards)}"
        raise UsageError(f"there is no agent {name!r}", hint=hint)
    return Answer(asdict(card), lambda out: _show(card, out))


def _show(card: Card, out: Console) -> None:
    say(out, card.id, "bold")
    say(out, card.description)
    say(out, "")
    for head, text in (
        ("form", card.form),
        ("votes", _votes(card.votes)),
        ("cadence", card.cadence),
        ("horizon", card.horizon),
        ("reads", ", ".join(card.reads) or "nothing of the market"),
        ("reads agents", ", ".join(card.reads_agents) or "none"),
    ):
        say(out, f"{head:13} {text}")
    say(out, "")
    say(out, "publishes" if card.publishes else "publishes what it likes: it declares no fields")
    for field in card.publishes:
        bounds = f"[{_bound(field['low'], '-∞')}, {_bound(field['high'], '∞')}]"
        notes = [field["unit"], bounds, f"per {field['shape'].removesuffix('s')}"]
        if field["shape"] in ("scalar", "text"):
            notes[2] = field["shape"]
        missing = "; may be missing" if field["missing"] else ""
        say(out, f"  {field['name']:16} {field['doc']} ({', '.join(filter(None, notes))}{missing})")
    if card.parameters:
        say(out, "")
        say(out, "parameters")
    for parameter in card.parameters:
        default = "required" if parameter["required"] else f"= {parameter['default']!r}"
        say(out, f"  {parameter['name']:16} {default}")


def _cards(session: Session, file: Path | None) -> list[Card]:
    from mirrorcore.swarm.recruiting import recruit

    config = load(session, Settings(config=file or own_agents.config_here())).config
    return [_card(member) for member in recruit(config)]


def _card(member: Member) -> Card:
    from mirrorcore.agents.roster import parameters
    from mirrorcore.clock import format_duration

    cls = type(member.agent)
    description = inspect.cleandoc(cls.__doc__ or "It has no description.")
    return Card(
        id=member.agent_id,
        kind=member.kind,
        type=cls.__name__,
        form=member.form.value,
        votes=member.votes,
        cadence=format_duration(member.cadence_ns) if member.cadence_ns else "every tick",
        horizon=format_duration(member.horizon_ns) if member.horizon_ns else "one bar",
        reads=list(member.interests),
        reads_agents=list(member.agent_interests),
        publishes=[
            {
                "name": name,
                "doc": field.doc,
                "unit": field.unit,
                "low": field.low if math.isfinite(field.low) else None,
                "high": field.high if math.isfinite(field.high) else None,
                "shape": field.shape,
                "missing": field.missing,
            }
            for name, field in member.schema.items()
        ],
        parameters=[
            {
                "name": name,
                "required": parameter.default is parameter.empty,
                "default": _default(parameter),
            }
            for name, parameter in parameters(cls).items()
            if name != "data_interests"  # what it reads is told above
        ],
        summary=description.partition("\n")[0],
        description=description,
    )


def _default(parameter: inspect.Parameter) -> object:
    """The default as JSON can hold it; a user's own may be anything."""
    value = parameter.default
    if value is parameter.empty:
        return None
    finite = isinstance(value, str | int | None) or (
        isinstance(value, float) and math.isfinite(value)
    )
    return value if finite else repr(value)


def _bound(value: float | None, endless: str) -> str:
    return endless if value is None else f"{value:g}"


def _votes(votes: bool | None) -> str:
    return {True: "yes", False: "no", None: "if it likes"}[votes]

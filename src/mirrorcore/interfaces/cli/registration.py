"""Turns plain functions into commands: shared groups of options, ``--json`` and ``--debug``.

A command is a function of a :class:`Session`, if it needs one, of its own arguments and of groups
of options; a group is a frozen dataclass whose fields are annotated with ``typer.Option``. Written
once, a group means the same in every command.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session

Command = Callable[..., Answer]

_JSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
_DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of a defect of ours.")]


def group(help_text: str, **settings: Any) -> typer.Typer:
    """A group of commands in our manner: plain help, no completion to install, no guessing."""
    return typer.Typer(
        help=help_text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **settings,
    )


def command(
    app: typer.Typer, name: str | None = None, **context: Any
) -> Callable[[Command], Command]:
    """Register a function as a command of ``app``; the function itself stays as it was.

    ``context`` are settings of click's context, as ``ignore_unknown_options``.
    """

    def register(function: Command) -> Command:
        app.command(name, context_settings=context or None)(_called_by_typer(function))
        return function

    return register


def _called_by_typer(function: Command) -> Callable[..., Answer]:
    hints = get_type_hints(function, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    session = ""
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if hint is Session:
            session = parameter.name
        elif is_dataclass(hint) and isinstance(hint, type):
            groups[parameter.name] = hint
            parameters += _options(hint)
        else:
            parameters.append(parameter.replace(annotation=hint))
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword) for parameter in parameters]
    parameters += [
        inspect.Parameter("json", keyword, default=False, annotation=_JSON),
        inspect.Parameter("debug", keyword, default=False, annotation=_DEBUG),
        inspect.Parameter("ctx", keyword, annotation=typer.Context),
    ]

    @functools.wraps(function)
    def call(ctx: typer.Context, json: bool, debug: bool, **given: Any) -> Answer:
        current = ctx.ensure_object(Session)
        current.json, current.debug = json, debug
        arguments = {name: _filled(kind, given) for name, kind in groups.items()}
        own = {session: current} if session else {}
        return function(**own, **arguments, **given)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]


def _filled(kind: type, given: dict[str, Any]) -> Any:
    """The group with the values given; they are taken out of ``given``."""
    values: Mapping[str, Any] = {field.name: given.pop(field.name) for field in fields(kind)}
    return kind(**values)

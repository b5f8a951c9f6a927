"""Which agents there are, and how one is built from its name and parameters.

Classes are imported when they are first built. A mistake in a name, a parameter or a user's own
file is a :class:`~mirrorcore.errors.ConfigError` that says where it is and what was probably meant.
"""

from __future__ import annotations

import difflib
import inspect
import sys
import traceback
import types
import typing
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mirrorcore.agents.base import BaseAgent
from mirrorcore.agents.parameters import Duration, duration
from mirrorcore.errors import ConfigError

_HOME = "mirrorcore.agents"

ROSTER: Mapping[str, str] = types.MappingProxyType(
    {
        "DataSentry": f"{_HOME}.analysts.data_sentry",
        "MomentumScout": f"{_HOME}.analysts.momentum_scout",
        "MeanReverter": f"{_HOME}.analysts.mean_reverter",
        "VolatilitySeer": f"{_HOME}.analysts.volatility_seer",
        "SentimentEar": f"{_HOME}.analysts.sentiment_ear",
        "ChainWatcher": f"{_HOME}.analysts.chain_watcher",
        "MacroWatcher": f"{_HOME}.analysts.macro_watcher",
        "FlowReader": f"{_HOME}.analysts.flow_reader",
        "FundamentalSage": f"{_HOME}.analysts.fundamental_sage",
        "PairsArb": f"{_HOME}.analysts.pairs_arb",
        "RegimeOracle": f"{_HOME}.analysts.regime_oracle",
        "EgoProcessor": f"{_HOME}.mind.ego_processor",
        "FearAnalyzer": f"{_HOME}.mind.fear_analyzer",
        "GreedSensor": f"{_HOME}.mind.greed_sensor",
        "SelfAwarenessAgent": f"{_HOME}.mind.self_awareness",
        "ArchCtrl": f"{_HOME}.mind.arch_ctrl",
        "DecisionMirror": f"{_HOME}.mind.decision_mirror",
        "OracleEngine": f"{_HOME}.desk.oracle_engine",
        "Allocator": f"{_HOME}.desk.allocator",
        "RiskSentinel": f"{_HOME}.desk.risk_sentinel",
        "ExecutionDaemon": f"{_HOME}.desk.execution_daemon",
        "TradeAnalyst": f"{_HOME}.desk.trade_analyst",
    }
)
"""Name of the class -> module that holds it."""


def agent_class(name: str) -> type[BaseAgent]:
    """The class of that name in the roster; ConfigError with the nearest name otherwise."""
    module = ROSTER.get(name)
    if module is None:
        raise ConfigError(f"there is no agent type {name!r}", hint=_meant(name, ROSTER))
    found: type[BaseAgent] = getattr(import_module(module), name)
    return found


def construct(
    kind: str | type[BaseAgent], agent_id: str, params: Mapping[str, Any] | None = None
) -> BaseAgent:
    """Build an agent.

    Parameters
    ----------
    kind: name in the roster, or the class itself.
    agent_id: its name in the swarm.
    params: keyword parameters of its constructor; durations as text such as ``"12h"``.

    Raises
    ------
    ConfigError: unknown type or parameter, a value of the wrong type or out of bounds, or a
        constructor that fails; all wrong parameters in one message.
    """
    cls = agent_class(kind) if isinstance(kind, str) else kind
    params = dict(params or {})
    mistakes = [mistake for name in params for mistake in _check(cls, name, params[name])]
    mistakes += _missing(cls, params)
    if mistakes:
        _, hints = zip(*mistakes, strict=True)
        lines = "; ".join(text for text, _ in mistakes)
        raise ConfigError(
            f"agent {agent_id!r} ({cls.__name__}): {lines}",
            hint="; ".join(dict.fromkeys(hint for hint in hints if hint)),
        )
    try:
        return cls(agent_id, **params)
    except ConfigError as error:
        raise ConfigError(
            f"agent {agent_id!r} ({cls.__name__}): {error.message}", hint=error.hint
        ) from None
    except (Exception, SystemExit) as error:  # a user's constructor may raise anything
        raise ConfigError(
            f"agent {agent_id!r}: {cls.__name__} cannot be built: "
            f"{type(error).__name__}: {error}{_line(error, inspect.getfile(cls))}"
        ) from error


def parameters(cls: type[BaseAgent]) -> dict[str, inspect.Parameter]:
    """What the constructor of ``cls`` takes beside the agent's id, in its order."""
    taken = list(inspect.signature(cls.__init__).parameters.values())[2:]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {parameter.name: parameter for parameter in taken if parameter.kind in named}


def load_agent_class(path: str | Path, class_name: str | None = None) -> type[Any]:
    """An agent's class from a file of the user's own.

    Parameters
    ----------
    path: the Python file. It is executed anew at each call and leaves no bytecode behind.
    class_name: the class; None takes the only agent defined there.

    Raises
    ------
    ConfigError: no such file or class, not an agent, or an exception while the file is executed;
        with the file and its line.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no agent file {file}", hint="paths are relative to the config")
    module = _executed(file)
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    agents = {
        name: cls
        for name, cls in own.items()
        if issubclass(cls, BaseAgent) or (_guide_style(cls) and hasattr(cls, "_analyze"))
    }
    if class_name is None:
        if len(agents) == 1:
            return next(iter(agents.values()))
        found = ", ".join(agents) or "none"
        raise ConfigError(
            f"{file} has to say which agent is meant; agents in it: {found}",
            hint='name one with class = "..."' if agents else "derive a class from BaseAgent",
        )
    if class_name not in vars(module):
        raise ConfigError(f"{file} has no class {class_name!r}", hint=_meant(class_name, own))
    cls = getattr(module, class_name)
    if not (isinstance(cls, type) and (issubclass(cls, BaseAgent) or _guide_style(cls))):
        raise ConfigError(
            f"{file}: {class_name} is no agent", hint="derive it from mirrorcore.BaseAgent"
        )
    return cls


def _guide_style(cls: type) -> bool:
    """Whether it is built on a reader's own copy of the guide's BaseAgent."""
    return callable(getattr(cls, "process_market_update", None))


def _executed(file: Path) -> types.ModuleType:
    name = f"mirrorcore_user_{file.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    # Known while it runs, because dataclasses and the like look their module up.
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise ConfigError(
            f"the agent file cannot be imported: {type(error).__name__}: "
            f"{_said(error)}{_line(error, str(file)) or f' ({file})'}",
            hint="correct the file; 'python " + str(file) + "' shows the same error",
        ) from error
    return module


def _said(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _line(error: BaseException, file: str) -> str:
    """Where in ``file`` it happened: the innermost frame there, or the line of a syntax error."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return f" (line {error.lineno} of {file})"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    return f" (line {lines[-1]} of {file})" if lines else ""


def _check(cls: type[BaseAgent], name: str, value: Any) -> list[tuple[str, str]]:
    """What is wrong with one parameter, and what to do about it."""
    known = parameters(cls)
    if name not in known:
        if _takes_any(cls):
            return []
        return [(f"unknown parameter {name!r}", _meant(name, known))]
    hint = _hints(cls).get(name)
    if _takes_duration(hint):
        if value is None and type(None) in typing.get_args(hint):
            return []
        if not isinstance(value, str):
            return [(f"{name} was {value!r}, not a duration", f'write {name} = "12h"')]
        try:
            duration(value, name)
        except ConfigError as error:
            return [(error.message, error.hint)]
        return []
    if hint is None or _fits(value, hint):
        return []
    return [(f"{name} was {value!r}, must be {_named(hint)}", "")]


def _hints(cls: type[BaseAgent]) -> dict[str, Any]:
    """The types of the constructor's parameters; none where a user's cannot be resolved."""
    try:
        return typing.get_type_hints(cls.__init__, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}


def _missing(cls: type[BaseAgent], params: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"parameter {name!r} is missing", f"give {name} under params")
        for name, parameter in parameters(cls).items()
        if parameter.default is parameter.empty and name not in params
    ]


def _takes_any(cls: type[BaseAgent]) -> bool:
    given = inspect.signature(cls.__init__).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in given)


def _takes_duration(hint: Any) -> bool:
    return hint == Duration or any(part == Duration for part in typing.get_args(hint))


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(origin, type) and not isinstance(value, str) and issubclass(origin, Iterable):
        sequence = isinstance(value, list | tuple) if origin is not dict else False
        return isinstance(value, origin) or sequence
    return isinstance(value, hint) if isinstance(hint, type) else True


def _named(hint: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_named(part) for part in typing.get_args(hint) if part is not type(None))
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(known)
    by_plain = {name.lower().replace("_", ""): name for name in names}
    plain = word.lower().replace("_", "").replace("-", "")
    close = difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_plain[close[0]]}?"
    return f"known are: {', '.join(names)}" if names else "it takes none"

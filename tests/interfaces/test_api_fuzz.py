"""Whatever is sent to the addresses the API describes, it answers as described and stays up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import schemathesis
from api_world import HOSTILE, LiveSwarm
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from raw_http import ask
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from mirrorcore.interfaces.api import doorkeeper
from mirrorcore.interfaces.commands import SPECS, Param, Spec

load_all_checks()
KEPT = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "ignored_auth",
        "unsupported_method",
        "allow_header_conformance",
    ]
)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with pytest.MonkeyPatch.context() as patch:
        # What is fuzzed is what lies behind the limits.
        for name in ("COMMANDS_A_SECOND", "COMMANDS_AT_ONCE", "READS_A_SECOND", "READS_AT_ONCE"):
            patch.setattr(doorkeeper, name, 1e9)
        patch.setattr(doorkeeper, "FAILURES", 100_000)
        with LiveSwarm(tmp_path_factory.mktemp("fuzz")) as world:
            yield world


@pytest.fixture(scope="module")
def described(swarm: LiveSwarm) -> Any:
    document = swarm.get("/api/v1/openapi.json").document
    for path in ("/api/v1/why/{id}",):  # a process each time; see test_one_why_at_a_time
        assert document["paths"].pop(path)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{swarm.port}")
    return schema


FUZZED = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def fuzz(operation: Any, headers: dict[str, str]) -> None:
    """Requests as described and as not described, each answer judged against the description."""
    checks = [
        check
        for check in KEPT
        # 503 is what these two are for.
        if operation.path not in {"/readyz", "/healthz"} or check.__name__ != "not_a_server_error"
    ]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        try:
            strategy = operation.as_strategy(generation_mode=mode)

            @FUZZED
            @given(strategy)
            def one(case: Any) -> None:
                case.call_and_validate(headers=headers, checks=checks, timeout=30)

            one()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing about it can be wrong


def test_every_address_answers_as_it_is_described(swarm: LiveSwarm, described: Any) -> None:
    headers = {"Authorization": f"Bearer {swarm.token('admin')}"}
    wrong, tried = {}, 0
    for found in described.get_all_operations():
        operation = found.ok()
        tried += 1
        try:
            fuzz(operation, headers)
        except Exception as error:
            wrong[operation.label] = f"{type(error).__name__}: {error}"
    assert tried > 15
    assert not wrong, "\n\n".join(f"{label}\n{text}" for label, text in wrong.items())


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from([HOSTILE, "*", "kind:", "status:*", "kind:x,,", "\ud800", "../..", "1e999"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3),
)


def value_of(param: Param) -> st.SearchStrategy[Any]:
    """What somebody could mean by it, or nothing of the kind."""
    bounds = [value for value in (param.default, param.low, param.high) if value is not None]
    meant: list[Any] = [*param.choices, *bounds, "x"]
    if param.name in {"target", "agent"}:
        meant += ["MomentumScout", "Rude", "kind:analyst", "*", "FearAnalyzer,EgoProcessor"]
    if param.kind == "weights":
        meant += [{"MomentumScout": 0.5}, {}, {"Nobody": 1.0}, {"MomentumScout": -1}]
    return st.one_of(st.sampled_from(meant), st.sampled_from(meant), JUNK)


def calls_of(spec: Spec) -> st.SearchStrategy[dict[str, Any]]:
    needed = {param.name: value_of(param) for param in spec.params if param.required}
    more = {param.name: value_of(param) for param in spec.params if not param.required}
    return st.fixed_dictionaries(needed, optional={**more, "unheard_of": JUNK})


def test_every_command_with_every_kind_of_argument_has_an_outcome(swarm: LiveSwarm) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    keys = count()

    def answered(name: str, args: dict[str, Any], confirm: str | None = None) -> None:
        body = {"name": name, "args": args, **({"confirm": confirm} if confirm else {})}
        said = ask(
            swarm.port, "/api/v1/commands", method="POST", body=body, token=swarm.token("admin"),
            idempotency_key=f"fuzz-{next(keys)}",
        )  # fmt: skip
        assert said.status != 500, (body, said.body)
        outcome = said.document if said.status == 200 else said.document.get("outcome")
        if outcome is None:
            assert said.code == "bad_args", (body, said.body)  # no JSON, as half a surrogate is
            return
        assert (outcome["error"] is None) == (said.status == 200)
        seen[name, outcome["status"]] += 1
        if said.status == 428 and confirm is None:
            answered(name, args, said.document["confirm"])

    for name, spec in SPECS.items():
        if name == "why":  # a process each time; see test_one_why_at_a_time
            continue

        @settings(FUZZED, max_examples=12)
        @given(st.just(name), calls_of(spec))
        def one(name: str, args: dict[str, Any]) -> None:
            answered(name, args)

        one()
    assert {name for name, _ in seen} == set(SPECS) - {"why"}
    done = {name for name, status in seen if status in {"done", "partial"}}
    # Not those that also depend on what the swarm has learned by then, as rebalance_weights does.
    assert done > {"emergency_stop", "pause_agent", "exit", "annotate", "status"}, done
    assert len({name for name, status in seen if status == "rejected"}) > 20


def test_after_all_that_the_swarm_trades_on(swarm: LiveSwarm) -> None:
    before = swarm.run.recorder.ticks
    assert ask(swarm.port, "/healthz").status == 200
    said = swarm.command("emergency_stop", _reason="after the fuzzing")
    assert said.status == 200, said.body
    assert swarm.run.recorder.ticks >= before
    assert [w for w in swarm.run.warnings if "web server" in w or "live view" in w] == []
    outcome = swarm.stop()
    assert outcome.results.accounting_residual == 0

from __future__ import annotations

import json
import re
import sys
import types
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from method_cases import cases, label

from approxmm.errors import InputError
from approxmm.methods import Budget, Claims, Method, available_methods, get_method, method_class
from approxmm.methods import registry as registry_module
from approxmm.methods.dropout import Dropout


@pytest.fixture
def plug_in(monkeypatch):
    """Return a function that pretends that other packages announce these entry points."""

    def announce(**targets):
        points = [EntryPoint(name, value, "approxmm.methods") for name, value in targets.items()]
        monkeypatch.setattr(
            registry_module, "entry_points", lambda group: points if group == "approxmm.methods" else []
        )
        registry_module._plugins.cache_clear()
        registry_module.method_class.cache_clear()

    yield announce
    monkeypatch.undo()
    registry_module._plugins.cache_clear()
    registry_module.method_class.cache_clear()


def test_first_methods_are_registered():
    assert {"exact", "dropout", "with_replacement", "bernoulli", "oracle_active"} <= set(available_methods())


@pytest.mark.parametrize("name", available_methods())
def test_registered_name_is_the_class_own_name(name):
    found = method_class(name)
    assert issubclass(found, Method)
    assert found.name == name
    assert found.title
    assert get_method(name) == get_method(name)


@pytest.mark.parametrize("method", cases((0.5, 1.0)), ids=label)
def test_claims_and_description_are_complete(method):
    claims = method.claims
    assert isinstance(claims, Claims)
    assert claims.side in ("inner", "output")
    assert claims.reads in ("nothing", "input", "pre_activation")
    assert claims.products <= {"forward", "input_gradient", "weight_gradient"}
    assert claims.budget
    assert claims.citation
    description = method.describe()
    assert json.loads(json.dumps(description)) == description
    assert list(description)[:2] == ["name", "budget"]
    rebuilt = get_method(**description)
    assert rebuilt == method
    options = set(description) - {"name", "budget"}
    documented = "".join(base.__doc__ for base in type(method).__mro__ if issubclass(base, Method))
    assert all(f"{option} :" in documented for option in options)


@pytest.mark.parametrize("method", cases((0.1, 0.5, 3, 1.0)), ids=label)
def test_cost_is_sane(method):
    for batch, n, m in ((1, 40, 30), (20, 100, 10)):
        cost, exact = method.cost(batch, n, m), get_method("exact").cost(batch, n, m)
        assert 0 < cost.product <= exact.product == batch * n * m
        assert cost.selection >= 0
        assert cost.upkeep >= 0
        assert cost.total == cost.product + cost.selection + cost.upkeep
        assert np.isfinite(cost.total)


@pytest.mark.parametrize(
    "name",
    sorted(
        {m.name for m in cases() if m.name not in ("exact", "alsh_unbiased") and m.claims.reads != "pre_activation"}
    ),
)
def test_product_costs_less_at_a_smaller_budget(name):
    costs = [get_method(name, b).cost(4, 60, 60).product for b in (0.1, 0.5, 0.9)]
    assert costs[0] < costs[1] < costs[2]
    assert costs[1] == 0.5 * 4 * 60 * 60


def test_unknown_method_names_the_close_one_and_all_others():
    with pytest.raises(InputError) as caught:
        get_method("bernouli", 0.1)
    message = str(caught.value)
    assert message.startswith("method='bernouli' is unknown; did you mean 'bernoulli'? choose one of exact, dropout")
    assert "\n" not in message
    with pytest.raises(InputError, match=re.escape("method='zzz' is unknown; choose one of exact, ")):
        get_method("zzz")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bernoulli", {"probs": "uniform"}, "option='probs' is unknown to method 'bernoulli'; it has probabilities"),
        ("exact", {"by": "value"}, "option='by' is unknown to method 'exact'; it has no options"),
        ("bernoulli", {"uniform_mixture": 1.0}, "uniform_mixture=1.0 must satisfy 0 <= uniform_mixture < 1"),
        ("adaptive_dropout", {"variant": "x"}, "variant='x' is unknown; choose 'sigmoid' or 'published'"),
        ("adaptive_dropout", {"alpha": float("inf")}, "alpha=inf must be a finite number"),
        ("adaptive_dropout", {"variant": "published", "beta": 2.0}, "fixes the slope 1/2 and the offset 1"),
        ("bernoulli", {"probabilities": "norm"}, "probabilities='norm' is unknown; choose one of optimal, weights, un"),
        ("with_replacement", {"probabilities": ""}, "probabilities='' is unknown; choose one of optimal, weights"),
        ("oracle_active", {"by": "size"}, "by='size' is unknown; choose 'value' or 'magnitude'"),
    ],
)
def test_bad_option_is_refused_in_one_line(name, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        get_method(name, 0.5, **options)


def test_budget_arrives_in_every_form():
    assert get_method("dropout").budget == Budget(0.1)
    assert get_method("dropout", "3").budget == Budget(3)
    assert get_method("dropout", Budget(0.5)).budget == Budget(0.5)
    assert Dropout(0.5) == get_method("dropout", 0.5)
    assert get_method("exact", 0.2).budget == Budget(1.0)


def test_method_passes_through_but_takes_no_second_budget():
    method = get_method("dropout", 0.5)
    assert get_method(method) is method
    for extra in ({"budget": 0.2}, {"probabilities": "uniform"}):
        with pytest.raises(InputError, match="method='dropout' is built already"):
            get_method(method, **extra)


def test_plug_in_is_found_and_listed_last(plug_in, monkeypatch):
    class Halved(Dropout):
        name = "halved"

    module = types.ModuleType("somebody_else")
    module.Halved = Halved
    monkeypatch.setitem(sys.modules, "somebody_else", module)
    plug_in(halved="somebody_else:Halved")
    assert available_methods()[-1] == "halved"
    assert type(get_method("halved", 0.5)) is Halved


def test_plug_in_cannot_shadow_a_method_of_the_package(plug_in):
    plug_in(dropout="somebody_else:Evil")
    assert available_methods().count("dropout") == 1
    assert method_class("dropout").__module__ == "approxmm.methods.dropout"


@pytest.mark.parametrize("target", ["no_such_package:Method", "approxmm.methods.dropout:NoSuchClass"])
def test_broken_plug_in_is_named(plug_in, target):
    plug_in(broken=target)
    assert get_method("dropout").name == "dropout"
    with pytest.raises(InputError, match=re.escape(f"method='broken' cannot be loaded from '{target}'")):
        get_method("broken")

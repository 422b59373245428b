"""What a saved configuration says is text: nothing in it is looked up when it is read."""

import hypothesis
import pytest
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pinn_ext import schema

PIECES = st.sampled_from(["\\", "${", "}", "$", "oc.env:HOME", "problem.name", "'", ":", "a", "é"])
TEXTS = st.lists(PIECES, min_size=1, max_size=10).map("".join)


def saved(**experiment):
    return {**schema.as_dict(schema.Config()), "experiment": experiment}


@hypothesis.given(TEXTS)
def test_any_name_comes_back_as_it_was_saved(name):
    cfg = schema.from_dict(saved(name=name))
    assert cfg.experiment.name == name
    assert schema.as_dict(cfg) == saved(name=name)
    assert schema.select(cfg, "experiment") == {"name": name}


@hypothesis.given(TEXTS)
def test_the_yaml_text_is_read_as_the_same_values(name):
    again = OmegaConf.create(schema.to_yaml(saved(name=name)))
    assert OmegaConf.to_container(again, resolve=True) == saved(name=name)


@pytest.mark.parametrize("text", ["${oc.env:COUNT}", "${seed}", "many"])
def test_a_text_in_the_place_of_a_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("COUNT", "7")
    values = schema.as_dict(schema.Config())
    values["training"]["epochs"] = text
    with pytest.raises(OmegaConfBaseException):
        schema.from_dict(values)


def test_names_in_lists_and_mappings_stay_text(monkeypatch):
    monkeypatch.setenv("TERM_NAME", "secret")
    values = schema.as_dict(schema.Config())
    own = values["training"]["loss"]["adaptive"]
    own["groups"], own["options"] = {"a": ["${oc.env:TERM_NAME}"]}, {"b": "${oc.env:TERM_NAME}"}
    cfg = schema.from_dict(values)
    assert schema.as_dict(cfg) == values
    found = schema.adaptive_settings(cfg.training.loss.adaptive)
    assert found["groups"] == own["groups"] and found["options"] == own["options"]

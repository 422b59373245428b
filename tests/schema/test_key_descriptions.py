"""The page of all keys: it is the schema's, and the validation's words stand in it."""

import schema_facts
import write_keys
import yaml

from pinn_ext.checks import ArgumentError
from pinn_ext.program.composition import compose
from pinn_ext.schema import Config, as_dict
from pinn_ext.schema.key_descriptions import DESCRIPTIONS

KEYS = [key for _, key, _, _ in schema_facts.all_keys()]


def leaves(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_each_key_is_described_once_and_nothing_else_is():
    assert sorted(KEYS) == sorted(leaves(as_dict(Config()))) == sorted(DESCRIPTIONS)
    for key, words in DESCRIPTIONS.items():
        assert 5 < len(words) < 90 and not words.endswith("."), key


def test_the_page_is_that_of_the_schema():
    page = write_keys.PAGE.read_text("utf-8")
    assert page == write_keys.page(), "run `python docs/write_keys.py`"


def test_a_key_says_what_the_validation_says():
    for key, value in (("dtype", "float16"), ("training.gauss_newton.tolerance", "2.0")):
        cfg, _ = compose([f"{key}={value}"])
        try:
            schema_facts.validate(cfg)
        except ArgumentError as error:
            kind = next(kind for _, k, kind, _ in schema_facts.all_keys() if k == key)
            assert schema_facts.legal_values(key, kind)[0] == [error.wanted]
        else:
            raise AssertionError(f"{key}={value} was taken")


def test_keys_without_an_effect_say_when_they_have_one():
    kinds = {key: kind for _, key, kind, _ in schema_facts.all_keys()}
    asked = ("dataset.path", "network.w0", "network.width", "seed")
    found = {key: schema_facts.legal_values(key, kinds[key])[1] for key in asked}
    assert found["dataset.path"] == ["only with `dataset.name=mesh`"]
    assert found["network.w0"][0] == "only with `network.activation=sine`"
    assert found["network.width"] == ["not with `network.name=mlp`"]
    assert found["seed"] == []


def test_defaults_are_written_as_yaml_reads_them():
    for _, key, _, default in schema_facts.all_keys():
        read = yaml.safe_load(write_keys.written(default))
        assert read == default, key

"""Numbers that the float type of a run would make infinity, or 0, are refused by their key."""

import pytest

from pinn_ext import schema
from pinn_ext.schema import from_dict

LINEAR = {"problem": {"name": "linear_reaction_diffusion"}}


def configuration(dtype, *settings):
    """Return a configuration with values set under full keys."""
    values = {"dtype": dtype, "training": {"epochs": 9}, **LINEAR}
    values = schema.as_dict(from_dict(values))
    for key, value in settings:
        *path, last = key.split(".")
        place = values
        for part in path:
            place = place[part]
        place[last] = value
    return from_dict(values)


@pytest.mark.parametrize("value", [1e39, 1e-39])
@pytest.mark.parametrize(
    "key",
    [
        "dataset.step",
        "problem.parameters.diffusion",
        "problem.parameters.a",
        "training.loss.w1_PI",
        "training.loss.w2_BC",
        "training.loss.w1_rk4",
    ],
)
def test_a_number_beyond_float32_is_refused_and_float64_takes_it(key, value):
    with pytest.raises(ValueError, match=rf"`{key}` must be a number that float32 holds .* got 1e"):
        schema.validate(configuration("float32", (key, value)))
    schema.validate(configuration("float64", (key, value)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", ["training.learning_rate", "training.weight_decay"])
def test_rates_end_at_1e30_in_any_float_type(dtype, key):
    schema.validate(configuration(dtype, (key, 1e30)))
    with pytest.raises(ValueError, match=rf"`{key}` must be a finite number in \[0, 1e\+30\], got"):
        schema.validate(configuration(dtype, (key, 1.1e30)))
    tiny = configuration(dtype, (key, 1e-50))
    if dtype == "float64":
        schema.validate(tiny)
    else:
        with pytest.raises(ValueError, match=rf"`{key}` must be a number that float32 holds"):
            schema.validate(tiny)


def test_a_weight_and_a_decay_of_0_are_meant():
    both = ("training.loss.w1_PI", 0.0), ("training.weight_decay", 0.0)
    schema.validate(configuration("float32", *both))


@pytest.mark.parametrize("scales", [[1e39, 1.0], [1.0, 1e-39]])
def test_scales_of_fields(scales):
    with pytest.raises(ValueError, match=r"`problem.scales` must be a number that float32 holds"):
        schema.validate(configuration("float32", ("problem.scales", scales)))
    schema.validate(configuration("float64", ("problem.scales", scales)))


@pytest.mark.parametrize(
    ("strategy", "options", "name"),
    [
        ("rba", {"eta": 1e39}, "eta"),
        ("sa_pinn", {"rate": 1e-39}, "rate"),
        ("causal", {"epsilons": [1.0, 1e39]}, "epsilons"),
    ],
)
def test_options_of_point_weights(strategy, options, name):
    where = "training.loss.adaptive"
    settings = [
        (f"{where}.enabled", True),
        (f"{where}.strategy", strategy),
        (f"{where}.options", options),
    ]
    with pytest.raises(ValueError, match=rf"`{where}.options.{name}` must be a number that float3"):
        schema.validate(configuration("float32", *settings))
    schema.validate(configuration("float64", *settings))


@pytest.mark.parametrize("argument", ["training.weight_decay=1e299", "training.loss.w1_PI=1e-299"])
def test_the_program_answers_in_one_line(run, small, tmp_path, argument):
    done = run(*small, argument)
    assert done.status == 2 and done.err.startswith(f"pinn-ext: `{argument.split('=')[0]}` must ")
    assert done.err.count("\n") == 1 and list(tmp_path.iterdir()) == []

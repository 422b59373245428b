"""An argument that is refused: its sentence, and the same sentence under another name."""

import pickle

import pytest

from pinn_ext.checks import ArgumentError, check_choice, check_names, check_number


def test_the_sentence_has_name_wanted_and_got():
    error = ArgumentError("alpha", "lie in [0, 1)", 2)
    assert str(error) == "`alpha` must lie in [0, 1), got 2."
    assert (error.name, error.wanted, error.got) == ("alpha", "lie in [0, 1)", "2")
    assert isinstance(error, ValueError)
    owned = ArgumentError("options", "be empty, as it has none", "'a'", of="fixed")
    assert str(owned) == "`options` of fixed must be empty, as it has none, got 'a'."


@pytest.mark.parametrize("of", ["", "ema"])
def test_another_name_and_a_prefix_leave_the_rest(of):
    error = ArgumentError("a", "be b", "c", of=of)
    assert str(error.renamed("z.a")) == str(error.under("z")) == str(error).replace("`a`", "`z.a`")
    assert error.name == "a" and error.under("y").under("z").name == "z.y.a"


def test_it_comes_back_from_another_process():
    error = ArgumentError("a", "be b", "c", of="d")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is ArgumentError and str(back) == str(error) and back.of == "d"


@pytest.mark.parametrize(
    ("check", "name", "message"),
    [
        (lambda: check_number("n", 0, 1, integer=True), "n", "be a whole number >= 1, got 0."),
        (lambda: check_number("x", "a"), "x", "be a finite number, got 'a'."),
        (lambda: check_choice("c", "sof", ("soft", "hard")), "c", "(did you mean 'soft'?)."),
        (
            lambda: check_names("`w`", ["a", "b"], ["a", "c"]),
            "w",
            "`w` must name exactly ['a', 'b'], got missing ['b'] and unknown ['c'].",
        ),
    ],
)
def test_checks_raise_it(check, name, message):
    with pytest.raises(ArgumentError) as caught:
        check()
    assert caught.value.name == name and str(caught.value).endswith(message)


def test_what_is_no_argument_has_no_name():
    with pytest.raises(ValueError, match=r"^The saved state must name exactly \['a'\]") as caught:
        check_names("The saved state", ["a"], [])
    assert not isinstance(caught.value, ArgumentError)

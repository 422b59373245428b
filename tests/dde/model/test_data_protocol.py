"""What data says of itself: by deriving from the protocol, or by having some of its members."""

import pytest
import torch

from pinn_ext.dde.model.data_protocol import DescribedData, described


class Partly:
    """Knows its times, and nothing else."""

    def time_span(self):
        return 0.0, 2.0


class Former:
    """Has the former name of a member."""

    def unseen_losses(self, model):
        return [1.0]


class Whole(DescribedData):
    def row_points(self, term, inputs):
        return inputs[term:]


def test_members_that_are_there_are_asked_and_others_have_their_default():
    own = described(Partly())
    assert own.time_span() == (0.0, 2.0)
    assert own.condition_terms() is own.term_field_scales() is own.equation_blocks() is None
    assert own.row_points(0, None) is own.position() is own.held_out_losses is None
    assert own.independent_blocks() == 1 and own.points_return is False


def test_data_that_derives_from_it_is_taken_as_it_is():
    data = Whole()
    assert described(data) is data
    assert data.row_points(1, torch.arange(3)).tolist() == [1, 2]


def test_a_former_name_still_works():
    with pytest.warns(DeprecationWarning, match="unseen_losses is now called held_out_losses"):
        assert described(Former()).held_out_losses(None) == [1.0]


def test_deepxde_s_own_data_say_nothing(problem):
    own = described(problem.heat_data())
    assert own.row_points(0, None) is None and own.held_out_losses is None

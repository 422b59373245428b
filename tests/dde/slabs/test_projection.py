"""A slab that starts from what a user makes of the end of the one before."""

import numpy as np
import pytest
import torch

from pinn_ext.checks import ArgumentError
from tests.dde.slabs import small

WAVES = 6


def sines(end):
    """Interpolate the end of a slab on [0, 1], which is 0 at the walls, by the first sines."""
    k = torch.arange(1, WAVES + 1)
    nodes = k[:, None] / (WAVES + 1)
    # The sines are orthogonal on these nodes (discrete sine transform).
    waves = 2 / (WAVES + 1) * torch.sin(np.pi * k[:, None] * nodes.T) @ end(nodes)
    return lambda x: torch.sin(np.pi * x * k) @ waves


@pytest.fixture(autouse=True)
def double():
    with small.float64():
        yield


def at(x, time):
    return torch.cat((x, torch.full_like(x, time)), dim=1).numpy()


def test_the_start_is_what_is_made_of_the_end():
    solution = small.untrained(project=sines)
    x, nodes = torch.rand(9, 1), torch.arange(1, WAVES + 1)[:, None] / (WAVES + 1)
    for former, slab in zip(solution.slabs, solution.slabs[1:], strict=False):
        end = torch.as_tensor(solution.predict(at(nodes, former.upper)))
        start = slab.start(torch.as_tensor(at(nodes, slab.lower)))
        torch.testing.assert_close(start, end, rtol=0, atol=1e-12)
        later = np.nextafter(slab.lower, 1)  # a time between two slabs belongs to the former
        wanted = sines(lambda _, end=end: end)(x).numpy()
        np.testing.assert_allclose(solution.predict(at(x, later)), wanted, rtol=0, atol=1e-12)


def test_a_projection_onto_everything_changes_nothing():
    torch.manual_seed(0)
    plain = small.march(iterations=4)
    torch.manual_seed(0)
    same = small.march(iterations=4, project=lambda end: end)
    assert torch.equal(small.numbers(plain), small.numbers(same))


def test_former_networks_are_evaluated_at_the_nodes_only():
    points = []

    def project(end):
        def counted(positions):
            points.append(len(positions))
            return end(positions)

        return sines(counted)

    small.march(iterations=2, project=project, edges=[0.0, 0.2, 0.4, 0.6])
    assert points == [WAVES, WAVES]


def test_a_march_that_was_interrupted_goes_on_as_it_would_have(tmp_path):
    def stop_in_the_last(model, slab):
        if slab.number == 2:
            raise KeyboardInterrupt
        model.train(iterations=4, display_every=10**6, verbose=0)

    torch.manual_seed(0)
    whole = small.march(iterations=4, project=sines)
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        small.march(train=stop_in_the_last, project=sines, folder=tmp_path)
    again = small.march(iterations=4, project=sines, folder=tmp_path, resume=True)
    assert torch.equal(small.numbers(whole), small.numbers(again))


def test_rates_are_projected_too():
    kept = []

    def project(end):
        kept.append(end)
        return sines(end)

    solution = small.untrained(project=project, initial_rate=lambda x: -x[:, :1])
    assert len(kept) == 4
    x = torch.rand(5, 1)
    wanted = sines(kept[1])(x)  # of the first slab's end
    found = solution.slabs[1].start_rate(torch.as_tensor(at(x, 0.25)))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("project", "message"),
    [
        (3, "`project` must be a function, got 3"),
        (lambda end: None, "`project` must return a function of positions"),
        (
            lambda end: lambda x: x[:2],
            r"`project` must return torch values of shape \[\d+, fields\]",
        ),
        (lambda end: lambda x: x / 0, "`project` must return finite values, got NaN or infinity"),
    ],
)
def test_what_is_refused(project, message):
    with pytest.raises(ArgumentError, match=message):
        small.untrained(project=project)

"""Steps one by one: rules, directions, fallbacks, memory, states, derivatives."""

import math

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from solvers.gauss_newton import (
    DAMPINGS,
    GainRatio,
    LineSearch,
    Nielsen,
    Status,
    Stepper,
    TargetRatio,
    least_squares,
)
from solvers.gauss_newton.autodiff import Derivatives
from solvers.gauss_newton.damping.rule import Attempt
from solvers.gauss_newton.direction import gram, memory
from solvers.gauss_newton.direction.dense import Dual, Primal
from solvers.gauss_newton.direction.lsmr import lsmr
from solvers.gauss_newton.direction.matrix_free import MatrixFree
from solvers.gauss_newton.direction.orthogonal import Orthogonal
from solvers.gauss_newton.residual_functions import FunctionProblem

F64 = torch.float64
EPS = torch.finfo(F64).eps


def rosenbrock(x):
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def random(*shape):
    return torch.randn(*shape, dtype=F64)


def oracle(jacobian, rows, damping, scale):
    """Damped least squares by the singular values of J D^-1/2."""
    roots = scale.sqrt()
    u, s, vt = torch.linalg.svd(jacobian / roots, full_matrices=False)
    kept = s > s[0] * 1e-13
    factors = torch.where(kept, s / (s**2 + damping), 0.0)
    return -(vt.T @ (factors * (u.T @ rows))) / roots


class Rows:
    """A problem whose rows are those of a function times factors."""

    def __init__(self, function, x, factors=1.0):
        self._inner = FunctionProblem(lambda x: factors * function(x), x)
        self.num_rows = self._inner.num_rows
        self.residual, self.linearize = self._inner.residual, self._inner.linearize
        self.products = self._inner.products


# Linear algebra


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (600, 300), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("layout", ["rows", "columns", "strided"])
def test_half_a_product_is_the_lower_half(shape, dtype, layout):
    matrix = torch.randn(*shape, dtype=dtype)
    if layout == "columns":
        matrix = matrix.T.contiguous().T
    elif layout == "strided":
        matrix = torch.randn(shape[0], 2 * shape[1], dtype=dtype)[:, ::2]
    kept = matrix.clone()
    tolerance = {"rtol": 1e-4, "atol": 1e-3} if dtype == torch.float32 else {}
    torch.testing.assert_close(gram.gram(matrix).tril(), (matrix.T @ matrix).tril(), **tolerance)
    weights = torch.rand(shape[1], dtype=dtype) + 0.1
    outer = gram.scaled_outer_gram(matrix, weights)
    torch.testing.assert_close(outer.tril(), ((matrix * weights) @ matrix.T).tril(), **tolerance)
    assert torch.equal(matrix, kept)


def test_half_a_product_in_panels_as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(gram, "_PANEL", 4)
    matrix = random(9, 11)
    result = gram._panels(matrix)
    torch.testing.assert_close(result.tril(), (matrix.T @ matrix).tril())


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (20, 20)])
@pytest.mark.parametrize("damping", [0.0, 1e-13, 1e-6, 0.1, 10.0])
def test_all_directions_are_the_oracle_s(shape, damping):
    jacobian, rows = random(*shape) * torch.logspace(0, 3, shape[1], dtype=F64), random(shape[0])
    scale = jacobian.square().sum(0) * (0.5 + torch.rand(shape[1], dtype=F64))
    expected = oracle(jacobian, rows, damping, scale)
    solvers = [Primal(jacobian), Dual(jacobian)]
    free = MatrixFree(lambda v: jacobian @ v, lambda w: jacobian.T @ w, rows)
    free.tolerance = 1e-12
    for solver in [*solvers, free]:
        larger = shape[0] < shape[1] if isinstance(solver, Primal) else shape[0] > shape[1]
        if isinstance(solver, Primal | Dual) and larger and 0 < damping < 1e-12:
            continue  # the larger of the two matrices is singular but for the damping
        solver.scale = scale
        solved = solver.solve(rows, damping)
        weighted = scale.sqrt()
        error = (weighted * (solved.step - expected)).norm() / (weighted * expected).norm()
        assert float(error) < 1e-8, type(solver)
        torch.testing.assert_close(solved.forward, jacobian @ solved.step, rtol=1e-9, atol=1e-9)
    step, word = Orthogonal(jacobian).solve(rows, damping, scale)
    torch.testing.assert_close(step, expected, rtol=1e-7, atol=1e-12)
    assert word == ("qr" if damping else "svd")


def test_one_factor_serves_several_rows():
    jacobian = random(30, 10)
    solver = Primal(jacobian)
    for rows in (random(30), random(30)):
        expected = oracle(jacobian, rows, 1e-3, solver.scale)
        torch.testing.assert_close(solver.solve(rows, 1e-3).step, expected)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
@pytest.mark.parametrize("damping", [1e-15, 1e-12, 1e-9])
def test_ill_conditioned_directions_are_as_good_as_by_qr(shape, damping):
    k = min(shape)
    left, right = torch.linalg.qr(random(shape[0], k))[0], torch.linalg.qr(random(shape[1], k))[0]
    jacobian = left * torch.logspace(0, -13, k, dtype=F64) @ right.T
    rows = jacobian @ random(shape[1]) + 1e-6 * random(shape[0])
    solver = (Primal if shape[0] >= shape[1] else Dual)(jacobian)
    solver.scale = solver.column_squares
    solved = solver.solve(rows, damping)
    expected = Orthogonal(jacobian).solve(rows, damping, solver.scale)[0]
    weighted = solver.scale.sqrt()
    error = (weighted * (solved.step - expected)).norm() / (weighted * expected).norm()
    assert float(error) < 1e-6
    # Of these only the first is beyond what Cholesky factors can do.
    assert solved.fallback == ("qr" if damping == 1e-15 else None)


def test_without_room_for_a_fallback_there_is_no_direction_and_a_larger_damping_serves():
    jacobian = random(40, 1) @ random(1, 10)
    solver = Primal(jacobian, orthogonal=False)
    solver.scale = solver.column_squares
    assert solver.solve(random(40), 1e-17) is None
    assert solver.solve(random(40), 1e-6) is not None
    assert solver.least > 1e-14 > Primal(jacobian).least


@pytest.mark.parametrize(
    ("options", "word"),
    [({"damping": Nielsen(1e-16)}, "qr"), ({"method": "gauss_newton", "x_scale": 1.0}, "svd")],
)
def test_ill_conditioned_fit_uses_the_fallback_and_finds_the_solution(options, word):
    # A polynomial in powers: the condition number of J^T J is beyond 1e16.
    t = torch.linspace(0, 1, 40, dtype=F64)
    powers = t[:, None] ** torch.arange(18)
    data = powers.sum(1)
    fit = least_squares(lambda x: powers @ x - data, [0.0] * 18, **options)
    assert fit.history[0]["fallback"] == word
    assert fit.cost < 1e-24


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
@pytest.mark.parametrize("damp", [0.0, 0.1])
@pytest.mark.parametrize("iterations", [1, 3, 6])
def test_lsmr_takes_scipy_s_iterates(shape, damp, iterations):
    matrix, right = random(*shape), random(shape[0])
    ours = lsmr(
        lambda v: matrix @ v, lambda w: matrix.T @ w, right,
        damp=damp, tolerance=0.0, max_iterations=iterations,
    )  # fmt: skip
    theirs = scipy.sparse.linalg.lsmr(
        matrix.numpy(), right.numpy(), damp, atol=0, btol=0, conlim=0, maxiter=iterations
    )
    np.testing.assert_allclose(ours.x.numpy(), theirs[0], rtol=1e-10, atol=1e-12)
    assert ours.normal == pytest.approx(theirs[4], rel=1e-8)
    assert ours.iterations == iterations and not ours.converged


def test_lsmr_of_nothing():
    matrix = random(5, 3)
    zero = lsmr(lambda v: matrix @ v, lambda w: matrix.T @ w, torch.zeros(5, dtype=F64))
    assert zero.converged and zero.iterations == 0 and not zero.x.any()
    null = lsmr(lambda v: 0 * v, lambda w: 0 * w, random(3))
    assert null.converged and not null.x.any()


# Derivatives


@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_chunks_of_rows_make_the_whole(chunk, shape):
    matrix = random(*shape)
    x = random(shape[1])
    derivatives = Derivatives(lambda x: torch.sin(matrix @ x) * x[0], *shape, chunk)
    expected = torch.func.jacrev(lambda x: torch.sin(matrix @ x) * x[0])(x)
    for way in ("_forward", "_reverse", "_batched", "_one_by_one"):
        torch.testing.assert_close(getattr(derivatives, way)(x), expected)
    torch.testing.assert_close(derivatives.jacobian(x), expected)
    v, w = random(shape[1]), random(shape[0])
    for forward, backward in (derivatives.products(x), derivatives._graph_products(x)):
        torch.testing.assert_close(forward(v), expected @ v)
        torch.testing.assert_close(backward(w), expected.T @ w)


def test_a_chunk_is_a_part(monkeypatch):
    from solvers.gauss_newton import autodiff

    monkeypatch.setattr(autodiff, "_CHUNK", 20)
    matrix = random(9, 4)
    derivatives = Derivatives(lambda x: matrix @ x, 9, 4)
    assert derivatives._parts(4, 9) == [(0, 2), (2, 4)]
    torch.testing.assert_close(derivatives.jacobian(random(4)), matrix)


@pytest.mark.parametrize("solver", ["primal", "matrix_free"])
def test_residuals_with_derivatives_of_their_own(solver):
    # As in a PINN that takes its derivatives by autograd: torch.func refuses such functions.
    t = torch.linspace(0, 1, 20, dtype=F64)

    def residual(x):
        with torch.enable_grad():
            at = t.clone().requires_grad_()
            u = torch.exp(-x[0] * at) * x[1]
            (slope,) = torch.autograd.grad(u.sum(), at, create_graph=True)
        return torch.cat([slope + 2.0 * u, (u[0] - 3.0)[None]])

    fit = least_squares(residual, [1.0, 1.0], solver=solver)
    assert fit.success
    np.testing.assert_allclose(fit.x.numpy(), [2.0, 3.0], rtol=1e-6)


# Rules


def bowl(gains):
    """Attempts whose gain ratio is a function of the damping, of predicted fall 1."""
    return lambda damping, fraction: Attempt(
        damping, fraction, torch.ones(1), torch.ones(1), 1.0 - gains(damping), gains(damping), 1.0
    )


def test_nielsen_follows_the_formula():
    rule = Nielsen()
    for gain in (0.1, 0.5, 0.9, 1.0, 3.0):
        _, memory = rule.search(bowl(lambda _, gain=gain: gain), {"damping": 1.0}, 1e-15)
        assert memory["damping"] == pytest.approx(max(1 / 3, 1 - (2 * gain - 1) ** 3))
    attempts, memory = rule.search(
        bowl(lambda damping: 1.0 if damping > 50 else -1.0), {"damping": 1.0}, 1e-15
    )
    assert [each.damping for each in attempts] == [1.0, 2.0, 8.0, 64.0]
    assert memory["damping"] == pytest.approx(64 / 3)


def test_gain_ratio_rises_and_falls():
    rule, start = GainRatio(), {"damping": 1.0}
    found = [
        rule.search(bowl(lambda _, gain=gain: gain), start, 1e-15)[1]["damping"]
        for gain in (0.1, 0.5, 0.9)
    ]
    assert found == pytest.approx([2.0, 1.0, 1 / 3])
    assert rule.search(bowl(lambda _: 1.0), start, 0.9)[1]["damping"] == 0.9


def test_target_ratio_takes_the_boldest_step_that_reaches_the_target():
    rule = TargetRatio(initial=1.0)
    memory = rule.start()

    def boldest(limit):
        return rule.search(bowl(lambda damping: 0.9 if damping >= limit else 0.01), memory, 1e-15)

    attempts, after = boldest(0.1)  # down: 1, 1/3, 1/9, and 1/27 fails
    assert attempts[-1].damping == pytest.approx(1 / 9) == after["damping"]
    assert len(attempts) == 4
    attempts, _ = boldest(1e-9)
    assert len(attempts) == rule.count and attempts[-1].damping == pytest.approx(3.0**-5)
    attempts, _ = boldest(5.0)  # up
    assert [each.damping for each in attempts] == [1.0, 3.0, 9.0]
    attempts, _ = boldest(1e9)  # none reaches it: the lowest of the sweep
    assert len(attempts) == rule.count and attempts[-1].gain_ratio == pytest.approx(0.01)
    attempts, _ = rule.search(bowl(lambda damping: 1.0 if damping > 1e12 else -1.0), memory, 1e-15)
    assert attempts[-1].accepted and attempts[-1].damping > 1e12 and len(attempts) < 20


def test_target_ratio_raises_its_target_once_the_damping_has_settled():
    rule = TargetRatio(initial=1.0, window=5)
    memory = rule.start()
    for _ in range(10):
        _, memory = rule.search(bowl(lambda _: 0.9), memory, 1e-300)
        assert not memory["settled"]
    for _ in range(5):
        held = memory["damping"]
        _, memory = rule.search(bowl(lambda d, held=held: 0.3 if d >= held else 0.0), memory, 0.0)
    assert memory["settled"] and memory["past"] == []
    attempts, _ = rule.search(bowl(lambda d: 0.3 if d < 2 * held else 0.6), memory, 0.0)
    assert attempts[-1].gain_ratio == 0.6


def test_line_search_goes_to_the_minimum_of_the_parabola():
    # cost(t) = cost - slope t + curvature t^2 / 2, slope 1, the model's curvature 1.
    def attempt(damping, t):
        reduction = t - 5.0 * t**2 / 2
        return Attempt(0.0, t, torch.ones(1), None, 1 - reduction, reduction, t - t**2 / 2)

    attempts, _ = LineSearch().search(attempt, LineSearch().start(), 0.0)
    assert [each.fraction for each in attempts] == pytest.approx([1.0, 0.2])
    assert attempts[-1].accepted


# Memory


def test_the_smaller_matrix_is_chosen_and_products_beyond_the_limit():
    device = torch.device("cpu")

    def path(m, n, **more):
        return memory.choose(m, n, 8, device, **more)[0]

    assert path(4000, 1000) == "primal" and path(1000, 4000) == "dual"
    assert path(4000, 1000, limit_gb=0.01) == "matrix_free"
    assert path(4000, 1000, wanted="dual") == "dual"
    # 40 GB of Jacobian: decided before anything is allocated.
    assert path(5_000_000, 1000, limit_gb=8.0) == "matrix_free"
    need = memory.needs(4000, 1000, 8)
    limit = (need["primal"] + 1) / 2**30
    assert memory.choose(4000, 1000, 8, device, limit_gb=limit) == ("primal", False)
    assert memory.choose(4000, 1000, 8, device, limit_gb=4 * limit) == ("primal", True)


def test_a_limit_too_small_for_anything_says_what_each_path_needs():
    with pytest.raises(MemoryError) as error:
        memory.choose(4000, 1000, 8, torch.device("cpu"), limit_gb=1e-6)
    for word in ("primal 0.0", "dual 0.", "matrix_free 0.000", "GiB", "4000 rows", "got 1e-06 GiB"):
        assert word in str(error.value)
    with pytest.raises(MemoryError, match="matrix_free needs a residual that torch can"):
        least_squares(rosenbrock, [-1.2, 1.0], "2-point", memory_limit_gb=1e-9)
    with pytest.raises(MemoryError):
        least_squares(rosenbrock, [-1.2, 1.0], "2-point", solver="matrix_free")


def test_free_memory_is_known():
    assert 2**20 < memory.available(torch.device("cpu")) < 2**50


def test_a_small_limit_leads_to_products_and_the_same_solution():
    y = torch.linspace(1, 2, 50, dtype=F64)
    shape = random(50, 20)

    def residual(x):
        return torch.tanh(shape @ x) * 2 + 0.1 * (shape @ x) - y

    dense = least_squares(residual, [0.0] * 20)
    free = least_squares(residual, [0.0] * 20, memory_limit_gb=1.4e-5)
    problem = Rows(residual, torch.zeros(20, dtype=F64))
    stepper = Stepper(problem, torch.zeros(20, dtype=F64), memory_limit_gb=1.4e-5)
    assert stepper.path == "matrix_free"
    assert free.cost == pytest.approx(dense.cost, rel=1e-6)


# Steps


def problem_of_many_steps():
    matrix = random(40, 8)
    return lambda x: torch.tanh(matrix @ x) + 0.3 * torch.sin(matrix @ x) ** 2 - 0.2


@pytest.mark.parametrize("rule", DAMPINGS)
@pytest.mark.parametrize("direction", ["primal", "dual", "matrix_free"])
@pytest.mark.parametrize("geodesic", [False, True])
def test_a_saved_state_goes_on_to_the_same_bits(rule, direction, geodesic):
    function, start = problem_of_many_steps(), random(8)
    options = {"damping": rule, "direction": direction, "geodesic": geodesic}
    whole = Stepper(Rows(function, start), start, **options)
    costs = [whole.step().cost for _ in range(6)]
    first = Stepper(Rows(function, start), start, **options)
    for _ in range(3):
        first.step()
    saved = first.state_dict()
    first.step()  # what was saved is a copy
    second = Stepper(Rows(function, start), torch.zeros_like(start), **options)
    second.load_state_dict(saved)
    assert [second.step().cost for _ in range(3)] == costs[3:]
    assert torch.equal(second.x, whole.x)
    assert (second.nfev, second.njev) == (whole.nfev, whole.njev)


def test_a_state_can_be_stored_as_weights_only(tmp_path):
    start = random(8)
    stepper = Stepper(Rows(problem_of_many_steps(), start), start, damping="target")
    stepper.step()
    torch.save(stepper.state_dict(), tmp_path / "state.pt")
    stepper.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    with pytest.raises(ValueError, match="`state` must hold the memory of Nielsen, got damping"):
        Stepper(stepper.problem, start).load_state_dict(stepper.state_dict())
    other = Stepper(Rows(rosenbrock, start[:2]), start[:2], damping="target")
    with pytest.raises(ValueError, match="`state` must hold 2 parameters, got 8"):
        other.load_state_dict(stepper.state_dict())


@pytest.mark.parametrize("direction", ["primal", "dual", "matrix_free"])
def test_a_common_factor_on_all_rows_changes_nothing(direction):
    function, start = problem_of_many_steps(), random(8)
    plain = Stepper(Rows(function, start), start, direction=direction)
    changed = Stepper(Rows(function, start), start, direction=direction)
    for k in range(6):
        if k == 2:
            changed.replace(Rows(function, start, 2.0**-9))
        if k == 4:
            changed.replace(Rows(function, start, 2.0**7))
        one, other = plain.step(), changed.step()
        assert other.damping == one.damping and other.trials == one.trials
        torch.testing.assert_close(changed.x, plain.x, rtol=1e-12, atol=1e-12)
    assert changed.cost == pytest.approx(plain.cost * 2.0**14, rel=1e-12)


def test_replace_takes_other_rows_and_refuses_nan():
    start = random(8)
    stepper = Stepper(Rows(problem_of_many_steps(), start), start)
    stepper.step()
    damping = stepper.damping
    other = Rows(lambda x: torch.cat([x - 1.0, x[:1] * 2.0]), start)
    stepper.replace(other)
    assert stepper.damping == damping and stepper.residual.shape == (9,)
    for _ in range(20):
        stepper.step()
    assert stepper.cost == pytest.approx(0.4 * 1.0, rel=1e-6)
    with pytest.raises(ValueError, match="in 8 of 8 rows"):
        stepper.replace(Rows(lambda x: x * math.nan, start))


def test_a_jacobian_whose_memory_is_used_again():
    start = random(8)
    inner = FunctionProblem(problem_of_many_steps(), start)
    buffer = torch.empty(40, 8, dtype=F64)

    class Reusing:
        num_rows = 40
        residual = staticmethod(inner.residual)

        def linearize(self, x):
            buffer.copy_(inner.linearize(x)[1])
            return inner.residual(x), buffer

    one, other = Stepper(Reusing(), start), Stepper(inner, start)
    costs = [other.step().cost for _ in range(6)]
    assert [one.step().cost for _ in range(6)] == pytest.approx(costs, rel=1e-12)


def test_geodesic_acceleration_saves_steps_in_a_narrow_valley():
    plain = least_squares(rosenbrock, [-1.2, 1.0], geodesic=False)
    bent = least_squares(rosenbrock, [-1.2, 1.0], geodesic=True)
    assert bent.cost < 1e-20 and bent.njev < 0.7 * plain.njev


def test_the_second_derivative_is_that_of_the_residual():
    # On a parabola the bent step ends where the exact second-order path does.
    start = torch.tensor([1.0], dtype=F64)
    stepper = Stepper(
        Rows(lambda x: x**2 - 1.21, start), start, damping=Nielsen(1e-12), geodesic=True
    )
    stepper.step()
    # v = 0.105, r_vv = 2 v^2, a = -r_vv / 2; x = 1 + v + a / 2.
    assert stepper.x.item() == pytest.approx(1.0 + 0.105 - 0.105**2 / 2, rel=1e-9)


def test_a_step_that_can_bring_nothing_is_futile():
    start = torch.tensor([1.0, 1.0], dtype=F64)
    stepper = Stepper(Rows(lambda x: torch.stack([x[0] ** 2 + 1.0, x[1] - 1.0]), start), start)
    for _ in range(200):
        step = stepper.step()
        if not step.accepted:
            break
    assert step.futile and stepper.cost == pytest.approx(0.5, rel=1e-12)
    # The minimum has a Jacobian of zeros.
    fit = least_squares(lambda x: x**2 + 1.0, [0.0])
    assert fit.status is Status.GTOL and fit.x.item() == 0.0


def test_robust_rows_have_the_gradient_of_the_cost():
    from solvers.gauss_newton.robust_loss import Loss

    residual = torch.linspace(-4, 4, 9, dtype=F64)
    for name in ("linear", "soft_l1", "huber", "cauchy", "arctan"):
        loss = Loss(name, 0.7)
        rows, weights = loss.rows(residual)
        gradient = rows if weights is None else rows * weights
        for i, value in enumerate(residual):
            h = 1e-6
            cost = [loss.cost(residual[i : i + 1] + side * h) for side in (1, -1)]
            assert float(gradient[i]) == pytest.approx((cost[0] - cost[1]) / (2 * h), abs=1e-6)
            assert loss.cost(value[None]) <= 0.5 * float(value) ** 2 + 1e-15
        other = residual + 1e-9
        expected = loss.cost(residual) - loss.cost(other)
        assert loss.reduction(residual, other) == pytest.approx(expected, abs=1e-14)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_on_a_gpu(solver):
    start = torch.tensor([-1.2, 1.0], dtype=F64, device="cuda")
    fit = least_squares(rosenbrock, start, solver=solver)
    assert fit.cost < 1e-20 and fit.x.device.type == "cuda"

"""The cases, what has been published on them, and what is to be reached.

The name of a case is that of its script in `benchmarks/records`.
"""

from __future__ import annotations

from dataclasses import dataclass

CORES = 2
"""That a budget counts; a training uses one of them, for up to twice as long."""


@dataclass(frozen=True)
class Goal:
    """An error to reach.

    Attributes:
        measure: a key of the script's `errors`.
        floor: what has to be reached.
        aim: what is hoped for.
        published: the figure to compare with, None where there is none by this measure.
        by: method, hardware and source of it, and what others have reached.
    """

    measure: str
    floor: float
    aim: float
    published: float | None = None
    by: str = ""


@dataclass(frozen=True)
class Case:
    """A problem on which records stand.

    Attributes:
        title: of its rows and its section.
        minutes: on two cores, within which the floor is to be reached.
        goals: the first is that of the headline.
        smooth: whether random features should do, so that their row stands beside.
    """

    title: str
    minutes: float
    goals: tuple[Goal, ...]
    smooth: bool = False

    @property
    def core_seconds(self) -> float:
        """Return the budget in seconds of one core."""
        return 60.0 * CORES * self.minutes


CASES = {
    "schroedinger": Case(
        "Schroedinger, breather of Satsuma and Yajima",
        10,
        (Goal("h", 1e-6, 1e-9),),
        smooth=True,
    ),
    "schroedinger_periodic": Case(
        "Schroedinger, Raissi's periodic problem",
        10,
        (
            Goal(
                "abs_h", 1e-3, 1e-4, 1.97e-3,
                "Adam and L-BFGS, Raissi, Perdikaris and Karniadakis 2019, "
                "J. Comput. Phys. 378:686; hardware not said",
            ),
            Goal("u", 1e-3, 1e-4),
            Goal("v", 1e-3, 1e-4),
        ),
    ),
    "burgers": Case(
        "Burgers, nu = 0.01/pi",
        5,
        (
            Goal(
                "u", 1e-6, 1e-8, 4.75e-7,
                "DSGNAR in float32, 9.8 s of an H100; 8e-14 in float64, 346 s of it, "
                "arXiv:2607.02194",
            ),
        ),
    ),
    "allen_cahn": Case(
        "Allen-Cahn, diffusion 1e-4",
        20,
        (
            Goal(
                "u", 1e-5, 9e-7, 9.4e-7,
                "self-scaled Broyden, 2,019 parameters, Kiyani et al. 2025, arXiv:2501.16371; time "
                "not seen. 5.3e-5 in 532 s of an RTX 3090, Scale-PINN",
            ),
        ),
    ),
    "kdv": Case(
        "Korteweg-de Vries, mu = 0.022",
        20,
        (
            Goal(
                "u", 1e-5, 1e-7, 8.24e-11,
                "DSGNAR, 1,210 s of an H100, arXiv:2607.02194; 1.5e-4 in 2,412 s, TINN, "
                "arXiv:2601.20361",
            ),
        ),
    ),
    "gray_scott": Case(
        "Gray-Scott of jaxpi, t <= 0.5",
        30,
        (
            Goal(
                "uv", 8e-4, 1e-4, 8.42e-4,
                "Scale-PINN, the best of 5 seeds, whose mean is 1.4e-3; 678 s of an RTX 3090",
            ),
            Goal(
                "uv_last", 1.6e-3, 1e-4, 1.6e-3,
                "Scale-PINN, the best of 5 seeds, 1.6e-3 to 5.2e-3; 678 s of an RTX 3090",
            ),
            Goal("u", 8e-4, 1e-4),
            Goal("v", 8e-4, 1e-4),
        ),
    ),
    "cavity": Case(
        "Lid-driven cavity, Re = 100, lid 4x(1 - x)",
        20,
        (
            Goal(
                "uvp", 6e-4, 1e-4, 1.13e-4,
                "DSGNAR, 403 s of an H100; 6.3e-4 in 80 s of it, arXiv:2607.02194; 1.4e-2, "
                "Scale-PINN",
            ),
        ),
    ),
    "kovasznay": Case(
        "Kovasznay's flow, Re = 40",
        12,
        (
            Goal(
                "uvp", 1e-6, 1e-8, 1.37e-6,
                "Gauss-Newton natural gradients, 7,953 parameters, 12 min of an RTX 4090, "
                "kle-hauzenberg/revisiting-gnng",
            ),
        ),
        smooth=True,
    ),
}  # fmt: skip

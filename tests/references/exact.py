"""Periodic problems with a closed form, made of the cases' own equations."""

from dataclasses import dataclass

import numpy as np

from pinn_ext.references.cases.burgers_2d import Burgers2D
from pinn_ext.references.cases.ginzburg_landau import GinzburgLandau
from pinn_ext.references.cases.gray_scott import GrayScott
from pinn_ext.references.cases.lambda_omega import LambdaOmega
from pinn_ext.references.cases.scalar import KortewegDeVries
from pinn_ext.references.cases.schroedinger import Schroedinger


def parts(h):
    """Return the real and the imaginary part, [2, N], of a complex field."""
    return np.stack([h.real, h.imag])


@dataclass(frozen=True, kw_only=True)
class FromClosedForm:
    """The start is the closed form `fields_at(x, t)`, [fields, N], at time 0."""

    def u0(self, x):
        return self.fields_at(x, 0.0)[0]

    def v0(self, x):
        return self.fields_at(x, 0.0)[1]


@dataclass(frozen=True, kw_only=True)
class GinzburgLandauWave(FromClosedForm, GinzburgLandau):
    def fields_at(self, x, t):
        wave = np.pi * np.array([2.0, -1.0])
        size = 1.0 - self.e * wave @ wave / self.k
        turn = x @ wave - self.k * self.w * size * t
        return parts(np.sqrt(size) * np.exp(1j * turn))


@dataclass(frozen=True, kw_only=True)
class LambdaOmegaWave(FromClosedForm, LambdaOmega):
    def fields_at(self, x, t):
        wave = 2.0 * np.pi / 40.0 * np.array([1.0, 3.0])
        size = 1.0 - wave @ wave
        return parts(np.sqrt(size) * np.exp(1j * ((self.w0 - self.b * size) * t - x @ wave)))


@dataclass(frozen=True, kw_only=True)
class SchroedingerWave(FromClosedForm, Schroedinger):
    def fields_at(self, x, t):
        k, a = 2.0 * np.pi * 3 / 10.0, 0.8
        return parts(a * np.exp(1j * (k * x[:, 0] - (0.5 * k**2 - a**2) * t)))


@dataclass(frozen=True, kw_only=True)
class Breather(FromClosedForm, Schroedinger):
    """Satsuma and Yajima 1974, Prog. Theor. Phys. Suppl. 55:284, on a box of width 60."""

    lower: tuple = (-30.0,)
    upper: tuple = (30.0,)

    def fields_at(self, x, t):
        x = x[:, 0]
        above = np.cosh(3 * x) + 3 * np.exp(4j * t) * np.cosh(x)
        below = np.cosh(4 * x) + 4 * np.cosh(2 * x) + 3 * np.cos(4 * t)
        return parts(4 * np.exp(0.5j * t) * above / below)


@dataclass(frozen=True, kw_only=True)
class GrayScottPulse(FromClosedForm, GrayScott):
    """The standing pulse for `b / e1 = d / e2`, so wide a box that its tails are gone."""

    def fields_at(self, x, t):
        ratio = self.e2 / self.e1
        q = np.sqrt(1.0 - 4.5 * ratio * self.d)
        v = 3.0 * self.d / (1.0 + q * np.cosh(x[:, 0] * np.sqrt(self.d / self.e2)))
        return np.stack([1.0 - ratio * v, v])


@dataclass(frozen=True, kw_only=True)
class BurgersPotential(FromClosedForm, Burgers2D):
    """By Cole and Hopf from `2 + exp(-2 pi^2 nu t) cos(pi x) cos(pi y)`."""

    def fields_at(self, x, t):
        decay = np.exp(-2.0 * np.pi**2 * self.nu * t)
        (cx, cy), (sx, sy) = np.cos(np.pi * x.T), np.sin(np.pi * x.T)
        factor = 2.0 * self.nu * np.pi * decay / (2.0 + decay * cx * cy)
        return np.stack([factor * sx * cy, factor * cx * sy])


@dataclass(frozen=True, kw_only=True)
class Soliton(FromClosedForm, KortewegDeVries):
    def fields_at(self, x, t):
        speed = 0.3
        inner = np.sqrt(speed) / (2.0 * self.mu) * (x[:, 0] - speed * t)
        return 3.0 * speed / np.cosh(inner)[None] ** 2


# Problem, nodes, step, final time: every one reaches 1e-9.
PROBLEMS = {
    "ginzburg_landau": (GinzburgLandauWave(), 16, 5e-4, 0.5),
    "lambda_omega": (LambdaOmegaWave(), 16, 0.02, 10.0),
    "schroedinger": (SchroedingerWave(), 32, 1e-3, 1.0),
    "breather": (Breather(), 768, 5e-5, 0.1),
    "gray_scott": (
        GrayScottPulse(
            **dict(e1=0.02, e2=0.01, b=0.2, d=0.1, c=1.0, s=1.0, final_time=1.0),
            **dict(lower=(-12.0,), upper=(12.0,)),
        ),
        *(384, 0.01, 1.0),
    ),
    "burgers_2d": (
        BurgersPotential(nu=0.05, lower=(-1.0, -1.0), upper=(1.0, 1.0)),
        *(64, 5e-3, 0.5),
    ),
    "kdv": (Soliton(lower=(-2.0,), upper=(2.0,)), 768, 1e-4, 0.2),
}

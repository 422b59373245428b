"""Made-up installed packages, with entry points and without an installer."""

import importlib
import sys
from pathlib import Path

from pinn_ext import registry

SYSTEM = '''
import math

import torch

from pinn_ext.systems import System


class {cls}(System):
    """`u_t = u_xx`, `v_t = v_xx - rate v`, periodic, with two decaying cosines."""

    name = "{name}"
    boundaries = ("periodic",)
    boundary = "periodic"
    default_nodes = 9
    lower, upper = (-math.pi,), (math.pi,)

    def __init__(self, rate=0.5):
        self.rate = float(rate)

    def rhs(self, u, v, d):
        return d.laplacian(u), d.laplacian(v) - self.rate * v

    def exact(self, x, t):
        wave = torch.cos(x[..., 0]) * torch.exp(-t)
        return torch.stack((wave, torch.exp(-self.rate * t) * wave), dim=-1)
'''
STRATEGY = '''
from dataclasses import dataclass

from pinn_ext.strategies import Proposal, Strategy


@dataclass(frozen=True)
class {cls}(Strategy):
    """The first term counts `first` times as much as each other one."""

    first: float = 2.0
    name = "{name}"
    permutation_equivariant = False

    def init(self, initial_weights):
        return {{"updates": 0}}

    def update(self, statistics, state):
        targets = [self.first] + [1.0] * (len(statistics.losses) - 1)
        return Proposal(targets, blend=False), {{"updates": state["updates"] + 1}}
'''


class Distributions:
    """A folder on `sys.path` that packages are put into as an installer would.

    Args:
        folder: empty.
        monkeypatch: of the test, which takes all back.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = Path(folder), monkeypatch
        self.folder.mkdir(exist_ok=True)
        monkeypatch.syspath_prepend(str(self.folder))
        for outside in (registry.SYSTEMS, registry.STRATEGIES):
            monkeypatch.setattr(outside, "classes", {})
            monkeypatch.setattr(outside, "settled", set())

    def module(self, name, text):
        """Put a module there, unloaded."""
        (self.folder / f"{name}.py").write_text(text, "utf-8")
        # Set first, so that what was loaded by then goes with the test.
        self.monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
        importlib.invalidate_caches()

    def add(self, name, systems=None, strategies=None, *, version="1.0", metadata=True):
        """Put a distribution there whose entry points are `{name: "module:Class"}`."""
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata:
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, "utf-8")
        lines = []
        for kind, points in (("systems", systems), ("strategies", strategies)):
            if points:
                lines.append(f"[pinn_ext.{kind}]")
                lines += [f"{key} = {value}" for key, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
        importlib.invalidate_caches()
        return info

    def system(self, name, module, cls="Mine"):
        """Put a working system there, as a distribution of the module's name."""
        self.module(module, SYSTEM.format(name=name, cls=cls))
        self.add(module, {name: f"{module}:{cls}"})

    def strategy(self, name, module, cls="Mine"):
        """Put a working strategy there, as a distribution of the module's name."""
        self.module(module, STRATEGY.format(name=name, cls=cls))
        self.add(module, strategies={name: f"{module}:{cls}"})

"""Allen-Cahn equation: pseudo-time by one more callback in an ordinary DeepXDE script.

u_t = 1e-3 u_xx + 5 (u - u^3), periodic on [-1, 1], from x^2 cos(pi x): two fronts that grow sharp.
The term is damped out as the training converges; losses and tests are those of the equation.
"""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch
from scipy.integrate import solve_ivp

import pinn_ext

dde.config.set_random_seed(0)
D, NODES = 1e-3, 256
nodes = np.linspace(-1, 1, NODES, endpoint=False)
waves = np.pi * np.fft.rfftfreq(NODES, 1 / NODES)


def start(x):
    return x**2 * np.cos(np.pi * x)


def rates(_, u):
    """The same equation on Fourier modes, for scipy to solve."""
    return np.fft.irfft(-D * waves**2 * np.fft.rfft(u)) + 5 * (u - u**3)


times = np.linspace(0, 1, 21)
exact = solve_ivp(rates, (0, 1), start(nodes), "BDF", times, rtol=1e-8, atol=1e-10).y.T


def pde(x, u):
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    return u_t - D * dde.grad.hessian(u, x, i=0, j=0) - 5 * (u - u**3)


def features(x):
    return torch.cat((torch.cos(np.pi * x[:, :1]), torch.sin(np.pi * x[:, :1]), x[:, 1:]), dim=1)


geom = dde.geometry.Interval(-1, 1)
time = dde.geometry.GeometryXTime(geom, dde.geometry.TimeDomain(0, 1))
ic = dde.icbc.IC(time, lambda x: start(x[:, :1]), lambda x, on_initial: on_initial)
data = dde.data.TimePDE(time, pde, ic, num_domain=500, num_initial=100)
net = dde.nn.FNN([3] + [32] * 3 + [1], "tanh", "Glorot normal")
net.apply_feature_transform(features)

model = dde.Model(data, net)
model.compile("adam", lr=5e-3, decay=("cosine", 4000, 0.0), loss_weights=[1, 100])
model.train(iterations=4000, callbacks=[pinn_ext.PseudoTime()])

x, t = (a.reshape(-1, 1) for a in np.meshgrid(nodes, times))
error = dde.metrics.l2_relative_error(exact.reshape(-1, 1), model.predict(np.hstack((x, t))))
print(f"relative L2 error of u: {error:.2e}")

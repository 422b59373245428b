"""Schnakenberg's reaction on a square: a bumpy steady state grows into a Turing pattern.

    u_t = d_u lap u + g (a - u + u^2 v)
    v_t = d_v lap v + g (b - u^2 v)

This is a problem file of pinn_ext: the names in capitals and the functions `rhs`, `initial` and, if
there is one, `exact` are what the program reads. Everything else in here is yours. All quantities
are plain numbers in units of your choice. Train a network on it by

    pinn-ext problem=from_file problem.file=THIS_FILE

and add `problem.reference=rk4` to see the solution that the program's Runge-Kutta solver computes
beside the network's, as this problem has none in closed form.
"""

import math

import torch

# The box in space: a number for each axis, one to three of them. Times go from 0 to FINAL_TIME.
LOWER, UPPER = (0.0, 0.0), (2.0, 2.0)
FINAL_TIME = 3.0

# Numbers that may be changed on the command line, as by problem.parameters.a=0.2. A function gets
# those that its signature names. May be left out.
PARAMETERS = {
    "a": 0.1,  # supply of u
    "b": 0.9,  # supply of v
    "rate": 2.0,  # g
    "diffusion_u": 0.02,  # length^2 / time
    "diffusion_v": 0.8,  # patterns need it to be much larger than that of u
}

# What holds on the boundary: "periodic", given values dirichlet(f), or given slopes along the
# outward normal neumann(f), where f(x, t) returns [N, 2], or is two numbers. One of them for all
# sides, or one for each:
#     {"x-": neumann((0.0, 0.0)), "x+": dirichlet((1.0, 0.9)), "y": "periodic"}
# The two functions come from pinn_ext.systems. Conditions are built into the network where all
# sides are periodic or all have given values; anything else needs problem.conditions=soft.
BOUNDARY = "periodic"

# Nodes of the graph along each side. May be left out, and is overridden by dataset.nodes_per_side.
NODES = 25

# SCALES = (1.0, 1.0) would say how large u and v are. Left out, they are measured on the initial
# state and the given values; say them where a field starts from 0.


def rhs(u, v, d, *, a, b, rate, diffusion_u, diffusion_v):
    """Return du/dt and dv/dt, each [N], from the fields u and v, each [N].

    d.laplacian(u) is [N], d.gradient(u) has one [N] for each axis. Where coefficients or sources
    vary, write rhs(u, v, d, x, t, *, …) with positions x [N, 2] and times t [N]. Use functions of
    torch: the same lines serve the network and the Runge-Kutta step.
    """
    turnover = u * u * v
    du = diffusion_u * d.laplacian(u) + rate * (a - u + turnover)
    dv = diffusion_v * d.laplacian(v) + rate * (b - turnover)
    return du, dv


def initial(x, *, a, b):
    """Return u and v at t = 0 side by side, [N, 2], at positions x [N, 2]."""
    x, y = x.unbind(dim=1)
    waves = torch.cos(math.pi * (x - y)) + torch.cos(math.pi * x)
    bumps = waves - 0.5 * torch.cos(2 * math.pi * y)
    u = a + b + 0.1 * bumps
    v = torch.full_like(u, b / (a + b) ** 2)
    return torch.stack((u, v), dim=1)


# def exact(x, t, *, …) would return the solution [N, 2], to measure errors against, if it is known.

"""The picture of the terms' gradients, `pinn_ext.reports.gradient_plot`."""

from pinn_ext.reports.gradient_plot import draw as draw

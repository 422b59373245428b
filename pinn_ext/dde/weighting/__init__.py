"""Adaptive weights inside a DeepXDE training step.

In come the losses that DeepXDE computes, by a recorder in the place of `data.losses_train`
(`loss_recorder`); out go `model.loss_weights` (`model_weights`), or factors of single points
(`point_weights`).

`training_state` holds all that changes from step to step, and saves it: open it first. The callback
and the pilots of `auto` both work on it. `kernel_meter` is the meter of `pinn_ext.measurements`
with the exact tangent kernel, for which the model is written as residual rows. `nonfinite_guard`
stops a training at the step that breaks it, and undoes that step with a copy of the model taken
before it (`step_snapshot`).
"""

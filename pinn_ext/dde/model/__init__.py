"""What is read of a `dde.Model`, its data and its optimiser, and what is set in them.

The seam to DeepXDE: in comes a compiled model, out comes the answer to one question, one file a
question. Open `loss_terms` first: names of the loss terms, and the weights as plain numbers.

- `refusals`: what makes a model one that cannot be trained, said before anything is changed.
- `residual_rows`: the residual vectors as rows with a Jacobian, which Gauss-Newton minimises;
  `block_rows`: the same in blocks, from pieces of the points.
- `row_points`: the point that each row belongs to; `field_scales`: how large the fields are.
- `optimizers`: what kind of optimiser is at work; `training_length`: when the training will end.
- `state`: all that a training changes, to be put back later; `best`: the best parameters.
- `notes`: what is left on a model for callbacks and trainings that come later.
- `data_protocol`: what a data object may say of itself, where DeepXDE's classes do not.

A trap of DeepXDE is dealt with in the file of its question, with a comment that names it. Nothing
here knows of strategies or of callbacks.
"""

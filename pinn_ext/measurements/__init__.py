"""What strategies read beside the losses: gradients of the terms, and the tangent kernel.

In come the loss terms of a step with the graph that `backward` will take, out come norms, means
and inner products of their gradients (`gradients`) or traces per point of the neural tangent
kernel (`tangent_kernel`), as plain numbers. A measurement costs a backward pass a term or more, so
it is made in the last step of a period only, and only if the strategy asks for it. `alignment`
says in three numbers how well the gradients agree, `gradient_verdict` in a sentence how they
differ over a whole training.

`meter` decides what is measured when, the same for DeepXDE's callback and the aggregator; open it
first. `processes` takes means over the processes of `torch.distributed`, so that all of them hold
the same weights, and refuses processes that do not agree. `last_layers` finds the last layer of
each branch of a network, `static_graph` networks whose first backward pass is not ours to make.
"""

"""A run in several processes, as `torchrun` starts them, that train one network together.

`environment` knows without torch how many processes there are and what they cannot do together.
`group` lets them join, agree on signals, and make files one after the other. The first process,
rank 0, makes the run as it would alone: it alone prints and writes. The others follow it
(`follower`): they take up its state and make its steps. What a step has in common is in
`pinn_ext.dde.data.data_parallel`.
"""

"""What the machine of a run has, and what is said where that is too little.

`devices` finds the device that a run trains on, `sizes` refuses what no memory of this machine
holds, `out_of_memory` says in one sentence which keys to turn where memory ends all the same.
`sizes` loads without torch.
"""

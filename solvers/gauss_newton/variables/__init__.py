"""What the parameters are measured in, and where they may be.

`bounds` has the box, and where steps end that would leave it.
`scaling` has the diagonal in which steps are damped and measured. `units` has powers of two by
which residuals and parameters are divided where their squares would leave the float type.
"""

"""What an end is worth: whether it is a minimum, and what is tried where it is none.

In comes a stepper where an iteration has ended by its tolerances. Those tests are passed on a
plateau, in a valley that falls for ever, and where rounding is all that is left, too.

`determinacy` tells these from a minimum by the Jacobian there. `ways` goes from the start by other
scales and rules until an end is certain, and says what the lowest one is worth: open it first.
"""

"""Random operators whose largest stable step is known."""

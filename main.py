"""Train from a checkout: `python main.py training=adaptive_equal_init`."""

from pinn_ext.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

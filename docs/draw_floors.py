"""Draw `docs/floors.svg`, the floors of the project with the imports that its sources have.

    python docs/draw_floors.py

Boxes stand on the floors of `docs/floors.py`; where along a floor, and the words in them, is said
here. An arrow that has to pass other floors takes the nearest upright lane between their boxes.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from floors import FLOORS, arrows, floor_of, without_shortcuts

FILE = Path(__file__).with_suffix(".svg").with_name("floors.svg")

WIDTH, BOX_WIDTH, BOX_HEIGHT, PITCH, TOP = 840, 132, 40, 70, 12
MARGIN = 14
"""Least distance between an arrow and a box that it passes, and half of that between two arrows."""

# Okabe and Ito's colours, which the colour-blind can tell apart, and what they stand for here.
COLOURS = {
    "program": ("#56B4E9", "the program"),
    "doors": ("#0072B2", "training loops"),
    "weights": ("#E69F00", "weights"),
    "problem": ("#009E73", "the coupled problem"),
    "solvers": ("#CC79A7", "solvers and Jacobians"),
    "small": ("#999999", "imported from any floor, so without arrows"),
}
# unit: (centre in pixels from the left, colour, words)
BOXES = {
    "pinn_ext.cli": (420, "program", "command line"),
    "pinn_ext.program.commands": (420, "program", "predict, compare, …"),
    "pinn_ext.program": (420, "program", "from keys to a run"),
    "pinn_ext.dde.phases": (230, "doors", "Adam, L-BFGS, GN"),
    "pinn_ext.dde.logs": (400, "doors", "MetricsLog, TensorBoardLog"),
    "pinn_ext.dde.pseudo_time": (566, "doors", "PseudoTime"),
    "pinn_ext.dde.scale_outputs": (730, "doors", "fields of any size"),
    "pinn_ext.dde.callback": (400, "doors", "AdaptiveWeights"),
    "pinn_ext.dde.auto": (400, "doors", "pilots and scores"),
    "pinn_ext.dde.data": (100, "doors", "graphs and points"),
    "pinn_ext.dde.weighting": (400, "doors", "inside a step"),
    "pinn_ext.dde.slabs": (246, "doors", "march"),
    "pinn_ext.dde.gauss_newton": (580, "doors", "train_gauss_newton"),
    "pinn_ext.dde.quasi_newton": (746, "doors", "train_quasi_newton"),
    "pinn_ext.dde.own_loop": (664, "doors", "callbacks and tests"),
    "pinn_ext.dde.model": (560, "doors", "access to dde.Model"),
    "pinn_ext.dde.messages": (204, "small", "texts"),
    "pinn_ext.plain_torch": (432, "doors", "your own loop"),
    "pinn_ext.reports": (284, "program", "files and pictures"),
    "pinn_ext.losses": (124, "problem", "PI, RK4, IC, BC"),
    "pinn_ext.datasets": (124, "problem", "graphs and points"),
    "pinn_ext.slabs": (290, "problem", "slabs of time"),
    "pinn_ext.networks": (124, "problem", "from (x, t) to u, v"),
    "pinn_ext.schema": (310, "program", "keys and checks"),
    "pinn_ext.measurements": (500, "weights", "gradients, kernel"),
    "pinn_ext.derivatives": (124, "problem", "autograd, Taylor"),
    "pinn_ext.adaptive_weights": (500, "weights", "weights of terms"),
    "pinn_ext.point_weights": (664, "weights", "weights of points"),
    "pinn_ext.systems": (124, "problem", "equations, domains"),
    "pinn_ext.strategies": (500, "weights", "one file a method"),
    "solvers.rk4": (96, "solvers", "Runge-Kutta steps"),
    "solvers.paired_sums": (96, "solvers", "u and v at once"),
    "solvers.operators": (96, "solvers", "Laplacian, gradient"),
    "pinn_ext.references": (260, "problem", "solutions to compare"),
    "pinn_ext.registry": (420, "small", "classes by name"),
    "pinn_ext.jacobians": (584, "solvers", "rows by parameters"),
    "solvers.gauss_newton": (744, "solvers", "least squares"),
    "solvers.quasi_newton": (330, "solvers", "minima"),
}
FRAME = "pinn_ext.dde"


def top_of(number: int) -> int:
    """Return the upper edge of the boxes on a floor, in pixels."""
    return TOP + 8 + number * PITCH


def half_width(unit: str) -> int:
    """Return half of the width that a box needs for its name."""
    return max(BOX_WIDTH, 8 * len(label(unit)) + 8) // 2


def label(unit: str) -> str:
    """Return the name in a box: without the package where the frame or most boxes say it."""
    return unit.removeprefix(f"{FRAME}.").removeprefix("pinn_ext.")


def ports(pairs: set[tuple[str, str]]) -> dict[tuple[tuple[str, str], int], float]:
    """Return where each arrow leaves its upper box (0) and meets its lower one (1), in pixels.

    Arrows at one side of a box stand in the order of their other ends, the one that can be upright
    in the middle.
    """
    ends = defaultdict(list)
    for pair in pairs:
        for side in (0, 1):
            ends[pair[side], side].append((BOXES[pair[1 - side]][0], pair))
    found = {}
    for (unit, side), others in ends.items():
        others.sort()
        centre = BOXES[unit][0]
        upright = [place for place, (x, _) in enumerate(others) if x == centre]
        middle = upright[0] if upright else (len(others) - 1) / 2
        step = min(26.0, (BOX_WIDTH / 2 - 10) / max(middle, len(others) - 1 - middle, 1))
        for place, (_, pair) in enumerate(others):
            found[pair, side] = centre + step * (place - middle)
    return found


def lane(start: float, goal: float, passed: range, taken: list[tuple[float, range]]) -> float:
    """Return the upright line on which an arrow passes floors, for the shortest way.

    Args:
        start: where the arrow comes from, in pixels from the left.
        goal: where it goes.
        passed: the floors between.
        taken: the lanes of other arrows, with their floors.

    Returns:
        Pixels from the left; of two lanes as good the one nearer to the goal.
    """
    walls = [(BOXES[u][0], half_width(u) + MARGIN) for number in passed for u in FLOORS[number]]
    walls += [(x, MARGIN / 2) for x, floors in taken if set(floors) & set(passed)]
    places = [start, goal, *(x + side * reach for x, reach in walls for side in (-1, 1))]
    free = [x for x in places if all(abs(x - wall) >= reach for wall, reach in walls)]
    return min(free, key=lambda x: (abs(x - start) + abs(x - goal), abs(x - goal), x))


def routes(pairs: set[tuple[str, str]]) -> list[list[tuple[float, int]]]:
    """Return for each arrow the places (pixels, floor) that it goes through, both ends included."""
    places, taken, found = ports(pairs), [], []
    for pair in sorted(pairs, key=lambda pair: (floor_of(pair[1]) - floor_of(pair[0]), pair)):
        first, last = floor_of(pair[0]), floor_of(pair[1])
        start, goal, passed = places[pair, 0], places[pair, 1], range(first + 1, last)
        route = [(start, first)]
        if passed:
            x = lane(start, goal, passed, taken)
            taken.append((x, passed))
            route += [(x, number) for number in passed]
        found.append([*route, (goal, last)])
    return found


def path(route: list[tuple[float, int]]) -> str:
    """Return the curve through a route: upright where it passes a floor, bent between two."""
    (x, number), *rest = route
    y = top_of(number) + BOX_HEIGHT
    parts = [f"M{x:.0f} {y}"]
    for nth, (new, number) in enumerate(rest, 1):
        end = top_of(number) - (5 if nth == len(rest) else 0)
        middle = (y + end) // 2
        parts.append(f"C{x:.0f} {middle} {new:.0f} {middle} {new:.0f} {end}")
        x, y = new, top_of(number) + BOX_HEIGHT
        if nth < len(rest):
            parts.append(f"V{y}")
    return f'<path d="{"".join(parts)}"/>'


def tint(colour: str) -> str:
    """Return a light shade of a colour."""
    return "#" + "".join(f"{255 - (255 - int(colour[i : i + 2], 16)) // 5:02X}" for i in (1, 3, 5))


def box(unit: str) -> str:
    """Return the box of a unit, its name and its words."""
    x, group, words = BOXES[unit]
    y, half, colour = top_of(floor_of(unit)), half_width(unit), COLOURS[group][0]
    return (
        f'<rect x="{x - half}" y="{y}" width="{2 * half}" height="{BOX_HEIGHT}" rx="7" '
        f'fill="{tint(colour)}" stroke="{colour}" stroke-width="1.5"/>'
        f'<text class="name" x="{x}" y="{y + 17}">{label(unit)}</text>'
        f'<text x="{x}" y="{y + 32}">{words}</text>'
    )


def frame() -> str:
    """Return the frame around the floors of `pinn_ext.dde`."""
    inner = [number for number, floor in enumerate(FLOORS) if floor[0].startswith(FRAME)]
    y, end = top_of(inner[0]) - 17, top_of(inner[-1]) + BOX_HEIGHT + 12
    colour = COLOURS["doors"][0]
    return (
        f'<rect x="8" y="{y}" width="{WIDTH - 16}" height="{end - y}" rx="12" fill="{colour}" '
        f'fill-opacity="0.07" stroke="{colour}" stroke-dasharray="5 4"/>'
        f'<rect x="22" y="{y + 12}" width="136" height="22" rx="11" fill="{colour}"/>'
        f'<text class="light" x="90" y="{y + 27}">dde: imports DeepXDE</text>'
    )


def foundation() -> list[str]:
    """Return the lowest floor: one bar of small files, without arrows."""
    y, step = top_of(len(FLOORS) - 1), (WIDTH - 16) / len(FLOORS[-1])
    colour, words = COLOURS["small"]
    names = [
        f'<text class="name" x="{8 + step * (place + 0.5):.0f}" y="{y + 17}">{label(unit)}</text>'
        for place, unit in enumerate(FLOORS[-1])
    ]
    return [
        f'<rect x="8" y="{y}" width="{WIDTH - 16}" height="{BOX_HEIGHT}" rx="7" '
        f'fill="{tint(colour)}" stroke="{colour}" stroke-width="1.5"/>',
        *names,
        f'<text x="{WIDTH // 2}" y="{y + 32}">{words}</text>',
    ]


def legend() -> list[str]:
    """Return what the colours mean, beside the highest floors."""
    lines = []
    for place, (colour, words) in enumerate(list(COLOURS.values())[:-1]):
        x, y = (22, 22 + 27 * place) if place < 3 else (636, 22 + 27 * (place - 3))
        lines.append(
            f'<rect x="{x}" y="{y}" width="182" height="21" rx="10" fill="{tint(colour)}" '
            f'stroke="{colour}"/><text x="{x + 91}" y="{y + 15}">{words}</text>'
        )
    return lines


def picture() -> str:
    """Return the picture as SVG text, the same for the same imports."""
    drawn = {pair for pair in arrows() if set(pair) <= set(BOXES) and BOXES[pair[1]][1] != "small"}
    height = top_of(len(FLOORS) - 1) + BOX_HEIGHT + 10
    style = (
        'text{font:11px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;text-anchor:middle;'
        "fill:#1A1A1A}.name{font:600 12.5px ui-monospace,Menlo,Consolas,monospace}"
        ".light{fill:#FFFFFF}"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The floors of pinn_ext and solvers</title>",
        f"<style>{style}</style>",
        '<marker id="tip" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="6.5" markerHeight="6.5" '
        'orient="auto"><path d="M0 0L8 4L0 8Z" fill="#808080"/></marker>',
        frame(),
        '<g fill="none" stroke="#808080" stroke-width="1.4" marker-end="url(#tip)">',
        *(path(route) for route in routes(without_shortcuts(drawn))),
        "</g>",
        *(box(unit) for unit in BOXES),
        *foundation(),
        *legend(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(picture(), "utf-8")

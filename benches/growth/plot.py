"""An SVG of small panels: cost from zero upwards, over size on a logarithmic axis."""

import math

WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 190, 46, 30, 24
INK, LINE, SHADE = "#333", "#0b63a5", "#0b63a522"


def picture(panels):
    """`panels`: (title, [(size, median, least, most)])."""
    width = len(panels) * (LEFT + WIDTH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{TOP + HEIGHT + 46}" '
        f'viewBox="0 0 {width} {TOP + HEIGHT + 46}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (title, points) in enumerate(panels):
        parts += panel(number * (LEFT + WIDTH + GAP) + LEFT, title, points)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel(left, title, points):
    top = nice(max(most for *_, most in points) * 1.1)
    low, high = (math.log10(points[end][0]) for end in (0, -1))

    def across(size):
        return left + 8 + (math.log10(size) - low) / ((high - low) or 1) * (WIDTH - 16)

    def up(cost):
        return TOP + HEIGHT - cost / top * HEIGHT

    yield f'<text x="{left}" y="{TOP - 12}" fill="{INK}" font-weight="bold">{title}</text>'
    for step in range(5):
        cost = top * step / 4
        yield (f'<line x1="{left}" x2="{left + WIDTH}" y1="{up(cost):.1f}" y2="{up(cost):.1f}" '
               f'stroke="#ddd"/>')
        yield (f'<text x="{left - 5}" y="{up(cost) + 4:.1f}" fill="{INK}" '
               f'text-anchor="end">{cost:.2g}</text>')
    band = [(size, most) for size, _, _, most in points]
    band += [(size, least) for size, _, least, _ in reversed(points)]
    yield f'<polygon fill="{SHADE}" points="{trace(band, across, up)}"/>'
    middle = [(size, cost) for size, cost, *_ in points]
    yield (f'<polyline fill="none" stroke="{LINE}" stroke-width="2" '
           f'points="{trace(middle, across, up)}"/>')
    for size, cost in middle:
        yield f'<circle cx="{across(size):.1f}" cy="{up(cost):.1f}" r="3" fill="{LINE}"/>'
        yield (f'<text x="{across(size):.1f}" y="{TOP + HEIGHT + 16}" fill="{INK}" '
               f'text-anchor="middle">{short(size)}</text>')
    yield (f'<text x="{left}" y="{TOP + HEIGHT + 36}" fill="{INK}">'
           'CPU µs per message: median, spread</text>')


def trace(points, across, up):
    return " ".join(f"{across(size):.1f},{up(cost):.1f}" for size, cost in points)


def nice(value):
    """The next of 1, 2, 4, 8 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def short(size):
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return str(size)

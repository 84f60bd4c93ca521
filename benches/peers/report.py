"""Tables and ratios from the figures of all runs. Pure."""

from statistics import median

#: In the case latency less is better, and these are compared; in the others the rate is.
COMPARED = {"latency": ("p50_us", "p99_us")}
COLUMNS = [
    ("messages/s", "rate", "{:,.0f}"),
    ("CPU s/million", "cpu_per_million", "{:.2f}"),
    ("p50 µs", "p50_us", "{:,.0f}"),
    ("p99 µs", "p99_us", "{:,.0f}"),
    ("p99.9 µs", "p999_us", "{:,.0f}"),
    ("first s", "first_result_s", "{:.1f}"),
    ("MiB", "memory_mib", "{:,.0f}"),
]


def summary(case, rows, runs):
    """One entry a row. `runs`: by row's name the figures of each round, None where it failed."""
    entries = []
    for row in rows:
        figures = [found for found in runs[row.name] if found]
        medians = {key: median(found[key] for found in figures) for key in (figures or [{}])[0]}
        entries.append({
            "system": row.system, "how": row.how, "failed": len(runs[row.name]) - len(figures),
            "median": medians, "runs": figures,
            "galewire_is": [ratio for how in row.against for ratio in ratios(case, row, runs, how)],
        })
    return entries


def ratios(case, row, runs, how):
    """How many times better Galewire was, round by round."""
    for key in COMPARED.get(case, ("rate",)):
        rounds = zip(runs[f"galewire, {how}"], runs[row.name])
        times = [ours[key] / theirs[key] for ours, theirs in rounds if ours and theirs]
        if case in COMPARED:
            times = [1 / time for time in times]
        if times:
            spread = {"median": median(times), "min": min(times), "max": max(times)}
            yield {"against": how, "by": key, **spread}


def table(case, entries):
    """The table of a case as text."""
    known = set().union(*(entry["median"] for entry in entries))
    columns = [column for column in COLUMNS if column[1] in known]
    lines = [[case, *(head for head, _, _ in columns), "galewire is"]]
    for entry in entries:
        found = entry["median"]
        cells = [form.format(found[key]) if key in found else "-" for _, key, form in columns]
        compared = [times(ratio, len(entry["galewire_is"]) > 1) for ratio in entry["galewire_is"]]
        failed = [f"{entry['failed']} FAILED"] if entry["failed"] else []
        lines.append([f"{entry['system']}, {entry['how']}", *cells, "  ".join(failed + compared)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(aligned(line, widths) for line in lines)


def aligned(line, widths):
    """The first cell and the last to the left, the figures between to the right."""
    figures = [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:])]
    return "  ".join([line[0].ljust(widths[0]), *figures, line[-1]]).rstrip()


def times(ratio, named):
    label = ""
    if named:
        by = ratio["against"] if ratio["by"] == "rate" else ratio["by"].removesuffix("_us")
        label = f"{by}: "
    spread = f"({short(ratio['min'])}–{short(ratio['max'])})"
    return f"{label}{short(ratio['median'])}× {spread}"


def short(number):
    """Two digits that count."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"

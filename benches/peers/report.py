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
        pairs = [(ours, theirs) for ours, theirs in zip(runs[f"galewire, {how}"], runs[row.name]) if ours and theirs]
        times = [theirs[key] / ours[key] if case in COMPARED else ours[key] / theirs[key] for ours, theirs in pairs]
        if times:
            yield {"against": how, "by": key, "median": median(times), "min": min(times), "max": max(times)}


def table(case, entries):
    """The table of a case as text."""
    columns = [column for column in COLUMNS if any(column[1] in entry["median"] for entry in entries)]
    lines = [[case, *(head for head, _, _ in columns), "galewire is"]]
    for entry in entries:
        cells = [form.format(entry["median"][key]) if key in entry["median"] else "-" for _, key, form in columns]
        named = len({(ratio["against"], ratio["by"]) for ratio in entry["galewire_is"]}) > 1
        compared = "  ".join(times(ratio, named) for ratio in entry["galewire_is"])
        lines.append([f"{entry['system']}, {entry['how']}", *cells, "FAILED " * bool(entry["failed"]) + compared])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]) - 1)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:])),
                   line[-1]]).rstrip()
        for line in lines)


def times(ratio, named):
    label = ""
    if named:
        label = f"{ratio['by'].removesuffix('_us')}: " if ratio["by"] != "rate" else f"{ratio['against']}: "
    return f"{label}{short(ratio['median'])}× ({short(ratio['min'])}–{short(ratio['max'])})"


def short(number):
    """Two digits that count."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"

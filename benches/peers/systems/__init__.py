"""The systems. Each module has prepare(), which builds and installs, and run(run, case, settings).

It gives figures: rate (messages a second), cpu_per_million (seconds per million messages), p50_us,
p99_us, p999_us (from the intended emit), first_result_s (from the start of the first process; for
Storm, whose daemons run already, from the submit), memory_mib (the most of all processes together).
"""

"""Splits lines into words."""

import galewire


@galewire.bolt
def split(line):
    for word in line.lower().split():
        yield word

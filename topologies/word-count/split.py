"""Splits lines into words of ASCII letters, in lower case."""

import re

import galewire

WORD = re.compile(r"[A-Za-z]+")


@galewire.bolt
def split(line):
    for word in WORD.findall(line):
        yield word.lower()

"""Reads lines such as `3 apples`; what cannot be read goes to the stream `errors`."""

import galewire


@galewire.bolt
def parse(line):
    amount, _, item = line.partition(" ")
    if not amount.isdigit():
        yield galewire.Emit(line, "does not start with a number", stream="errors")
    elif not item:
        yield galewire.Emit(line, "names no item", stream="errors")
    else:
        yield item, int(amount)

"""Numbers and their squares."""

import galewire


@galewire.spout
def squares(*, self):
    for number in range(1, self.config["count"] + 1):
        # The first value is the message's id: with one, it is acked, or given out again.
        yield galewire.Message(number, number, number * number)

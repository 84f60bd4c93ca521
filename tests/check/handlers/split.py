import galewire


@galewire.bolt
def split(line):
    yield from line.split()

from streamparse import ReliableSpout


class Lines(ReliableSpout):
    outputs = ["line"]

    def initialize(self, stormconf, context):
        with open("../" + stormconf["path"], encoding="utf-8") as file:
            self.lines = enumerate(file.read().splitlines())

    def next_tuple(self):
        for at, line in self.lines:
            self.emit([line], tup_id=at)
            return

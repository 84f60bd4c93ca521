from streamparse import Bolt


class Fickle(Bolt):
    """Fails every word that it sees for the first time."""

    outputs = ["word"]
    auto_ack = False

    def initialize(self, conf, ctx):
        self.seen = set()

    def process(self, tup):
        word = tup.values[0]
        if word in self.seen:
            self.emit([word])
            self.ack(tup)
        else:
            self.seen.add(word)
            self.fail(tup)

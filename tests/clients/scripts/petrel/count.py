from petrel import storm
from petrel.emitter import BasicBolt


class Count(BasicBolt):
    def __init__(self):
        super(Count, self).__init__(script=__file__.rpartition("/")[2])
        self.counts = {}

    def declareOutputFields(self):
        return ["word", "count"]

    def process(self, tup):
        word = tup.values[0]
        self.counts[word] = self.counts.get(word, 0) + 1
        storm.emit([word, self.counts[word]])


def run():
    Count().run()

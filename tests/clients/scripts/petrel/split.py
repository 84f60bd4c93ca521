from petrel import storm
from petrel.emitter import BasicBolt


class Split(BasicBolt):
    def __init__(self):
        super(Split, self).__init__(script=__file__.rpartition("/")[2])

    def declareOutputFields(self):
        return ["word"]

    def process(self, tup):
        for word in tup.values[0].split():
            storm.emit([word])


def run():
    Split().run()

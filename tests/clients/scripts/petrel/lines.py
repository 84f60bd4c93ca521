import os

from petrel import storm
from petrel.emitter import Spout


class Lines(Spout):
    def __init__(self):
        super(Lines, self).__init__(script=__file__.rpartition("/")[2])

    def declareOutputFields(self):
        return ["line"]

    def initialize(self, conf, context):
        self.lines = open(conf["path"], encoding="utf-8").read().splitlines()
        self.due = list(reversed(range(len(self.lines))))

    def nextTuple(self):
        if self.due:
            at = self.due.pop()
            storm.emit([self.lines[at]], id=at)

    def fail(self, id):
        self.due.append(id)


def run():
    Lines().run()

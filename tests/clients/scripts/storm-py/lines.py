import storm


class Lines(storm.Spout):
    def initialize(self, conf, context):
        self.lines = open(conf["path"], encoding="utf-8").read().splitlines()
        self.due = list(reversed(range(len(self.lines))))

    def nextTuple(self):
        if self.due:
            at = self.due.pop()
            storm.emit([self.lines[at]], id=at)

    def fail(self, id):
        self.due.append(id)


Lines().run()

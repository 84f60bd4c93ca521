from pystorm import ReliableSpout


class Lines(ReliableSpout):
    def initialize(self, conf, context):
        self.lines = enumerate(open(conf["path"], encoding="utf-8").read().splitlines())

    def next_tuple(self):
        for at, line in self.lines:
            self.emit([line], tup_id=at)
            return


if __name__ == "__main__":
    Lines().run()

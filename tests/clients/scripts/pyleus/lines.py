from pyleus.storm import Spout


class Lines(Spout):
    OUTPUT_FIELDS = ["line"]

    def initialize(self):
        self.lines = open(self.conf["path"], encoding="utf-8").read().splitlines()
        self.due = list(reversed(range(len(self.lines))))

    def next_tuple(self):
        if self.due:
            at = self.due.pop()
            self.emit((self.lines[at],), tup_id=at)

    def fail(self, tup_id):
        self.due.append(tup_id)


if __name__ == "__main__":
    Lines().run()

from pyleus.storm import SimpleBolt


class Count(SimpleBolt):
    OUTPUT_FIELDS = ["word", "count"]

    def initialize(self):
        self.counts = {}

    def process_tuple(self, tup):
        (word,) = tup.values
        self.counts[word] = self.counts.get(word, 0) + 1
        self.emit((word, self.counts[word]), anchors=[tup])


if __name__ == "__main__":
    Count().run()

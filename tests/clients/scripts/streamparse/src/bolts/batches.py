from streamparse import BatchingBolt


class Batches(BatchingBolt):
    outputs = ["word", "count"]
    ticks_between_batches = 1

    def group_key(self, tup):
        return tup.values[0]

    def process_batch(self, key, tups):
        self.emit([key, len(tups)])

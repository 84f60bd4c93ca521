import poison
import storm


class Poisoned(storm.BasicBolt):
    def initialize(self, conf, context):
        self.conf = conf

    def process(self, tup):
        poison.take(tup.values[0], self.conf["poison"], self.conf["how"])
        storm.emit([tup.values[0]])


Poisoned().run()

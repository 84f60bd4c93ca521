import deeds
import storm


class Citizen(storm.BasicBolt):
    def process(self, tup):
        deeds.do(tup.values[0])
        storm.emit([tup.values[0]])


Citizen().run()

from pyleus.storm import SimpleBolt


class Split(SimpleBolt):
    OUTPUT_FIELDS = ["word"]

    def process_tuple(self, tup):
        for word in tup.values[0].split():
            self.emit((word,), anchors=[tup])


if __name__ == "__main__":
    Split().run()

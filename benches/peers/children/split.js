// As Storm's own example of a split does, it does not wait to hear where the words went.
const { BasicBolt } = require('./storm');

class Split extends BasicBolt {
  process(tuple, done) {
    for (const word of tuple.values[0].split(' ')) {
      this.emit({ tuple: [word], anchorTupleId: tuple.id }, () => {});
    }
    done();
  }
}

new Split().run();

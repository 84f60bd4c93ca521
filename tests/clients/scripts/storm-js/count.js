var BasicBolt = require('./storm').BasicBolt;

function Count() {
    BasicBolt.call(this);
    this.counts = new Map();
}

Count.prototype = Object.create(BasicBolt.prototype);
Count.prototype.constructor = Count;

Count.prototype.process = function(tup, done) {
    var word = tup.values[0];
    this.counts.set(word, (this.counts.get(word) || 0) + 1);
    this.emit({tuple: [word, this.counts.get(word)], anchorTupleId: tup.id}, function() {});
    done();
};

new Count().run();

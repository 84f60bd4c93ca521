var BasicBolt = require('./storm').BasicBolt;

function Split() {
    BasicBolt.call(this);
}

Split.prototype = Object.create(BasicBolt.prototype);
Split.prototype.constructor = Split;

Split.prototype.process = function(tup, done) {
    var self = this;
    var words = tup.values[0].split(/\s+/).filter(Boolean);
    var waiting = words.length;
    if (!waiting) done();
    words.forEach(function(word) {
        self.emit({tuple: [word], anchorTupleId: tup.id}, function() {
            if (--waiting === 0) done();
        });
    });
};

new Split().run();

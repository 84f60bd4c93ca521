var fs = require('fs');
var Spout = require('./storm').Spout;

function Lines() {
    Spout.call(this);
}

Lines.prototype = Object.create(Spout.prototype);
Lines.prototype.constructor = Lines;

Lines.prototype.initialize = function(conf, context, done) {
    this.lines = fs.readFileSync(conf.path, 'utf8').trimEnd().split('\n');
    this.due = Array.from(this.lines.keys()).reverse();
    done();
};

Lines.prototype.nextTuple = function(done) {
    if (this.due.length) {
        var at = this.due.pop();
        this.emit({tuple: [this.lines[at]], id: at}, function() {});
    }
    done();
};

Lines.prototype.fail = function(id, done) {
    this.due.push(id);
    done();
};

new Lines().run();

var fs = require('fs');
var storm = require('node-storm');

var due = null;

var lines = storm.spout(function(sync) {
    if (due === null) {
        due = fs.readFileSync(this.context().config('path'), 'utf8').trimEnd().split('\n').reverse();
    }
    if (due.length) {
        var line = due.pop();
        this.emit([line], {id: due.length + ' ' + line});
    }
    sync();
}).declareOutputFields(['line']);
lines.on('fail', function(message) {
    due.push(message.id.slice(message.id.indexOf(' ') + 1));
});

var split = storm.basicbolt(function(data) {
    var emit = this.emit.bind(this);
    data.tuple[0].split(/\s+/).filter(Boolean).forEach(function(word) { emit([word]); });
}).declareOutputFields(['word']);

var counts = new Map();

var count = storm.basicbolt(function(data) {
    var word = data.tuple[0];
    counts.set(word, (counts.get(word) || 0) + 1);
    this.emit([word, counts.get(word)]);
}).declareOutputFields(['word', 'count']);

var builder = storm.topologybuilder();
builder.setSpout('lines', lines);
builder.setBolt('split', split, 2).shuffleGrouping('lines');
builder.setBolt('count', count, 2).fieldsGrouping('split', ['word']);
storm.submit(builder.createTopology(), {nimbus: 'localhost'}).fail(console.error);

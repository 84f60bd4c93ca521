var fs = require('fs');
var path = require('path');
var storm = require('storm-stream')();

var counts = new Map();

storm.on('data', function(message) {
    if (message.pidDir) {
        fs.writeFileSync(path.join(message.pidDir, String(process.pid)), '');
        storm.write({pid: process.pid});
    } else if (message.stream === '__heartbeat') {
        storm.write({command: 'sync'});
    } else if (message.tuple) {
        var word = message.tuple[0];
        counts.set(word, (counts.get(word) || 0) + 1);
        storm.write({command: 'emit', tuple: [word, counts.get(word)], anchors: [message.id]});
        storm.write({command: 'ack', id: message.id});
    }
});

var fs = require('fs');
var path = require('path');
var storm = require('storm-stream')();

storm.on('data', function(message) {
    if (message.pidDir) {
        fs.writeFileSync(path.join(message.pidDir, String(process.pid)), '');
        storm.write({pid: process.pid});
    } else if (message.stream === '__heartbeat') {
        storm.write({command: 'sync'});
    } else if (message.tuple) {
        message.tuple[0].split(/\s+/).filter(Boolean).forEach(function(word) {
            storm.write({command: 'emit', tuple: [word], anchors: [message.id]});
        });
        storm.write({command: 'ack', id: message.id});
    }
});

'use strict';
// ffmpeg_peer.js sink|source|https|datagrams FILE ...: the host's end of a conversation with ffmpeg. FILE gets the port, and
// then standard output what came: "BYTES SHA256 SECONDS".
//   sink FILE HOST          takes one connection's bytes
//   source FILE DATA [KEY CERT]   serves DATA by HTTP, or HTTPS, until it is ended
//   datagrams FILE          takes datagrams until none has come for a second
const crypto = require('crypto');
const dgram = require('dgram');
const fs = require('fs');
const [mode, file, ...rest] = process.argv.slice(2);
const hash = crypto.createHash('sha256');
let bytes = 0, begin = 0;

function tell(port) {
    fs.writeFileSync(file + '.new', '' + port);
    fs.renameSync(file + '.new', file); // whole or absent
}
function take(data) { begin = begin || Date.now(); bytes += data.length; hash.update(data); }
function report() {
    console.log(bytes, hash.digest('hex'), ((Date.now() - begin) / 1000).toFixed(3));
    process.exit(0);
}

if (mode === 'sink') {
    const server = require('net').createServer(socket => {
        socket.on('data', take).on('end', report).on('error', error => { console.log(error.code); process.exit(1); });
    });
    server.listen(0, rest[0], () => tell(server.address().port));
} else if (mode === 'source') {
    const [data, key, cert] = rest;
    const give = (message, answer) => {
        answer.setHeader('content-length', fs.statSync(data).size);
        fs.createReadStream(data).pipe(answer);
    };
    const server = key ? require('https').createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, give)
                       : require('http').createServer(give);
    server.listen(0, '127.0.0.1', () => tell(server.address().port));
} else if (mode === 'datagrams') {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    let timer;
    socket.on('message', data => { take(data); clearTimeout(timer); timer = setTimeout(report, 1000); });
    socket.bind(0, '127.0.0.1', () => tell(socket.address().port));
}

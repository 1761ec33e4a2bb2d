'use strict';
// aria2_peer.js FOLDER NAME...: for run-aria2, from the host's own Node.js: an HTTP server of FOLDER's files, with ranges, and a tracker
// over HTTP and over datagrams. Of each NAME it makes FOLDER/NAME.torrent, whose tracker is by HTTP, NAME.udp.torrent, by datagrams, and
// NAME.none.torrent, which has none. Prints "port HTTP UDP".
const http = require('http'), dgram = require('dgram'), fs = require('fs'), path = require('path'), crypto = require('crypto');
const [folder, ...names] = process.argv.slice(2);
const swarms = new Map(); // of the sum of a torrent: ports of its peers

function announce(sum, port, stopped) {
    if (!swarms.has(sum)) swarms.set(sum, new Set());
    const ports = swarms.get(sum), others = [...ports].filter(other => other !== port);
    if (stopped) ports.delete(port); else ports.add(port);
    return Buffer.concat(others.map(other => Buffer.from([127, 0, 0, 1, other >> 8, other & 255])));
}
function bencode(value) {
    if (typeof value === 'number') return Buffer.from(`i${value}e`);
    if (typeof value === 'string') value = Buffer.from(value);
    if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
    return Buffer.concat([Buffer.from('d'), ...Object.keys(value).sort().flatMap(key => [bencode(key), bencode(value[key])]), Buffer.from('e')]);
}

const server = http.createServer((request, answer) => {
    const [place, query] = request.url.split('?');
    if (place === '/announce') {
        const fields = Object.fromEntries(query.split('&').map(one => one.split('=')));
        const sum = unescape(fields.info_hash); // bytes, not text
        const peers = announce(Buffer.from(sum, 'latin1').toString('hex'), +fields.port, fields.event === 'stopped');
        answer.end(bencode({ interval: 2, 'min interval': 1, peers }));
        return;
    }
    const file = path.join(folder, path.basename(place));
    if (!fs.existsSync(file)) { answer.writeHead(404); answer.end(); return; }
    const size = fs.statSync(file).size, range = /bytes=(\d+)-(\d*)/.exec(request.headers.range || '');
    const start = range ? +range[1] : 0, end = range && range[2] ? +range[2] : size - 1;
    answer.writeHead(range ? 206 : 200, { 'Content-Length': end - start + 1, 'Accept-Ranges': 'bytes',
        ...range && { 'Content-Range': `bytes ${start}-${end}/${size}` } });
    if (request.method === 'HEAD' || end < start) { answer.end(); return; }
    fs.createReadStream(file, { start, end }).pipe(answer);
});
const tracker = dgram.createSocket('udp4');
tracker.on('message', (message, from) => {
    const action = message.readUInt32BE(8), head = message.subarray(8, 16); // action and transaction
    let answer;
    if (action === 0) answer = Buffer.concat([head, Buffer.from('0123456789abcdef', 'hex')]);
    else if (action === 1 && message.subarray(0, 8).toString('hex') === '0123456789abcdef') {
        const peers = announce(message.subarray(16, 36).toString('hex'), message.readUInt16BE(96), message.readUInt32BE(80) === 3);
        answer = Buffer.concat([head, Buffer.from([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]), peers]);
    } else return;
    tracker.send(answer, from.port, from.address);
});

server.on('connection', socket => socket.on('error', () => {}));
server.listen(0, '::', () => tracker.bind(0, '127.0.0.1', () => {
    const http = `http://127.0.0.1:${server.address().port}/announce`, udp = `udp://127.0.0.1:${tracker.address().port}/announce`;
    for (const name of names) {
        const data = fs.readFileSync(path.join(folder, name)), piece = 65536, sums = [];
        for (let at = 0; at < data.length; at += piece) sums.push(crypto.createHash('sha1').update(data.subarray(at, at + piece)).digest());
        const info = { length: data.length, name, 'piece length': piece, pieces: Buffer.concat(sums) };
        for (const [kind, announce] of [['', { announce: http }], ['.udp', { announce: udp }], ['.none', {}]])
            fs.writeFileSync(path.join(folder, name + kind + '.torrent'), bencode({ ...announce, info }));
    }
    console.log(`port ${server.address().port} ${tracker.address().port}`);
}));

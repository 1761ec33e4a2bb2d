'use strict';
// mosquitto_load.js PORT CLIENTS COUNT: a load on an MQTT broker from the host's own Node.js. CLIENTS publish COUNT messages
// each, of quality 0 and 1 in turn, which ten others are subscribed to; every message must come to each of them, a publisher's in order.
// Prints the messages per second that came; exit status 1 when one was missing, wrong or in another order.
const net = require('net');
const [port, clients, count] = process.argv.slice(2).map(Number);

function text(string) { const t = Buffer.from(string); return Buffer.concat([Buffer.from([t.length >> 8, t.length & 255]), t]); }
function packet(type, ...parts) {
    const body = Buffer.concat(parts);
    let n = body.length;
    const length = [];
    do { length.push((n & 127) | (n > 127 ? 128 : 0)); n >>= 7; } while (n);
    return Buffer.concat([Buffer.from([type, ...length]), body]);
}

function client(name, on) {
    return new Promise((done, failed) => {
        const socket = net.connect(port, '127.0.0.1', () =>
            socket.write(packet(0x10, text('MQTT'), Buffer.from([4, 2, 0, 60]), text(name))));
        let rest = Buffer.alloc(0);
        socket.on('error', failed);
        socket.on('close', () => failed(new Error(name + ' lost')));
        socket.on('data', data => {
            rest = Buffer.concat([rest, data]);
            for (;;) {
                let length = 0, at = 1, byte;
                do {
                    if (at >= rest.length) return;
                    byte = rest[at];
                    length |= (byte & 127) << 7 * (at++ - 1);
                } while (byte & 128);
                if (rest.length < at + length) return;
                const type = rest[0], body = rest.subarray(at, at + length);
                rest = rest.subarray(at + length);
                if (type === 0x20) done(socket);
                else on(type, body, socket);
            }
        });
    });
}

(async () => {
    const next = [], listeners = 10, total = clients * count * listeners;
    let came = 0, ended;
    const all = new Promise(done => ended = done);
    for (let i = 0; i < listeners; i++) {
        const mine = next[i] = new Array(clients).fill(0);
        let ready;
        const subscribed = new Promise(done => ready = done);
        const socket = await client('listener' + i, (type, body) => {
            if (type >> 4 === 9) ready();
            if (type >> 4 !== 3) return;
            const [, who, n] = body.subarray(2 + body.readUInt16BE(0)).toString().match(/^(\d+) (\d+) x*$/) || [];
            if (mine[+who] !== +n) { console.log(`listener ${i}: message ${n} of ${who}, not ${mine[+who]}`); process.exit(1); }
            mine[+who]++;
            if (++came === total) ended();
        });
        socket.write(packet(0x82, Buffer.from([0, 1]), text('load/#'), Buffer.from([0])));
        await subscribed;
    }
    const begin = Date.now(), publishers = [];
    for (let who = 0; who < clients; who++) {
        publishers.push((async () => {
            const waiting = new Map();
            const socket = await client('publisher' + who, (type, body) => {
                if (type >> 4 === 4) { waiting.get(body.readUInt16BE(0))(); waiting.delete(body.readUInt16BE(0)); }
            });
            for (let n = 0; n < count; n++) {
                const payload = Buffer.from(`${who} ${n} ${'x'.repeat(n % 300)}`), topic = text('load/' + who);
                if (n % 2) {
                    const done = new Promise(done => waiting.set(n, done));
                    socket.write(packet(0x32, topic, Buffer.from([n >> 8, n & 255]), payload));
                    await done; // a broker drops what a client that does not read has too much of
                } else socket.write(packet(0x30, topic, payload));
            }
        })());
    }
    await Promise.all(publishers);
    await Promise.race([all, new Promise(done => setTimeout(done, 30000))]);
    if (came !== total) { console.log(`${came} messages of ${total}`); process.exit(1); }
    console.log((total * 1000 / (Date.now() - begin)).toFixed(0));
    process.exit(0);
})().catch(error => { console.log(error.message); process.exit(1); });

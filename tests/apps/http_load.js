'use strict';
// http_load.js URL SECONDS CONNECTIONS SHA256: a load on an HTTP server from the host's own Node.js, over connections that
// stay. Every answer's sum is checked. Prints the requests per second; exit status 1 when an answer was wrong or missing.
const http = require('http');
const crypto = require('crypto');
const [url, seconds, connections, expected] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: +connections });
const begin = Date.now();
let done = 0, wrong = 0, opened = new Set();

function one() {
    return new Promise(resolve => {
        const message = http.get(url, { agent }, answer => {
            const hash = crypto.createHash('sha256');
            answer.on('data', data => hash.update(data));
            answer.on('error', () => { wrong++; resolve(); });
            answer.on('end', () => { if (hash.digest('hex') === expected) done++; else wrong++; resolve(); });
        });
        message.on('socket', socket => opened.add(socket));
        message.on('error', error => { wrong++; console.error(error.message); resolve(); });
    });
}
async function caller() { while (Date.now() - begin < seconds * 1000 && !wrong) await one(); }
Promise.all(Array.from({ length: +connections }, caller)).then(() => {
    const rate = done * 1000 / (Date.now() - begin);
    agent.destroy();
    if (opened.size !== +connections) { console.error(opened.size + ' connections, not ' + connections); process.exit(1); }
    console.log(rate.toFixed(0));
    process.exit(wrong || !done ? 1 : 0);
});

'use strict';
// What the cases share: check, the pattern that bodies are made of, waiting for events, and an end that reports.
// A case prints "ok TEXT" or "not ok TEXT" for each check, "figure VALUE TEXT" for a measurement, and "end" when it
// came to its end. Standard output is a file, written synchronously: what was checked before a crash is on record.
const fs = require('fs');
const crypto = require('crypto');

function say(line) { fs.writeSync(1, line + '\n'); }

let failed = false;
function check(text, condition, detail) {
    if (!condition) failed = true;
    say((condition ? 'ok ' : 'not ok ') + text + (condition || detail === undefined ? '' : ': ' + detail));
}
function equal(text, value, expected) { check(text, value === expected, value + ', expected ' + expected); }

function once(emitter, name) {
    return new Promise((resolve, reject) => {
        const error = e => { emitter.removeListener(name, good); reject(e); };
        const good = (...values) => { emitter.removeListener('error', error); resolve(values[0]); };
        emitter.once(name, good);
        if (name !== 'error') emitter.once('error', error);
    });
}
function listen(server, ...where) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(...where, () => { server.removeListener('error', reject); resolve(server.address()); });
    });
}
function sleep(milliseconds) { return new Promise(resolve => setTimeout(resolve, milliseconds)); }
function close(thing) { return new Promise(resolve => thing.close(resolve)); }

// Bytes of which no two parts are alike, the same on every run
function pattern(length, seed = 1) {
    const key = crypto.createHash('sha256').update('' + seed).digest();
    return crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
function sum(...buffers) {
    const hash = crypto.createHash('sha256');
    for (const buffer of buffers) hash.update(buffer);
    return hash.digest('hex');
}
async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
}
function figure(value, text) { say('figure ' + value + ' ' + text); }

function main(run) {
    run().then(() => { say('end'); process.exit(failed ? 1 : 0); },
               error => { say('not ok ' + (error && error.stack || error).replace(/\n\s*/g, ' | ')); process.exit(1); });
}
process.on('uncaughtException', error => { say('not ok uncaught ' + error.stack.replace(/\n\s*/g, ' | ')); process.exit(1); });

// part TEXT FUNCTION: an error in it is a failed check, and the parts after it run all the same
async function part(text, run) {
    await run().catch(error => check(text, false, (error && error.stack || error).replace(/\n\s*/g, ' | ')));
}

module.exports = { check, close, collect, equal, figure, listen, main, once, part, pattern, say, sleep, sum };

'use strict';
// Streams: what arrives is what was sent, in both directions at once, and how connections begin and end.
const net = require('net');
const { check, close, collect, equal, figure, listen, main, once, part, pattern, sleep, sum } = require('./harness');

async function echo(host) {
    const server = net.createServer({ allowHalfOpen: true }, socket => socket.pipe(socket));
    const { port } = await listen(server, 0, host);
    const socket = net.connect({ port, host, allowHalfOpen: true });
    socket.setNoDelay(true);
    await once(socket, 'connect');
    equal('remote port ' + host, socket.remotePort, port);
    equal('remote address ' + host, socket.remoteAddress, host);
    const data = pattern(8 << 20);
    const begin = process.hrtime();
    socket.end(data);
    const back = await collect(socket);
    const [s, ns] = process.hrtime(begin);
    equal('8 MB echoed ' + host, sum(back), sum(data));
    if (host === '127.0.0.1') figure((16 / (s + ns / 1e9)).toFixed(0), 'MB/s, echo of 8 MB');
    await close(server);
}

async function keepAlive() {
    const server = net.createServer(socket => socket.end('x'));
    const { port } = await listen(server, 0, '127.0.0.1');
    const socket = new net.Socket();
    socket.setKeepAlive(true, 30000); // before there is a connection, or a socket even
    socket.connect(port, '127.0.0.1');
    socket.setKeepAlive(true, 20000);
    equal('keep-alive set before the connection', (await collect(socket)).toString(), 'x');
    await close(server);
}

async function manyBuffers() {
    // more buffers in one write than the host takes in one call
    const server = net.createServer();
    const { port } = await listen(server, 0, '127.0.0.1');
    const accepted = once(server, 'connection');
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const parts = [];
    socket.cork();
    for (let i = 0; i < 5000; i++) {
        const part = pattern(1 + i % 61, i);
        parts.push(part);
        socket.write(part);
    }
    process.nextTick(() => { socket.uncork(); socket.end(); });
    equal('5000 buffers in one write', sum(await collect(await accepted)), sum(...parts));
    await close(server);
}

async function ends() {
    const server = net.createServer();
    const { port } = await listen(server, 0, '127.0.0.1');
    const busy = await listen(net.createServer(), port, '127.0.0.1').catch(error => error);
    equal('a port in use', busy.code, 'EADDRINUSE');

    let accepted = once(server, 'connection');
    let socket = net.connect(port, '127.0.0.1');
    let peer = await accepted;
    peer.resume();
    const ended = once(peer, 'end');
    socket.end('bye');
    await ended;
    check('the end of a stream is seen', true);
    socket.destroy();

    accepted = once(server, 'connection');
    socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    peer = await accepted;
    peer.resume();
    const error = new Promise(resolve => peer.once('error', resolve));
    if (socket.resetAndDestroy) {
        socket.resetAndDestroy();
        equal('a reset is seen', (await error).code, 'ECONNRESET');
    } else {
        socket.destroy();
    }

    // closed while a read is pending and a large write under way
    accepted = once(server, 'connection');
    socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    peer = await accepted;
    peer.on('error', () => {});
    socket.on('error', () => {});
    peer.write(pattern(16 << 20));
    await sleep(50);
    peer.destroy();
    const gone = once(socket, 'close');
    socket.destroy();
    await gone;
    check('destroyed in the middle of a transfer', true);

    // a socket on which nobody reads any more stops its sender, and lets it go on
    accepted = once(server, 'connection');
    socket = net.connect(port, '127.0.0.1');
    peer = await accepted;
    const data = pattern(32 << 20);
    const whole = collectPaused(socket);
    peer.write(data);
    peer.end();
    equal('32 MB with pauses', sum(await whole), sum(data));

    const timed = net.connect(port, '127.0.0.1');
    timed.setTimeout(100);
    await once(timed, 'timeout');
    check('idle timeout', true);
    timed.destroy();
    await sleep(50);
    server.close();

    const refused = await new Promise(resolve => net.connect(port, '127.0.0.1').once('error', resolve));
    equal('nobody listens', refused.code, 'ECONNREFUSED');
}

async function collectPaused(socket) {
    const chunks = [];
    let bytes = 0;
    socket.on('data', chunk => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > 4 << 20) {
            bytes = 0;
            socket.pause();
            setTimeout(() => socket.resume(), 10);
        }
    });
    await once(socket, 'end');
    return Buffer.concat(chunks);
}

async function many() {
    const server = net.createServer(socket => { socket.on('error', () => {}); socket.pipe(socket); });
    const { port } = await listen(server, 0, '127.0.0.1', 600);
    const sockets = [];
    const results = [];
    for (let i = 0; i < 500; i++) {
        const socket = net.connect(port, '127.0.0.1');
        sockets.push(socket);
        const data = pattern(1000 + i, i);
        results.push(new Promise((resolve, reject) => {
            let got = Buffer.alloc(0);
            socket.on('error', reject);
            socket.on('data', chunk => { got = Buffer.concat([got, chunk]); if (got.length >= data.length) resolve(got.equals(data)); });
        }));
        socket.write(data);
    }
    const right = (await Promise.all(results)).filter(Boolean).length;
    equal('500 connections at once', right, 500);
    for (const socket of sockets) socket.destroy();
    await close(server);

    // connections made, used and ended one after the other
    const one = net.createServer(socket => socket.end('x'));
    const address = await listen(one, 0, '127.0.0.1');
    const begin = Date.now();
    for (let i = 0; i < 300; i++) await collect(net.connect(address.port, '127.0.0.1'));
    figure((300000 / (Date.now() - begin)).toFixed(0), 'connections per second, one after the other');
    await close(one);
}

main(async () => {
    await part('IPv4', () => echo('127.0.0.1'));
    await part('IPv6', () => echo('::1'));
    await part('keep-alive', keepAlive);
    await part('many buffers', manyBuffers);
    await part('ends', ends);
    await part('many', many);
});

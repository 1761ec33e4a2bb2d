'use strict';
// udx: reliable streams over UDP, the transport of a peer-to-peer network, in C on libuv's datagrams; and utp, BitTorrent's.
// Arguments: the folder of the packages.
const { createRequire } = require('module');
const { check, equal, figure, main, once, part, pattern, sum } = require('../node/harness.js');
const need = createRequire(process.argv[2] + '/');

async function streams() {
    const UDX = need('udx-native');
    const udx = new UDX();
    const a = udx.createSocket(), b = udx.createSocket();
    a.bind(0, '127.0.0.1');
    b.bind(0, '127.0.0.1');
    const data = pattern(8 << 20);
    const pairs = Array.from({ length: 20 }, (_, i) => {
        const out = udx.createStream(2 * i + 1), back = udx.createStream(2 * i + 2);
        out.connect(a, back.id, b.address().port, '127.0.0.1');
        back.connect(b, out.id, a.address().port, '127.0.0.1');
        return { out, back };
    });
    const through = async ({ out, back }, bytes) => {
        const chunks = [];
        back.on('data', chunk => chunks.push(chunk));
        out.write(bytes);
        out.end();
        await once(back, 'end');
        back.end();
        return sum(...chunks) === sum(bytes);
    };
    const begin = Date.now();
    equal('8 MB in a stream', await through(pairs[0], data), true);
    figure((8000 / (Date.now() - begin)).toFixed(0), 'udx: MB/s, 8 MB in a stream');
    const many = await Promise.all(pairs.slice(1).map((pair, i) => through(pair, pattern(100000 + i, i))));
    equal('19 streams at once over two sockets', many.filter(Boolean).length, 19);
    await Promise.all(pairs.flatMap(({ out, back }) => [out, back]).map(stream => new Promise(resolve => {
        stream.on('error', () => {});
        stream.on('close', resolve);
        if (stream.destroyed) resolve(); else stream.destroy();
    })));
    const message = once(b, 'message');
    await a.send(Buffer.from('hello'), b.address().port, '127.0.0.1');
    equal('a datagram', String(await message), 'hello');
    await a.close();
    await b.close();
    check('closed', true);
    const addresses = udx.networkInterfaces();
    check('interfaces, one of them internal', addresses.some(one => one.host === '127.0.0.1' && one.internal), JSON.stringify(addresses));
}

async function torrent() {
    const utp = need('utp-native');
    const server = utp.createServer(socket => socket.pipe(socket));
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    const echo = data => new Promise((resolve, reject) => {
        const socket = utp.connect(port, '127.0.0.1');
        const chunks = [];
        let left = data.length;
        socket.on('error', reject);
        socket.on('data', chunk => {
            chunks.push(chunk);
            if ((left -= chunk.length) <= 0) { socket.on('close', () => resolve(sum(...chunks) === sum(data))); socket.end(); }
        });
        socket.write(data);
    });
    equal('uTP: 2 MB echoed', await echo(pattern(2 << 20)), true);
    const many = await Promise.all(Array.from({ length: 30 }, (_, i) => echo(pattern(20000, i))));
    equal('uTP: 30 connections at once', many.filter(Boolean).length, 30);
    await new Promise(resolve => server.close(resolve));
}

main(async () => {
    await part('udx', streams);
    await part('utp', torrent);
});

'use strict';
// Names: the system's resolver in threads, and Node's own over UDP and TCP against a server in this process.
const dgram = require('dgram');
const net = require('net');
const dns = require('dns');
const { check, close, equal, listen, main, once } = require('./harness');

// An answer for ws2host.test: A 10.1.2.3, TXT of 60 bytes (or far more than a datagram takes), NXDOMAIN for the rest
function answer(query, stream) {
    let end = 12;
    const labels = [];
    while (query[end]) { labels.push(query.toString('latin1', end + 1, end + 1 + query[end])); end += query[end] + 1; }
    const type = query.readUInt16BE(end + 1);
    const question = query.slice(12, end + 5);
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8580, 2);
    header.writeUInt16BE(1, 4);
    const records = [];
    const record = data => {
        const r = Buffer.from([0xc0, 12, type >> 8, type & 255, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]);
        records.push(Buffer.concat([r, data]));
    };
    const name = labels.join('.').toLowerCase();
    if (name === 'ws2host.test' && type === 1) record(Buffer.from([10, 1, 2, 3]));
    else if (name === 'ws2host.test' && type === 16) record(Buffer.concat([Buffer.from([4]), Buffer.from('text')]));
    else if (name === 'large.test' && !stream) header.writeUInt16BE(0x8780, 2); // truncated: ask again by TCP
    else if (name === 'large.test') for (let i = 0; i < 100; i++) record(Buffer.concat([Buffer.from([200]), Buffer.alloc(200, 97)]));
    else if (name !== 'ws2host.test') header.writeUInt16BE(0x8583, 2);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question, ...records]);
}

main(async () => {
    const lookup = dns.promises.lookup;
    equal('localhost', (await lookup('localhost', 4)).address, '127.0.0.1');
    equal('an address', (await lookup('127.0.0.1')).address, '127.0.0.1');
    equal('an address of IPv6', (await lookup('::1')).family, 6);
    equal('a name that cannot be', (await lookup('no such name').catch(e => e)).code, 'ENOTFOUND');
    const many = await Promise.all(Array.from({ length: 100 }, () => lookup('localhost', { all: true, family: 4 })));
    equal('100 at once', many.filter(list => list.some(a => a.address === '127.0.0.1')).length, 100);
    equal('service', (await dns.promises.lookupService('127.0.0.1', 80)).service, 'http');

    const streams = net.createServer(socket => {
        let got = Buffer.alloc(0);
        socket.on('error', () => {});
        socket.on('data', data => {
            got = Buffer.concat([got, data]);
            while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
                const reply = answer(got.slice(2, 2 + got.readUInt16BE(0)), true);
                got = got.slice(2 + got.readUInt16BE(0));
                socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
            }
        });
    });
    // one port of both kinds: where something else on the computer has the number, another is tried
    let datagrams, port;
    for (let turn = 0; turn < 20; turn++) {
        datagrams = dgram.createSocket('udp4');
        datagrams.bind(0, '127.0.0.1');
        await once(datagrams, 'listening');
        port = datagrams.address().port;
        const error = await listen(streams, port, '127.0.0.1').catch(e => e);
        if (error.code !== 'EADDRINUSE') break;
        await close(datagrams);
    }
    datagrams.on('message', (query, from) => datagrams.send(answer(query, false), from.port, from.address));
    const resolver = new dns.promises.Resolver();
    resolver.setServers(['127.0.0.1:' + port]);
    equal('resolve4', (await resolver.resolve4('ws2host.test')).join(), '10.1.2.3');
    equal('resolveTxt', (await resolver.resolveTxt('ws2host.test')).join(), 'text');
    equal('NXDOMAIN', (await resolver.resolve4('none.test').catch(e => e)).code, 'ENOTFOUND');
    equal('no data', (await resolver.resolve6('ws2host.test').catch(e => e)).code, 'ENODATA');
    equal('over TCP', (await resolver.resolveTxt('large.test')).length, 100);
    const answers = await Promise.all(Array.from({ length: 200 }, () => resolver.resolve4('ws2host.test')));
    equal('200 queries at once', answers.filter(a => a[0] === '10.1.2.3').length, 200);
    await close(datagrams);
    streams.close();
    check('closed', true);
});

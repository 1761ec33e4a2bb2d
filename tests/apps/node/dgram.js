'use strict';
// Datagrams: bounds, connected sockets, errors, options, and that none is lost or torn on loopback.
const dgram = require('dgram');
const { check, close, equal, figure, main, once, part, pattern, sleep } = require('./harness');

function bound(type, address) {
    return new Promise((resolve, reject) => {
        const socket = dgram.createSocket(type);
        socket.once('error', reject);
        socket.bind(0, address, () => { socket.removeListener('error', reject); resolve(socket); });
    });
}
function received(socket) {
    return new Promise(resolve => socket.once('message', (message, from) => resolve({ message, from })));
}
function send(socket, ...rest) {
    return new Promise((resolve, reject) => socket.send(...rest, (error, bytes) => error ? reject(error) : resolve(bytes)));
}

async function both(type, host) {
    const a = await bound(type, host), b = await bound(type, host);
    for (const length of [0, 1, 1472, 9000, 65507]) {
        const data = pattern(length, length);
        const arrival = received(b);
        equal(type + ' sends ' + length, await send(a, data, b.address().port, host), length);
        const { message, from } = await arrival;
        check(type + ' receives ' + length, message.equals(data), message.length);
        equal(type + ' sender of ' + length, from.address + ' ' + from.port, host + ' ' + a.address().port);
    }
    const tooLong = await send(a, Buffer.alloc(type === 'udp4' ? 65508 : 65536), b.address().port, host).catch(e => e);
    equal(type + ' over-long datagram', tooLong.code, 'EMSGSIZE');

    const arrival = received(b);
    await send(a, [Buffer.from('several '), Buffer.from('parts')], b.address().port, host);
    equal(type + ' parts', (await arrival).message.toString(), 'several parts');

    if (a.connect) {
        a.connect(b.address().port, host);
        await once(a, 'connect');
        equal(type + ' remote address', a.remoteAddress().port, b.address().port);
        const next = received(b);
        await send(a, Buffer.from('connected'));
        equal(type + ' connected', (await next).message.toString(), 'connected');
        const answer = received(a);
        await send(b, Buffer.from('answer'), a.address().port, host);
        equal(type + ' answer', (await answer).message.toString(), 'answer');
        a.disconnect();
    }
    await close(a);
    await close(b);
}

async function stream() {
    const a = await bound('udp4', '127.0.0.1'), b = await bound('udp4', '127.0.0.1');
    b.setRecvBufferSize(4 << 20);
    check('receive buffer', b.getRecvBufferSize() >= 4 << 20, b.getRecvBufferSize());
    a.setBroadcast(true);
    a.setTTL(64);
    a.setMulticastTTL(4);
    let count = 0, bytes = 0, last = -1, ordered = true;
    b.on('message', message => {
        const n = message.readUInt32LE(0);
        if (n !== last + 1) ordered = false;
        last = n;
        count++;
        bytes += message.length;
        // every message answers, so that sender and receiver keep step
        b.send(message.slice(0, 4), a.address().port, '127.0.0.1');
    });
    const begin = Date.now();
    let sent = 0;
    await new Promise(resolve => {
        const next = () => { const m = Buffer.alloc(100); m.writeUInt32LE(sent++, 0); a.send(m, b.address().port, '127.0.0.1'); };
        let answers = 0;
        a.on('message', () => { answers++; if (answers === 5000) resolve(); else if (sent < 5000) next(); });
        for (let i = 0; i < 16; i++) next();
    });
    equal('5000 datagrams', count, 5000);
    equal('their bytes', bytes, 500000);
    check('their order', ordered);
    figure((10000000 / (Date.now() - begin)).toFixed(0), 'datagrams per second, answered');
    await close(a);
    await close(b);

    // a receive pending while the socket goes
    const c = await bound('udp4', '127.0.0.1');
    await sleep(20);
    await close(c);
    check('closed with a receive pending', true);

    // a port nobody has: the socket that sent there lives on
    const d = await bound('udp4', '127.0.0.1'), e = await bound('udp4', '127.0.0.1');
    const dead = e.address().port;
    await close(e);
    d.on('error', () => {});
    await send(d, Buffer.from('nobody'), dead, '127.0.0.1').catch(() => {});
    await sleep(50);
    const f = await bound('udp4', '127.0.0.1');
    const arrival = received(d);
    await send(f, Buffer.from('alive'), d.address().port, '127.0.0.1');
    equal('alive after an unreachable port', (await arrival).message.toString(), 'alive');
    await close(d);
    await close(f);
}

async function multicast() {
    const group = '239.255.77.1';
    const a = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise(resolve => a.bind(0, resolve));
    a.addMembership(group, '127.0.0.1');
    a.setMulticastLoopback(true);
    a.setMulticastInterface('127.0.0.1');
    const arrival = received(a);
    await send(a, Buffer.from('group'), a.address().port, group);
    equal('multicast', (await arrival).message.toString(), 'group');
    a.dropMembership(group, '127.0.0.1');
    await close(a);
}

main(async () => {
    await part('udp4', () => both('udp4', '127.0.0.1'));
    await part('udp6', () => both('udp6', '::1'));
    await part('stream', stream);
    await part('multicast', multicast);
});

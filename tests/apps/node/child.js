'use strict';
// Sockets and listeners sent to child processes and back: WSADuplicateSocket between parent and child.
const net = require('net');
const { fork, spawn } = require('child_process');
const { check, close, collect, equal, figure, listen, main, once, pattern, say, sum } = require('./harness');

if (process.argv[2] === 'child') {
    const kept = [];
    process.on('message', (message, handle) => {
        if (message === 'server') {
            handle.on('connection', socket => { socket.on('error', () => {}); socket.end('child ' + process.pid); });
            kept.push(handle);
            process.send('listening');
        } else if (message === 'socket') {
            handle.on('error', () => {});
            handle.write('from the child: ');
            handle.pipe(handle);
        } else if (message === 'back') {
            process.send('back', handle);
        } else if (message === 'own') { // a listener made here, for the parent
            const server = net.createServer();
            server.listen(0, '127.0.0.1', () => process.send({ own: server.address().port }, server));
            kept.push(server);
        } else if (message === 'connect') {
            const socket = net.connect(process.argv[3], '127.0.0.1', () => process.send('connected', socket));
        } else if (message === 'end') {
            process.exit(0);
        }
    });
    process.send('ready');
} else {
    main(parent);
}

async function parent() {
    // a child whose standard input and output are pipes, to see that these work at all
    const plain = spawn(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], { stdio: 'pipe' });
    const data = pattern(1 << 20);
    plain.stdin.end(data);
    equal('1 MB through a child\'s pipes', sum(await collect(plain.stdout)), sum(data));

    const elsewhere = net.createServer(socket => { socket.on('error', () => {}); socket.end('elsewhere'); });
    const address = await listen(elsewhere, 0, '127.0.0.1');
    const child = fork(__filename, ['child', address.port], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const heard = () => new Promise((resolve, reject) => {
        child.once('message', (message, handle) => resolve({ message, handle }));
        child.once('exit', code => reject(new Error('the child ended with ' + code)));
    });
    equal('the child starts', (await heard()).message, 'ready');

    const server = net.createServer();
    const { port } = await listen(server, 0, '127.0.0.1');
    let answer = heard();
    child.send('server', server);
    equal('a listener sent', (await answer).message, 'listening');
    server.close(); // the child's is the only one now
    let served = 0;
    const begin = Date.now();
    for (let i = 0; i < 50; i++)
        if ((await collect(net.connect(port, '127.0.0.1'))).toString() === 'child ' + child.pid) served++;
    equal('the child serves after the parent\'s close', served, 50);

    const pass = net.createServer({ pauseOnConnect: true }, socket => child.send('socket', socket));
    const where = await listen(pass, 0, '127.0.0.1', 600);
    const talk = async i => {
        const socket = net.connect({ port: where.port, host: '127.0.0.1', allowHalfOpen: true });
        const text = pattern(20000 + i, i);
        socket.end(text);
        const back = await collect(socket);
        return back.length === text.length + 16 && sum(back.slice(16)) === sum(text);
    };
    equal('a connection sent', await talk(0), true);
    const begin2 = Date.now();
    const talks = await Promise.all(Array.from({ length: 100 }, (_, i) => talk(i)));
    equal('100 connections sent', talks.filter(Boolean).length, 100);
    figure((100000 / (Date.now() - begin2)).toFixed(0), 'connections per second through a child');

    // there and back again
    const round = net.createServer({ pauseOnConnect: true }, socket => child.send('back', socket));
    const roundAddress = await listen(round, 0, '127.0.0.1');
    answer = heard();
    const client = net.connect(roundAddress.port, '127.0.0.1');
    const { handle } = await answer;
    check('a connection came back', handle instanceof net.Socket);
    handle.end('there and back');
    equal('and works', (await collect(client)).toString(), 'there and back');

    answer = heard();
    child.send('own');
    const own = await answer;
    own.handle.on('connection', socket => socket.end('parent'));
    child.removeAllListeners('exit');
    answer = heard();
    child.send('connect');
    const connected = await answer;
    equal('a connection made by the child', (await collect(connected.handle)).toString(), 'elsewhere');
    const gone = once(child, 'exit');
    child.removeAllListeners('exit');
    const ended = new Promise(resolve => child.once('exit', resolve));
    gone.catch(() => {});
    child.send('end');
    equal('the child ends', await ended, 0);
    equal('a listener made by the child', (await collect(net.connect(own.message.own, '127.0.0.1'))).toString(), 'parent');
    own.handle.close();
    pass.close();
    round.close();
    elsewhere.close();
}

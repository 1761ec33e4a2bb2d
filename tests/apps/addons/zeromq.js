'use strict';
// ZeroMQ: messages between threads and processes, in C++ with select on its own threads and sockets that wake them.
// Arguments: the folder of the packages; or that, "worker" and an address, for a process that answers.
const { createRequire } = require('module');
const { spawn } = require('child_process');
const { check, equal, figure, main, part, pattern, sleep, sum } = require('../node/harness.js');
const zmq = createRequire(process.argv[2] + '/')('zeromq');

async function worker(address) {
    const socket = new zmq.Reply();
    socket.connect(address);
    for await (const [message] of socket) await socket.send(sum(message));
}

async function requests() {
    const reply = new zmq.Reply(), request = new zmq.Request();
    await reply.bind('tcp://127.0.0.1:*');
    (async () => { for await (const message of reply) await reply.send(message); })().catch(() => {});
    request.connect(reply.lastEndpoint);
    const data = pattern(4 << 20);
    await request.send(data);
    equal('4 MB asked and answered', sum((await request.receive())[0]), sum(data));
    const begin = Date.now();
    let turns = 0;
    for (; Date.now() - begin < 2000; turns++) { await request.send('x'); await request.receive(); }
    figure((turns * 1000 / (Date.now() - begin)).toFixed(0), 'ZeroMQ: questions and answers per second');
    check('many in turn', turns > 10);
    request.close();
    reply.close();
}

async function pipes() {
    const push = new zmq.Push({ sendHighWaterMark: 10000 });
    await push.bind('tcp://127.0.0.1:*');
    const pulls = Array.from({ length: 10 }, () => { const pull = new zmq.Pull(); pull.connect(push.lastEndpoint); return pull; });
    await sleep(500);
    const seen = new Set();
    const all = Promise.all(pulls.map(async pull => { for await (const [message] of pull) { seen.add(String(message)); if (seen.size === 5000) pulls.forEach(one => one.close()); } }).map(one => one.catch(() => {})));
    for (let i = 0; i < 5000; i++) await push.send('' + i);
    await all;
    equal('5000 messages to ten ends, each once', seen.size, 5000);
    push.close();
}

async function published() {
    const publisher = new zmq.Publisher(), subscriber = new zmq.Subscriber();
    await publisher.bind('tcp://127.0.0.1:*');
    subscriber.connect(publisher.lastEndpoint);
    subscriber.subscribe('even');
    await sleep(500);
    for (let i = 0; i < 100; i++) await publisher.send([i % 2 ? 'odd' : 'even', '' + i]);
    let count = 0;
    for await (const [topic, value] of subscriber) { if (String(topic) !== 'even' || +value !== 2 * count++) break; if (count === 50) break; }
    equal('every second of 100 published', count, 50);
    subscriber.close();
    publisher.close();
}

async function processes() {
    const dealer = new zmq.Dealer();
    await dealer.bind('tcp://127.0.0.1:*');
    const start = () => spawn(process.execPath, [__filename, process.argv[2], 'worker', dealer.lastEndpoint], { stdio: 'ignore' });
    const workers = Array.from({ length: 3 }, start);
    const ask = async data => { await dealer.send(['', data]); return String((await dealer.receive())[1]); };
    dealer.receiveTimeout = 30000;
    let right = 0;
    for (let i = 0; i < 60; i++) if (await ask(pattern(10000, i)) === sum(pattern(10000, i))) right++;
    equal('60 questions to three processes', right, 60);
    const ended = new Promise(resolve => workers[0].on('exit', resolve));
    workers[0].kill();
    await ended;
    await sleep(500);
    right = 0;
    for (let i = 0; i < 30; i++) if (await ask(pattern(10000, i)) === sum(pattern(10000, i))) right++;
    equal('30 more, after one was killed', right, 30);
    for (const one of workers.slice(1)) one.kill();
    dealer.close();
}

if (process.argv[3] === 'worker') worker(process.argv[4]);
else main(async () => {
    await part('requests', requests);
    await part('pipes', pipes);
    await part('published', published);
    await part('processes', processes);
});

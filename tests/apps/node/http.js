'use strict';
// HTTP/1.1 and HTTP/2 without encryption: bodies of 1 MB both ways, and many connections that stay.
const http = require('http');
const http2 = require('http2');
const { check, close, collect, equal, figure, listen, main, once, pattern, sleep, sum } = require('./harness');

const big = pattern(1 << 20);
const bigSum = sum(big);

function request(options, body) {
    return new Promise((resolve, reject) => {
        const message = http.request({ host: '127.0.0.1', ...options }, answer =>
            collect(answer).then(data => resolve({ status: answer.statusCode, headers: answer.headers, data }), reject));
        message.on('error', reject);
        message.end(body);
    });
}

main(async () => {
    const server = http.createServer(async (message, answer) => {
        if (message.url === '/echo') {
            const data = await collect(message);
            answer.setHeader('x-sum', sum(data));
            answer.end(data);
        } else if (message.url === '/big') {
            answer.end(big);
        } else if (message.url === '/chunks') {
            for (let i = 0; i < 64; i++) answer.write(big.slice(i << 14, (i + 1) << 14));
            answer.end();
        } else {
            answer.end('hello');
        }
    });
    server.keepAliveTimeout = 60000;
    const { port } = await listen(server, 0, '127.0.0.1', 1100);

    const answer = await request({ port, path: '/' });
    equal('GET', answer.status + answer.data.toString(), '200hello');
    const posted = await request({ port, path: '/echo', method: 'POST' }, big);
    equal('1 MB up', posted.headers['x-sum'], bigSum);
    equal('1 MB down', sum(posted.data), bigSum);
    equal('1 MB in chunks', sum((await request({ port, path: '/chunks' })).data), bigSum);
    const large = await Promise.all(Array.from({ length: 20 }, () => request({ port, path: '/echo', method: 'POST' }, big)));
    equal('20 times 1 MB at once', large.filter(a => sum(a.data) === bigSum).length, 20);

    // an answer that is given up in the middle
    await new Promise(resolve => {
        const message = http.get({ host: '127.0.0.1', port, path: '/big' }, a => a.once('data', () => message.destroy()));
        message.on('error', () => {});
        message.on('close', resolve);
    });
    equal('served after an abort', (await request({ port, path: '/' })).status, 200);

    const agent = new http.Agent({ keepAlive: true, maxSockets: 1000, maxFreeSockets: 1000 });
    let sockets = new Set();
    server.on('connection', socket => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
    for (let round = 0; round < 3; round++) {
        const answers = await Promise.all(Array.from({ length: 1000 }, () => request({ port, path: '/', agent })));
        equal('1000 requests, round ' + round, answers.filter(a => a.data.toString() === 'hello').length, 1000);
        await sleep(100);
        equal('1000 connections stay, round ' + round, sockets.size, 1000);
    }
    agent.destroy();
    for (let i = 0; sockets.size && i < 50; i++) await sleep(100);
    equal('1000 connections end', sockets.size, 0);

    const few = new http.Agent({ keepAlive: true, maxSockets: 32 });
    const begin = Date.now();
    let done = 0, wrong = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (Date.now() - begin < 3000) {
            const a = await request({ port, path: '/', agent: few });
            if (a.data.toString() !== 'hello') wrong++;
            done++;
        }
    }));
    equal('wrong answers under load', wrong, 0);
    figure((done * 1000 / (Date.now() - begin)).toFixed(0), 'requests per second, 32 connections, one process');
    few.destroy();
    await close(server);

    const second = http2.createServer();
    second.on('stream', (stream, headers) => {
        if (headers[':method'] === 'POST') collect(stream).then(data => { stream.respond({ 'x-sum': sum(data) }); stream.end(data); });
        else { stream.respond({ ':status': 200 }); stream.end('two'); }
    });
    const address = await listen(second, 0, '127.0.0.1');
    const session = http2.connect('http://127.0.0.1:' + address.port);
    await once(session, 'connect');
    const streams = await Promise.all(Array.from({ length: 100 }, () => {
        const stream = session.request({ ':path': '/' });
        stream.end();
        return collect(stream);
    }));
    equal('100 streams of HTTP/2', streams.filter(data => data.toString() === 'two').length, 100);
    const posts = await Promise.all(Array.from({ length: 10 }, () => {
        const stream = session.request({ ':path': '/', ':method': 'POST' });
        stream.end(big);
        return collect(stream);
    }));
    equal('10 bodies of 1 MB over HTTP/2', posts.filter(data => sum(data) === bigSum).length, 10);
    await close(session);
    await close(second);
    check('closed', true);
});

'use strict';
// TLS: certificates checked, 1 MB bodies, HTTPS with connections that stay, HTTP/2 by ALPN. Key and certificate are made
// by the runner: argv[2], argv[3].
const fs = require('fs');
const https = require('https');
const http2 = require('http2');
const tls = require('tls');
const { check, close, collect, equal, figure, listen, main, once, pattern, sum } = require('./harness');

main(async () => {
    const key = fs.readFileSync(process.argv[2]), cert = fs.readFileSync(process.argv[3]);
    const server = tls.createServer({ key, cert, allowHalfOpen: true }, socket => socket.pipe(socket));
    let { port } = await listen(server, 0, '127.0.0.1');
    const connect = options => tls.connect({ host: '127.0.0.1', port, ca: cert, servername: 'localhost', ...options });
    const data = pattern(4 << 20);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
        const socket = connect({ maxVersion });
        await once(socket, 'secureConnect');
        equal(maxVersion, socket.getProtocol(), maxVersion);
        check('authorized ' + maxVersion, socket.authorized);
        const whole = collectBytes(socket, data.length);
        socket.write(data);
        equal('4 MB echoed ' + maxVersion, sum(await whole), sum(data));
        socket.end();
    }
    const stranger = tls.connect({ host: '127.0.0.1', port, servername: 'localhost' });
    const refused = await new Promise(resolve => stranger.once('error', resolve));
    check('a certificate nobody trusts', /SELF_SIGNED|UNABLE_TO/.test(refused.code), refused.code);
    server.close();

    const big = pattern(1 << 20, 2);
    const web = https.createServer({ key, cert }, (message, answer) => collect(message).then(body => answer.end(body.length ? body : 'hello')));
    ({ port } = await listen(web, 0, '127.0.0.1', 300));
    const agent = new https.Agent({ keepAlive: true, ca: cert, maxSockets: 50, servername: 'localhost' });
    const request = body => new Promise((resolve, reject) => {
        const message = https.request({ host: '127.0.0.1', port, agent, method: body ? 'POST' : 'GET' }, answer => collect(answer).then(resolve, reject));
        message.on('error', reject);
        message.end(body);
    });
    const begin = Date.now();
    const small = await Promise.all(Array.from({ length: 1000 }, () => request()));
    figure((1000000 / (Date.now() - begin)).toFixed(0), 'HTTPS requests per second, 50 connections');
    equal('1000 requests', small.filter(body => body.toString() === 'hello').length, 1000);
    const large = await Promise.all(Array.from({ length: 20 }, () => request(big)));
    equal('20 times 1 MB', large.filter(body => sum(body) === sum(big)).length, 20);
    agent.destroy();
    web.close();

    const second = http2.createSecureServer({ key, cert });
    second.on('stream', stream => { stream.respond({ ':status': 200 }); stream.end(big); });
    ({ port } = await listen(second, 0, '127.0.0.1'));
    const session = http2.connect('https://localhost:' + port, { ca: cert, lookup: (n, o, f) => o.all ? f(null, [{ address: '127.0.0.1', family: 4 }]) : f(null, '127.0.0.1', 4) });
    await once(session, 'connect');
    equal('ALPN', session.alpnProtocol, 'h2');
    const bodies = await Promise.all(Array.from({ length: 10 }, () => { const s = session.request({ ':path': '/' }); s.end(); return collect(s); }));
    equal('10 bodies over HTTP/2', bodies.filter(body => sum(body) === sum(big)).length, 10);
    session.destroy();
    second.close();
});

async function collectBytes(socket, length) {
    const chunks = [];
    return new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('data', chunk => { chunks.push(chunk); length -= chunk.length; if (length <= 0) resolve(Buffer.concat(chunks)); });
    });
}

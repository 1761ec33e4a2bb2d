// Bun for Windows: streams and datagrams by node:net and node:dgram, HTTP and TLS by its own server and client. Prints as
// node/harness.js says. Arguments: key, certificate.
import { createRequire } from 'node:module';
import net from 'node:net';
const { check, equal, figure, listen, main, once, part, pattern, sleep, sum } =
    createRequire(import.meta.url)('./node/harness.js');
const [keyFile, certFile] = process.argv.slice(2);
const hostname = '127.0.0.1';

async function streams() {
    const server = net.createServer(socket => { socket.on('error', () => {}); socket.pipe(socket); });
    const { port } = await listen(server, 0, hostname);
    const talk = data => new Promise((resolve, reject) => {
        const socket = net.connect(port, hostname);
        const chunks = [];
        let left = data.length;
        socket.on('error', reject);
        socket.on('data', chunk => {
            chunks.push(chunk);
            if ((left -= chunk.length) <= 0) { socket.destroy(); resolve(sum(...chunks) === sum(data)); }
        });
        socket.write(data);
    });
    const begin = Date.now();
    equal('8 MB echoed', await talk(pattern(8 << 20)), true);
    figure((16000 / (Date.now() - begin)).toFixed(0), 'Bun: MB/s, echo of 8 MB');
    const many = await Promise.all(Array.from({ length: 300 }, (_, i) => talk(pattern(1000 + i, i))));
    equal('300 connections at once', many.filter(Boolean).length, 300);
    server.close();
    await sleep(100);
    equal('nobody listens', (await once(net.connect(port, hostname), 'connect').catch(e => e)).code, 'ECONNREFUSED');
}

async function datagrams() {
    let heard;
    const b = await Bun.udpSocket({ hostname, socket: { data(socket, data, port, address) { heard({ data, port }); } } });
    const a = await Bun.udpSocket({ hostname });
    for (const length of [1, 1472, 60000]) {
        const arrival = new Promise(resolve => { heard = resolve; });
        const data = pattern(length);
        a.send(data, b.port, hostname);
        const got = await arrival;
        equal('datagram of ' + length, sum(got.data), sum(data));
        equal('its sender ' + length, got.port, a.port);
    }
    a.close();
    b.close();
}

async function http(tls) {
    const kind = tls ? 'https' : 'http', big = pattern(1 << 20);
    const server = Bun.serve({ hostname, port: 0, ...(tls ? { tls: { key: Bun.file(keyFile), cert: Bun.file(certFile) } } : {}),
        async fetch(request) {
            const { pathname } = new URL(request.url);
            return new Response(pathname === '/echo' ? await request.arrayBuffer() : 'hello');
        } });
    const base = kind + '://127.0.0.1:' + server.port, options = tls ? { tls: { ca: await Bun.file(certFile).text() } } : {};
    equal(kind + ' GET', await (await fetch(base, options)).text(), 'hello');
    const large = await Promise.all(Array.from({ length: 20 }, async () => {
        const answer = await fetch(base + '/echo', { method: 'POST', body: big, ...options });
        return sum(Buffer.from(await answer.arrayBuffer())) === sum(big);
    }));
    equal(kind + ' 20 times 1 MB up and down', large.filter(Boolean).length, 20);
    const begin = Date.now();
    let done = 0, wrong = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (Date.now() - begin < 3000) { if (await (await fetch(base, options)).text() !== 'hello') wrong++; done++; }
    }));
    equal(kind + ' wrong answers', wrong, 0);
    figure((done * 1000 / (Date.now() - begin)).toFixed(0), 'Bun: ' + kind + ' requests per second, 32 callers, one process');
    await server.stop(true);
}

async function webSocket() {
    const server = Bun.serve({ hostname, port: 0, fetch: (request, s) => s.upgrade(request) ? undefined : new Response('no'),
        websocket: { message(socket, message) { socket.send(message); } } });
    const socket = new WebSocket('ws://127.0.0.1:' + server.port);
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
    const heard = new Promise(resolve => { socket.onmessage = event => resolve(event.data); });
    socket.send('x'.repeat(100000));
    equal('WebSocket', (await heard).length, 100000);
    socket.close();
    await server.stop(true);
}

main(async () => {
    await part('streams', streams);
    await part('datagrams', datagrams);
    await part('http', () => http(false));
    await part('https', () => http(true));
    await part('WebSocket', webSocket);
    check('the end', true);
});

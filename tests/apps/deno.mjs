// Deno for Windows (Rust, tokio, mio through \Device\Afd): streams, datagrams, HTTP, TLS and children. Prints as
// tests/apps/node/harness.js says. Arguments: key, certificate.
const [keyFile, certFile] = Deno.args;
const encoder = new TextEncoder(), decoder = new TextDecoder();
function say(line) { Deno.stdout.writeSync(encoder.encode(line + '\n')); }
let failed = false;
function check(text, condition, detail) {
    if (!condition) failed = true;
    say((condition ? 'ok ' : 'not ok ') + text + (condition || detail === undefined ? '' : ': ' + detail));
}
function equal(text, value, expected) { check(text, value === expected, value + ', expected ' + expected); }
function figure(value, text) { say('figure ' + value + ' ' + text); }
async function part(text, run) {
    const limit = new Promise((_, no) => setTimeout(() => no(new Error('took too long')), 40000));
    await Promise.race([run(), limit]).catch(e => check(text, false, (e.stack ?? e).toString().replace(/\n\s*/g, ' | ')));
}
function pattern(length) {
    const data = new Uint8Array(length);
    for (let i = 0, x = 12345; i < length; i++) { x = (x * 1103515245 + 12345) & 0x7fffffff; data[i] = x >> 16; }
    return data;
}
const sum = async data => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', data))).join();
const collect = async stream => new Uint8Array(await new Response(stream).arrayBuffer());
const hostname = '127.0.0.1';
const key = Deno.readTextFileSync(keyFile), cert = Deno.readTextFileSync(certFile);

async function echoServer(listener) {
    for await (const connection of listener) connection.readable.pipeTo(connection.writable).catch(() => {});
}
async function talk(connection, data) {
    const back = collect(connection.readable);
    const writer = connection.writable.getWriter();
    await writer.write(data);
    await writer.close();
    return (await sum(await back)) === (await sum(data));
}

await part('streams', async () => {
    for (const host of ['127.0.0.1', '::1']) {
        const listener = Deno.listen({ hostname: host, port: 0 });
        echoServer(listener);
        const connection = await Deno.connect({ hostname: host, port: listener.addr.port });
        connection.setNoDelay(true);
        connection.setKeepAlive(true);
        equal('remote port ' + host, connection.remoteAddr.port, listener.addr.port);
        const begin = performance.now();
        equal('8 MB echoed ' + host, await talk(connection, pattern(8 << 20)), true);
        if (host === hostname) figure((16000 / (performance.now() - begin)).toFixed(0), 'Deno: MB/s, echo of 8 MB');
        if (host === hostname) {
            const small = pattern(5000);
            const right = await Promise.all(Array.from({ length: 500 }, async () =>
                talk(await Deno.connect({ hostname, port: listener.addr.port }), small)));
            equal('500 connections at once', right.filter(Boolean).length, 500);
        }
        listener.close();
    }
    const closed = Deno.listen({ hostname, port: 0 });
    const { port } = closed.addr;
    const waiting = closed.accept().catch(e => e);
    closed.close();
    check('an accept whose listener is closed', (await waiting) instanceof Error);
    check('nobody listens', (await Deno.connect({ hostname, port }).catch(e => e)) instanceof Deno.errors.ConnectionRefused);
    const busy = Deno.listen({ hostname, port: 0 });
    let error;
    try { Deno.listen({ hostname, port: busy.addr.port }); } catch (e) { error = e; }
    check('a port in use', error instanceof Deno.errors.AddrInUse, error);
    busy.close();
});

await part('datagrams', async () => {
    const a = Deno.listenDatagram({ hostname, port: 0, transport: 'udp' });
    const b = Deno.listenDatagram({ hostname, port: 0, transport: 'udp' });
    for (const length of [1, 1472, 60000]) {
        const data = pattern(length);
        equal('datagram of ' + length, await a.send(data, b.addr), length);
        const [got, from] = await b.receive(new Uint8Array(65536));
        equal('its bytes ' + length, await sum(got), await sum(data));
        equal('its sender ' + length, from.port, a.addr.port);
    }
    const begin = performance.now();
    for (let i = 0; i < 3000; i++) {
        await a.send(encoder.encode('' + i), b.addr);
        const [got] = await b.receive();
        if (decoder.decode(got) !== '' + i) { check('datagrams in order', false, i); break; }
    }
    figure((3000000 / (performance.now() - begin)).toFixed(0), 'Deno: datagrams per second, one at a time');
    const pending = b.receive().catch(e => e);
    b.close();
    check('a receive whose socket is closed', (await pending) instanceof Error);
    a.close();
});

await part('http', async () => {
    const big = pattern(1 << 20), bigSum = await sum(big);
    const server = Deno.serve({ hostname, port: 0, onListen() {} }, async request => {
        const { pathname } = new URL(request.url);
        if (pathname === '/echo') return new Response(await request.arrayBuffer());
        return new Response(pathname === '/big' ? big : 'hello');
    });
    const base = 'http://127.0.0.1:' + server.addr.port;
    equal('GET', await (await fetch(base)).text(), 'hello');
    const large = await Promise.all(Array.from({ length: 20 }, async () => {
        const answer = await fetch(base + '/echo', { method: 'POST', body: big });
        return await sum(await answer.arrayBuffer()) === bigSum;
    }));
    equal('20 times 1 MB up and down', large.filter(Boolean).length, 20);
    const many = await Promise.all(Array.from({ length: 500 }, async () => await (await fetch(base)).text()));
    equal('500 requests', many.filter(text => text === 'hello').length, 500);
    const begin = performance.now();
    let done = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (performance.now() - begin < 3000) { await (await fetch(base)).text(); done++; }
    }));
    figure((done * 1000 / (performance.now() - begin)).toFixed(0), 'Deno: requests per second, 32 callers, one process');
    const abort = new AbortController();
    const given = await fetch(base + '/big', { signal: abort.signal });
    abort.abort();
    await given.arrayBuffer().catch(() => {});
    equal('served after an abort', await (await fetch(base)).text(), 'hello');

    const sockets = Deno.serve({ hostname, port: 0, onListen() {} }, request => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = event => socket.send(event.data);
        return response;
    });
    const socket = new WebSocket('ws://127.0.0.1:' + sockets.addr.port);
    await new Promise((yes, no) => { socket.onopen = yes; socket.onerror = no; });
    const heard = new Promise(yes => { socket.onmessage = event => yes(event.data); });
    socket.send('x'.repeat(100000));
    equal('WebSocket', (await heard).length, 100000);
    socket.close();
    await sockets.shutdown();
    await server.shutdown();
});

await part('tls', async () => {
    const listener = Deno.listenTls({ hostname, port: 0, key, cert });
    echoServer(listener);
    const connection = await Deno.connectTls({ hostname: 'localhost', port: listener.addr.port, caCerts: [cert] })
        .catch(() => Deno.connect({ hostname, port: listener.addr.port })
            .then(c => Deno.startTls(c, { hostname: 'localhost', caCerts: [cert] })));
    equal('4 MB by TLS', await talk(connection, pattern(4 << 20)), true);
    listener.close();
});

await part('names and children', async () => {
    const node = await import('node:dns');
    equal('localhost', (await node.promises.lookup('localhost', 4)).address, hostname);
    const child = await new Deno.Command(Deno.execPath(), { args: ['eval', 'console.log(6 * 7)'], stdout: 'piped' }).output();
    equal('a child', decoder.decode(child.stdout).trim(), '42');
});

say('end');
Deno.exit(failed ? 1 : 0);

// grpc.js PACKAGES serve FOLDER [PORT]: a gRPC server, with TLS by FOLDER's key.pem and cert.pem and without, which prints its ports.
// grpc.js PACKAGES try FOLDER PORT SECURE-PORT: calls of all four kinds: lines "ok TEXT", "not ok TEXT", figures, "end".
// grpc.js PACKAGES outlive FOLDER PORT: calls one after another while the server is killed and started again.
'use strict';
const fs = require('fs'), path = require('path'), crypto = require('crypto');
const [packages, what, folder, ...ports] = process.argv.slice(2);
const grpc = require(path.join(packages, 'node_modules/@grpc/grpc-js'));

const as_it_is = bytes => bytes;
const method = (name, requestStream, responseStream) => ({ path: `/ws2host.Test/${name}`, requestStream, responseStream,
    requestSerialize: as_it_is, requestDeserialize: as_it_is, responseSerialize: as_it_is, responseDeserialize: as_it_is });
const service = { echo: method('echo', false, false), fail: method('fail', false, false), wait: method('wait', false, false),
    waited: method('waited', false, false), sum: method('sum', true, false), count: method('count', false, true),
    chat: method('chat', true, true) };
const Client = grpc.makeGenericClientConstructor(service, 'Test');
const number = n => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(n); return bytes; };

function serve() {
    let given_up = 0;
    const server = new grpc.Server({ 'grpc.max_receive_message_length': 8 << 20 });
    server.addService(service, {
        echo: (call, done) => {
            const answer = new grpc.Metadata();
            answer.set('same', call.metadata.get('same')[0] || 'none');
            call.sendMetadata(answer);
            done(null, call.request);
        },
        fail: (call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: 'as it was asked' }),
        wait: call => call.on('cancelled', () => given_up++),
        waited: (call, done) => done(null, number(given_up)),
        sum: (call, done) => {
            let sum = 0;
            call.on('data', bytes => sum += bytes.readUInt32LE());
            call.on('end', () => done(null, number(sum)));
        },
        // so many messages of that size, numbered
        count: call => {
            const messages = call.request.readUInt32LE(), size = call.request.readUInt32LE(4);
            let n = 0;
            const more = () => {
                while (n < messages) {
                    const message = Buffer.alloc(size, n & 255);
                    message.writeUInt32LE(n++);
                    if (!call.write(message)) return call.once('drain', more);
                }
                call.end();
            };
            more();
        },
        chat: call => {
            call.on('data', bytes => call.write(bytes));
            call.on('end', () => call.end());
        },
    });
    const file = name => fs.readFileSync(path.join(folder, name));
    const secure = grpc.ServerCredentials.createSsl(null, [{ private_key: file('key.pem'), cert_chain: file('cert.pem') }]);
    server.bindAsync(`127.0.0.1:${ports[0] || 0}`, grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error) throw error;
        server.bindAsync('127.0.0.1:0', secure, (error, secure_port) => {
            if (error) throw error;
            console.log(`port ${port} ${secure_port}`);
        });
    });
}

const connect = (port, options) => new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(),
    { 'grpc.max_receive_message_length': 8 << 20, ...options });
const connect_by_tls = port => new Client(`127.0.0.1:${port}`, grpc.credentials.createSsl(fs.readFileSync(path.join(folder, 'cert.pem'))),
    { 'grpc.ssl_target_name_override': 'localhost', 'grpc.max_receive_message_length': 8 << 20 });
const check = (text, right) => console.log(`${right ? '' : 'not '}ok ${text}`);
const equal = (text, got, expected) => check(got === expected ? text : `${text}: ${got}, not ${expected}`, got === expected);
// an answer, or the error as one
const ask = (client, name, bytes, metadata = new grpc.Metadata(), options = {}) => new Promise(resolve => {
    client[name](bytes, metadata, options, (error, answer) => resolve(error || answer));
});
const in_seconds = seconds => ({ deadline: Date.now() + seconds * 1000 });

// the messages that come, to the last
async function* answers(call) {
    for await (const one of call) yield one;
}

async function kinds(client, name) {
    const data = crypto.randomBytes(1 << 20);
    check(`${name}: 1 MB there and back`, data.equals(await ask(client, 'echo', data)));
    const sum = new Promise(resolve => {
        const call = client.sum((error, answer) => resolve(error || answer.readUInt32LE()));
        for (let n = 1; n <= 5000; n++) call.write(number(n));
        call.end();
    });
    equal(`${name}: 5000 messages there`, await sum, 5000 * 5001 / 2);
    for (const [messages, size, slow] of [[5000, 10, false], [200, 100000, true]]) {
        let n = 0, right = 0;
        for await (const one of answers(client.count(Buffer.concat([number(messages), number(size)])))) {
            if (one.length === size && one.readUInt32LE() === n && one[size - 1] === (n & 255)) right++;
            if (slow && n % 50 === 0) await new Promise(resolve => setTimeout(resolve, 100)); // what comes meanwhile waits there
            n++;
        }
        equal(`${name}: ${messages} of ${size} bytes back`, right, messages);
    }
    const chat = client.chat();
    let right = 0;
    chat.write(number(0));
    for await (const one of answers(chat)) {
        if (one.readUInt32LE() === right) right++;
        if (right < 2000) chat.write(number(right));
        else chat.end();
    }
    equal(`${name}: 2000 to and fro`, right, 2000);
}

async function trying() {
    const client = connect(ports[0]);
    await kinds(client, 'plain');
    const secure = connect_by_tls(ports[1]);
    await kinds(secure, 'TLS');
    secure.close();

    const metadata = new grpc.Metadata();
    metadata.set('same', 'words beside the message');
    const words = await new Promise(resolve => {
        client.echo(Buffer.alloc(0), metadata, () => { }).on('metadata', given => resolve(given.get('same')[0]));
    });
    equal('what stands beside the message', words, 'words beside the message');
    const failed = await ask(client, 'fail', Buffer.alloc(0));
    check('an error', failed.code === grpc.status.FAILED_PRECONDITION && failed.details === 'as it was asked');
    equal('too large', (await ask(client, 'echo', Buffer.alloc(9 << 20))).code, grpc.status.RESOURCE_EXHAUSTED);
    equal('what there is not', (await ask(new (grpc.makeGenericClientConstructor({ none: method('none') }, 'Test'))(
        `127.0.0.1:${ports[0]}`, grpc.credentials.createInsecure()), 'none', Buffer.alloc(0))).code, grpc.status.UNIMPLEMENTED);

    const before = (await ask(client, 'waited', Buffer.alloc(0))).readUInt32LE();
    equal('too late', (await ask(client, 'wait', Buffer.alloc(0), undefined, in_seconds(0.3))).code, grpc.status.DEADLINE_EXCEEDED);
    const given_up = await new Promise(resolve => {
        const call = client.wait(Buffer.alloc(0), error => resolve(error.code));
        ask(client, 'echo', Buffer.alloc(1)).then(() => call.cancel()); // the other has begun by then
    });
    equal('given up', given_up, grpc.status.CANCELLED);
    let told = 0;
    for (let turn = 0; told !== before + 2 && turn < 200; turn++) {
        told = (await ask(client, 'waited', Buffer.alloc(0))).readUInt32LE();
        await new Promise(resolve => setTimeout(resolve, 50));
    }
    equal('and the server is told of both', told, before + 2);

    let begin = Date.now();
    let all = await Promise.all(Array.from({ length: 2000 }, (_, n) => ask(client, 'echo', number(n))));
    equal('2000 calls at once', all.filter((one, n) => one.length === 4 && one.readUInt32LE() === n).length, 2000);
    console.log(`figure ${Math.round(2000000 / (Date.now() - begin))} calls per second, 2000 at once`);
    const clients = Array.from({ length: 100 }, () => connect(ports[0], { 'grpc.use_local_subchannel_pool': 1 }));
    all = await Promise.all(clients.map((one, n) => ask(one, 'echo', number(n))));
    equal('100 connections', all.filter((one, n) => one.length === 4 && one.readUInt32LE() === n).length, 100);
    for (const one of clients) one.close();
    begin = Date.now();
    for (let n = 0; n < 500; n++) await ask(client, 'echo', number(n));
    console.log(`figure ${Math.round(500000 / (Date.now() - begin))} calls per second, one after another`);
    client.close();
    const nobody = connect(1);
    equal('nobody there', (await ask(nobody, 'echo', Buffer.alloc(1))).code, grpc.status.UNAVAILABLE);
    nobody.close();
    console.log('end');
}

async function outliving() {
    const client = connect(ports[0], { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 500 });
    const waiting = ask(client, 'wait', Buffer.alloc(0));
    let answer = await ask(client, 'echo', number(1));
    console.log('started');
    for (let n = 0; !answer.code; n++) answer = await ask(client, 'echo', number(n), undefined, in_seconds(60));
    equal('a call while the server is killed', answer.code, grpc.status.UNAVAILABLE);
    equal('one that waited for its answer', (await waiting).code, grpc.status.UNAVAILABLE);
    console.log('told');
    const metadata = new grpc.Metadata({ waitForReady: true });
    answer = await ask(client, 'echo', number(77777), metadata, in_seconds(100));
    equal('the next server', answer.code || answer.readUInt32LE(), 77777);
    client.close();
    console.log('end');
}

(what === 'serve' ? async () => serve() : what === 'try' ? trying : outliving)().catch(error => { console.log(`not ok ${error.stack}`); process.exit(1); });

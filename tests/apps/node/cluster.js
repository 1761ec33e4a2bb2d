'use strict';
// Four workers behind one port, by the policy of argv[2] ("rr": the primary accepts and hands out; "none": the workers
// share the listener). Workers are killed and replaced under load, and each request that fails is traced to the worker that
// had its connection: by the worker's name in an earlier answer, by the primary's record of what it handed to whom, or by
// the note that each worker makes of its connections in a file of its own in the folder argv[3].
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { check, collect, equal, figure, main, pattern, sleep, sum } = require('./harness');

const big = pattern(1 << 20);
const [policy, folder] = process.argv.slice(2);
const notes = pid => path.join(folder, policy + '.' + pid);

if (cluster.isWorker) {
    const server = http.createServer((message, answer) => {
        answer.setHeader('x-pid', process.pid);
        if (message.url === '/big') answer.end(big);
        else answer.end('worker ' + process.pid);
    });
    const file = fs.openSync(notes(process.pid), 'a');
    server.on('connection', socket => fs.writeSync(file, socket.remotePort + '@' + Date.now() + ' '));
    server.keepAliveTimeout = 60000;
    // for so many milliseconds this process does nothing at all
    process.on('message', time => {
        process.send('stops');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time);
    });
    server.listen(+process.argv[4], '127.0.0.1');
} else {
    main(primary);
}

async function primary() {
    cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
    const probe = http.createServer();
    await new Promise(resolve => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address();
    await new Promise(resolve => probe.close(resolve));
    (cluster.setupPrimary || cluster.setupMaster).call(cluster, { args: [policy, folder, port] });

    const handed = new Map(); // "rr": port of a connection to the process it was handed to, and when
    const start = () => new Promise((resolve, reject) => {
        const worker = cluster.fork();
        const send = worker.process.send;
        worker.process.send = function (message, handle, ...rest) {
            const peer = {};
            if (handle && message.act === 'newconn' && handle.getpeername && !handle.getpeername(peer))
                handed.set(peer.port, { pid: worker.process.pid, time: Date.now() });
            return send.call(this, message, handle, ...rest);
        };
        worker.on('error', () => {}); // what is sent to one that has just died
        worker.once('listening', () => resolve(worker));
        worker.once('exit', code => reject(new Error('a worker ended with ' + code)));
    });
    let workers = await Promise.all([start(), start(), start(), start()]);
    check('4 workers listen', workers.length === 4);

    // an error names the port of its connection, and the worker when an earlier answer came over it
    const get = (path, agent) => new Promise((resolve, reject) => {
        let socket;
        const failed = error => reject(Object.assign(error, socket && socket.own));
        const message = http.get({ host: '127.0.0.1', port, path, agent }, answer => {
            const pid = socket.own.pid = +answer.headers['x-pid'];
            collect(answer).then(body => resolve({ pid, body }), failed);
        });
        message.on('socket', s => {
            socket = s;
            if (s.own) return;
            s.own = { time: Date.now() };
            s.once('connect', () => { s.own.port = s.localPort; });
        });
        // the primary forgets a connection whose worker dies before it has acknowledged it
        message.setTimeout(10000, () => message.destroy(Object.assign(new Error('no answer'), { code: 'SILENCE' })));
        message.on('error', failed);
    });

    // Whose connection was it? A process, or undefined: nobody's that left a trace. Ports come again: older notes are of
    // other connections.
    const ours = (error, port, time) => port === error.port && time >= error.time - 50;
    const isHanded = error => handed.has(error.port) && ours(error, error.port, handed.get(error.port).time);
    const holder = error => {
        if (error.pid) return error.pid;
        if (isHanded(error)) return handed.get(error.port).pid;
        return fs.readdirSync(folder).filter(name => name.startsWith(policy + '.'))
            .filter(name => fs.readFileSync(path.join(folder, name), 'latin1').split(' ').map(note => note.split('@'))
                .some(([port, time]) => ours(error, +port, +time)))
            .map(name => +name.slice(policy.length + 1))[0];
    };
    const killed = new Set();
    const replace = async i => {
        const worker = workers[i];
        const exit = new Promise(resolve => worker.once('exit', resolve));
        killed.add(worker.process.pid);
        worker.process.kill('SIGKILL');
        await exit;
        workers[i] = await start();
    };
    // How many of the failures are of killed workers, of living ones, and of nobody. A worker that shares the listener
    // has one connection accepted before it knows: that one leaves no trace, and its client is told of its end.
    const sort = errors => {
        const counts = { killed: 0, living: 0, nobody: 0, silent: 0 };
        for (const error of errors) {
            const pid = holder(error);
            if (!pid) counts.nobody++;
            else if (killed.has(pid)) counts.killed++;
            else counts.living++;
            if (pid && !killed.has(pid)) check('a failure', false, pid + ' lives: ' + JSON.stringify(error));
            if (error.code === 'SILENCE' && !isHanded(error)) counts.silent++;
            if (error.code !== 'SILENCE' && error.code !== 'ECONNRESET')
                check('a request\'s failure', false, error.code + ' ' + error.message);
        }
        return counts;
    };
    const judge = (text, errors, kills) => {
        const counts = sort(errors);
        const say = JSON.stringify(counts) + ' of ' + errors.length;
        equal(text + ': failures on living workers', counts.living, 0);
        check(text + ': failures on nobody', counts.nobody <= (policy === 'rr' ? 0 : kills), say);
        equal(text + ': clients left without a word', counts.silent, 0);
    };

    const seen = new Map();
    let right = 0;
    for (let i = 0; i < 10; i++) {
        for (const { pid, body } of await Promise.all(Array.from({ length: 20 }, () => get('/', false)))) {
            if (body.toString() === 'worker ' + pid) right++;
            seen.set(pid, (seen.get(pid) || 0) + 1);
        }
    }
    equal('200 connections', right, 200);
    if (policy === 'rr') equal('served by', seen.size, 4);
    else check('served by workers', seen.size >= 1 && [...seen.keys()].every(pid => workers.some(w => w.process.pid === pid)));
    const bodies = await Promise.all(Array.from({ length: 20 }, () => get('/big', false)));
    equal('20 times 1 MB', bodies.filter(a => sum(a.body) === sum(big)).length, 20);

    const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
    let begin = Date.now(), done = 0, wrong = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (Date.now() - begin < 3000) {
            const { pid, body } = await get('/', agent);
            if (body.toString() !== 'worker ' + pid) wrong++;
            done++;
        }
    }));
    agent.destroy();
    equal('wrong answers', wrong, 0);
    figure((done * 1000 / (Date.now() - begin)).toFixed(0), 'requests per second, 4 workers, ' + policy);

    // Workers are killed one after the other and replaced, under callers with a connection for each request and callers
    // whose connections stay; 40 of these, so that each worker has some.
    let stop = false, errors = [];
    const stay = new http.Agent({ keepAlive: true, maxSockets: 40 });
    done = 0;
    const load = Promise.all(Array.from({ length: 48 }, async (_, i) => {
        while (!stop) {
            try {
                const { pid, body } = await get('/', i < 40 && stay);
                if (body.toString() !== 'worker ' + pid) wrong++;
                done++;
            } catch (error) {
                errors.push(error);
            }
            if (i < 40) await sleep(5);
        }
    }));
    for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 4; i++) {
            await sleep(300);
            await replace(i);
        }
    }
    await sleep(300);
    stop = true;
    await load;
    stay.destroy();
    equal('wrong answers while workers die', wrong, 0);
    check('served while workers die', done > 100, done);
    judge('8 killed', errors, 8);
    figure(errors.length, 'requests lost with 8 killed workers, ' + policy);

    // None of the workers runs while connections come in, and one of them never runs again: what it has not accepted,
    // the others do.
    await Promise.all(workers.map(worker => new Promise(resolve => {
        worker.on('message', function stops(message) {
            if (message !== 'stops') return;
            worker.removeListener('message', stops);
            resolve();
        });
        worker.send(2500);
    })));
    errors = [];
    const waiting = Promise.all(Array.from({ length: 40 }, () => get('/', false).catch(error => { errors.push(error); })));
    await sleep(700);
    await replace(0);
    const answered = (await waiting).filter(Boolean);
    judge('killed with connections waiting', errors, 1);
    check('the others take what it had not', answered.length >= 39 && answered.every(a => !killed.has(a.pid)),
          answered.length + ' of 40');

    right = 0;
    for (let i = 0; i < 40; i++) if ((await get('/', false)).body.toString().startsWith('worker ')) right++;
    equal('40 connections after that', right, 40);
    for (const worker of workers) { worker.removeAllListeners('exit'); worker.process.kill('SIGKILL'); }
}

'use strict';
// Four workers behind one port, by the policy of argv[2] ("rr": the primary accepts and hands out; "none": the workers
// share the listener). Under load workers are killed and replaced; only requests of a killed worker may fail.
const cluster = require('cluster');
const http = require('http');
const { check, collect, equal, figure, main, pattern, sleep, sum } = require('./harness');

const big = pattern(1 << 20);
const policy = process.argv[2];

if (cluster.isWorker) {
    const server = http.createServer((message, answer) => {
        answer.setHeader('x-pid', process.pid);
        if (message.url === '/big') answer.end(big);
        else answer.end('worker ' + process.pid);
    });
    server.listen(+process.argv[3], '127.0.0.1');
} else {
    main(primary);
}

async function primary() {
    cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
    const probe = http.createServer();
    await new Promise(resolve => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address();
    await new Promise(resolve => probe.close(resolve));
    (cluster.setupPrimary || cluster.setupMaster).call(cluster, { args: [policy, port] });

    const start = () => new Promise((resolve, reject) => {
        const worker = cluster.fork();
        worker.on('error', () => {}); // what is sent to one that has just died
        worker.once('listening', () => resolve(worker));
        worker.once('exit', code => reject(new Error('a worker ended with ' + code)));
    });
    let workers = await Promise.all([start(), start(), start(), start()]);
    check('4 workers listen', workers.length === 4);

    const get = (path, agent) => new Promise((resolve, reject) => {
        const message = http.get({ host: '127.0.0.1', port, path, agent }, answer => {
            const pid = +answer.headers['x-pid'];
            collect(answer).then(body => resolve({ pid, body }), error => { error.pid = pid; reject(error); });
        });
        // the primary forgets a connection whose worker dies before it has acknowledged it
        message.setTimeout(5000, () => message.destroy(Object.assign(new Error('no answer'), { code: 'ECONNRESET' })));
        message.on('error', reject);
    });

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

    // a new connection each time while workers are killed one after the other and replaced. A request may fail only by
    // the end of its connection, and as many at the most as a killed worker had under way: 8 callers, one request each.
    let stop = false, failures = 0, other = 0;
    done = 0;
    const load = Promise.all(Array.from({ length: 8 }, async () => {
        while (!stop) {
            try {
                const { pid, body } = await get('/', false);
                if (body.toString() !== 'worker ' + pid) wrong++;
                done++;
            } catch (error) {
                failures++;
                if (error.code !== 'ECONNRESET') { other++; check('a request\'s failure', false, error.code + ' ' + error.message); }
            }
        }
    }));
    for (let i = 0; i < 4; i++) {
        await sleep(300);
        const worker = workers[i];
        const exit = new Promise(resolve => worker.once('exit', resolve));
        worker.process.kill('SIGKILL');
        await exit;
        workers[i] = await start();
    }
    await sleep(300);
    stop = true;
    await load;
    equal('wrong answers while workers die', wrong, 0);
    equal('failures that are no reset', other, 0);
    check('only killed workers\' requests failed', failures <= 4 * 8, failures + ' of ' + (done + failures));
    check('served while workers die', done > 20, done);
    figure(failures, 'requests lost with 4 killed workers, ' + policy);
    right = 0;
    for (let i = 0; i < 40; i++) if ((await get('/', false)).body.toString().startsWith('worker ')) right++;
    equal('40 connections after that', right, 40);
    for (const worker of workers) { worker.removeAllListeners('exit'); worker.process.kill('SIGKILL'); }
}

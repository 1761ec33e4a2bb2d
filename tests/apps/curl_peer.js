'use strict';
// curl_peer.js FOLDER KEY CERTIFICATE: servers for run-curl, from the host's own Node.js: HTTP over TCP, TLS and AF_UNIX
// (FOLDER/http.sock), FTP with data connections both ways, TFTP. Files are those of FOLDER. Prints "port HTTP HTTPS FTP TFTP".
const http = require('http'), https = require('https'), net = require('net'), dgram = require('dgram');
const fs = require('fs'), path = require('path'), crypto = require('crypto');
const [folder, key, cert] = process.argv.slice(2);
const file = name => path.join(folder, path.basename(name));
let connections = 0;

function serve(request, answer) {
    const url = new URL(request.url, 'http://x');
    if (request.method === 'PUT' || request.method === 'POST') {
        const hash = crypto.createHash('sha256');
        request.on('data', data => hash.update(data));
        request.on('end', () => answer.end(hash.digest('hex') + '\n'));
    } else if (url.pathname === '/number') {
        const text = `number ${url.searchParams.get('n')}\n`;
        answer.writeHead(200, { 'Content-Length': text.length });
        answer.end(text);
    } else if (url.pathname === '/connections') {
        answer.end(`${connections}\n`);
    } else if (url.pathname === '/breaks') { // promises more than it sends
        answer.writeHead(200, { 'Content-Length': 1000000 });
        answer.write(Buffer.alloc(300000), () => request.socket.resetAndDestroy ? request.socket.resetAndDestroy() : request.socket.destroy());
    } else if (url.pathname === '/drips') {
        let n = 0;
        const timer = setInterval(() => {
            answer.write(`line ${n}\n`);
            if (++n === 20) { clearInterval(timer); answer.end(); }
        }, 20);
    } else {
        fs.stat(file(url.pathname), (error, stat) => {
            if (error) { answer.writeHead(404); answer.end(); return; }
            answer.writeHead(200, { 'Content-Length': stat.size });
            fs.createReadStream(file(url.pathname), { highWaterMark: 1 << 18 }).pipe(answer);
        });
    }
}

function ftp(control) {
    let data = null; // a promise of the data connection
    const say = text => control.write(text + '\r\n');
    const host = control.localAddress.replace(/^::ffff:/, '');
    const connectTo = (port, address) => {
        data = new Promise((done, failed) => { const c = net.connect(port, address, () => done(c)); c.on('error', failed); });
        data.catch(() => {});
        say('200 ok');
    };
    const passive = form => {
        const listener = net.createServer({ pauseOnConnect: true });
        data = new Promise(done => listener.once('connection', c => { listener.close(); c.on('error', () => {}); done(c); }));
        listener.listen(0, host, () => form(listener.address().port));
    };
    control.on('error', () => {});
    say('220 ready');
    let rest = '';
    control.on('data', async bytes => {
        rest += bytes;
        for (let at; (at = rest.indexOf('\r\n')) >= 0;) {
            const line = rest.slice(0, at), [, verb, argument] = line.match(/^(\S+) ?(.*)$/);
            rest = rest.slice(at + 2);
            switch (verb.toUpperCase()) {
            case 'USER': say('331 password'); break;
            case 'PASS': say('230 in'); break;
            case 'PWD': say('257 "/"'); break;
            case 'TYPE': case 'CWD': say('200 ok'); break;
            case 'SIZE': try { say(`213 ${fs.statSync(file(argument)).size}`); } catch { say('550 none'); } break;
            case 'EPSV': passive(port => say(`229 on (|||${port}|)`)); break;
            case 'PASV': passive(port => say(`227 on (${host.replace(/\./g, ',')},${port >> 8},${port & 255})`)); break;
            case 'EPRT': { const part = argument.split('|'); connectTo(+part[3], part[2]); break; }
            case 'PORT': { const n = argument.split(','); connectTo(+n[4] * 256 + +n[5], n.slice(0, 4).join('.')); break; }
            case 'RETR': case 'NLST': case 'LIST': {
                say('150 comes');
                const to = await data;
                to.on('close', () => say('226 done'));
                to.on('error', () => {});
                to.resume();
                if (verb === 'RETR') fs.createReadStream(file(argument)).pipe(to);
                else to.end(fs.readdirSync(folder).map(name => name + '\r\n').join(''));
                break;
            }
            case 'STOR': {
                say('150 send');
                const from = await data;
                from.pipe(fs.createWriteStream(file(argument))).on('close', () => say('226 done'));
                break;
            }
            case 'QUIT': say('221 bye'); control.end(); break;
            default: say('502 no');
            }
        }
    });
}

const tftp = dgram.createSocket('udp4');
tftp.on('message', (request, client) => {
    if (request.readUInt16BE(0) !== 1) return;
    const [name, , ...options] = request.toString('latin1', 2).split('\0');
    const data = fs.readFileSync(file(name)), transfer = dgram.createSocket('udp4');
    const at = options.findIndex(option => option.toLowerCase() === 'blksize');
    const size = at < 0 ? 512 : +options[at + 1];
    let block = at < 0 ? 1 : 0;
    const send = () => {
        if (block === 0) {
            transfer.send(Buffer.from(`\0\x06blksize\0${size}\0`, 'latin1'), client.port, client.address);
            return;
        }
        const part = Buffer.alloc(4 + Math.max(0, Math.min(size, data.length - (block - 1) * size)));
        part.writeUInt16BE(3, 0);
        part.writeUInt16BE(block & 0xffff, 2);
        data.copy(part, 4, (block - 1) * size);
        transfer.send(part, client.port, client.address);
    };
    transfer.on('message', answer => {
        if (answer.readUInt16BE(0) !== 4) { transfer.close(); return; }
        if (answer.readUInt16BE(2) !== (block & 0xffff)) return;
        if (block > 0 && block * size > data.length) { transfer.close(); return; }
        block++;
        send();
    });
    transfer.bind(0, '127.0.0.1', send);
});

const listening = (server, ...where) => new Promise(done => server.listen(...where, () => done(server.address())));
const counted = server => server.on('connection', () => connections++);
(async () => {
    const plain = counted(http.createServer(serve));
    plain.keepAliveTimeout = 60000;
    const a = await listening(plain, 0, '127.0.0.1');
    await listening(http.createServer(serve), a.port, '::1');
    const b = await listening(https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, serve), 0, '127.0.0.1');
    const c = await listening(net.createServer(ftp), 0, '127.0.0.1');
    await listening(http.createServer(serve), path.join(folder, 'http.sock'));
    await new Promise(done => tftp.bind(0, '127.0.0.1', done));
    console.log(`port ${a.port} ${b.port} ${c.port} ${tftp.address().port}`);
})();

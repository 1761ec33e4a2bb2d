'use strict';
// WebRTC's own library (C++): ICE over every adapter, DTLS and SCTP over datagrams, with threads that wait by
// WSAEventSelect. Arguments: the folder of the packages.
const { createRequire } = require('module');
const { check, equal, figure, main, part, pattern, sum } = require('../node/harness.js');
const { RTCPeerConnection } = createRequire(process.argv[2] + '/')('@roamhq/wrtc');

async function connected(text, size) {
    const a = new RTCPeerConnection(), b = new RTCPeerConnection();
    let candidates = 0;
    a.onicecandidate = ({ candidate }) => { if (candidate) { candidates++; b.addIceCandidate(candidate).catch(() => {}); } };
    b.onicecandidate = ({ candidate }) => { if (candidate) a.addIceCandidate(candidate).catch(() => {}); };
    const channel = a.createDataChannel('data');
    channel.binaryType = 'arraybuffer';
    const there = new Promise(resolve => { b.ondatachannel = ({ channel }) => { channel.binaryType = 'arraybuffer'; channel.onmessage = ({ data }) => channel.send(data); resolve(channel); }; });
    const open = new Promise(resolve => { channel.onopen = resolve; });
    await a.setLocalDescription(await a.createOffer());
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription(await b.createAnswer());
    await a.setRemoteDescription(b.localDescription);
    await open;
    await there;
    check(text + ': connected', candidates > 0);
    const data = pattern(size), chunks = [];
    const all = new Promise(resolve => {
        let left = size;
        channel.onmessage = ({ data }) => { chunks.push(Buffer.from(data)); if ((left -= data.byteLength) <= 0) resolve(); };
    });
    const begin = Date.now();
    for (let at = 0; at < size; at += 16384) channel.send(data.subarray(at, at + 16384));
    await all;
    if (size > 1000000) figure((2 * size / 1000 / (Date.now() - begin)).toFixed(1), 'WebRTC: MB/s, echo over a data channel');
    equal(text + ': echoed', sum(...chunks), sum(data));
    const ended = new Promise(resolve => { channel.onclose = resolve; });
    b.close();
    await ended;
    a.close();
}

main(async () => {
    await part('one', () => connected('2 MB', 2 << 20));
    await part('ten', () => Promise.all(Array.from({ length: 10 }, (_, i) => connected('one of ten', 20000))));
});

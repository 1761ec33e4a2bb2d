// mio polls sockets by IOCTL_AFD_POLL on \Device\Afd\Mio through a completion port, as every program on tokio does: what it says of
// what happens to them, once each time that a call would have blocked, in each way of asking for it and of asking no more.
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

const WAKE: Token = Token(1000000);
const LONG: Option<Duration> = Some(Duration::from_secs(60));

/// A poll with a waker, and what it has told and nobody has asked for
struct Looker {
    poll: Poll,
    waker: Arc<Waker>,
    seen: Vec<(usize, String)>,
}

impl Looker {
    fn new() -> Looker {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
        Looker { poll, waker, seen: Vec::new() }
    }

    fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Polls once; true when the waker was among what came
    fn poll(&mut self) -> bool {
        let mut events = Events::with_capacity(128);
        let mut woken = false;
        let begin = Instant::now();
        while events.is_empty() {
            // one that is given up ends a poll that has a time without an event
            self.poll.poll(&mut events, LONG).unwrap();
            assert!(begin.elapsed() < LONG.unwrap(), "nothing in a minute");
        }
        for event in &events {
            if event.token() == WAKE {
                woken = true;
                continue;
            }
            let mut text = String::new();
            for (is, letter) in [
                (event.is_readable(), 'r'),
                (event.is_writable(), 'w'),
                (event.is_error(), 'e'),
                (event.is_read_closed(), 'R'),
                (event.is_write_closed(), 'W'),
            ] {
                if is {
                    text.push(letter);
                }
            }
            self.seen.push((event.token().0, text));
        }
        woken
    }

    /// Waits until the token's events have all these letters together, and takes them
    fn wait(&mut self, token: usize, letters: &str) {
        loop {
            let got: String = self.seen.iter().filter(|one| one.0 == token).map(|one| one.1.as_str()).collect();
            if letters.chars().all(|letter| got.contains(letter)) {
                self.seen.retain(|one| one.0 != token);
                return;
            }
            self.poll();
        }
    }

    /// What there is without waiting, all of it: what a posted packet overtakes comes with the next
    fn now(&mut self) -> Vec<(usize, String)> {
        for _ in 0..3 {
            self.waker.wake().unwrap();
            while !self.poll() {}
        }
        std::mem::take(&mut self.seen)
    }
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Both ends of a connection: mio's and one that blocks
fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind(any()).unwrap();
    let other = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    other.set_nodelay(true).unwrap();
    (TcpStream::from_std(stream), other)
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return got,
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return got,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_waker_and_a_timeout() {
    let mut look = Looker::new();
    let waker = look.waker.clone();
    let thread = thread::spawn(move || waker.wake().unwrap());
    assert!(look.poll());
    thread.join().unwrap();
    let begin = Instant::now();
    let mut events = Events::with_capacity(8);
    look.poll.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
    assert!(events.is_empty() && begin.elapsed() >= Duration::from_millis(45));
}

#[test]
fn a_listener_tells_of_each_connection_after_it_would_block() {
    let mut look = Looker::new();
    let mut listener = TcpListener::bind(any()).unwrap();
    let address = listener.local_addr().unwrap();
    look.registry().register(&mut listener, Token(1), Interest::READABLE).unwrap();
    for _ in 0..3 {
        assert_eq!(look.now(), []);
        let first = std::net::TcpStream::connect(address).unwrap();
        look.wait(1, "r");
        let second = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(look.now(), []); // it has told, and nobody has come to the end
        let ports: Vec<u16> = (0..2).map(|_| listener.accept().unwrap().1.port()).collect();
        assert_eq!(ports, [first.local_addr().unwrap().port(), second.local_addr().unwrap().port()]);
        would_block(listener.accept());
    }
}

#[test]
fn a_stream_tells_once_until_it_would_block() {
    let mut look = Looker::new();
    let (mut stream, mut other) = pair();
    look.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
    for turn in 0..20u8 {
        assert_eq!(look.now(), []);
        other.write_all(&[turn; 10]).unwrap();
        look.wait(1, "r");
        other.write_all(&[turn; 10]).unwrap();
        assert_eq!(look.now(), []);
        let mut got = Vec::new();
        while got.len() < 20 {
            got.extend(read_all(&mut stream)); // may would block before the second has come, and then is told again
            if got.len() < 20 {
                look.wait(1, "r");
            }
        }
        assert_eq!(got, [turn; 20]);
        look.now();
    }
}

#[test]
fn writing_tells_when_there_is_room_again() {
    let mut look = Looker::new();
    let (mut stream, mut other) = pair();
    look.registry().register(&mut stream, Token(1), Interest::WRITABLE).unwrap();
    look.wait(1, "w");
    let data: Vec<u8> = (0..30000000u32).map(|i| (i % 251) as u8).collect();
    let expected = data.clone();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        other.read_to_end(&mut got).unwrap();
        assert!(got == expected);
    });
    let (mut at, mut blocked) = (0, 0);
    while at < data.len() {
        match stream.write(&data[at..]) {
            Ok(count) => at += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                blocked += 1;
                look.wait(1, "w");
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream.shutdown(Shutdown::Write).unwrap();
    reader.join().unwrap();
    println!("would have blocked {blocked} times");
}

#[test]
fn connects() {
    let mut look = Looker::new();
    let listener = std::net::TcpListener::bind(any()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    look.registry().register(&mut stream, Token(1), Interest::READABLE | Interest::WRITABLE).unwrap();
    look.wait(1, "w");
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(stream.peer_addr().unwrap(), address);
    drop(listener);
    let mut refused = TcpStream::connect(address).unwrap();
    look.registry().register(&mut refused, Token(2), Interest::READABLE | Interest::WRITABLE).unwrap();
    look.wait(2, "e");
    assert_eq!(refused.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn ends_and_resets() {
    let mut look = Looker::new();
    let (mut stream, mut other) = pair();
    look.registry().register(&mut stream, Token(1), Interest::READABLE | Interest::WRITABLE).unwrap();
    look.wait(1, "w");
    other.write_all(b"last").unwrap();
    other.shutdown(Shutdown::Write).unwrap();
    look.wait(1, "rR");
    assert_eq!(read_all(&mut stream), b"last");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    stream.write_all(b"still").unwrap();
    let mut got = [0; 5];
    other.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still");

    let (mut stream, other) = pair();
    look.registry().register(&mut stream, Token(2), Interest::READABLE).unwrap();
    let other = mio_linger(other);
    drop(other);
    look.wait(2, "r");
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// With its closing a reset
fn mio_linger(stream: std::net::TcpStream) -> std::net::TcpStream {
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap()
        .block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            stream.set_linger(Some(Duration::from_secs(0))).unwrap();
            stream.into_std().unwrap()
        });
    stream
}

#[test]
fn asked_no_more_and_asked_again() {
    let mut look = Looker::new();
    let (mut stream, mut other) = pair();
    look.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
    assert_eq!(look.now(), []);
    look.registry().deregister(&mut stream).unwrap();
    other.write_all(b"a").unwrap();
    assert_eq!(look.now(), []);
    look.registry().register(&mut stream, Token(2), Interest::READABLE).unwrap();
    look.wait(2, "r");
    assert_eq!(read_all(&mut stream), b"a");
    assert_eq!(look.now(), []);
    look.registry().reregister(&mut stream, Token(3), Interest::WRITABLE).unwrap();
    look.wait(3, "w");
    other.write_all(b"b").unwrap();
    assert_eq!(look.now(), []);
    look.registry().reregister(&mut stream, Token(4), Interest::READABLE).unwrap();
    look.wait(4, "r");
    assert_eq!(read_all(&mut stream), b"b");
}

#[test]
fn changed_while_a_thread_polls() {
    let mut look = Looker::new();
    let registry = look.registry().try_clone().unwrap();
    let waker = look.waker.clone();
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || loop {
        let woken = look.poll();
        for one in look.seen.drain(..) {
            tell.send(one).unwrap();
        }
        if woken {
            return;
        }
    });
    for turn in 0..200 {
        let (mut stream, mut other) = pair();
        registry.register(&mut stream, Token(turn * 10 + 1), Interest::READABLE).unwrap();
        registry.reregister(&mut stream, Token(turn * 10 + 2), Interest::WRITABLE).unwrap();
        loop {
            let (token, what) = told.recv().unwrap();
            assert!(token + 10 > turn * 10, "of one that is long gone: {token} {what}");
            if token == turn * 10 + 2 && what.contains('w') {
                break;
            }
        }
        registry.reregister(&mut stream, Token(turn * 10 + 3), Interest::READABLE).unwrap();
        other.write_all(b"x").unwrap();
        loop {
            let (token, what) = told.recv().unwrap();
            if token == turn * 10 + 3 && what.contains('r') {
                break;
            }
        }
        assert_eq!(read_all(&mut stream), b"x"); // dropped with its poll pending
    }
    waker.wake().unwrap();
    thread.join().unwrap();
}

#[test]
fn many_sockets() {
    const COUNT: usize = 500;
    let mut look = Looker::new();
    let mut pairs: Vec<_> = (0..COUNT).map(|_| pair()).collect();
    for (token, (stream, _)) in pairs.iter_mut().enumerate() {
        look.registry().register(stream, Token(token), Interest::READABLE).unwrap();
    }
    assert_eq!(look.now(), []);
    for turn in 0..4u8 {
        for (_, other) in pairs.iter_mut().skip(turn as usize).step_by(4) {
            other.write_all(&[turn; 100]).unwrap();
        }
        for token in (turn as usize..COUNT).step_by(4) {
            look.wait(token, "r");
            let mut got = [0; 100];
            pairs[token].0.read_exact(&mut got).unwrap();
            assert_eq!(got, [turn; 100]);
            would_block(pairs[token].0.read(&mut got));
        }
        assert_eq!(look.now(), []);
    }
    let open = pairs.split_off(COUNT / 2);
    drop(open); // the others go on
    pairs[0].1.write_all(b"y").unwrap();
    look.wait(0, "r");
    assert_eq!(read_all(&mut pairs[0].0), b"y");
}

#[test]
fn datagrams() {
    let mut look = Looker::new();
    let mut a = UdpSocket::bind(any()).unwrap();
    let b = UdpSocket::bind(any()).unwrap();
    look.registry().register(&mut a, Token(1), Interest::READABLE | Interest::WRITABLE).unwrap();
    look.wait(1, "w");
    let mut buffer = [0; 2000];
    for size in [0, 1, 1472] {
        b.send_to(&vec![size as u8; size], a.local_addr().unwrap()).unwrap();
        look.wait(1, "r");
        let (count, from) = a.recv_from(&mut buffer).unwrap();
        assert_eq!((count, from), (size, b.local_addr().unwrap()));
        would_block(a.recv_from(&mut buffer));
    }
    a.connect(b.local_addr().unwrap()).unwrap();
    drop(b);
    a.send(b"nobody").unwrap();
    look.wait(1, "r");
    assert_eq!(a.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn polls_come_and_go() {
    for _ in 0..50 {
        let mut look = Looker::new();
        let (mut stream, mut other) = pair();
        look.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap();
        assert_eq!(look.now(), []);
        drop(look); // with a poll pending; the socket goes on
        other.write_all(b"z").unwrap();
        let mut got = Vec::new();
        while got.is_empty() {
            got = read_all(&mut stream);
        }
        assert_eq!(got, b"z");
    }
}

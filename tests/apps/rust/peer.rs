// peer try: sockets of tokio and HTTP of hyper in one process: lines "ok TEXT" or "not ok TEXT", "figure NUMBER TEXT", and "end".
// peer serve FILE: an HTTP/1 and HTTP/2 server of FILE's content, which prints its port.
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Client, Request, Response, Server, Version};
use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{oneshot, Semaphore};
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn check(text: &str, right: bool) {
    println!("{}ok {text}", if right { "" } else { "not " });
}

/// A part that checks may end in the middle of
async fn part(name: &str, part: impl Future<Output = Result<()>>) {
    match tokio::time::timeout(Duration::from_secs(100), part).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => check(&format!("{name}: {error}"), false),
        Err(_) => check(&format!("{name}: no end"), false),
    }
}

fn content(seed: u32, size: usize) -> Vec<u8> {
    let mut state = seed;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        })
        .collect()
}

/// Echoes what comes until the other has no more
async fn echo_server(address: &str) -> Result<SocketAddr> {
    let socket = if address.starts_with('[') { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.bind(address.parse()?)?;
    let listener = socket.listen(1024)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Ok(address)
}

async fn echo(address: SocketAddr, data: &[u8]) -> Result<bool> {
    let (mut from, mut to) = TcpStream::connect(address).await?.into_split();
    let sent = data.to_vec();
    let writer = tokio::spawn(async move {
        to.write_all(&sent).await?;
        to.shutdown().await
    });
    let mut got = Vec::new();
    from.read_to_end(&mut got).await?;
    writer.await??;
    Ok(got == data)
}

async fn streams() -> Result<()> {
    let address = echo_server("127.0.0.1:0").await?;
    let data = content(1, 20 << 20);
    let begin = Instant::now();
    check("20 MB echoed", echo(address, &data).await?);
    println!("figure {:.0} MB/s, echo of 20 MB by tokio", 40.0 / begin.elapsed().as_secs_f64());
    check("by IPv6", echo(echo_server("[::1]:0").await?, &data[..1000000]).await?);
    let mut all = JoinSet::new();
    let data = Arc::new(data);
    for n in 0..300usize {
        let data = data.clone();
        all.spawn(async move { echo(address, &data[n * 1000..n * 2000 + 1]).await });
    }
    let mut right = 0;
    while let Some(one) = all.join_next().await {
        right += one?? as usize;
    }
    check("300 connections at once", right == 300);
    Ok(())
}

async fn ends() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let none = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    check("an accept given up", none.is_err());
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut client, (mut server, from)) = (client?, accepted?);
    check("accepted from it", from == client.local_addr()?);
    let mut buffer = [0; 16];
    let none = tokio::time::timeout(Duration::from_millis(100), server.read(&mut buffer)).await;
    check("a read given up", none.is_err());
    client.write_all(b"late").await?;
    let (peeked, read) = (server.peek(&mut buffer).await?, server.read(&mut buffer).await?);
    check("peeked and read", (peeked, read) == (4, 4) && &buffer[..4] == b"late");
    client.shutdown().await?;
    check("the end", server.read(&mut buffer).await? == 0);
    server.write_all(b"still").await?;
    client.read_exact(&mut buffer[..5]).await?;
    check("half closed", &buffer[..5] == b"still");
    client.set_linger(Some(Duration::ZERO))?;
    drop(client);
    let error = loop {
        if let Err(error) = server.write_all(b"gone").await {
            break error.kind();
        }
    };
    check("a reset", error == ErrorKind::ConnectionReset || error == ErrorKind::ConnectionAborted);
    drop(listener);
    let refused = TcpStream::connect(address).await.map(|_| ()).map_err(|error| error.kind());
    check("a refused connection", refused == Err(ErrorKind::ConnectionRefused));
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        tokio::select! {
            _ = listener.accept() => false,
            _ = stopped => true,
        }
    });
    let _ = stop.send(());
    check("a listener dropped while it accepts", task.await?);
    check("and gone", TcpStream::connect(address).await.is_err());
    Ok(())
}

async fn datagrams() -> Result<()> {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let mut buffer = vec![0; 65536];
    let mut right = true;
    for size in [0, 1, 1472, 60000] {
        let data = content(size as u32, size);
        a.send_to(&data, b.local_addr()?).await?;
        let (count, from) = b.recv_from(&mut buffer).await?;
        right &= buffer[..count] == data && from == a.local_addr()?;
    }
    check("datagrams of four sizes", right);
    let (a, b) = (Arc::new(a), Arc::new(b));
    let (a_address, b_address) = (a.local_addr()?, b.local_addr()?);
    let answering = b.clone();
    let task = tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((count, from)) = answering.recv_from(&mut buffer).await {
            let _ = answering.send_to(&buffer[..count], from).await;
        }
    });
    let mut answers = 0;
    for n in 0..5000u32 {
        a.send_to(&n.to_le_bytes(), b_address).await?;
        let (count, from) = a.recv_from(&mut buffer).await?;
        answers += (buffer[..count] == n.to_le_bytes() && from == b_address) as u32;
    }
    check("5000 answers", answers == 5000);
    task.abort();
    let _ = task.await;
    drop(b);
    a.connect(b_address).await?;
    a.send(b"nobody").await?;
    let error = a.recv(&mut buffer).await.map_err(|error| error.kind());
    check("nobody there", error == Err(ErrorKind::ConnectionReset) && a.local_addr()? == a_address);
    Ok(())
}

/// Answers "/" with the content and "/echo" with what it is sent
fn http(content: Vec<u8>) -> Result<SocketAddr> {
    let content = hyper::body::Bytes::from(content);
    let service = make_service_fn(move |_| {
        let content = content.clone();
        async move {
            Ok::<_, Infallible>(service_fn(move |request: Request<Body>| {
                let content = content.clone();
                async move {
                    Ok::<_, Infallible>(match request.uri().path() {
                        "/echo" => Response::new(request.into_body()),
                        _ => Response::new(Body::from(content)),
                    })
                }
            }))
        }
    });
    let server = Server::try_bind(&"127.0.0.1:0".parse()?)?.serve(service);
    let address = server.local_addr();
    tokio::spawn(server);
    Ok(address)
}

async fn requests() -> Result<()> {
    let page = content(5, 100000);
    let address = http(page.clone())?;
    for (name, two) in [("HTTP/1", false), ("HTTP/2", true)] {
        let client = Client::builder().http2_only(two).build_http::<Body>();
        let answer = client.get(format!("http://{address}/").parse()?).await?;
        let version = if two { Version::HTTP_2 } else { Version::HTTP_11 };
        let right = answer.version() == version && hyper::body::to_bytes(answer.into_body()).await? == page;
        check(&format!("{name}: a page"), right);
        let data = content(6, 3000000);
        let request = Request::post(format!("http://{address}/echo")).body(Body::from(data.clone()))?;
        let got = hyper::body::to_bytes(client.request(request).await?.into_body()).await?;
        check(&format!("{name}: 3 MB there and back"), got == data);
        let places = Arc::new(Semaphore::new(32));
        let begin = Instant::now();
        let mut all = JoinSet::new();
        for _ in 0..1000 {
            let (client, places, uri) = (client.clone(), places.clone(), format!("http://{address}/").parse()?);
            let size = page.len();
            all.spawn(async move {
                let _place = places.acquire().await?;
                let body = hyper::body::to_bytes(client.get(uri).await?.into_body()).await?;
                Result::Ok(body.len() == size)
            });
        }
        let mut right = 0;
        while let Some(one) = all.join_next().await {
            right += one?? as usize;
        }
        check(&format!("{name}: 1000 requests, 32 at a time"), right == 1000);
        println!("figure {:.0} requests of 100 KB per second, {name} of hyper to itself", 1000.0 / begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Runtimes of one thread that end with sockets open and reads pending
fn runtimes() -> Result<()> {
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = runtime.block_on(echo_server("127.0.0.1:0"))?;
        let mut stream = runtime.block_on(TcpStream::connect(address))?;
        runtime.block_on(async {
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0]).await
        })?;
        runtime.spawn(async move { stream.read(&mut [0]).await });
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    if arguments[1] == "serve" {
        let content = std::fs::read(&arguments[2])?;
        return runtime.block_on(async {
            println!("port {}", http(content)?.port());
            std::future::pending().await
        });
    }
    runtime.block_on(async {
        part("streams", streams()).await;
        part("ends", ends()).await;
        part("datagrams", datagrams()).await;
        part("requests", requests()).await;
    });
    drop(runtime);
    check("20 runtimes", runtimes().is_ok());
    println!("end");
    Ok(())
}

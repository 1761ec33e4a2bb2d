// Sockets of the JDK for Windows in all its ways: java.net (blocking calls with time-outs by select), selectors (select and
// a pair of connected sockets that wakes it), NIO.2 (completion port, AcceptEx, ConnectEx), datagrams and groups.
// Prints a line "ok TEXT" or "not ok TEXT" a check, "figure NUMBER TEXT", and "end". "serve PATH": an HTTP server of PATH's
// content on NIO.2, which prints its port.
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;

public class Sockets {
    interface Part { void run() throws Exception; }

    static final InetAddress local = InetAddress.getLoopbackAddress();

    static void check(String text, boolean right) {
        System.out.println((right ? "ok " : "not ok ") + text);
        System.out.flush();
    }

    static void equal(String text, Object got, Object expected) {
        check(Objects.equals(got, expected) ? text : text + ": " + got + ", not " + expected, Objects.equals(got, expected));
    }

    static void part(String name, Part part) {
        try {
            part.run();
        } catch (Throwable error) {
            check(name + ": " + error, false);
            error.printStackTrace();
        }
    }

    /** The class of what it throws, or "nothing". */
    static String thrown(Part part) {
        try {
            part.run();
            return "nothing";
        } catch (Throwable error) {
            if (error instanceof ExecutionException) error = error.getCause();
            return error.getClass().getSimpleName();
        }
    }

    static byte[] pattern(int size, int seed) {
        byte[] data = new byte[size];
        new Random(seed).nextBytes(data);
        return data;
    }

    static Thread start(Part part) {
        Thread thread = new Thread(() -> part("a thread", part));
        thread.start();
        return thread;
    }

    static void streams() throws Exception {
        byte[] data = pattern(20 << 20, 1);
        try (ServerSocket server = new ServerSocket(0, 50, local)) {
            Thread echo = start(() -> {
                try (Socket socket = server.accept()) {
                    socket.getInputStream().transferTo(socket.getOutputStream());
                    socket.shutdownOutput();
                }
            });
            long begin = System.nanoTime();
            byte[] got;
            try (Socket socket = new Socket(local, server.getLocalPort())) {
                Thread writer = start(() -> {
                    socket.getOutputStream().write(data);
                    socket.shutdownOutput();
                });
                got = socket.getInputStream().readAllBytes();
                writer.join();
            }
            echo.join();
            check("20 MB echoed", Arrays.equals(got, data));
            System.out.println("figure " + 40000L * 1000000 / (System.nanoTime() - begin) + " JDK: MB/s, echo of 20 MB, java.net");

            server.setSoTimeout(200);
            equal("accept ends by its time-out", thrown(server::accept), "SocketTimeoutException");
            server.setSoTimeout(0);
            try (Socket socket = new Socket(local, server.getLocalPort()); Socket accepted = server.accept()) {
                socket.setSoTimeout(200);
                equal("a read ends by its time-out", thrown(() -> socket.getInputStream().read()), "SocketTimeoutException");
                accepted.getOutputStream().write(7);
                equal("and the next one reads", socket.getInputStream().read(), 7);
                socket.setSoTimeout(0);
                CompletableFuture<String> end = new CompletableFuture<>();
                start(() -> end.complete(thrown(() -> socket.getInputStream().read())));
                Thread.sleep(200);
                socket.close();
                equal("a blocked read ends when its socket is closed", end.get(20, TimeUnit.SECONDS), "SocketException");
                equal("the other end reads the end", accepted.getInputStream().read(), -1);
            }
            try (Socket socket = new Socket(local, server.getLocalPort()); Socket accepted = server.accept()) {
                accepted.setSoLinger(true, 0);
                accepted.close();
                equal("a reset is told", thrown(() -> { if (socket.getInputStream().read() < 0) throw new EOFException(); }), "SocketException");
            }
            try (Socket socket = new Socket(local, server.getLocalPort()); Socket accepted = server.accept()) {
                socket.setTcpNoDelay(true);
                socket.setKeepAlive(true);
                socket.setTrafficClass(8);
                socket.setOOBInline(true);
                check("options read back", socket.getTcpNoDelay() && socket.getKeepAlive() && socket.getOOBInline() && !accepted.getKeepAlive());
                accepted.setOOBInline(true);
                socket.sendUrgentData('!');
                equal("urgent data in line", accepted.getInputStream().read(), (int) '!');
            }
            CompletableFuture<String> end = new CompletableFuture<>();
            start(() -> end.complete(thrown(server::accept)));
            Thread.sleep(200);
            int port = server.getLocalPort();
            server.close();
            equal("a blocked accept ends when its socket is closed", end.get(20, TimeUnit.SECONDS), "SocketException");
            equal("nobody listens", thrown(() -> new Socket(local, port).close()), "ConnectException");
        }
        equal("a connect with a time, refused", thrown(() -> {
            try (ServerSocket taken = new ServerSocket(0, 1, local); Socket socket = new Socket()) {
                int port = taken.getLocalPort();
                taken.close();
                socket.connect(new InetSocketAddress(local, port), 30000);
            }
        }), "ConnectException");
        try (ServerSocket first = new ServerSocket(0, 1, local)) {
            equal("a port that is taken", thrown(() -> new ServerSocket(first.getLocalPort(), 1, local).close()), "BindException");
        }
        check("localhost has an address of the loopback", InetAddress.getByName("localhost").isLoopbackAddress());
        check("the loopback is an interface's", NetworkInterface.getByInetAddress(InetAddress.getByName("127.0.0.1")) != null);
        equal("a name that is not", thrown(() -> InetAddress.getByName("nothing.invalid")), "UnknownHostException");
    }

    /** A selector echoes 200 connections; each has sent 10000 bytes and read them again at the end. */
    static void selectors() throws Exception {
        int connections = 200, size = 10000;
        Selector selector = Selector.open();
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(local, 0), 300);
        server.configureBlocking(false);
        server.register(selector, SelectionKey.OP_ACCEPT);
        equal("select ends by its time", selector.select(100), 0);
        CompletableFuture<Integer> woken = new CompletableFuture<>();
        Thread sleeper = start(() -> woken.complete(selector.select()));
        Thread.sleep(100);
        selector.wakeup();
        equal("select is woken", woken.get(20, TimeUnit.SECONDS), 0);
        sleeper.join();

        InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
        List<Integer> right = Collections.synchronizedList(new ArrayList<>());
        ByteBuffer[] sent = new ByteBuffer[connections], got = new ByteBuffer[connections];
        for (int i = 0; i < connections; i++) {
            SocketChannel channel = SocketChannel.open();
            channel.configureBlocking(false);
            sent[i] = ByteBuffer.wrap(pattern(size, i));
            got[i] = ByteBuffer.allocate(size);
            if (channel.connect(address)) channel.register(selector, SelectionKey.OP_WRITE, i);
            else channel.register(selector, SelectionKey.OP_CONNECT, i);
        }
        long limit = System.nanoTime() + 60_000_000_000L;
        while (right.size() < connections && System.nanoTime() < limit) {
            selector.select(1000);
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext();) {
                SelectionKey key = keys.next();
                keys.remove();
                if (key.isAcceptable()) {
                    SocketChannel accepted = server.accept();
                    if (accepted == null) continue;
                    accepted.configureBlocking(false);
                    accepted.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(4096));
                } else if (key.attachment() instanceof ByteBuffer) {
                    ByteBuffer buffer = (ByteBuffer) key.attachment();
                    SocketChannel channel = (SocketChannel) key.channel();
                    if (key.isReadable() && channel.read(buffer) < 0) { channel.close(); continue; }
                    buffer.flip();
                    channel.write(buffer);
                    buffer.compact();
                    key.interestOps((buffer.hasRemaining() ? SelectionKey.OP_READ : 0) | (buffer.position() > 0 ? SelectionKey.OP_WRITE : 0));
                } else {
                    int i = (Integer) key.attachment();
                    SocketChannel channel = (SocketChannel) key.channel();
                    if (key.isConnectable() && channel.finishConnect()) key.interestOps(SelectionKey.OP_WRITE);
                    if (key.isValid() && key.isWritable()) {
                        channel.write(sent[i]);
                        key.interestOps(SelectionKey.OP_READ | (sent[i].hasRemaining() ? SelectionKey.OP_WRITE : 0));
                    }
                    if (key.isValid() && key.isReadable()) {
                        channel.read(got[i]);
                        if (!got[i].hasRemaining()) {
                            if (Arrays.equals(got[i].array(), sent[i].array())) right.add(i);
                            channel.close();
                        }
                    }
                }
            }
        }
        equal("200 connections of one selector", right.size(), connections);
        for (SelectionKey key : selector.keys()) key.channel().close();
        selector.close();
        equal("a connect without blocking, refused", thrown(() -> {
            try (Selector one = Selector.open(); SocketChannel channel = SocketChannel.open()) {
                channel.configureBlocking(false);
                channel.connect(address);
                channel.register(one, SelectionKey.OP_CONNECT);
                one.select(30000);
                channel.finishConnect();
            }
        }), "ConnectException");
        try (ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress(local, 0));
                SocketChannel a = SocketChannel.open(listener.getLocalAddress()); SocketChannel b = listener.accept()) {
            CompletableFuture<String> end = new CompletableFuture<>();
            Thread reader = start(() -> end.complete(thrown(() -> a.read(ByteBuffer.allocate(1)))));
            Thread.sleep(200);
            reader.interrupt();
            equal("a blocked read is interrupted", end.get(20, TimeUnit.SECONDS), "ClosedByInterruptException");
            equal("which closes it", b.read(ByteBuffer.allocate(1)), -1);
        }
        Path file = Files.createTempFile("jdk", null);
        byte[] data = pattern(3_000_000, 9);
        Files.write(file, data);
        try (ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress(local, 0));
                SocketChannel a = SocketChannel.open(listener.getLocalAddress()); SocketChannel b = listener.accept();
                FileChannel source = FileChannel.open(file)) {
            Thread writer = start(() -> {
                for (long at = 0; at < data.length;) at += source.transferTo(at, data.length - at, a);
                a.shutdownOutput();
            });
            check("a file sent by transferTo", Arrays.equals(b.socket().getInputStream().readAllBytes(), data));
            writer.join();
        }
        Files.delete(file);
    }

    static void channels() throws Exception {
        byte[] data = pattern(8 << 20, 2);
        try (AsynchronousServerSocketChannel server = AsynchronousServerSocketChannel.open().bind(new InetSocketAddress(local, 0));
                AsynchronousSocketChannel client = AsynchronousSocketChannel.open()) {
            Future<AsynchronousSocketChannel> accepted = server.accept();
            client.connect(server.getLocalAddress()).get(20, TimeUnit.SECONDS);
            AsynchronousSocketChannel peer = accepted.get(20, TimeUnit.SECONDS);
            // the JDK for Windows keeps the address that it bound before it connected
            equal("the acceptor's peer", ((InetSocketAddress) peer.getRemoteAddress()).getPort(), ((InetSocketAddress) client.getLocalAddress()).getPort());
            Thread writer = start(() -> {
                ByteBuffer buffer = ByteBuffer.wrap(data);
                while (buffer.hasRemaining()) client.write(buffer).get();
                client.shutdownOutput();
            });
            ByteArrayOutputStream got = new ByteArrayOutputStream();
            ByteBuffer buffer = ByteBuffer.allocate(65536);
            while (peer.read(buffer).get(20, TimeUnit.SECONDS) >= 0) {
                got.write(buffer.array(), 0, buffer.position());
                buffer.clear();
            }
            writer.join();
            check("8 MB by asynchronous channels", Arrays.equals(got.toByteArray(), data));
            CompletableFuture<String> late = new CompletableFuture<>();
            client.read(ByteBuffer.allocate(1), 300, TimeUnit.MILLISECONDS, null, new CompletionHandler<Integer, Void>() {
                public void completed(Integer count, Void none) { late.complete("read " + count); }
                public void failed(Throwable error, Void none) { late.complete(error.getClass().getSimpleName()); }
            });
            equal("a read ends by its time", late.get(20, TimeUnit.SECONDS), "InterruptedByTimeoutException");
            ByteBuffer[] parts = { ByteBuffer.wrap(pattern(1000, 3)), ByteBuffer.wrap(pattern(2000, 4)) };
            CompletableFuture<String> gone = new CompletableFuture<>();
            CompletableFuture<Long> gathered = new CompletableFuture<>();
            peer.write(parts, 0, 2, 10, TimeUnit.SECONDS, null, new CompletionHandler<Long, Void>() {
                public void completed(Long count, Void none) { gathered.complete(count); }
                public void failed(Throwable error, Void none) { gathered.completeExceptionally(error); }
            });
            equal("a gathering write", gathered.get(20, TimeUnit.SECONDS), 3000L);
            Future<AsynchronousSocketChannel> second = server.accept();
            AsynchronousSocketChannel other = AsynchronousSocketChannel.open();
            other.connect(server.getLocalAddress()).get(20, TimeUnit.SECONDS);
            other.read(ByteBuffer.allocate(1), null, new CompletionHandler<Integer, Void>() {
                public void completed(Integer count, Void none) { gone.complete("read " + count); }
                public void failed(Throwable error, Void none) { gone.complete(error.getClass().getSimpleName()); }
            });
            other.close();
            equal("a pending read ends when its channel is closed", gone.get(20, TimeUnit.SECONDS), "AsynchronousCloseException");
            try (AsynchronousSocketChannel end = second.get(20, TimeUnit.SECONDS)) {
                equal("and the other end reads the end", end.read(ByteBuffer.allocate(1)).get(20, TimeUnit.SECONDS), -1);
            }
            peer.close();
            Future<AsynchronousSocketChannel> never = server.accept();
            server.close();
            equal("a pending accept ends when its channel is closed", thrown(() -> never.get(20, TimeUnit.SECONDS)), "AsynchronousCloseException");
        }
        // 300 connections at once, an accept pending after each
        AtomicInteger right = new AtomicInteger();
        CountDownLatch left = new CountDownLatch(300);
        AsynchronousServerSocketChannel server = AsynchronousServerSocketChannel.open().bind(new InetSocketAddress(local, 0), 400);
        serve(server, "hello".getBytes(StandardCharsets.US_ASCII));
        SocketAddress address = server.getLocalAddress();
        for (int i = 0; i < 300; i++) {
            AsynchronousSocketChannel channel = AsynchronousSocketChannel.open();
            channel.connect(address, null, new CompletionHandler<Void, Void>() {
                public void completed(Void nothing, Void none) {
                    ByteBuffer answer = ByteBuffer.allocate(1000);
                    channel.write(ByteBuffer.wrap("GET / HTTP/1.1\r\nConnection: close\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
                    channel.read(answer, null, new CompletionHandler<Integer, Void>() {
                        public void completed(Integer count, Void none) {
                            if (count >= 0) { channel.read(answer, null, this); return; }
                            if (new String(answer.array(), 0, answer.position(), StandardCharsets.US_ASCII).endsWith("\r\n\r\nhello")) right.incrementAndGet();
                            failed(null, null);
                        }
                        public void failed(Throwable error, Void none) {
                            try { channel.close(); } catch (IOException ignored) { }
                            left.countDown();
                        }
                    });
                }
                public void failed(Throwable error, Void none) { left.countDown(); }
            });
        }
        left.await(60, TimeUnit.SECONDS);
        equal("300 connections at once", right.get(), 300);
        server.close();
    }

    static void datagrams() throws Exception {
        try (DatagramSocket a = new DatagramSocket(0, local); DatagramSocket b = new DatagramSocket(0, local)) {
            for (int size : new int[] { 0, 1, 1472, 60000 }) {
                byte[] data = pattern(size, size);
                a.send(new DatagramPacket(data, size, local, b.getLocalPort()));
                DatagramPacket packet = new DatagramPacket(new byte[65536], 65536);
                b.setSoTimeout(20000);
                b.receive(packet);
                check("a datagram of " + size, Arrays.equals(Arrays.copyOf(packet.getData(), packet.getLength()), data) && packet.getPort() == a.getLocalPort());
            }
            b.setSoTimeout(100);
            equal("receive ends by its time", thrown(() -> b.receive(new DatagramPacket(new byte[1], 1))), "SocketTimeoutException");
            int port = b.getLocalPort();
            b.close();
            a.connect(local, port);
            a.setSoTimeout(20000);
            a.send(new DatagramPacket(new byte[1], 1));
            equal("nobody there, told to who is connected", thrown(() -> a.receive(new DatagramPacket(new byte[1], 1))), "PortUnreachableException");
        }
        NetworkInterface loopback = NetworkInterface.getByInetAddress(InetAddress.getByName("127.0.0.1"));
        InetAddress group = InetAddress.getByName("239.77.12.9");
        try (DatagramChannel receiver = DatagramChannel.open(StandardProtocolFamily.INET); DatagramChannel sender = DatagramChannel.open(StandardProtocolFamily.INET)) {
            receiver.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            receiver.bind(new InetSocketAddress("0.0.0.0", 0));
            int port = ((InetSocketAddress) receiver.getLocalAddress()).getPort();
            MembershipKey key = receiver.join(group, loopback);
            sender.setOption(StandardSocketOptions.IP_MULTICAST_IF, loopback);
            sender.setOption(StandardSocketOptions.IP_MULTICAST_LOOP, true);
            sender.bind(new InetSocketAddress("127.0.0.1", 0));
            receiver.configureBlocking(false);
            Selector selector = Selector.open();
            receiver.register(selector, SelectionKey.OP_READ);
            sender.send(ByteBuffer.wrap(pattern(100, 5)), new InetSocketAddress(group, port));
            ByteBuffer got = ByteBuffer.allocate(200);
            if (selector.select(20000) == 1) receiver.receive(got);
            check("a datagram of a group", Arrays.equals(Arrays.copyOf(got.array(), got.position()), pattern(100, 5)));
            selector.selectedKeys().clear();
            key.drop();
            sender.send(ByteBuffer.wrap(pattern(100, 5)), new InetSocketAddress(group, port));
            equal("none after the group was left", selector.select(300), 0);
        }
    }

    /** Answers requests that have no body, one after another, until the connection ends. */
    static void serve(AsynchronousServerSocketChannel server, byte[] content) {
        byte[] head = ("HTTP/1.1 200 OK\r\nContent-Length: " + content.length + "\r\n").getBytes(StandardCharsets.US_ASCII);
        server.accept(null, new CompletionHandler<AsynchronousSocketChannel, Void>() {
            public void completed(AsynchronousSocketChannel channel, Void none) {
                server.accept(null, this);
                new Connection(channel, head, content).read();
            }
            public void failed(Throwable error, Void none) { }
        });
    }

    static class Connection implements CompletionHandler<Integer, Boolean> {
        final AsynchronousSocketChannel channel;
        final byte[] head, content;
        final ByteBuffer request = ByteBuffer.allocate(8192);
        ByteBuffer answer;
        boolean last;

        Connection(AsynchronousSocketChannel channel, byte[] head, byte[] content) {
            this.channel = channel;
            this.head = head;
            this.content = content;
        }

        void read() { channel.read(request, false, this); }

        public void completed(Integer count, Boolean writing) {
            if (count < 0) { failed(null, null); return; }
            if (!writing) {
                String text = new String(request.array(), 0, request.position(), StandardCharsets.ISO_8859_1);
                if (!text.endsWith("\r\n\r\n")) { read(); return; }
                request.clear();
                last = text.contains("Connection: close");
                answer = ByteBuffer.allocate(head.length + content.length + 30).put(head)
                    .put((last ? "Connection: close\r\n\r\n" : "\r\n").getBytes(StandardCharsets.US_ASCII)).put(content).flip();
            }
            if (answer.hasRemaining()) channel.write(answer, true, this);
            else if (last) failed(null, null);
            else read();
        }

        public void failed(Throwable error, Boolean writing) {
            try { channel.close(); } catch (IOException ignored) { }
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("serve")) {
            AsynchronousServerSocketChannel server = AsynchronousServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0), 500);
            serve(server, Files.readAllBytes(Paths.get(arguments[1])));
            System.out.println("port " + ((InetSocketAddress) server.getLocalAddress()).getPort());
            System.out.flush();
            Thread.currentThread().join();
        }
        part("streams", Sockets::streams);
        part("selectors", Sockets::selectors);
        part("channels", Sockets::channels);
        part("datagrams", Sockets::datagrams);
        System.out.println("end");
        System.exit(0);
    }
}

// Sockets of .NET in all its ways: blocking calls, tasks on the completion port (AcceptEx, ConnectEx, DisconnectEx), Select and
// Poll, datagrams, groups, AF_UNIX; Kestrel and HttpClient.
// Prints a line "ok TEXT" or "not ok TEXT" a check, "figure NUMBER TEXT", and "end". "serve FILE": Kestrel with FILE's content,
// which prints its port.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

static class Program
{
    static readonly IPEndPoint Any = new IPEndPoint(IPAddress.Loopback, 0);

    static void Check(string text, bool right)
    {
        Console.WriteLine((right ? "ok " : "not ok ") + text);
        Console.Out.Flush();
    }

    static void Equal(string text, object got, object expected)
    {
        Check(Equals(got, expected) ? text : text + ": " + got + ", not " + expected, Equals(got, expected));
    }

    static async Task Part(string name, Func<Task> part)
    {
        try
        {
            var task = Task.Run(part);
            if (await Task.WhenAny(task, Task.Delay(60000)) != task) throw new TimeoutException();
            await task;
        }
        catch (Exception error)
        {
            Check(name + ": " + error.GetType().Name + " " + error.Message, false);
            Console.Error.WriteLine(error);
        }
    }

    // the error of what it throws, as text, or "nothing"
    static async Task<string> Thrown(Func<Task> part)
    {
        try
        {
            await part();
            return "nothing";
        }
        catch (SocketException error) { return error.SocketErrorCode.ToString(); }
        catch (IOException error) when (error.InnerException is SocketException inner) { return inner.SocketErrorCode.ToString(); }
        catch (Exception error) { return error.GetType().Name; }
    }

    static byte[] Pattern(int size, int seed)
    {
        var data = new byte[size];
        new Random(seed).NextBytes(data);
        return data;
    }

    static Socket Tcp() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    static Socket Udp() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    static Socket Listen(int backlog = 100)
    {
        var socket = Tcp();
        socket.Bind(Any);
        socket.Listen(backlog);
        return socket;
    }

    static async Task<(Socket, Socket)> Pair()
    {
        using var listener = Listen();
        var client = Tcp();
        var accepted = listener.AcceptAsync();
        await client.ConnectAsync(listener.LocalEndPoint);
        return (client, await accepted);
    }

    static async Task<byte[]> ReadAll(Socket socket)
    {
        var all = new MemoryStream();
        var buffer = new byte[65536];
        for (int count; (count = await socket.ReceiveAsync(buffer, SocketFlags.None)) > 0;) all.Write(buffer, 0, count);
        return all.ToArray();
    }

    static async Task Blocking()
    {
        using var listener = Listen();
        var data = Pattern(20 << 20, 1);
        var echo = Task.Run(() =>
        {
            using var accepted = listener.Accept();
            var buffer = new byte[65536];
            for (int count; (count = accepted.Receive(buffer)) > 0;) accepted.Send(buffer, count, SocketFlags.None);
            accepted.Shutdown(SocketShutdown.Send);
        });
        var watch = Stopwatch.StartNew();
        using var client = Tcp();
        client.Connect(listener.LocalEndPoint);
        var writer = Task.Run(() =>
        {
            client.Send(data);
            client.Shutdown(SocketShutdown.Send);
        });
        var got = new byte[data.Length + 1];
        var size = 0;
        for (int count; (count = client.Receive(got, size, got.Length - size, SocketFlags.None)) > 0;) size += count;
        await writer;
        await echo;
        Check("20 MB echoed", size == data.Length && data.AsSpan().SequenceEqual(got.AsSpan(0, size)));
        Console.WriteLine("figure " + 40000 / Math.Max(watch.ElapsedMilliseconds, 1) + " .NET: MB/s, echo of 20 MB, blocking");

        var (a, b) = await Pair();
        a.ReceiveTimeout = 200;
        Equal("a receive ends by its time-out", await Thrown(() => { a.Receive(new byte[1]); return Task.CompletedTask; }), "TimedOut");
        a.Dispose(); b.Dispose();
        (a, b) = await Pair();
        a.Blocking = false;
        Equal("nothing to receive", await Thrown(() => { a.Receive(new byte[1]); return Task.CompletedTask; }), "WouldBlock");
        Check("Poll: can be written, not read", a.Poll(0, SelectMode.SelectWrite) && !a.Poll(100000, SelectMode.SelectRead));
        b.Send(new byte[] { 1, 2, 3 });
        var reading = new List<Socket> { a, b };
        Socket.Select(reading, null, null, 20000000);
        Check("Select: one of two", reading.Count == 1 && reading[0] == a);
        Equal("Available", a.Available, 3);
        Equal("peeked", a.Receive(new byte[10], SocketFlags.Peek), 3);
        a.LingerState = new LingerOption(true, 0);
        a.Dispose();
        Equal("a reset is told", await Thrown(() => b.ReceiveAsync(new byte[1], SocketFlags.None)), "ConnectionReset");
        b.Dispose();
        (a, b) = await Pair();
        var blocked = Thrown(() => Task.Run(() => a.Receive(new byte[1])));
        await Task.Delay(300);
        a.Dispose();
        Check("a blocked receive ends when its socket is closed", new[] { "Interrupted", "OperationAborted", "ConnectionAborted" }.Contains(await blocked));
        b.Dispose();
        a = Listen();
        var port = a.LocalEndPoint;
        a.Dispose();
        Equal("nobody listens", await Thrown(() => { using var c = Tcp(); c.Connect(port); return Task.CompletedTask; }), "ConnectionRefused");
        Equal("nor for tasks", await Thrown(async () => { using var c = Tcp(); await c.ConnectAsync(port); }), "ConnectionRefused");
        Equal("a port that is taken", await Thrown(() => { using var c = Tcp(); c.Bind(listener.LocalEndPoint); return Task.CompletedTask; }), "AddressAlreadyInUse");
        Check("localhost", (await Dns.GetHostAddressesAsync("localhost")).Any(IPAddress.IsLoopback));
        Equal("a name that is not", await Thrown(() => Dns.GetHostAddressesAsync("nothing.invalid")), "HostNotFound");
    }

    static async Task Tasks()
    {
        using var listener = Listen(400);
        var data = Pattern(8 << 20, 2);
        var (a, b) = await Pair();
        var writer = Task.Run(async () =>
        {
            for (var sent = 0; sent < data.Length;) sent += await a.SendAsync(data.AsMemory(sent), SocketFlags.None);
            a.Shutdown(SocketShutdown.Send);
        });
        Check("8 MB by tasks", (await ReadAll(b)).AsSpan().SequenceEqual(data));
        await writer;
        a.Dispose(); b.Dispose();
        (a, b) = await Pair();
        var parts = new List<ArraySegment<byte>> { new ArraySegment<byte>(Pattern(1000, 3)), new ArraySegment<byte>(Pattern(2000, 4)) };
        Equal("a gathering send", await a.SendAsync(parts, SocketFlags.None), 3000);
        var into = new List<ArraySegment<byte>> { new ArraySegment<byte>(new byte[500]), new ArraySegment<byte>(new byte[2500]) };
        Equal("a scattering receive", await b.ReceiveAsync(into, SocketFlags.None), 3000);
        Check("with the same bytes", into[0].Concat(into[1]).SequenceEqual(parts[0].Concat(parts[1])));
        using (var cancel = new CancellationTokenSource(200))
            Equal("a pending receive is cancelled", await Thrown(async () => await b.ReceiveAsync(new byte[1].AsMemory(), SocketFlags.None, cancel.Token)), "OperationCanceledException");
        a.Send(new byte[] { 9 });
        Equal("and the socket receives after it", await b.ReceiveAsync(new byte[1], SocketFlags.None), 1);
        var pending = Thrown(() => b.ReceiveAsync(new byte[1], SocketFlags.None));
        await Task.Delay(100);
        b.Dispose();
        Check("a pending receive ends when its socket is closed", new[] { "OperationAborted", "ObjectDisposedException" }.Contains(await pending));
        a.Dispose();

        var accepting = Thrown(() => listener.AcceptAsync());
        await Task.Delay(100);
        var address = listener.LocalEndPoint;
        listener.Dispose();
        Check("a pending accept ends when its socket is closed", new[] { "OperationAborted", "ObjectDisposedException" }.Contains(await accepting));

        using var again = Listen(400);
        var server = Task.Run(async () =>
        {
            for (var i = 0; i < 300; i++)
            {
                var accepted = await again.AcceptAsync();
                _ = Task.Run(async () =>
                {
                    using (accepted)
                    {
                        var buffer = new byte[4096];
                        for (int count; (count = await accepted.ReceiveAsync(buffer, SocketFlags.None)) > 0;)
                            await accepted.SendAsync(buffer.AsMemory(0, count), SocketFlags.None);
                    }
                });
            }
        });
        var right = await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
        {
            using var socket = Tcp();
            await socket.ConnectAsync(again.LocalEndPoint);
            var sent = Pattern(3000 + i, i);
            await socket.SendAsync(sent, SocketFlags.None);
            socket.Shutdown(SocketShutdown.Send);
            return (await ReadAll(socket)).AsSpan().SequenceEqual(sent);
        }));
        Equal("300 connections at once", right.Count(one => one), 300);
        await server;

        // DisconnectEx with reuse, then ConnectEx on the same socket
        using var reused = Tcp();
        await reused.ConnectAsync(again.LocalEndPoint);
        using var first = await again.AcceptAsync();
        reused.Disconnect(true);
        Equal("disconnected", await first.ReceiveAsync(new byte[1], SocketFlags.None), 0);
        first.Dispose();
        await reused.ConnectAsync(again.LocalEndPoint);
        using var second = await again.AcceptAsync();
        second.Send(new byte[] { 5 });
        var one = new byte[1];
        Equal("connected again after Disconnect(true)", await reused.ReceiveAsync(one, SocketFlags.None) * 10 + one[0], 15);

        var file = Path.GetTempFileName();
        File.WriteAllBytes(file, data);
        (a, b) = await Pair();
        var sending = Task.Run(() => { a.SendFile(file); a.Shutdown(SocketShutdown.Send); });
        Check("SendFile", (await ReadAll(b)).AsSpan().SequenceEqual(data));
        await sending;
        a.Dispose(); b.Dispose();
        File.Delete(file);
    }

    static async Task Datagrams()
    {
        using var a = Udp();
        var b = Udp();
        a.Bind(Any);
        b.Bind(Any);
        var buffer = new byte[65536];
        foreach (var size in new[] { 0, 1, 1472, 60000 })
        {
            var data = Pattern(size, size);
            a.SendTo(data, b.LocalEndPoint);
            var got = await b.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
            Check("a datagram of " + size, got.RemoteEndPoint.Equals(a.LocalEndPoint) && data.AsSpan().SequenceEqual(buffer.AsSpan(0, got.ReceivedBytes)));
        }
        a.SendTo(Pattern(100, 1), b.LocalEndPoint);
        var message = await b.ReceiveMessageFromAsync(new byte[200], SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
        Check("with the address it was sent to", message.ReceivedBytes == 100 && message.PacketInformation.Address.Equals(IPAddress.Loopback));
        a.SendTo(Pattern(100, 1), b.LocalEndPoint);
        Equal("one that does not fit", await Thrown(() => b.ReceiveFromAsync(new byte[50], SocketFlags.None, new IPEndPoint(IPAddress.Any, 0))), "MessageSize");
        var nobody = b.LocalEndPoint;
        b.Dispose();
        a.SendTo(new byte[1], nobody);
        Equal("nobody there", await Thrown(() => a.ReceiveFromAsync(new byte[1], SocketFlags.None, new IPEndPoint(IPAddress.Any, 0))), "ConnectionReset");
        using var group = Udp();
        group.Bind(new IPEndPoint(IPAddress.Any, 0));
        var multicast = IPAddress.Parse("239.77.12.10");
        group.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(multicast, IPAddress.Loopback));
        a.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, IPAddress.Loopback.GetAddressBytes());
        a.SendTo(Pattern(77, 1), new IPEndPoint(multicast, ((IPEndPoint)group.LocalEndPoint).Port));
        var member = await group.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
        Equal("a datagram of a group", member.ReceivedBytes, 77);
    }

    static async Task Local()
    {
        var path = Path.Combine(Path.GetTempPath(), "dotnet-" + Process.GetCurrentProcess().Id);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(5);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var accepted = listener.AcceptAsync();
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        using var peer = await accepted;
        var data = Pattern(1 << 20, 8);
        var writer = Task.Run(() => { client.Send(data); client.Shutdown(SocketShutdown.Send); });
        Check("1 MB by AF_UNIX", (await ReadAll(peer)).AsSpan().SequenceEqual(data));
        await writer;
        File.Delete(path);
    }

    static IHost Kestrel(byte[] content)
    {
        return Host.CreateDefaultBuilder().ConfigureLogging(log => log.ClearProviders()).ConfigureWebHostDefaults(web => web
            .UseKestrel(options => { options.Listen(IPAddress.Loopback, 0); options.Limits.MaxRequestBodySize = null; })
            .Configure(app => app.Run(async context =>
            {
                if (context.Request.Method == "POST") await context.Request.Body.CopyToAsync(context.Response.Body);
                else
                {
                    context.Response.ContentLength = content.Length;
                    await context.Response.Body.WriteAsync(content);
                }
            }))).Build();
    }

    static string Address(IHost host) =>
        ((Microsoft.AspNetCore.Hosting.Server.IServer)host.Services.GetService(typeof(Microsoft.AspNetCore.Hosting.Server.IServer)))
            .Features.Get<IServerAddressesFeature>().Addresses.First();

    static async Task Web()
    {
        var page = Pattern(50000, 7);
        using var host = Kestrel(page);
        await host.StartAsync();
        using var client = new HttpClient();
        Check("a page by HttpClient", (await client.GetByteArrayAsync(Address(host))).AsSpan().SequenceEqual(page));
        var body = Pattern(3 << 20, 11);
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
            await (await client.PostAsync(Address(host), new ByteArrayContent(body))).Content.ReadAsByteArrayAsync()));
        Equal("10 times 3 MB up and down", answers.Count(answer => answer.AsSpan().SequenceEqual(body)), 10);
        await host.StopAsync();
    }

    static async Task<int> Main(string[] arguments)
    {
        if (arguments.Length == 2 && arguments[0] == "serve")
        {
            using var host = Kestrel(File.ReadAllBytes(arguments[1]));
            await host.StartAsync();
            Console.WriteLine("port " + new Uri(Address(host)).Port);
            Console.Out.Flush();
            await Task.Delay(-1);
        }
        await Part("blocking", Blocking);
        await Part("tasks", Tasks);
        await Part("datagrams", Datagrams);
        await Part("local", Local);
        await Part("web", Web);
        Console.WriteLine("end");
        return 0;
    }
}

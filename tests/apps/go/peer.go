// peer serve FOLDER: echoes streams, datagrams and an AF_UNIX path, serves HTTP and HTTP/2, prints "port ..." with the five ports.
// peer try FOLDER PORT...: the other side: lines "ok TEXT", "not ok TEXT", figures, "end". Built for Windows and for the host, so that
// either may be on either side. FOLDER has the file "large".
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// --- the server ---

// stream: what a connection asks for in its first line
func stream(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 65536)
	order, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	switch strings.TrimSpace(order) {
	case "echo": // until the other has no more; then that is told, too
		io.Copy(connection, reader)
	case "silence":
		io.Copy(io.Discard, reader)
	case "reset":
		connection.(*net.TCPConn).SetLinger(0)
	case "wait": // a line late
		time.Sleep(300 * time.Millisecond)
		io.WriteString(connection, "late\n")
		io.Copy(io.Discard, reader)
	}
}

func accept(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go stream(connection)
	}
}

func serve(folder string) {
	must := func(err error) {
		if err != nil {
			fmt.Println("not ok", err)
			os.Exit(1)
		}
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	tcp6, err := net.Listen("tcp", "[::1]:0")
	must(err)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(err)
	listeners := []net.Listener{tcp, tcp6}
	if local, err := net.Listen("unix", filepath.Join(folder, "peer.sock")); err == nil {
		listeners = append(listeners, local)
	} else { // who tries finds it missing
		fmt.Fprintln(os.Stderr, err)
	}
	for _, listener := range listeners {
		go accept(listener)
	}
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, from, err := udp.ReadFrom(buffer)
			if err == nil {
				udp.WriteTo(buffer[:n], from)
			} else if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(folder)))
	mux.HandleFunc("/sum", func(answer http.ResponseWriter, request *http.Request) {
		hash := sha256.New()
		n, err := io.Copy(hash, request.Body)
		fmt.Fprintf(answer, "%d %x %v", n, hash.Sum(nil), err)
	})
	mux.HandleFunc("/number", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(answer, "number %s by %s", request.FormValue("n"), request.Proto)
	})
	mux.HandleFunc("/drips", func(answer http.ResponseWriter, request *http.Request) {
		for n := 0; n < 20; n++ {
			fmt.Fprintf(answer, "line %d\n", n)
			answer.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	mux.HandleFunc("/upgrade", func(answer http.ResponseWriter, request *http.Request) {
		connection, buffered, err := answer.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(connection, buffered)
	})
	plain := httptest.NewServer(mux)
	secure := httptest.NewUnstartedServer(mux)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	port := func(address net.Addr) string {
		_, port, _ := net.SplitHostPort(address.String())
		return port
	}
	// HTTP's first: it is what `wait_for_port` takes
	fmt.Println("port", port(plain.Listener.Addr()), port(secure.Listener.Addr()), port(tcp.Addr()), port(tcp6.Addr()), port(udp.LocalAddr()))
	select {}
}

// --- the client ---

func content(seed int64, size int) []byte {
	data := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(data)
	return data
}

// echo: sends all and closes that direction while it receives; compares
func echo(network, address string, seed int64, size int) error {
	connection, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer connection.Close()
	data := content(seed, size)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(connection, "echo\n")
		if err == nil {
			_, err = connection.Write(data)
		}
		if err == nil {
			err = connection.(interface{ CloseWrite() error }).CloseWrite()
		}
		sent <- err
	}()
	came, err := io.ReadAll(connection)
	if err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	if !bytes.Equal(came, data) {
		return fmt.Errorf("%d bytes of %d, other ones", len(came), len(data))
	}
	return nil
}

// together: so many at once; the first error
func together(count int, one func(int) error) error {
	var group sync.WaitGroup
	failed := make(chan error, count)
	for n := 0; n < count; n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			if err := one(n); err != nil {
				failed <- fmt.Errorf("%d: %w", n, err)
			}
		}(n)
	}
	group.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("%d of %d: %w", len(failed)+1, count, err)
	default:
		return nil
	}
}

func check(text string, err error) {
	if err == nil {
		fmt.Println("ok", text)
	} else {
		fmt.Println("not ok", text+":", err)
	}
}

func open(address, order string) (net.Conn, error) {
	connection, err := net.Dial("tcp", address)
	if err == nil {
		_, err = io.WriteString(connection, order+"\n")
	}
	return connection, err
}

func get(client *http.Client, url string, wanted string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	came, err := io.ReadAll(answer.Body)
	if err == nil && string(came) != wanted {
		err = fmt.Errorf("%d bytes: %.60s", len(came), came)
	}
	return err
}

func streams(tcp, tcp6, path string) {
	begin := time.Now()
	check("20 streams of 5 MB, there and back", together(20, func(n int) error { return echo("tcp", tcp, int64(n), 5000000) }))
	fmt.Printf("figure %.0f MB/s, 20 streams there and back\n", 200/time.Since(begin).Seconds())
	check("over IPv6", echo("tcp", tcp6, 30, 5000000))
	check("five over AF_UNIX", together(5, func(n int) error { return echo("unix", path, int64(n), 5000000) }))
	begin = time.Now()
	check("1000 connections, 50 at once", together(50, func(n int) error {
		for turn := 0; turn < 20; turn++ {
			if err := echo("tcp", tcp, int64(n*20+turn), 100); err != nil {
				return err
			}
		}
		return nil
	}))
	fmt.Printf("figure %.0f connections per second\n", 1000/time.Since(begin).Seconds())
}

func ends(tcp string) {
	check("a deadline that passes, and data after it", func() error {
		connection, err := open(tcp, "wait")
		if err != nil {
			return err
		}
		defer connection.Close()
		buffer := make([]byte, 10)
		connection.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err = connection.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("first %v", err)
		}
		connection.SetReadDeadline(time.Time{})
		if n, err := io.ReadFull(connection, buffer[:5]); err != nil || string(buffer[:n]) != "late\n" {
			return fmt.Errorf("then %q, %v", buffer[:n], err)
		}
		return nil
	}())
	check("100 reads that a close ends", together(100, func(n int) error {
		connection, err := open(tcp, "silence")
		if err != nil {
			return err
		}
		time.AfterFunc(time.Duration(n)*time.Millisecond, func() { connection.Close() })
		if _, err = connection.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("it ends with %v", err)
		}
		return nil
	}))
	check("a write that fills all, and a deadline that ends it", func() error {
		listener, err := net.Listen("tcp", "127.0.0.1:0") // nobody reads what comes here
		if err != nil {
			return err
		}
		defer listener.Close()
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return err
		}
		defer connection.Close()
		connection.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		for err == nil {
			_, err = connection.Write(make([]byte, 1000000))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}())
	check("a reset is told", func() error {
		connection, err := open(tcp, "reset")
		if err != nil {
			return err
		}
		defer connection.Close()
		if _, err = connection.Read(make([]byte, 1)); err == nil || err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("it ends with %v", err)
		}
		return nil
	}())
	check("connects that are cancelled or refused", together(50, func(n int) error {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		address := listener.Addr().String()
		listener.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n)*time.Millisecond)
		defer cancel()
		if connection, err := new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
			connection.Close()
			return errors.New("it connects")
		}
		return nil
	}))
	check("a listener that is closed under its accepts", func() error {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		time.AfterFunc(50*time.Millisecond, func() { listener.Close() })
		return together(20, func(int) error {
			if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("it ends with %v", err)
			}
			return nil
		})
	}())
}

func datagrams(udp string) {
	check("10 sockets, 200 datagrams each of every size", together(10, func(n int) error {
		connection, err := net.Dial("udp", udp)
		if err != nil {
			return err
		}
		defer connection.Close()
		buffer := make([]byte, 65536)
		for turn := 0; turn < 200; turn++ {
			data := content(int64(n*1000+turn), (n*200+turn)*32+1) // Go for Windows sends none that are empty
			came := -1
			for attempt := 0; attempt < 20 && came < 0; attempt++ { // the host may drop one
				if _, err := connection.Write(data); err != nil {
					return err
				}
				connection.SetReadDeadline(time.Now().Add(2 * time.Second))
				for came < 0 {
					size, err := connection.Read(buffer)
					if err != nil {
						break
					}
					if bytes.Equal(buffer[:size], data) {
						came = size
					}
				}
			}
			if came < 0 {
				return fmt.Errorf("datagram %d of %d bytes does not come back", turn, len(data))
			}
		}
		return nil
	}))
	check("messages with their flags", func() error {
		one, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer one.Close()
		if _, _, err = one.WriteMsgUDP([]byte("to itself"), nil, one.LocalAddr().(*net.UDPAddr)); err != nil {
			return err
		}
		buffer := make([]byte, 100)
		n, _, _, from, err := one.ReadMsgUDP(buffer, nil)
		if err != nil || string(buffer[:n]) != "to itself" || from.Port != one.LocalAddr().(*net.UDPAddr).Port {
			return fmt.Errorf("%q from %v, %v", buffer[:n], from, err)
		}
		return nil
	}())
}

func web(folder, plain, secure string) {
	large, err := os.ReadFile(filepath.Join(folder, "large"))
	if err != nil {
		check("the file", err)
		return
	}
	sum := fmt.Sprintf("%d %x <nil>", len(large), sha256.Sum256(large))
	var lines strings.Builder
	for n := 0; n < 20; n++ {
		fmt.Fprintf(&lines, "line %d\n", n)
	}
	for _, kind := range []struct{ name, url, proto string }{{"HTTP", plain, "HTTP/1.1"}, {"HTTP/2 by TLS", secure, "HTTP/2.0"}} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
		check(kind.name+": a file", get(client, kind.url+"/large", string(large)))
		check(kind.name+": ten at once", together(10, func(int) error { return get(client, kind.url+"/large", string(large)) }))
		check(kind.name+": slowly", get(client, kind.url+"/drips", lines.String()))
		check(kind.name+": five sent", together(5, func(int) error {
			answer, err := client.Post(kind.url+"/sum", "application/octet-stream", bytes.NewReader(large))
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if came, err := io.ReadAll(answer.Body); err != nil || string(came) != sum {
				return fmt.Errorf("%s, %v", came, err)
			}
			return nil
		}))
		check(kind.name+": answers left in the middle", together(20, func(n int) error {
			answer, err := client.Get(kind.url + "/large")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			came := make([]byte, n*10000)
			if _, err := io.ReadFull(answer.Body, came); err != nil || !bytes.Equal(came, large[:len(came)]) {
				return fmt.Errorf("its first %d bytes, %v", len(came), err)
			}
			return nil
		}))
		var done int64
		begin := time.Now()
		check(kind.name+": 32 callers, 100 requests each", together(32, func(n int) error {
			for turn := 0; turn < 100; turn++ {
				if err := get(client, fmt.Sprintf("%s/number?n=%d", kind.url, n*100+turn), fmt.Sprintf("number %d by %s", n*100+turn, kind.proto)); err != nil {
					return err
				}
				atomic.AddInt64(&done, 1)
			}
			return nil
		}))
		fmt.Printf("figure %.0f requests per second by %s, 32 callers\n", float64(done)/time.Since(begin).Seconds(), kind.name)
		client.CloseIdleConnections()
	}
	check("a connection that leaves HTTP", func() error {
		connection, err := net.Dial("tcp", strings.TrimPrefix(plain, "http://"))
		if err != nil {
			return err
		}
		defer connection.Close()
		io.WriteString(connection, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		reader := bufio.NewReader(connection)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil || answer.StatusCode != 101 {
			return fmt.Errorf("%v, %v", answer, err)
		}
		data := content(1, 1000000)
		go func() {
			connection.Write(data)
			connection.(*net.TCPConn).CloseWrite()
		}()
		if came, err := io.ReadAll(reader); err != nil || !bytes.Equal(came, data) {
			return fmt.Errorf("%d bytes, %v", len(came), err)
		}
		return nil
	}())
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	if len(os.Args) != 8 || os.Args[1] != "try" {
		fmt.Println("usage: peer serve FOLDER | peer try FOLDER HTTP HTTPS TCP TCP6 UDP")
		os.Exit(2)
	}
	folder, ports := os.Args[2], os.Args[3:]
	path := filepath.Join(folder, "peer.sock")
	if file, err := os.ReadFile(path); err == nil && runtime.GOOS != "windows" { // of a Windows program: it says where its socket is
		path, _, _ = strings.Cut(string(file), "\n")
	}
	streams("127.0.0.1:"+ports[2], "[::1]:"+ports[3], path)
	ends("127.0.0.1:" + ports[2])
	datagrams("127.0.0.1:" + ports[4])
	web(folder, "http://127.0.0.1:"+ports[0], "https://127.0.0.1:"+ports[1])
	fmt.Println("end")
}

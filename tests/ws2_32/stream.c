/*
 * Stream sockets (facts: sockets-1 sections 5.3 and 9, sockets-2 sections 5, 7, 10, 11, 12): connecting, accepting,
 * sending, receiving, shutting down, closing gracefully and by reset, time-outs, and blocking calls ended by closesocket.
 */
#include "support.h"

static void test_connect_accept( int family )
{
    union address address, name, other;
    int length, size = family == AF_INET6 ? 28 : 16;
    SOCKET listener = tcp_listener( family, &address ), client, server;

    /* connect is done before accept is called */
    client = socket( family, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, size ) );
    ok( wait_readable( listener, 5000 ), "the listener is not readable\n" );
    memset( &name, 0xcc, sizeof( name ) );
    length = size;
    server = accept( listener, &name.any, &length );
    ok( server != INVALID_SOCKET && length == size, "accept failed, error %d\n", WSAGetLastError() );
    ok( name.any.sa_family == family && address_port( &name ) == socket_port( client ), "got family %d port %d\n",
        name.any.sa_family, address_port( &name ) );
    length = sizeof( other );
    check_ok( getpeername( server, &other.any, &length ) );
    ok( length == size && !memcmp( &other, &name, size ), "getpeername gives another address, length %d\n", length );
    check_flow( client, server );
    check_flow( server, client );
    check_fails( connect( client, &address.any, size ), WSAEISCONN );
    check_fails( connect( server, &address.any, size ), WSAEISCONN );
    check_fails( connect( listener, &address.any, size ), WSAEINVAL );
    check_ok( closesocket( client ) );
    check_eof( server );
    check_ok( closesocket( server ) );

    /* every way to ask for the address */
    client = socket( family, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, size ) );
    memset( &name, 0xcc, sizeof( name ) );
    server = accept( listener, &name.any, NULL );
    ok( server != INVALID_SOCKET, "accept failed, error %d\n", WSAGetLastError() );
    ok( name.any.sa_family == 0xcccc, "the address was written\n" );
    closesocket( client );
    closesocket( server );
    client = socket( family, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, size ) );
    length = 128;
    server = WSAAccept( listener, &name.any, &length, NULL, 0 );
    ok( server != INVALID_SOCKET && length == size && name.any.sa_family == family,
        "got length %d, family %d, error %d\n", length, name.any.sa_family, WSAGetLastError() );
    closesocket( client );
    closesocket( server );
    client = socket( family, SOCK_STREAM, 0 );
    check_ok( WSAConnect( client, &address.any, size, NULL, NULL, NULL, NULL ) );
    length = 0;
    check_no_socket( accept( listener, &name.any, &length ), WSAEFAULT );
    ok( !length, "got length %d\n", length );
    closesocket( client );
    closesocket( listener );
}

static void test_accept_errors( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), client, server;

    check_fails( listen( s, 1 ), WSAEINVAL );
    check_no_socket( accept( s, NULL, NULL ), WSAEINVAL );
    closesocket( s );
    s = udp_bound( AF_INET, NULL );
    check_fails( listen( s, 1 ), WSAEOPNOTSUPP );
    check_no_socket( accept( s, NULL, NULL ), WSAEOPNOTSUPP );
    closesocket( s );
    tcp_pair( &client, &server );
    check_result( listen( client, 1 ), SOCKET_ERROR );
    ok( WSAGetLastError() == WSAEISCONN || WSAGetLastError() == WSAEINVAL, "got error %d\n", WSAGetLastError() );
    closesocket( client );
    closesocket( server );
    s = tcp_listener( AF_INET, NULL );
    set_nonblocking( s, TRUE );
    check_no_socket( accept( s, NULL, NULL ), WSAEWOULDBLOCK );
    closesocket( s );
}

static int CALLBACK condition( WSABUF *caller, WSABUF *caller_data, QOS *sqos, QOS *gqos, WSABUF *callee,
                               WSABUF *callee_data, GROUP *group, DWORD_PTR context )
{
    (void)caller_data, (void)sqos, (void)gqos, (void)callee, (void)callee_data, (void)group;
    ok( caller && caller->len >= sizeof( struct sockaddr_in ), "no caller address\n" );
    return *(int *)context;
}

static void test_condition( void )
{
    union address address;
    SOCKET listener = tcp_listener( AF_INET, &address ), client, server;
    int answer = CF_DEFER;

    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    check_no_socket( WSAAccept( listener, NULL, NULL, condition, (DWORD_PTR)&answer ), WSATRY_AGAIN );
    answer = CF_ACCEPT;
    server = WSAAccept( listener, NULL, NULL, condition, (DWORD_PTR)&answer );
    ok( server != INVALID_SOCKET, "no socket, error %d\n", WSAGetLastError() );
    check_flow( client, server );
    closesocket( client );
    closesocket( server );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    check_ok( connect( client, &address.any, sizeof( address.v4 ) ) );
    answer = CF_REJECT;
    check_no_socket( WSAAccept( listener, NULL, NULL, condition, (DWORD_PTR)&answer ), WSAECONNREFUSED );
    set_nonblocking( listener, TRUE );
    check_no_socket( accept( listener, NULL, NULL ), WSAEWOULDBLOCK );
    closesocket( client );
    closesocket( listener );
}

static void test_refused( void )
{
    union address closed, open;
    SOCKET holder = tcp_bound( AF_INET, &closed ), listener = tcp_listener( AF_INET, &open ), s, server;
    int error, length;

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &closed.any, sizeof( closed.v4 ) ), WSAECONNREFUSED );
    length = sizeof( error );
    error = -1;
    check_ok( getsockopt( s, SOL_SOCKET, SO_ERROR, (char *)&error, &length ) );
    ok( !error, "SO_ERROR is %d after a blocking connect\n", error );
    /* the same socket connects to somebody who listens */
    check_ok( connect( s, &open.any, sizeof( open.v4 ) ) );
    server = accept_one( listener );
    check_flow( s, server );
    closesocket( s );
    closesocket( server );

    s = socket( AF_INET, SOCK_STREAM, 0 );
    check_fails( connect( s, &closed.any, sizeof( closed.v4 ) ), WSAECONNREFUSED );
    set_nonblocking( s, TRUE );
    check_fails( connect( s, &open.any, sizeof( open.v4 ) ), WSAEWOULDBLOCK );
    server = accept_one( listener );
    check_flow( server, s );
    closesocket( s );
    closesocket( server );
    closesocket( holder );
    closesocket( listener );
}

static void test_not_connected( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    char byte;

    check_fails( send( s, "x", 1, 0 ), WSAENOTCONN );
    check_fails( recv( s, &byte, 1, 0 ), WSAENOTCONN );
    check_fails( shutdown( s, SD_BOTH ), WSAENOTCONN );
    check_ok( closesocket( s ) );
}

static void test_transfer( void )
{
    WSABUF in[2], out[3];
    char buffer[64], name[16];
    SOCKET client, server;
    DWORD count, flags;
    int length;

    tcp_pair( &client, &server );
    out[0].buf = (char *)"one", out[0].len = 3;
    out[1].buf = NULL, out[1].len = 0;
    out[2].buf = (char *)"second", out[2].len = 6;
    check_clears( WSASend( client, out, 3, &count, 0, NULL, NULL ), 0 );
    ok( count == 9, "got %lu\n", count );
    ok( wait_readable( server, 5000 ), "nothing arrived\n" );
    in[0].buf = buffer, in[0].len = 4;
    in[1].buf = buffer + 32, in[1].len = 32;
    count = flags = 0;
    check_clears( WSARecv( server, in, 2, &count, &flags, NULL, NULL ), 0 );
    ok( count == 9 && !memcmp( buffer, "ones", 4 ) && !memcmp( buffer + 32, "econd", 5 ), "got %lu\n", count );
    /* peeking takes nothing */
    check_clears( send( server, "peek", 4, 0 ), 4 );
    check_result( recv( client, buffer, 2, MSG_PEEK ), 2 );
    check_result( recv( client, buffer, sizeof( buffer ), MSG_PEEK ), 4 );
    memset( name, 0xcc, sizeof( name ) );
    length = sizeof( name );
    check_clears( recvfrom( client, buffer, 2, 0, (struct sockaddr *)name, &length ), 2 );
    ok( (BYTE)name[0] == 0xcc, "recvfrom wrote an address\n" );
    check_result( recv( client, buffer, sizeof( buffer ), 0 ), 2 );
    /* whole or nothing */
    check_result( send( server, "first", 5, 0 ), 5 );
    check_result( send( server, "rest", 4, 0 ), 4 );
    check_result( recv( client, buffer, 9, MSG_WAITALL ), 9 );
    ok( !memcmp( buffer, "firstrest", 9 ), "got %.9s\n", buffer );
    check_result( send( client, "", 0, 0 ), 0 );
    check_open( server );
    check_fails( recv( server, buffer, -1, 0 ), WSAEFAULT );
    /* zero bytes asked for */
    check_result( send( server, "z", 1, 0 ), 1 );
    check_result( recv( client, buffer, 0, 0 ), 0 );
    check_result( recv( client, buffer, 1, 0 ), 1 );
    set_nonblocking( client, TRUE );
    check_fails( recv( client, buffer, 1, 0 ), WSAEWOULDBLOCK );
    count = 0xdead, flags = 0;
    check_fails( WSARecv( client, in, 1, &count, &flags, NULL, NULL ), WSAEWOULDBLOCK );
    closesocket( client );
    closesocket( server );
}

struct transfer
{
    SOCKET s;
    char *data;
    int size, result, error;
};

static DWORD CALLBACK send_thread( void *argument )
{
    struct transfer *transfer = argument;

    transfer->result = send( transfer->s, transfer->data, transfer->size, 0 );
    transfer->error = WSAGetLastError();
    return 0;
}

/* A blocking send of a megabyte comes back when all of it is taken, and its bytes arrive in order. */
static void test_large_send( void )
{
    enum
    {
        SIZE = 1024 * 1024
    };
    struct transfer transfer = { .size = SIZE };
    char *copy = malloc( SIZE );
    SOCKET client, server;
    int i, got, total = 0;
    HANDLE thread;

    transfer.data = malloc( SIZE );
    for ( i = 0; i < SIZE; i++ ) transfer.data[i] = i * 7 + ( i >> 8 );
    tcp_pair( &client, &server );
    transfer.s = client;
    thread = CreateThread( NULL, 0, send_thread, &transfer, 0, NULL );
    while ( total < SIZE && ( got = recv( server, copy + total, min( 40000, SIZE - total ), 0 ) ) > 0 ) total += got;
    ok( total == SIZE, "got %d bytes\n", total );
    ok( !memcmp( copy, transfer.data, SIZE ), "other bytes arrived\n" );
    ok( !WaitForSingleObject( thread, 10000 ), "send did not return\n" );
    ok( transfer.result == SIZE && !transfer.error, "send returned %d, error %d\n", transfer.result, transfer.error );
    CloseHandle( thread );
    /* non-blocking: all or nothing */
    set_nonblocking( client, TRUE );
    for ( total = i = 0; i < 64; i++ )
    {
        got = send( client, transfer.data, SIZE, 0 );
        if ( got < 0 ) break;
        ok( got == SIZE, "a short send of %d bytes\n", got );
        total += got;
    }
    ok( i < 64 && WSAGetLastError() == WSAEWOULDBLOCK, "%d sends, error %d\n", i, WSAGetLastError() );
    ok( total > 0, "nothing was taken\n" );
    closesocket( client );
    while ( ( got = recv( server, copy, SIZE, 0 ) ) > 0 ) total -= got;
    ok( !total && !got, "%d bytes are missing, recv returned %d\n", total, got );
    closesocket( server );
    free( copy );
    free( transfer.data );
}

static void test_shutdown( void )
{
    SOCKET client, server;
    char buffer[16];

    tcp_pair( &client, &server );
    check_result( send( client, "last", 4, 0 ), 4 );
    check_ok( shutdown( client, SD_SEND ) );
    check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 4 );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 0 );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 0 );
    check_flow( server, client );
    check_fails( shutdown( client, 3 ), WSAEINVAL );
    check_ok( closesocket( server ) );
    check_eof( client );
    check_ok( closesocket( client ) );

    tcp_pair( &client, &server );
    check_ok( shutdown( client, SD_RECEIVE ) );
    check_fails( recv( client, buffer, 1, 0 ), WSAESHUTDOWN );
    check_flow( client, server );
    check_ok( shutdown( client, SD_SEND ) );
    check_eof( server );
    closesocket( client );
    closesocket( server );

    tcp_pair( &client, &server );
    check_ok( shutdown( client, SD_BOTH ) );
    check_fails( send( client, "x", 1, 0 ), WSAESHUTDOWN );
    check_fails( recv( client, buffer, 1, 0 ), WSAESHUTDOWN );
    check_eof( server );
    closesocket( client );
    closesocket( server );
}

/* What is sent before closesocket arrives; linger 0 resets instead. */
static void test_close( void )
{
    struct linger linger = { 1, 0 };
    SOCKET client, server;
    char buffer[16];
    int error, length, i;
    WSAPOLLFD poll_fd;

    tcp_pair( &client, &server );
    check_result( send( client, "before", 6, 0 ), 6 );
    check_ok( closesocket( client ) );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 6 );
    check_eof( server );
    check_ok( closesocket( server ) );

    tcp_pair( &client, &server );
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    check_ok( closesocket( client ) );
    check_fails( recv( server, buffer, 1, 0 ), WSAECONNRESET );
    length = sizeof( error );
    check_ok( getsockopt( server, SOL_SOCKET, SO_ERROR, (char *)&error, &length ) );
    ok( !error, "SO_ERROR is %d\n", error );
    for ( i = 0; i < 2; i++ )
    {
        check_fails( recv( server, buffer, 1, 0 ), WSAECONNRESET );
        check_fails( send( server, "x", 1, 0 ), WSAECONNRESET );
    }
    poll_fd.fd = server;
    poll_fd.events = POLLRDNORM | POLLRDBAND | POLLWRNORM;
    poll_fd.revents = 0;
    check_result( WSAPoll( &poll_fd, 1, 0 ), 1 );
    ok( poll_fd.revents == ( POLLERR | POLLHUP | POLLWRNORM ), "got %#x\n", poll_fd.revents );
    check_ok( closesocket( server ) );

    /* linger with a time: the close waits no longer than the data needs */
    tcp_pair( &client, &server );
    linger.l_linger = 5;
    check_ok( setsockopt( client, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
    check_result( send( client, "linger", 6, 0 ), 6 );
    check_ok( closesocket( client ) );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 6 );
    check_eof( server );
    check_ok( closesocket( server ) );
}

static void test_timeouts( void )
{
    SOCKET client, server;
    DWORD value = 150, count = 0xdead, flags = 0, begin, spent;
    char buffer[16];
    WSABUF buf = { sizeof( buffer ), buffer };
    int length = sizeof( value );

    tcp_pair( &client, &server );
    check_ok( setsockopt( client, SOL_SOCKET, SO_RCVTIMEO, (char *)&value, sizeof( value ) ) );
    value = 0;
    check_ok( getsockopt( client, SOL_SOCKET, SO_RCVTIMEO, (char *)&value, &length ) );
    ok( value == 150 && length == 4, "got %lu, length %d\n", value, length );
    begin = GetTickCount();
    check_fails( recv( client, buffer, 1, 0 ), WSAETIMEDOUT );
    spent = GetTickCount() - begin;
    ok( spent >= 100 && spent < 5000, "it took %lu ms\n", spent );
    check_fails( WSARecv( client, &buf, 1, &count, &flags, NULL, NULL ), WSAETIMEDOUT );
    ok( count == 0xdead, "got count %lu\n", count );
    check_flow( server, client );
    closesocket( client );
    closesocket( server );
}

/* --- calls that wait, and what ends the wait --------------------------------------------------------------------------*/

struct blocked
{
    enum
    {
        BLOCKED_RECV,
        BLOCKED_WSARECV,
        BLOCKED_RECVFROM,
        BLOCKED_SEND,
        BLOCKED_ACCEPT
    } call;
    SOCKET s;
    HANDLE started;
    LONGLONG result;
    int error;
};

static DWORD CALLBACK blocked_thread( void *argument )
{
    static char data[64 * 1024];
    struct blocked *blocked = argument;
    DWORD count, flags = 0;
    char buffer[16];
    WSABUF buf = { sizeof( buffer ), buffer };
    int i;

    SetEvent( blocked->started );
    WSASetLastError( 0 );
    switch ( blocked->call )
    {
    case BLOCKED_RECV: blocked->result = recv( blocked->s, buffer, sizeof( buffer ), 0 ); break;
    case BLOCKED_WSARECV: blocked->result = WSARecv( blocked->s, &buf, 1, &count, &flags, NULL, NULL ); break;
    case BLOCKED_RECVFROM: blocked->result = recvfrom( blocked->s, buffer, sizeof( buffer ), 0, NULL, NULL ); break;
    case BLOCKED_SEND:
        /* until the peer's window and the local buffer are full, and then it waits */
        for ( i = 0; i < 4096; i++ )
            if ( ( blocked->result = send( blocked->s, data, sizeof( data ), 0 ) ) <= 0 ) break;
        break;
    case BLOCKED_ACCEPT: blocked->result = (INT_PTR)accept( blocked->s, NULL, NULL ); break;
    }
    blocked->error = WSAGetLastError();
    return 0;
}

static void test_closed_while_waiting( void )
{
    unsigned int i;

    for ( i = BLOCKED_RECV; i <= BLOCKED_ACCEPT; i++ )
    {
        struct blocked blocked = { .call = i, .started = CreateEventA( NULL, TRUE, FALSE, NULL ) };
        SOCKET peer = INVALID_SOCKET;
        DWORD timeout = 0;
        HANDLE thread;

        winetest_push_context( "call %u", i );
        if ( i == BLOCKED_ACCEPT ) blocked.s = tcp_listener( AF_INET, NULL );
        else if ( i == BLOCKED_RECVFROM ) blocked.s = udp_bound( AF_INET, NULL );
        else
        {
            tcp_pair( &blocked.s, &peer );
            check_ok( setsockopt( blocked.s, SOL_SOCKET, SO_RCVTIMEO, (char *)&timeout, sizeof( timeout ) ) );
        }
        thread = CreateThread( NULL, 0, blocked_thread, &blocked, 0, NULL );
        WaitForSingleObject( blocked.started, 5000 );
        ok( WaitForSingleObject( thread, 200 ) == WAIT_TIMEOUT, "it does not wait: %lld, error %d\n", blocked.result,
            blocked.error );
        check_ok( closesocket( blocked.s ) );
        ok( !WaitForSingleObject( thread, 5000 ), "closesocket did not end the wait\n" );
        ok( blocked.result == -1, "it returned %lld\n", blocked.result );
        ok( blocked.error == WSAEINTR || blocked.error == WSAECONNABORTED || blocked.error == WSAENOTSOCK, "error %d\n",
            blocked.error );
        if ( peer != INVALID_SOCKET ) closesocket( peer );
        CloseHandle( thread );
        CloseHandle( blocked.started );
        winetest_pop_context();
    }
}

/* Data, a connection, the end of the stream or a reset end the wait in the ordinary way. */
static void test_woken( void )
{
    struct linger linger = { 1, 0 };
    unsigned int i;

    for ( i = 0; i < 4; i++ )
    {
        struct blocked blocked = { .call = i == 3 ? BLOCKED_ACCEPT : BLOCKED_RECV,
                                   .started = CreateEventA( NULL, TRUE, FALSE, NULL ) };
        union address address;
        SOCKET peer;
        HANDLE thread;

        winetest_push_context( "way %u", i );
        if ( i == 3 )
        {
            blocked.s = tcp_listener( AF_INET, &address );
            peer = socket( AF_INET, SOCK_STREAM, 0 );
        }
        else tcp_pair( &blocked.s, &peer );
        thread = CreateThread( NULL, 0, blocked_thread, &blocked, 0, NULL );
        WaitForSingleObject( blocked.started, 5000 );
        ok( WaitForSingleObject( thread, 100 ) == WAIT_TIMEOUT, "it does not wait\n" );
        switch ( i )
        {
        case 0: check_result( send( peer, "woken", 5, 0 ), 5 ); break;
        case 1: check_ok( shutdown( peer, SD_SEND ) ); break;
        case 2:
            check_ok( setsockopt( peer, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof( linger ) ) );
            check_ok( closesocket( peer ) );
            break;
        case 3: check_ok( connect( peer, &address.any, sizeof( address.v4 ) ) ); break;
        }
        ok( !WaitForSingleObject( thread, 5000 ), "the wait did not end\n" );
        if ( i == 0 ) ok( blocked.result == 5, "got %lld, error %d\n", blocked.result, blocked.error );
        if ( i == 1 ) ok( blocked.result == 0, "got %lld, error %d\n", blocked.result, blocked.error );
        if ( i == 2 )
            ok( blocked.result == -1 && blocked.error == WSAECONNRESET, "got %lld, error %d\n", blocked.result,
                blocked.error );
        if ( i == 3 )
        {
            ok( blocked.result != -1, "got error %d\n", blocked.error );
            closesocket( blocked.result );
        }
        if ( i != 2 ) closesocket( peer );
        closesocket( blocked.s );
        CloseHandle( thread );
        CloseHandle( blocked.started );
        winetest_pop_context();
    }
}

/* --- user APCs: run by a call that really waits, which then goes on waiting -------------------------------------------*/

static LONG apc_count;
static SOCKET apc_socket;
static union address apc_address;

static void CALLBACK apc_counted( ULONG_PTR argument )
{
    (void)argument;
    apc_count++;
}

/* Lets the wait that it interrupts come to its end afterwards. */
static void CALLBACK apc_sends( ULONG_PTR argument )
{
    (void)argument;
    apc_count++;
    ok( send( apc_socket, "apc", 3, 0 ) == 3, "send failed\n" );
}

static DWORD CALLBACK connect_later( void *argument )
{
    (void)argument;
    Sleep( 200 );
    check_ok( connect( apc_socket, &apc_address.any, sizeof( apc_address.v4 ) ) );
    return 0;
}

static void test_apc( void )
{
    SOCKET client, server, listener, s;
    struct timeval timeout = { 10, 0 };
    DWORD count, flags = 0;
    char buffer[16];
    WSABUF buf = { sizeof( buffer ), buffer };
    HANDLE thread;
    fd_set set;

    tcp_pair( &client, &server );
    /* satisfied at once: the APC stays queued */
    check_result( send( server, "1", 1, 0 ), 1 );
    ok( wait_readable( client, 5000 ), "nothing arrived\n" );
    QueueUserAPC( apc_counted, GetCurrentThread(), 0 );
    check_ok( WSARecv( client, &buf, 1, &count, &flags, NULL, NULL ) );
    ok( !apc_count, "the APC ran in a call that did not wait\n" );
    ok( SleepEx( 0, TRUE ) == WAIT_IO_COMPLETION && apc_count == 1, "the APC is lost\n" );
    /* waiting: it runs, and the call goes on to get what it makes arrive */
    apc_count = 0;
    apc_socket = server;
    QueueUserAPC( apc_sends, GetCurrentThread(), 0 );
    check_ok( WSARecv( client, &buf, 1, &count, &flags, NULL, NULL ) );
    ok( count == 3 && apc_count == 1, "got %lu bytes, %ld APCs\n", count, apc_count );
    apc_count = 0;
    QueueUserAPC( apc_sends, GetCurrentThread(), 0 );
    FD_ZERO( &set );
    FD_SET( client, &set );
    check_result( select( 0, &set, NULL, NULL, &timeout ), 1 );
    ok( apc_count == 1, "%ld APCs\n", apc_count );
    check_result( recv( client, buffer, sizeof( buffer ), 0 ), 3 );
    SleepEx( 0, TRUE );
    closesocket( client );
    closesocket( server );

    listener = tcp_listener( AF_INET, &apc_address );
    apc_socket = socket( AF_INET, SOCK_STREAM, 0 );
    apc_count = 0;
    QueueUserAPC( apc_counted, GetCurrentThread(), 0 );
    thread = CreateThread( NULL, 0, connect_later, NULL, 0, NULL );
    s = accept( listener, NULL, NULL );
    ok( s != INVALID_SOCKET && apc_count == 1, "error %d, %ld APCs\n", WSAGetLastError(), apc_count );
    SleepEx( 0, TRUE );
    WaitForSingleObject( thread, 5000 );
    CloseHandle( thread );
    closesocket( s );
    closesocket( apc_socket );
    closesocket( listener );
}

/* --- urgent data -----------------------------------------------------------------------------------------------------*/

static void test_urgent( void )
{
    SOCKET client, server;
    char buffer[16];
    u_long mark;
    int on = 1;

    tcp_pair( &client, &server );
    mark = 0xdead;
    check_ok( ioctlsocket( server, SIOCATMARK, &mark ) );
    ok( mark == 1, "got %#lx\n", mark );
    check_result( send( client, "u", 1, MSG_OOB ), 1 );
    Sleep( 100 );
    ok( !wait_readable( server, 0 ), "an urgent byte is readable\n" );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    ok( buffer[0] == 'u', "got %c\n", buffer[0] );
    check_flow( client, server );
    mark = 0xdead;
    check_ok( ioctlsocket( server, SIOCATMARK, &mark ) );
    ok( mark == 1, "got %#lx\n", mark );

    /* several are queued */
    check_result( send( client, "v", 1, MSG_OOB ), 1 );
    check_result( send( client, "w", 1, MSG_OOB ), 1 );
    Sleep( 100 );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    ok( buffer[0] == 'v', "got %c\n", buffer[0] );
    check_result( recv( server, buffer, 1, MSG_OOB ), 1 );
    ok( buffer[0] == 'w', "got %c\n", buffer[0] );

    check_ok( setsockopt( server, SOL_SOCKET, SO_OOBINLINE, (char *)&on, sizeof( on ) ) );
    check_result( send( client, "x", 1, MSG_OOB ), 1 );
    ok( wait_readable( server, 5000 ), "an urgent byte in line is not readable\n" );
    check_fails( recv( server, buffer, 1, MSG_OOB ), WSAEINVAL );
    check_result( recv( server, buffer, sizeof( buffer ), 0 ), 1 );
    ok( buffer[0] == 'x', "got %c\n", buffer[0] );
    closesocket( client );
    closesocket( server );
}

START_TEST( stream )
{
    support_begin();
    test_connect_accept( AF_INET );
    if ( have_ipv6() ) test_connect_accept( AF_INET6 );
    else skip( "no IPv6 loopback\n" );
    test_accept_errors();
    test_condition();
    test_refused();
    test_not_connected();
    test_transfer();
    test_large_send();
    test_shutdown();
    test_close();
    test_timeouts();
    test_closed_while_waiting();
    test_woken();
    test_apc();
    test_urgent();
    support_end();
}

/*
 * Holds the data path to its promise: a call that does not wait is one system call, and speaks to no server.
 *
 * Each operation is done ROUNDS times between two marks, datagrams whose text says what is between them. The program runs
 * under strace (tests/run-syscalls), which counts what this thread did there.
 */
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include "ws2host/registered_io.h"

#define ROUNDS 8

static SOCKET client, server, datagram, registered, awaited, marks;
static WSAEVENT event, awaited_event;

static void mark( const char *text ) { send( marks, text, (int)strlen( text ), 0 ); }

static BOOL do_send( void ) { return send( client, "x", 1, 0 ) == 1; }

static BOOL do_recv( void )
{
    char byte;

    return recv( server, &byte, 1, 0 ) == 1;
}

static BOOL do_wsasend( void )
{
    char bytes[2] = { 'x', 'y' };
    WSABUF buffers[2] = { { 1, bytes }, { 1, bytes + 1 } };
    DWORD done;

    return !WSASend( client, buffers, 2, &done, 0, NULL, NULL );
}

static BOOL do_wsarecv( void )
{
    char bytes[2];
    WSABUF buffers[2] = { { 1, bytes }, { 1, bytes + 1 } };
    DWORD done, flags = 0;

    return !WSARecv( server, buffers, 2, &done, &flags, NULL, NULL ) && done == 2;
}

static struct sockaddr_in datagram_address;

static BOOL do_sendto( void )
{
    return sendto( datagram, "x", 1, 0, (struct sockaddr *)&datagram_address, sizeof( datagram_address ) ) == 1;
}

static BOOL do_recvfrom( void )
{
    struct sockaddr_in address;
    int size = sizeof( address );
    char byte;

    return recvfrom( datagram, &byte, 1, 0, (struct sockaddr *)&address, &size ) == 1;
}

/* there is one datagram more than is read, so each re-enables FD_READ for the next */
static BOOL do_recv_registered( void )
{
    char byte;

    return recv( registered, &byte, 1, 0 ) == 1;
}

static BOOL do_would_block( void )
{
    char byte;

    return recv( client, &byte, 1, 0 ) < 0 && WSAGetLastError() == WSAEWOULDBLOCK;
}

static BOOL do_select( void )
{
    struct timeval timeout = { 5, 0 };
    fd_set read, write;

    FD_ZERO( &read );
    FD_ZERO( &write );
    FD_SET( server, &read );
    FD_SET( client, &write );
    return select( 0, &read, &write, NULL, &timeout ) >= 1;
}

static BOOL do_poll( void )
{
    WSAPOLLFD fds[2] = { { client, POLLOUT, 0 }, { server, POLLIN, 0 } };

    return WSAPoll( fds, 2, 5000 ) >= 1;
}

static BOOL get_option( int level, int name )
{
    int value = 0, size = sizeof( value );

    return !getsockopt( client, level, name, (char *)&value, &size );
}

static BOOL do_getsockopt( void ) { return get_option( IPPROTO_TCP, TCP_NODELAY ); }
static BOOL do_getsockopt_shadow( void ) { return get_option( SOL_SOCKET, SO_RCVTIMEO ); }

static BOOL do_setsockopt( void )
{
    int on = 1;

    return !setsockopt( client, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof( on ) );
}

static BOOL do_fionread( void )
{
    u_long count;

    return !ioctlsocket( client, FIONREAD, &count );
}

static BOOL do_fionbio( void )
{
    u_long on = 1;

    return !ioctlsocket( client, FIONBIO, &on );
}

static BOOL get_name( int( WINAPI *function )( SOCKET, struct sockaddr *, int * ) )
{
    struct sockaddr_in address;
    int size = sizeof( address );

    return !function( client, (struct sockaddr *)&address, &size );
}

static BOOL do_getsockname( void ) { return get_name( getsockname ); }
static BOOL do_getpeername( void ) { return get_name( getpeername ); }

/* what a loop around events does for each that comes: a conversation with wineserver would be a write and a read of pipes more,
 * and four calls for signals */
static struct sockaddr_in awaited_address;
static BOOL do_await( void )
{
    WSANETWORKEVENTS events;
    char byte;

    return sendto( awaited, "x", 1, 0, (struct sockaddr *)&awaited_address, sizeof( awaited_address ) ) == 1 &&
           !WSAWaitForMultipleEvents( 1, &awaited_event, FALSE, 10000, FALSE ) &&
           !WSAEnumNetworkEvents( awaited, awaited_event, &events ) && ( events.lNetworkEvents & FD_READ ) &&
           recv( awaited, &byte, 1, 0 ) == 1;
}

static BOOL do_enum_events( void )
{
    WSANETWORKEVENTS events;

    return !WSAEnumNetworkEvents( registered, NULL, &events );
}

static BOOL bound( SOCKET s, struct sockaddr_in *address )
{
    int size = sizeof( *address );

    memset( address, 0, sizeof( *address ) );
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    return !bind( s, (struct sockaddr *)address, size ) && !getsockname( s, (struct sockaddr *)address, &size );
}

/* --- registered I/O: a datagram socket that is connected to itself */

static RIO_EXTENSION_FUNCTION_TABLE rio;
static RIO_CQ ends;
static RIO_RQ requests;
static RIO_BUF request_data;

static BOOL take_end( void )
{
    RIORESULT result;

    return rio.RIODequeueCompletion( ends, &result, 1 ) == 1 && !result.Status;
}

static BOOL do_rio_send( void ) { return rio.RIOSend( requests, &request_data, 1, 0, NULL ) && take_end(); }
static BOOL do_rio_receive( void ) { return rio.RIOReceive( requests, &request_data, 1, 0, NULL ) && take_end(); }

static BOOL do_rio_dequeue( void )
{
    RIORESULT result;

    return !rio.RIODequeueCompletion( ends, &result, 1 );
}

static BOOL make_requests( void )
{
    static GUID guid = WSAID_MULTIPLE_RIO;
    static char memory[16];
    SOCKET s = WSASocketW( AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_REGISTERED_IO );
    struct sockaddr_in address;
    DWORD size;

    if ( WSAIoctl( s, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, &guid, sizeof( guid ), &rio, sizeof( rio ), &size,
                   NULL, NULL ) ||
         !bound( s, &address ) || connect( s, (struct sockaddr *)&address, sizeof( address ) ) )
        return FALSE;
    request_data.BufferId = rio.RIORegisterBuffer( memory, sizeof( memory ) );
    request_data.Length = sizeof( memory );
    ends = rio.RIOCreateCompletionQueue( 16, NULL );
    requests = rio.RIOCreateRequestQueue( s, 8, 1, 8, 1, ends, ends, NULL );
    return requests != RIO_INVALID_RQ;
}

/* --- a socket's whole life: no server hears of it ---------------------------------------------------------------------*/

static SOCKET short_listener;
static struct sockaddr_in short_address;

static BOOL do_socket( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );

    return s != INVALID_SOCKET && !closesocket( s );
}

static BOOL do_accept( void )
{
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 ), accepted;

    if ( connect( s, (struct sockaddr *)&short_address, sizeof( short_address ) ) ) return FALSE;
    accepted = accept( short_listener, NULL, NULL );
    return accepted != INVALID_SOCKET && !closesocket( accepted ) && !closesocket( s );
}

static BOOL make_short( void )
{
    short_listener = socket( AF_INET, SOCK_STREAM, 0 );
    return bound( short_listener, &short_address ) && !listen( short_listener, 8 );
}

/* `most` is what strace may count for each; what comes first makes things ready for what follows. */
static const struct
{
    const char *name;
    int most;
    BOOL ( *operate )( void );
} operations[] = {
    { "send", 1, do_send },
    { "select,_ready", 1, do_select },
    { "WSAPoll,_ready", 1, do_poll },
    { "recv,_ready", 1, do_recv },
    { "WSASend", 1, do_wsasend },
    { "WSARecv,_ready", 1, do_wsarecv },
    { "sendto", 1, do_sendto },
    { "recvfrom,_ready", 1, do_recvfrom },
    { "ioctlsocket_FIONBIO", 0, do_fionbio },
    { "recv,_would_block", 1, do_would_block },
    { "getsockopt", 1, do_getsockopt },
    { "getsockopt,_shadow_value", 0, do_getsockopt_shadow },
    { "setsockopt", 1, do_setsockopt },
    { "ioctlsocket_FIONREAD", 1, do_fionread },
    { "getsockname", 1, do_getsockname },
    { "getpeername", 1, do_getpeername },
    { "WSAEnumNetworkEvents", 1, do_enum_events },
    { "sendto,_wait,_enum,_recv", 10, do_await },
    { "recv,_event_registered", 3,
      do_recv_registered }, /* a look whether more is there, and the epoll that tells of it */
    { "RIOSend,_its_end_taken", 1, do_rio_send },
    { "RIOReceive,_its_end_taken", 1, do_rio_receive },
    { "RIODequeueCompletion,_empty", 0, do_rio_dequeue },
    { "socket,_closesocket", 3, do_socket },
    { "connect,_accept,_close_both", 13, do_accept },
};

static BOOL make_sockets( void )
{
    struct sockaddr_in address;
    SOCKET listener = socket( AF_INET, SOCK_STREAM, 0 );

    marks = socket( AF_INET, SOCK_DGRAM, 0 );
    datagram = socket( AF_INET, SOCK_DGRAM, 0 );
    registered = socket( AF_INET, SOCK_DGRAM, 0 );
    client = socket( AF_INET, SOCK_STREAM, 0 );
    event = WSACreateEvent();
    if ( !bound( marks, &address ) || connect( marks, (struct sockaddr *)&address, sizeof( address ) ) ) return FALSE;
    if ( !bound( registered, &address ) || connect( registered, (struct sockaddr *)&address, sizeof( address ) ) )
        return FALSE;
    for ( int i = 0; i < ROUNDS + 2; i++ )
        if ( send( registered, "x", 1, 0 ) != 1 ) return FALSE;
    if ( !bound( datagram, &datagram_address ) || !bound( listener, &address ) || listen( listener, 1 ) ||
         connect( client, (struct sockaddr *)&address, sizeof( address ) ) )
        return FALSE;
    server = accept( listener, NULL, NULL );
    awaited = socket( AF_INET, SOCK_DGRAM, 0 );
    awaited_event = WSACreateEvent();
    if ( !bound( awaited, &awaited_address ) || WSAEventSelect( awaited, awaited_event, FD_READ ) ) return FALSE;
    return server != INVALID_SOCKET && !WSAEventSelect( registered, event, FD_READ | FD_CLOSE );
}

int main( void )
{
    WSADATA data;
    char text[128];
    int failed = 0;

    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) || !make_sockets() || !make_requests() || !make_short() )
    {
        printf( "no sockets: error %d\n", WSAGetLastError() );
        return 1;
    }
    for ( unsigned int i = 0; i < sizeof( operations ) / sizeof( operations[0] ); i++ )
    {
        BOOL good = operations[i].operate(); /* once unseen: memory is allocated, addresses are looked up */

        snprintf( text, sizeof( text ), "MARK %s %d %d", operations[i].name, operations[i].most, ROUNDS );
        mark( text );
        for ( int j = 0; j < ROUNDS; j++ ) good &= operations[i].operate();
        mark( "MARK end" );
        if ( !good )
        {
            printf( "%s: error %d\n", operations[i].name, WSAGetLastError() );
            failed = 1;
        }
    }
    return failed;
}

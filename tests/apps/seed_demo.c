/*
 * The documented scenario of WSADuplicateSocket, step by step, between two processes.
 *
 *     seed_demo source PORT PIPE        connects to 127.0.0.1:PORT, where an echo server listens, and shares the socket
 *     seed_demo target PIPE             gets the socket and goes on with it after the source has closed its own
 *
 * PIPE names the named pipe that the two talk over. Each step is one line on standard output, "[who] step) text"; then the
 * program reads a line from standard input before it goes on, so that whoever runs it can look at what the step did.
 * The exit status is 1 at the first thing that is not as documented. Plain Win32: it holds on Windows as well.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

static const char *who;
static HANDLE ipc;

static void print_line( const char *step, const char *format, va_list args )
{
    char line[512];
    int length = snprintf( line, sizeof( line ), "[%s] %s) ", who, step );
    DWORD written;

    length += vsnprintf( line + length, sizeof( line ) - length - 2, format, args );
    line[length++] = '\n';
    /* one write, so that the lines of the two processes never mix */
    if ( !WriteFile( GetStdHandle( STD_OUTPUT_HANDLE ), line, length, &written, NULL ) ) exit( 1 );
}

static void deviation( const char *format, ... )
{
    va_list args;

    va_start( args, format );
    print_line( "deviation", format, args );
    va_end( args );
    exit( 1 );
}

/* Prints what is about to be sent to the other process: the other one's next line must come after it. */
static void announce( const char *step, const char *format, ... )
{
    va_list args;

    va_start( args, format );
    print_line( step, format, args );
    va_end( args );
}

static void wait_for_go( void )
{
    DWORD size;
    char c = 0;

    while ( c != '\n' )
        if ( !ReadFile( GetStdHandle( STD_INPUT_HANDLE ), &c, 1, &size, NULL ) || !size ) exit( 1 );
}

/* Prints what has been done. */
static void done( const char *step, const char *format, ... )
{
    va_list args;

    va_start( args, format );
    print_line( step, format, args );
    va_end( args );
    wait_for_go();
}

static void ipc_send( const void *data, DWORD size )
{
    DWORD written;

    if ( !WriteFile( ipc, data, size, &written, NULL ) || written != size )
        deviation( "the pipe: error %lu", GetLastError() );
}

static void ipc_receive( void *data, DWORD size )
{
    DWORD got = 0, part;

    while ( got < size )
    {
        if ( !ReadFile( ipc, (char *)data + got, size - got, &part, NULL ) || !part )
            deviation( "the pipe: error %lu", GetLastError() );
        got += part;
    }
}

/* Sends a text through the descriptor; the peer answers with the same. */
static void exchange( SOCKET s, const char *step, const char *text )
{
    char answer[64] = { 0 };
    int size = (int)strlen( text ), got = 0, part;

    if ( ( part = send( s, text, size, 0 ) ) != size ) deviation( "send: %d, error %d", part, WSAGetLastError() );
    while ( got < size )
    {
        part = recv( s, answer + got, size - got, 0 );
        if ( part <= 0 ) deviation( "recv: %d, error %d", part, WSAGetLastError() );
        got += part;
    }
    if ( memcmp( text, answer, size ) ) deviation( "sent '%s', got '%s'", text, answer );
    done( step, "socket %#Ix: sent '%s', the peer answered '%s'", (size_t)s, text, answer );
}

static void source( unsigned short port, const char *pipe )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons( port ) };
    WSAPROTOCOL_INFOA info;
    DWORD target_pid, timeout = 12345;
    int keep_alive = 1;
    SOCKET s;
    char c;

    ipc = CreateNamedPipeA( pipe, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 0, NULL );
    if ( ipc == INVALID_HANDLE_VALUE ) deviation( "CreateNamedPipe: error %lu", GetLastError() );
    done( "0", "process %04lx, waiting for the target", GetCurrentProcessId() );
    if ( !ConnectNamedPipe( ipc, NULL ) && GetLastError() != ERROR_PIPE_CONNECTED )
        deviation( "ConnectNamedPipe: error %lu", GetLastError() );

    address.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    s = WSASocketA( AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED );
    if ( s == INVALID_SOCKET ) deviation( "WSASocket: error %d", WSAGetLastError() );
    if ( WSAConnect( s, (struct sockaddr *)&address, sizeof( address ), NULL, NULL, NULL, NULL ) )
        deviation( "WSAConnect: error %d", WSAGetLastError() );
    done( "1", "WSASocket, WSAConnect: socket %#Ix is connected to 127.0.0.1:%u", (size_t)s, port );

    announce( "2", "asks the target for its process id" );
    ipc_send( "?", 1 );
    wait_for_go();
    ipc_receive( &target_pid, sizeof( target_pid ) );
    done( "4", "received the process id: %04lx", target_pid );

    memset( &info, 0xcc, sizeof( info ) );
    if ( WSADuplicateSocketA( s, target_pid, &info ) ) deviation( "WSADuplicateSocket: error %d", WSAGetLastError() );
    if ( info.iAddressFamily != AF_INET || info.iSocketType != SOCK_STREAM || info.iProtocol != IPPROTO_TCP )
        deviation( "the info is of family %d, type %d, protocol %d", info.iAddressFamily, info.iSocketType,
                   info.iProtocol );
    done( "5", "WSADuplicateSocket for process %04lx: family %d, type %d, protocol %d, '%s'", target_pid,
          info.iAddressFamily, info.iSocketType, info.iProtocol, info.szProtocol );

    announce( "6", "sends the WSAPROTOCOL_INFO, %u bytes", (unsigned)sizeof( info ) );
    ipc_send( &info, sizeof( info ) );
    wait_for_go();

    ipc_receive( &c, 1 ); /* the target has its descriptor */
    exchange( s, "9", "from the source" );
    if ( setsockopt( s, SOL_SOCKET, SO_KEEPALIVE, (char *)&keep_alive, sizeof( keep_alive ) ) ||
         setsockopt( s, SOL_SOCKET, SO_RCVTIMEO, (char *)&timeout, sizeof( timeout ) ) )
        deviation( "setsockopt: error %d", WSAGetLastError() );
    done( "9", "setsockopt: SO_KEEPALIVE %d, SO_RCVTIMEO %lu", keep_alive, timeout );
    ipc_send( "!", 1 );

    ipc_receive( &c, 1 ); /* the target has exchanged data */
    if ( closesocket( s ) ) deviation( "closesocket: error %d", WSAGetLastError() );
    if ( send( s, "x", 1, 0 ) != SOCKET_ERROR || WSAGetLastError() != WSAENOTSOCK )
        deviation( "the closed descriptor is not gone: error %d", WSAGetLastError() );
    done( "10", "closesocket: the target's descriptor keeps the socket open" );
    ipc_send( "!", 1 );
    ipc_receive( &c, 1 ); /* the target is done */
}

static void target( const char *pipe )
{
    WSAPROTOCOL_INFOA info;
    DWORD pid = GetCurrentProcessId(), timeout = 0;
    int keep_alive = 0, keep_alive_size = sizeof( keep_alive ), timeout_size = sizeof( timeout );
    SOCKET s;
    char c;

    if ( !WaitNamedPipeA( pipe, 10000 ) ) deviation( "WaitNamedPipe: error %lu", GetLastError() );
    ipc = CreateFileA( pipe, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL );
    if ( ipc == INVALID_HANDLE_VALUE ) deviation( "the pipe: error %lu", GetLastError() );

    ipc_receive( &c, 1 );
    announce( "3", "is asked for its process id, and answers %04lx", pid );
    wait_for_go();
    ipc_send( &pid, sizeof( pid ) );

    ipc_receive( &info, sizeof( info ) );
    done( "7", "received the WSAPROTOCOL_INFO, %u bytes", (unsigned)sizeof( info ) );
    s = WSASocketA( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED );
    if ( s == INVALID_SOCKET ) deviation( "WSASocket: error %d", WSAGetLastError() );
    done( "8", "WSASocket: socket %#Ix is another descriptor of the source's socket", (size_t)s );
    ipc_send( "!", 1 );

    ipc_receive( &c, 1 ); /* the source has exchanged data and set options */
    exchange( s, "9", "from the target" );
    if ( getsockopt( s, SOL_SOCKET, SO_KEEPALIVE, (char *)&keep_alive, &keep_alive_size ) ||
         getsockopt( s, SOL_SOCKET, SO_RCVTIMEO, (char *)&timeout, &timeout_size ) )
        deviation( "getsockopt: error %d", WSAGetLastError() );
    if ( !keep_alive || timeout != 12345 )
        deviation( "the source's options are not seen: SO_KEEPALIVE %d, SO_RCVTIMEO %lu", keep_alive, timeout );
    done( "9", "getsockopt: SO_KEEPALIVE %d, SO_RCVTIMEO %lu", keep_alive, timeout );
    ipc_send( "!", 1 );

    ipc_receive( &c, 1 ); /* the source has closed */
    exchange( s, "10", "still from the target" );
    if ( closesocket( s ) ) deviation( "closesocket: error %d", WSAGetLastError() );
    done( "10", "closesocket: that was the last descriptor" );
    ipc_send( "!", 1 );
}

int main( int argc, char **argv )
{
    WSADATA data;

    who = argc > 1 ? argv[1] : "?";
    if ( WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    if ( argc == 4 && !strcmp( who, "source" ) ) source( (unsigned short)atoi( argv[2] ), argv[3] );
    else if ( argc == 3 && !strcmp( who, "target" ) ) target( argv[2] );
    else
    {
        fprintf( stderr, "usage: seed_demo source PORT PIPE | seed_demo target PIPE\n" );
        return 2;
    }
    WSACleanup();
    return 0;
}

/* The Windows side: event objects, completion ports, WSADuplicateSocket, TransmitFile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"

double port_now( void )
{
    static double tick;
    LARGE_INTEGER now, frequency;

    if ( !tick )
    {
        QueryPerformanceFrequency( &frequency );
        tick = 1e9 / frequency.QuadPart;
    }
    QueryPerformanceCounter( &now );
    return now.QuadPart * tick;
}

void port_begin( void )
{
    WSADATA data;

    WSAStartup( MAKEWORD( 2, 2 ), &data );
}

struct start
{
    void ( *function )( void * );
    void *argument;
};

static DWORD WINAPI run( void *argument )
{
    struct start start = *(struct start *)argument;

    free( argument );
    start.function( start.argument );
    return 0;
}

int port_thread_start( port_thread *thread, void ( *function )( void * ), void *argument )
{
    struct start *start = malloc( sizeof( *start ) );

    if ( !start ) return ERROR_OUTOFMEMORY;
    start->function = function;
    start->argument = argument;
    return ( *thread = CreateThread( NULL, 0, run, start, 0, NULL ) ) ? 0 : GetLastError();
}

void port_thread_join( port_thread thread )
{
    WaitForSingleObject( thread, INFINITE );
    CloseHandle( thread );
}

/* --- events -----------------------------------------------------------------------------------------------------------*/

int port_event_open( struct port_event *event, SOCKET s )
{
    event->s = s;
    if ( !( event->event = WSACreateEvent() ) ) return WSAGetLastError();
    return WSAEventSelect( s, event->event, FD_READ | FD_CLOSE ) ? WSAGetLastError() : 0;
}

int port_event_wait( struct port_event *event )
{
    WSANETWORKEVENTS events;

    if ( WaitForSingleObject( event->event, 10000 ) ) return WSAETIMEDOUT;
    return WSAEnumNetworkEvents( event->s, event->event, &events ) ? WSAGetLastError() : 0;
}

void port_event_close( struct port_event *event ) { WSACloseEvent( event->event ); }

/* --- another process: infos go over a connection of the native program's kind, or over TCP where there is none; the last of
 * a batch is answered -------------------------------------------------------------------------------------------------*/

struct pass_message
{
    int last;
    WSAPROTOCOL_INFOW info;
};

static SOCKET pass_channel = INVALID_SOCKET;
static HANDLE pass_process;
static DWORD pass_pid;

static int read_whole( SOCKET s, void *buffer, int size )
{
    for ( int got = 0, part; got < size; got += part )
        if ( ( part = recv( s, (char *)buffer + got, size - got, 0 ) ) <= 0 ) return 0;
    return 1;
}

/* A channel's address: AF_UNIX when `path` is one, else a port of 127.0.0.1. */
union channel_address
{
    struct sockaddr any;
    struct sockaddr_in inet;
    struct
    {
        unsigned short family;
        char path[108];
    } local;
};

static int channel_address( union channel_address *address, const char *path )
{
    memset( address, 0, sizeof( *address ) );
    if ( path[0] < '0' || path[0] > '9' )
    {
        address->local.family = AF_UNIX;
        snprintf( address->local.path, sizeof( address->local.path ), "%s", path );
        return sizeof( address->local );
    }
    address->inet.sin_family = AF_INET;
    address->inet.sin_addr.s_addr = htonl( INADDR_LOOPBACK );
    address->inet.sin_port = htons( atoi( path ) );
    return sizeof( address->inet );
}

/* path: MAX_PATH, where the other process is to connect */
static SOCKET channel_listen( char *path )
{
    union channel_address address;
    char folder[MAX_PATH - 32];
    SOCKET s;
    int size;

    GetTempPathA( sizeof( folder ), folder );
    snprintf( path, MAX_PATH, "%sws2bench.%lu", folder, GetCurrentProcessId() );
    if ( ( s = socket( AF_UNIX, SOCK_STREAM, 0 ) ) == INVALID_SOCKET )
    {
        strcpy( path, "0" );
        s = socket( AF_INET, SOCK_STREAM, 0 );
    }
    size = channel_address( &address, path );
    if ( bind( s, &address.any, size ) || listen( s, 1 ) ) return INVALID_SOCKET;
    if ( address.any.sa_family == AF_INET )
    {
        if ( getsockname( s, &address.any, &size ) ) return INVALID_SOCKET;
        sprintf( path, "%u", ntohs( address.inet.sin_port ) );
    }
    return s;
}

static void channel_prompt( SOCKET s )
{
    int on = 1;

    setsockopt( s, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof( on ) ); /* refused by AF_UNIX, which needs none */
}

int port_pass_open( void )
{
    char program[MAX_PATH], path[MAX_PATH], command[2 * MAX_PATH + 32];
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process;
    SOCKET listener;

    if ( ( listener = channel_listen( path ) ) == INVALID_SOCKET ) return WSAGetLastError();
    GetModuleFileNameA( NULL, program, sizeof( program ) );
    snprintf( command, sizeof( command ), "\"%s\" pass-target \"%s\"", program, path );
    if ( !CreateProcessA( program, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ) )
        return GetLastError();
    CloseHandle( process.hThread );
    pass_process = process.hProcess;
    pass_pid = process.dwProcessId;
    if ( ( pass_channel = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) return WSAGetLastError();
    channel_prompt( pass_channel );
    closesocket( listener );
    DeleteFileA( path );
    return 0;
}

int port_pass( SOCKET s, unsigned int count )
{
    struct pass_message message;
    char answer;

    while ( count-- )
    {
        message.last = !count;
        if ( WSADuplicateSocketW( s, pass_pid, &message.info ) ) return WSAGetLastError();
        if ( send( pass_channel, (char *)&message, sizeof( message ), 0 ) != sizeof( message ) )
            return WSAGetLastError();
    }
    return read_whole( pass_channel, &answer, 1 ) ? 0 : WSAECONNABORTED;
}

void port_pass_close( void )
{
    closesocket( pass_channel );
    WaitForSingleObject( pass_process, 10000 );
    CloseHandle( pass_process );
}

int port_pass_target( int argc, char **argv )
{
    union channel_address address;
    SOCKET channel;
    struct pass_message message;
    char answer = 0;
    int size;

    if ( argc < 3 ) return 2;
    port_begin();
    size = channel_address( &address, argv[2] );
    channel = socket( address.any.sa_family, SOCK_STREAM, 0 );
    if ( connect( channel, &address.any, size ) ) return 1;
    channel_prompt( channel );
    while ( read_whole( channel, &message, sizeof( message ) ) )
    {
        SOCKET s = WSASocketW( FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &message.info, 0, 0 );

        if ( s == INVALID_SOCKET || closesocket( s ) ) return 1;
        if ( message.last && send( channel, &answer, 1, 0 ) != 1 ) return 1;
    }
    return 0;
}

/* --- many connections: what completes at once is handled at once, as servers written for speed do ---------------------*/

struct connection
{
    OVERLAPPED overlapped;
    SOCKET s;
    int sending;
    DWORD done;              /* of a receive that completed at once: the others have their turn first */
    struct connection *next; /* with such a receive */
    char buffer[PORT_ECHO_SIZE];
};

struct echo_server
{
    HANDLE queue;
    struct connection *all, *ready;
    unsigned int taken, left;
};

static void end_connection( struct echo_server *server, struct connection *connection )
{
    closesocket( connection->s );
    connection->s = INVALID_SOCKET;
    server->left--;
}

static void receive( struct echo_server *server, struct connection *connection )
{
    WSABUF buffer = { PORT_ECHO_SIZE, connection->buffer };
    DWORD flags = 0;

    connection->sending = 0;
    if ( !WSARecv( connection->s, &buffer, 1, &connection->done, &flags, &connection->overlapped, NULL ) )
    {
        connection->next = server->ready;
        server->ready = connection;
    }
    else if ( WSAGetLastError() != WSA_IO_PENDING ) end_connection( server, connection );
}

/* What follows an operation that has completed. */
static void go_on( struct echo_server *server, struct connection *connection, DWORD done )
{
    WSABUF buffer = { done, connection->buffer };

    if ( !connection->sending )
    {
        connection->sending = 1;
        if ( !done )
        {
            end_connection( server, connection );
            return;
        }
        if ( WSASend( connection->s, &buffer, 1, &done, 0, &connection->overlapped, NULL ) )
        {
            if ( WSAGetLastError() != WSA_IO_PENDING ) end_connection( server, connection );
            return;
        }
    }
    receive( server, connection );
}

static int take_connections( struct echo_server *server, SOCKET listener, unsigned int count )
{
    int on = 1;

    for ( ; server->taken < count; server->taken++ )
    {
        struct connection *connection = &server->all[server->taken];

        if ( ( connection->s = accept( listener, NULL, NULL ) ) == INVALID_SOCKET ) return WSAGetLastError();
        setsockopt( connection->s, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof( on ) );
        if ( !CreateIoCompletionPort( (HANDLE)connection->s, server->queue, 1, 0 ) ||
             !SetFileCompletionNotificationModes( (HANDLE)connection->s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS ) )
        {
            int error = GetLastError();

            closesocket( connection->s );
            return error;
        }
    }
    server->left = count;
    for ( unsigned int i = 0; i < count; i++ ) receive( server, &server->all[i] );
    return 0;
}

static int serve( struct echo_server *server )
{
    while ( server->left )
    {
        struct connection *connection, *next = server->ready;
        OVERLAPPED_ENTRY entries[64];
        ULONG count = 0;

        server->ready = NULL;
        if ( !GetQueuedCompletionStatusEx( server->queue, entries, 64, &count, next ? 0 : 10000, FALSE ) )
        {
            if ( GetLastError() != WAIT_TIMEOUT || !next ) return GetLastError();
            count = 0;
        }
        for ( ULONG i = 0; i < count; i++ )
        {
            connection = CONTAINING_RECORD( entries[i].lpOverlapped, struct connection, overlapped );
            if ( connection->overlapped.Internal ) end_connection( server, connection );
            else go_on( server, connection, entries[i].dwNumberOfBytesTransferred );
        }
        while ( ( connection = next ) )
        {
            next = connection->next;
            go_on( server, connection, connection->done );
        }
    }
    return 0;
}

int port_echo_serve( SOCKET listener, unsigned int connections )
{
    struct echo_server server = { 0 };
    int error;

    server.all = calloc( connections, sizeof( *server.all ) );
    server.queue = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 1 );
    if ( !server.all || !server.queue ) return WSAENOBUFS;
    if ( !( error = take_connections( &server, listener, connections ) ) ) error = serve( &server );
    for ( unsigned int i = 0; i < server.taken; i++ )
        if ( server.all[i].s != INVALID_SOCKET ) closesocket( server.all[i].s );
    CloseHandle( server.queue );
    /* after an error, operations that were pending may still write there */
    if ( !error ) free( server.all );
    return error;
}

/* --- a file -----------------------------------------------------------------------------------------------------------*/

static HANDLE file;
static BOOL( PASCAL *transmit_file )( SOCKET, HANDLE, DWORD, DWORD, OVERLAPPED *, TRANSMIT_FILE_BUFFERS *, DWORD );

int port_file_open( const char *path )
{
    GUID id = WSAID_TRANSMITFILE;
    char name[MAX_PATH];
    DWORD size;
    SOCKET s = socket( AF_INET, SOCK_STREAM, 0 );
    int error = WSAIoctl( s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof( id ), &transmit_file,
                          sizeof( transmit_file ), &size, NULL, NULL )
                    ? WSAGetLastError()
                    : 0;

    closesocket( s );
    if ( error ) return error;
    snprintf( name, sizeof( name ), "Z:%s", path );
    file = CreateFileA( name, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL );
    return file == INVALID_HANDLE_VALUE ? (int)GetLastError() : 0;
}

int port_file_send( SOCKET s, uint64_t size )
{
    OVERLAPPED overlapped = { 0 };
    DWORD done, flags;

    if ( !( overlapped.hEvent = CreateEventW( NULL, TRUE, FALSE, NULL ) ) ) return GetLastError();
    if ( !transmit_file( s, file, (DWORD)size, 0, &overlapped, NULL, 0 ) && WSAGetLastError() != WSA_IO_PENDING )
        return WSAGetLastError();
    if ( !WSAGetOverlappedResult( s, &overlapped, &done, TRUE, &flags ) ) return WSAGetLastError();
    CloseHandle( overlapped.hEvent );
    return done == size ? 0 : WSAEMSGSIZE;
}

void port_file_close( void ) { CloseHandle( file ); }

/* --- a packet ------------------------------------------------------------------------------------------------------------*/

static HANDLE packets;
static SOCKET packets_socket;

/* with a socket at it, as every port that a program of sockets has */
int port_packet_open( void )
{
    if ( !( packets = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 1 ) ) ) return GetLastError();
    packets_socket = socket( AF_INET, SOCK_DGRAM, 0 );
    return CreateIoCompletionPort( (HANDLE)packets_socket, packets, 1, 0 ) ? 0 : GetLastError();
}

int port_packet( void )
{
    OVERLAPPED *overlapped;
    ULONG_PTR key;
    DWORD size;

    return PostQueuedCompletionStatus( packets, 1, 2, NULL ) &&
                   GetQueuedCompletionStatus( packets, &size, &key, &overlapped, INFINITE )
               ? 0
               : GetLastError();
}

void port_packet_close( void )
{
    closesocket( packets_socket );
    CloseHandle( packets );
}

/* --- another process of this program -----------------------------------------------------------------------------------*/

int port_spawn( const char *command, const char *argument )
{
    char program[MAX_PATH], line[2 * MAX_PATH];
    STARTUPINFOA startup = { .cb = sizeof( startup ) };
    PROCESS_INFORMATION process;

    GetModuleFileNameA( NULL, program, sizeof( program ) );
    snprintf( line, sizeof( line ), "\"%s\" %s %s", program, command, argument );
    if ( !CreateProcessA( program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process ) ) return GetLastError();
    CloseHandle( process.hThread );
    CloseHandle( process.hProcess );
    return 0;
}

/* --- a conversation: SetEvent is one, and does nothing else ---------------------------------------------------------------*/

static HANDLE conversation;

int port_conversation_open( void )
{
    return ( conversation = CreateEventW( NULL, TRUE, TRUE, NULL ) ) ? 0 : GetLastError();
}

int port_conversation( void ) { return SetEvent( conversation ) ? 0 : GetLastError(); }

void port_conversation_close( void ) { CloseHandle( conversation ); }

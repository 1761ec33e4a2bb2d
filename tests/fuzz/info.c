/*
 * WSAPROTOCOL_INFO: whatever stands in one that a program hands to WSASocket, either a ticket goes to the server as it
 * stands there, or a socket is made that the catalogue knows; nothing outside the info's size is read or written, and what
 * WSADuplicateSocket and the enumerations write is whole entries within the buffer given.
 *
 * The sources of dlls/ws2_32 for the host's compiler, windows/winsock2.h standing for Windows' headers. An input: what to do
 * (1 byte), four numbers (4 each), and the info or list.
 */
#include "base/ws2_32_private.h"
#include "catalogue/catalogue.h"
#include "overlapped/completion.h"
#include "sockets/handle_copies.h"
#include "sockets/handle_pool.h"
#include "sockets/other_library.h"
#include "sockets/options.h"
#include "registered/registered_io.h"

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size );

LONG ws2_started = 1;
volatile UINT32 ws2_tracing;

static struct
{
    uint32_t numbers[4];
    DWORD expected_ticket; /* 0: none may be redeemed */
    int calls;
    DWORD error;
} run;

static void demand( int condition )
{
    if ( !condition ) abort();
}

void SetLastError( DWORD error ) { run.error = error; }
DWORD GetLastError( void ) { return run.error; }
void ws2_trace( const char *function, enum trace_result kind, long long result, int error, const char *format, ... )
{
    (void)function, (void)kind, (void)result, (void)error, (void)format;
}
int ws2_read( void *target, const void *user, size_t size ) { return memcpy( target, user, size ), 0; }
int ws2_write( void *user, const void *source, size_t size ) { return memcpy( user, source, size ), 0; }
DWORD options_opentype( void ) { return 0; }
void completion_deliver( void ) {}
void handle_copies( struct ws2_handle_params *params ) { (void)params; }
BOOL other_library_serves( DWORD pid ) { return pid == 0xb; }
BOOL other_library_made( const WSAPROTOCOL_INFOW *info ) { return info->dwServiceFlags4 == 0xff00ff00; }
void registered_closing( SOCKET s ) { (void)s; }
SOCKET handle_pool_install( int fd, UINT64 descriptor, DWORD flags, int *error )
{
    (void)fd, (void)descriptor, (void)flags, (void)error;
    return 0x40;
}
HANDLE handle_pool_take( DWORD flags ) { return (void)flags, (HANDLE)0x40; }
void handle_pool_give_back( HANDLE handle ) { (void)handle; }
SOCKET handle_pool_install_under( HANDLE handle, int fd, UINT64 descriptor, DWORD flags, int *error )
{
    (void)fd, (void)descriptor, (void)flags, (void)error;
    return (SOCKET)handle;
}
void handle_pool_end( UINT64 handle, UINT32 pooled, UINT32 real ) { (void)handle, (void)pooled, (void)real; }
NTSTATUS NtClose( HANDLE handle ) { return (void)handle, 0; }
int32_t ws2host_fd_to_handle( int fd, unsigned int attributes, void **handle )
{
    (void)fd, (void)attributes;
    *handle = (void *)0x40;
    return 0;
}
int32_t ws2host_handle_to_fd( void *handle, int *fd ) { return (void)handle, *fd = -1, -1; }
HANDLE OpenProcess( DWORD access, BOOL inherit, DWORD pid ) { return (void)access, (void)inherit, (void)pid, NULL; }
DWORD WaitForSingleObject( HANDLE handle, DWORD timeout ) { return (void)handle, (void)timeout, 0; }
HANDLE GetCurrentProcess( void ) { return NULL; }
BOOL CloseHandle( HANDLE handle ) { return (void)handle, TRUE; }
BOOL DuplicateHandle( HANDLE from, HANDLE source, HANDLE to, HANDLE *target, DWORD access, BOOL inherit, DWORD options )
{
    (void)from, (void)source, (void)to, (void)target, (void)access, (void)inherit, (void)options;
    return FALSE;
}
int WideCharToMultiByte( UINT page, DWORD flags, const WCHAR *wide, int length, char *text, int size,
                         const char *fallback, BOOL *used )
{
    int i = 0;

    (void)page, (void)flags, (void)length, (void)fallback, (void)used;
    do demand( i < size );
    while ( ( text[i] = wide[i] ) && ++i );
    return i + 1;
}

/* The host half. */
int ws2_call_( unsigned int code, void *args )
{
    run.calls++;
    switch ( code )
    {
    case ws2_call_redeem:
        demand( run.expected_ticket && ( (struct ws2_redeem_params *)args )->ticket == run.expected_ticket );
        return run.numbers[0] & 1 ? WSAEINVAL : 0;
    case ws2_call_socket_create:
    {
        const struct ws2_socket_create_params *create = args;
        const int family = create->family;

        demand( !run.expected_ticket );
        demand( family == AF_INET || family == AF_INET6 || family == AF_UNIX );
        demand( create->type >= SOCK_STREAM && create->type <= SOCK_RAW && create->protocol <= 255 );
        demand( catalogue_entry( family, create->type, create->protocol ) != NULL );
        return 0;
    }
    case ws2_call_socket_info: /* a slot that anybody may have written to */
    {
        struct ws2_socket_info_params *info = args;

        info->family = (uint16_t)run.numbers[0];
        info->type = (uint8_t)run.numbers[1];
        info->protocol = (uint8_t)run.numbers[2];
        return 0;
    }
    case ws2_call_duplicate:
        ( (struct ws2_duplicate_params *)args )->unknown_target = run.numbers[3] & 1;
        ( (struct ws2_duplicate_params *)args )->ticket = run.numbers[3];
        return run.numbers[3] & 2 ? WSAEINVAL : 0;
    case ws2_call_watch_create: return run.numbers[3] & 4 ? WSAEMFILE : 0;
    case ws2_call_socket_install:
    case ws2_call_socket_discard:
    case ws2_call_watch_send: return 0;
    }
    abort();
}

int32_t ws2host_call( unsigned int code, void *args )
{
    *(int32_t *)args = ws2_call_( code, args );
    return 0;
}

/* A block of exactly that size, holding what the input has of it. */
static void *block( const uint8_t *data, size_t size, size_t wanted )
{
    char *memory = calloc( 1, wanted ? wanted : 1 );

    demand( memory != NULL );
    if ( size ) memcpy( memory, data, size < wanted ? size : wanted );
    return memory;
}

static void open_it( const uint8_t *data, size_t size, BOOL wide )
{
    void *info = block( data, size, wide ? sizeof( WSAPROTOCOL_INFOW ) : sizeof( WSAPROTOCOL_INFOA ) );
    const uint32_t *n = run.numbers;
    SOCKET s;

    run.expected_ticket = ( (WSAPROTOCOL_INFOA *)info )->dwProviderReserved;
    s = wide ? WSASocketW( n[0], n[1], n[2], info, 0, n[3] ) : WSASocketA( n[0], n[1], n[2], info, 0, n[3] );
    demand( ( s == INVALID_SOCKET ) == ( run.error != 0 ) );
    free( info );
    run.expected_ticket = 0;
    s = WSASocketW( n[0], n[1], n[2], NULL, 0, n[3] );
    demand( ( s == INVALID_SOCKET ) == ( run.error != 0 ) );
}

static void duplicate_it( BOOL wide )
{
    void *info = block( NULL, 0, wide ? sizeof( WSAPROTOCOL_INFOW ) : sizeof( WSAPROTOCOL_INFOA ) );
    const int result = wide ? WSADuplicateSocketW( 0x40, 4, info ) : WSADuplicateSocketA( 0x40, 4, info );

    demand( ( result == SOCKET_ERROR ) == ( run.error != 0 ) );
    if ( !result ) demand( ( (WSAPROTOCOL_INFOA *)info )->dwProviderReserved == run.numbers[3] );
    free( info );
}

static void list_it( const uint8_t *data, size_t size, int how )
{
    const size_t count = size / sizeof( int );
    DWORD room = run.numbers[0] % 6000, length = room;
    int *protocols = block( data, count * sizeof( int ), ( count + 1 ) * sizeof( int ) ), error, result;
    void *buffer = block( NULL, 0, room );
    const size_t entry = how ? sizeof( WSAPROTOCOL_INFOW ) : sizeof( WSAPROTOCOL_INFOA );

    result = how == 0   ? WSAEnumProtocolsA( protocols, buffer, &length )
             : how == 1 ? WSAEnumProtocolsW( protocols, buffer, &length )
                        : WSCEnumProtocols( protocols, buffer, &length, &error );
    if ( result == SOCKET_ERROR ) demand( length > room && length % entry == 0 );
    else demand( result >= 0 && result * entry <= room );
    free( buffer );
    free( protocols );
}

int LLVMFuzzerTestOneInput( const uint8_t *data, size_t size )
{
    const uint8_t what = size ? data[0] : 0;

    if ( size < 1 + sizeof( run.numbers ) ) return 0;
    memset( &run, 0, sizeof( run ) );
    memcpy( run.numbers, data + 1, sizeof( run.numbers ) );
    data += 1 + sizeof( run.numbers );
    size -= 1 + sizeof( run.numbers );
    switch ( what % 7 )
    {
    case 0:
    case 1: open_it( data, size, what % 7 ); break;
    case 2:
    case 3: duplicate_it( what % 7 - 2 ); break;
    default: list_it( data, size, what % 7 - 4 );
    }
    return 0;
}

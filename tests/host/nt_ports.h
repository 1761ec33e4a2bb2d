/*
 * A stand-in for the loader under dlls/ws2_32/ports: wineserver's completion ports in one process, and of Win32 what those
 * sources call. Threads that sleep in a port here sleep on when its handles are closed, as some loaders let them.
 */
#ifndef WS2HOST_TEST_NT_PORTS_H
#define WS2HOST_TEST_NT_PORTS_H

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "ports/port_queue_private.h"
#include "ports/ports.h"
#include "base/thread_data.h"
#include "base/upcalls.h"
#include "base/worker.h"

#define NT_HANDLES 256
#define NT_PROCESSORS 3

struct nt_port
{
    struct nt_port *next; /* of all, which stay */
    struct port_packet *packets;
    unsigned int first, count, size;
    unsigned int handles, sleeping;
};

static pthread_mutex_t nt_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t nt_changed = PTHREAD_COND_INITIALIZER;
static struct nt_port *nt_ports, *nt_handles[NT_HANDLES];
static int nt_held; /* who sleeps here is not woken yet */

static int64_t nt_now_us( void )
{
    struct timespec now;

    clock_gettime( CLOCK_MONOTONIC, &now );
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static struct nt_port *nt_port_of( HANDLE handle )
{
    const size_t index = (size_t)handle / 4;

    return index < NT_HANDLES ? nt_handles[index] : NULL;
}

/* The lowest free value, as the loader gives them: one that was closed comes back at once. */
static HANDLE nt_new_handle( struct nt_port *port )
{
    size_t index = 1;

    while ( nt_handles[index] ) ck_assert_uint_lt( ++index, NT_HANDLES );
    nt_handles[index] = port;
    port->handles++;
    return (HANDLE)( 4 * index );
}

static NTSTATUS nt_create( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, ULONG concurrency )
{
    struct nt_port *port = calloc( 1, sizeof( *port ) );

    (void)access, (void)attributes, (void)concurrency;
    ck_assert_ptr_nonnull( port );
    pthread_mutex_lock( &nt_lock );
    port->next = nt_ports;
    nt_ports = port;
    *handle = nt_new_handle( port );
    pthread_mutex_unlock( &nt_lock );
    return 0;
}

static NTSTATUS nt_duplicate( HANDLE from, HANDLE source, HANDLE to, HANDLE *target, ACCESS_MASK access,
                              ULONG attributes, ULONG options )
{
    struct nt_port *port;

    (void)from, (void)to, (void)access, (void)attributes, (void)options;
    pthread_mutex_lock( &nt_lock );
    *target = ( port = nt_port_of( source ) ) ? nt_new_handle( port ) : NULL;
    pthread_mutex_unlock( &nt_lock );
    return port ? 0 : STATUS_INVALID_HANDLE;
}

static NTSTATUS nt_close( HANDLE handle )
{
    struct nt_port *port;

    pthread_mutex_lock( &nt_lock );
    if ( ( port = nt_port_of( handle ) ) )
    {
        nt_handles[(size_t)handle / 4] = NULL;
        port->handles--;
    }
    pthread_mutex_unlock( &nt_lock );
    return port ? 0 : STATUS_INVALID_HANDLE;
}

static NTSTATUS nt_set( HANDLE handle, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T information )
{
    struct nt_port *port;

    pthread_mutex_lock( &nt_lock );
    if ( ( port = nt_port_of( handle ) ) )
    {
        if ( port->first + port->count == port->size )
        {
            port->size = port->size ? 2 * port->size : 64;
            port->packets = realloc( port->packets, port->size * sizeof( *port->packets ) );
        }
        port->packets[port->first + port->count++] = ( struct port_packet ){ key, value, { { status }, information } };
        pthread_cond_broadcast( &nt_changed );
    }
    pthread_mutex_unlock( &nt_lock );
    return port ? 0 : STATUS_INVALID_HANDLE;
}

/* Until something has changed, or there is no time left: 0 then. The lock is held. */
static int nt_sleep( const LARGE_INTEGER *timeout, int64_t begin )
{
    const struct timespec slice = { 0, 2000000 };

    if ( timeout && nt_now_us() - begin >= -timeout->QuadPart / 10 ) return 0;
    if ( !timeout ) pthread_cond_wait( &nt_changed, &nt_lock );
    else
    {
        pthread_mutex_unlock( &nt_lock );
        nanosleep( &slice, NULL );
        pthread_mutex_lock( &nt_lock );
    }
    return 1;
}

static NTSTATUS nt_remove_ex( HANDLE handle, struct port_packet *packets, ULONG count, ULONG *taken,
                              LARGE_INTEGER *timeout, BOOLEAN alertable )
{
    const int64_t begin = nt_now_us();
    struct nt_port *port;
    NTSTATUS status = 0;

    (void)alertable;
    pthread_mutex_lock( &nt_lock );
    if ( ( port = nt_port_of( handle ) ) )
    {
        port->sleeping++;
        while ( !port->count || ( nt_held && !timeout ) )
            if ( !nt_sleep( timeout, begin ) ) break;
        port->sleeping--;
        for ( *taken = 0; *taken < count && port->count; port->count-- )
            packets[( *taken )++] = port->packets[port->first++];
        if ( !port->count ) port->first = 0;
        if ( !*taken ) status = 0x102;
    }
    else status = STATUS_INVALID_HANDLE;
    pthread_mutex_unlock( &nt_lock );
    return status;
}

static NTSTATUS nt_remove( HANDLE handle, ULONG_PTR *key, ULONG_PTR *value, IO_STATUS_BLOCK *iosb,
                           LARGE_INTEGER *timeout )
{
    struct port_packet packet;
    ULONG taken;
    NTSTATUS status = nt_remove_ex( handle, &packet, 1, &taken, timeout, FALSE );

    if ( status ) return status;
    *key = packet.key;
    *value = packet.value;
    *iosb = packet.iosb;
    return 0;
}

static NTSTATUS nt_wait( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable,
                         const LARGE_INTEGER *timeout )
{
    const int64_t begin = nt_now_us();
    NTSTATUS ready = 0x102;

    (void)any, (void)alertable;
    pthread_mutex_lock( &nt_lock );
    do {
        for ( ULONG i = 0; i < count && ready == 0x102 && !nt_held; i++ )
            if ( nt_port_of( handles[i] ) && nt_port_of( handles[i] )->count ) ready = i;
    } while ( ready == 0x102 && nt_sleep( timeout, begin ) );
    pthread_mutex_unlock( &nt_lock );
    return ready;
}

static NTSTATUS nt_query_object( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed )
{
    PUBLIC_OBJECT_BASIC_INFORMATION *info = information;
    struct nt_port *port;

    (void)size, (void)needed;
    ck_assert_uint_eq( class, OBJECT_BASIC_INFORMATION );
    pthread_mutex_lock( &nt_lock );
    if ( ( port = nt_port_of( handle ) ) ) info->HandleCount = port->handles;
    pthread_mutex_unlock( &nt_lock );
    return port ? 0 : STATUS_INVALID_HANDLE;
}

static NTSTATUS nt_query_port( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed )
{
    struct nt_port *port;

    (void)class, (void)size, (void)needed;
    pthread_mutex_lock( &nt_lock );
    if ( ( port = nt_port_of( handle ) ) ) *(LONG *)information = port->count;
    pthread_mutex_unlock( &nt_lock );
    return port ? 0 : STATUS_INVALID_HANDLE;
}

/* How many packets lie in wineserver's queue, and how many threads sleep there. */
static unsigned int nt_packets( HANDLE handle )
{
    LONG count = 0;

    nt_query_port( handle, 0, &count, sizeof( count ), NULL );
    return count;
}

static unsigned int nt_sleeping( HANDLE handle )
{
    unsigned int sleeping;

    pthread_mutex_lock( &nt_lock );
    sleeping = nt_port_of( handle )->sleeping;
    pthread_mutex_unlock( &nt_lock );
    return sleeping;
}

static void nt_hold( int held )
{
    pthread_mutex_lock( &nt_lock );
    nt_held = held;
    pthread_cond_broadcast( &nt_changed );
    pthread_mutex_unlock( &nt_lock );
}

/* --- what the sources call ----------------------------------------------------------------------------------------------*/

struct hooks_view hooks_view = { .handles = 1 };
HANDLE volatile port_delivering_event;
void *volatile port_delivering_value;
struct ws2_upcalls ws2_upcalls;
void port_delivery_settle( void ) {}
BOOL thread_has_ended( DWORD thread )
{
    (void)thread;
    return FALSE;
}

NTSTATUS ( *nt_NtClose )( HANDLE ) = nt_close;
NTSTATUS ( *nt_NtCreateIoCompletion )( HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG ) = nt_create;
NTSTATUS ( *nt_NtDuplicateObject )( HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG ) = nt_duplicate;
NTSTATUS ( *nt_NtQueryIoCompletion )( HANDLE, ULONG, void *, ULONG, ULONG * ) = nt_query_port;
NTSTATUS ( *nt_NtQueryObject )( HANDLE, ULONG, void *, ULONG, ULONG * ) = nt_query_object;
NTSTATUS( *nt_NtRemoveIoCompletion )
( HANDLE, ULONG_PTR *, ULONG_PTR *, IO_STATUS_BLOCK *, LARGE_INTEGER * ) = nt_remove;
NTSTATUS( *nt_NtRemoveIoCompletionEx )
( HANDLE, struct port_packet *, ULONG, ULONG *, LARGE_INTEGER *, BOOLEAN ) = nt_remove_ex;
NTSTATUS ( *nt_NtSetIoCompletion )( HANDLE, ULONG_PTR, ULONG_PTR, NTSTATUS, SIZE_T ) = nt_set;
NTSTATUS ( *nt_NtWaitForMultipleObjects )( ULONG, const HANDLE *, BOOLEAN, BOOLEAN, const LARGE_INTEGER * ) = nt_wait;

extern NTSTATUS ( *const __wine_unix_call_funcs[] )( void * );

static _Atomic unsigned int nt_looks; /* whether a thread runs has been asked so often */

/* The real host half's ports. */
int32_t ws2host_call( unsigned int code, void *args )
{
    if ( code == ws2_call_port_thread && ( (struct ws2_port_thread_params *)args )->thread ) nt_looks++;
    return __wine_unix_call_funcs[code]( args );
}

int ws2_read( void *target, const void *user, size_t size )
{
    return user ? memcpy( target, user, size ), 0 : WSAEFAULT;
}
int ws2_write( void *user, const void *source, size_t size )
{
    return user ? memcpy( user, source, size ), 0 : WSAEFAULT;
}
void ws2_results_begin( struct ws2_operation_results_params *results ) { results->count = results->done = 0; }
void ws2_results_add( struct ws2_operation_results_params *results, UINT64 user, UINT64 source, UINT64 size )
{
    results->results[results->count].target = user;
    results->results[results->count].source = source;
    results->results[results->count++].size = size;
}
BOOL ws2_results_write( struct ws2_operation_results_params *results )
{
    return !ws2host_call( ws2_call_operation_results, results );
}
/* there are no sockets here */
BOOL ws2_start_io_thread( void ) { return TRUE; }
void port_closed( void ) {}
void port_wait_for_event( HANDLE event ) { (void)event; }

struct thread_data *thread_data( void )
{
    static __thread struct thread_data data;

    return &data;
}

struct nt_work
{
    void ( *run )( void *argument );
    void *argument;
};

static void *nt_work( void *argument )
{
    struct nt_work work = *(struct nt_work *)argument;

    free( argument );
    work.run( work.argument );
    return NULL;
}

BOOL worker_start( void ( *run )( void *argument ), void *argument )
{
    struct nt_work *work = malloc( sizeof( *work ) );
    pthread_t thread;

    *work = ( struct nt_work ){ run, argument };
    ck_assert_int_eq( pthread_create( &thread, NULL, nt_work, work ), 0 );
    pthread_detach( thread );
    return TRUE;
}

static __thread DWORD nt_last_error;
void SetLastError( DWORD error ) { nt_last_error = error; }
DWORD GetLastError( void ) { return nt_last_error; }
DWORD GetTickCount( void ) { return nt_now_us() / 1000; }
DWORD GetCurrentThreadId( void ) { return syscall( SYS_gettid ); }
HANDLE GetCurrentProcess( void ) { return (HANDLE)-1; }
DWORD GetCurrentProcessId( void ) { return 0x20; }
DWORD SleepEx( DWORD ms, BOOL alertable ) { return (void)alertable, usleep( ms * 1000 ), 0; }
void Sleep( DWORD ms ) { usleep( ms * 1000 ); }
void GetSystemInfo( SYSTEM_INFO *info ) { info->dwNumberOfProcessors = NT_PROCESSORS; }
void GetSystemTimeAsFileTime( FILETIME *time ) { memset( time, 0, sizeof( *time ) ); }
BOOL QueryPerformanceFrequency( LARGE_INTEGER *frequency ) { return frequency->QuadPart = 1000000, TRUE; }
BOOL QueryPerformanceCounter( LARGE_INTEGER *counter ) { return counter->QuadPart = nt_now_us(), TRUE; }

LONG RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout )
{
    const int64_t begin = nt_now_us();

    while ( !memcmp( address, compare, size ) )
    {
        if ( nt_now_us() - begin >= -timeout->QuadPart / 10 ) return 0x102;
        usleep( 1000 );
    }
    return 0;
}
void RtlWakeAddressAll( const void *address ) { (void)address; }

#endif

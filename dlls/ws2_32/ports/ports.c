/*
 * Completion ports of sockets.
 *
 * The association is of the socket and outlives the program's handle of the port, as the reference does that Windows
 * keeps: the process that associates keeps a handle of its own for each port, until no other is left anywhere. A process
 * that completes an operation on a socket whose port is another process's gets itself a handle from there, once.
 */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"
#include "overlapped/overlapped.h"
#include "ports/port_queue.h"
#include "ports/ports.h"

NTSTATUS NTAPI NtQueryIoCompletion( HANDLE port, ULONG class, void *info, ULONG size, ULONG *result );

struct port
{
    struct port *next;
    HANDLE theirs; /* the program's handle; NULL once that is closed */
    DWORD owner;   /* 0, or the Windows process in which `theirs` is */
    HANDLE ours;
    BOOL kept;                /* registrations of notifications name it */
    struct port_queue *queue; /* counted; NULL: its packets go through wineserver */
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct port *ports;
static UINT64 owned;   /* a hash of the handles `theirs` of this process: what is not in it is no port of ours */
static UINT32 orphans; /* ports without such a handle, to be let go */

static UINT64 hash( HANDLE handle ) { return 1ull << ( (UINT_PTR)handle >> 2 & 63 ); }

/* Under the lock, whenever the list has changed. */
static void count_ports( void )
{
    UINT64 hashes = 0;
    UINT32 count = 0;

    for ( struct port *port = ports; port; port = port->next )
        if ( !port->theirs ) count += !port->kept;
        else if ( !port->owner ) hashes |= hash( port->theirs );
    owned = hashes;
    orphans = count;
}

static struct port *find( HANDLE theirs, DWORD owner )
{
    struct port *port = ports;

    while ( port && ( port->theirs != theirs || port->owner != owner ) ) port = port->next;
    return port;
}

static struct port *add( HANDLE theirs, DWORD owner, HANDLE process )
{
    struct port *port = calloc( 1, sizeof( *port ) );

    if ( !port ) return NULL;
    /* the call itself: its stand-in would take the port for one that others use */
    if ( nt_NtDuplicateObject( process, theirs, GetCurrentProcess(), &port->ours, 0, 0, DUPLICATE_SAME_ACCESS ) )
    {
        free( port );
        return NULL;
    }
    port->theirs = theirs;
    port->owner = owner;
    if ( !owner && !( port->queue = port_queue_find( theirs ) ) ) port->queue = port_queue_adopt( theirs );
    port->next = ports;
    ports = port;
    count_ports();
    return port;
}

/* The lock is held. */
static struct port *find_or_add( HANDLE theirs )
{
    struct port *port = find( theirs, 0 );

    return port ? port : add( theirs, 0, GetCurrentProcess() );
}

NTSTATUS port_keep( HANDLE theirs, HANDLE *ours )
{
    struct port_queue *queue = NULL;
    struct port *port;
    NTSTATUS status;
    ULONG depth;

    if ( ( status = NtQueryIoCompletion( theirs, 0, &depth, sizeof( depth ), NULL ) ) ) return status;
    AcquireSRWLockExclusive( &lock );
    if ( ( port = find_or_add( theirs ) ) )
    {
        port->kept = TRUE;
        if ( ( queue = port->queue ) ) port_queue_hold( queue );
        *ours = port->ours;
    }
    ReleaseSRWLockExclusive( &lock );
    if ( queue ) port_queue_share( queue ); /* whether packets are taken is asked of wineserver */
    port_queue_release( queue );
    return port ? 0 : status_of_error( WSAENOBUFS );
}

NTSTATUS overlapped_associate( HANDLE s, HANDLE theirs, ULONG_PTR key )
{
    struct ws2_port_params params = { .handle = ws2_pointer( s ), .port = { .key = key } };
    struct port_queue *queue = NULL;
    struct port *port;
    NTSTATUS status;
    ULONG depth;
    int error;

    if ( ( status = NtQueryIoCompletion( theirs, 0, &depth, sizeof( depth ), NULL ) ) ) return status;
    AcquireSRWLockExclusive( &lock );
    if ( ( port = find_or_add( theirs ) ) && ( queue = port->queue ) ) port_queue_hold( queue );
    ReleaseSRWLockExclusive( &lock );
    /* which may start threads: no lock is held */
    if ( queue ) params.queue = port_queue_begin( queue );

    AcquireSRWLockExclusive( &lock );
    if ( !( port = find_or_add( theirs ) ) ) error = WSAENOBUFS;
    else
    {
        params.port.handle = (UINT32)(UINT_PTR)port->ours;
        error = ws2_call( port_associate, &params );
    }
    ReleaseSRWLockExclusive( &lock );
    port_queue_release( queue );
    if ( error == WSA_INVALID_PARAMETER ) return STATUS_INVALID_PARAMETER;
    return status_of_error( error );
}

BOOL overlapped_port_closing( HANDLE theirs )
{
    struct port *port;

    if ( !( owned & hash( theirs ) ) ) return orphans != 0;
    AcquireSRWLockExclusive( &lock );
    if ( ( port = find( theirs, 0 ) ) ) port->theirs = NULL;
    count_ports();
    ReleaseSRWLockExclusive( &lock );
    return orphans != 0;
}

void overlapped_port_closed( void )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    struct port **link, *port;

    AcquireSRWLockExclusive( &lock );
    for ( link = &ports; ( port = *link ); )
    {
        /* a handle of another process, or a second one of this, may keep the port in use */
        if ( !port->theirs && !port->kept &&
             !NtQueryObject( port->ours, ObjectBasicInformation, &info, sizeof( info ), NULL ) &&
             info.HandleCount <= 1 )
        {
            *link = port->next;
            nt_NtClose( port->ours ); /* the stand-in would come back here */
            port_queue_release( port->queue );
            free( port );
        }
        else link = &port->next;
    }
    count_ports();
    ReleaseSRWLockExclusive( &lock );
}

static HANDLE foreign_port( DWORD owner, HANDLE handle )
{
    struct port *port;
    HANDLE process, ours;

    AcquireSRWLockExclusive( &lock );
    port = find( handle, owner );
    if ( !port && ( process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, owner ) ) )
    {
        port = add( handle, owner, process );
        nt_NtClose( process );
    }
    ours = port ? port->ours : NULL;
    ReleaseSRWLockExclusive( &lock );
    return ours;
}

/* The queue of one of this process's ports, by our handle; counted. */
static struct port_queue *queue_of( HANDLE ours )
{
    struct port_queue *queue;
    struct port *port;

    AcquireSRWLockShared( &lock );
    for ( port = ports; port && ( port->ours != ours || port->owner ); ) port = port->next;
    if ( ( queue = port ? port->queue : NULL ) ) port_queue_hold( queue );
    ReleaseSRWLockShared( &lock );
    return queue;
}

void port_post( const struct ws2_port *port, void *value, LONG status, ULONG_PTR information )
{
    HANDLE handle = (HANDLE)(UINT_PTR)port->handle;
    struct port_queue *queue = NULL;
    BOOL taken;

    if ( port->owner != GetCurrentProcessId() ) handle = foreign_port( port->owner, handle );
    else queue = queue_of( handle );
    taken = queue && port_queue_post( queue, port->key, (ULONG_PTR)value, status, information );
    if ( !taken && handle ) nt_NtSetIoCompletion( handle, port->key, (ULONG_PTR)value, status, information );
    port_queue_release( queue );
}

NTSTATUS overlapped_set_modes( HANDLE s, ULONG modes )
{
    struct ws2_port_params params = { .handle = ws2_pointer( s ), .port = { .modes = modes } };
    int error = ws2_call( port_modes, &params );

    return error ? status_of_error( error ) : 0;
}

ULONG overlapped_get_modes( HANDLE s )
{
    struct ws2_port_params params = { .handle = ws2_pointer( s ) };

    return ws2_call( port_query, &params ) ? 0 : params.port.modes;
}

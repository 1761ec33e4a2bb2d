/*
 * Our own handles of completion ports.
 *
 * An association is of the socket and outlives the program's handle of the port, as the reference does that Windows keeps:
 * the process that associates keeps a handle of its own for each port, until no other is left anywhere. A process that
 * completes an operation on a socket whose port is another process's gets itself a handle from there, once.
 *
 * A handle's value is used again as soon as it is closed, and an operation may end later than that. So a port is named by an
 * id: the value of our handle, and in the highest bits a number that counts up.
 */
#include "ports/port_list.h"
#include "ntdll/hooks.h"

SRWLOCK port_list_lock = SRWLOCK_INIT;
static struct port *ports;
static UINT64 owned;   /* a hash of the handles `theirs` of this process: what is not in it is no port of ours */
static UINT32 orphans; /* ports without such a handle, to be let go */

#define ID_HANDLE 0x03fffffcu
#define ID_NUMBER 0x04000000u

static UINT64 handle_hash( HANDLE handle ) { return 1ull << ( (UINT_PTR)handle >> 2 & 63 ); }

/* Under the lock, whenever the list has changed. */
static void count_ports( void )
{
    UINT64 hashes = 0;
    UINT32 count = 0;

    for ( struct port *port = ports; port; port = port->next )
        if ( !port->theirs ) count += !port->kept;
        else if ( !port->owner ) hashes |= handle_hash( port->theirs );
    owned = hashes;
    orphans = count;
}

static struct port *list_find( HANDLE theirs, DWORD owner )
{
    struct port *port = ports;

    while ( port && ( port->theirs != theirs || port->owner != owner ) ) port = port->next;
    return port;
}

static struct port *list_add( HANDLE theirs, DWORD owner, HANDLE process )
{
    static UINT32 number;
    struct port *port = calloc( 1, sizeof( *port ) );

    if ( !port ) return NULL;
    /* the call itself: its hook would take the port for one that others use */
    if ( nt_NtDuplicateObject( process, owner ? (HANDLE)( (UINT_PTR)theirs & ID_HANDLE ) : theirs, GetCurrentProcess(),
                               &port->ours, 0, 0, DUPLICATE_SAME_ACCESS ) )
    {
        free( port );
        return NULL;
    }
    port->theirs = theirs;
    port->owner = owner;
    port->id = (UINT32)(UINT_PTR)port->ours + ID_NUMBER * ++number;
    if ( !owner && !( port->queue = port_queue_find( theirs ) ) ) port->queue = port_queue_adopt( theirs );
    if ( port->queue ) port_queue_name( port->queue, port->id );
    port->next = ports;
    ports = port;
    count_ports();
    return port;
}

struct port *port_list_find_or_add( HANDLE theirs )
{
    struct port *port = list_find( theirs, 0 );

    return port ? port : list_add( theirs, 0, GetCurrentProcess() );
}

BOOL port_closing( HANDLE theirs )
{
    struct port *port;

    if ( !( owned & handle_hash( theirs ) ) ) return orphans != 0;
    lock_exclusive( &port_list_lock );
    if ( ( port = list_find( theirs, 0 ) ) ) port->theirs = NULL;
    count_ports();
    ReleaseSRWLockExclusive( &port_list_lock );
    return orphans != 0;
}

void port_closed( void )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    struct port **link, *port;

    lock_exclusive( &port_list_lock );
    for ( link = &ports; ( port = *link ); )
    {
        /* a handle of another process, or a second one of this, may keep the port in use */
        if ( !port->theirs && !port->kept &&
             !NtQueryObject( port->ours, ObjectBasicInformation, &info, sizeof( info ), NULL ) &&
             info.HandleCount <= 1 )
        {
            *link = port->next;
            nt_NtClose( port->ours ); /* the hook would come back here */
            port_queue_release( port->queue );
            free( port );
        }
        else link = &port->next;
    }
    count_ports();
    ReleaseSRWLockExclusive( &port_list_lock );
}

HANDLE port_list_foreign( DWORD owner, UINT32 id )
{
    const HANDLE handle = (HANDLE)(UINT_PTR)id;
    struct port *port;
    HANDLE process, ours;

    lock_exclusive( &port_list_lock );
    port = list_find( handle, owner );
    if ( !port && ( process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, owner ) ) )
    {
        port = list_add( handle, owner, process );
        nt_NtClose( process );
    }
    ours = port ? port->ours : NULL;
    ReleaseSRWLockExclusive( &port_list_lock );
    return ours;
}

/* The lock is held. */
static struct port *list_find_id( UINT32 id )
{
    struct port *port = ports;

    while ( port && ( port->id != id || port->owner ) ) port = port->next;
    return port;
}

struct port_queue *port_list_queue_of( UINT32 id )
{
    struct port_queue *queue = port_queue_own( id );
    struct port *port;

    if ( queue ) return queue;
    lock_shared( &port_list_lock );
    port = list_find_id( id );
    if ( ( queue = port ? port->queue : NULL ) ) port_queue_hold( queue );
    ReleaseSRWLockShared( &port_list_lock );
    return queue;
}

void port_list_post( UINT32 id, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, ULONG_PTR information )
{
    struct port *port;

    /* under the lock, or the handle might be another's meanwhile */
    lock_shared( &port_list_lock );
    if ( ( port = list_find_id( id ) ) ) nt_NtSetIoCompletion( port->ours, key, value, status, information );
    ReleaseSRWLockShared( &port_list_lock );
}

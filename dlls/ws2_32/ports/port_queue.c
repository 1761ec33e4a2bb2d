/*
 * Packets of completion ports in the process.
 *
 * A port that this process makes has a queue here, known by the handle's value. It is used from the first socket on, and
 * until others may wait at the port who do not look here: then all goes through wineserver. While it is used, everything
 * comes to the one queue: what ends on our sockets, what the program posts, and, brought by the courier, what the loader's
 * own files and other processes post. Threads wait for it in the host half (port_take.c), where they also perform what
 * the port's sockets have pending.
 */
#include "ports/port_queue_private.h"

#define WOKEN_MS 50 /* a thread that has not come by then was ended */
#define CHECK_MS 50 /* the same of one that is held back */

#define BUCKETS 256
static struct port_queue *volatile buckets[BUCKETS];
static SRWLOCK buckets_lock = SRWLOCK_INIT;

static struct port_queue *volatile *bucket_of( HANDLE handle )
{
    return &buckets[(UINT_PTR)handle >> 2 & ( BUCKETS - 1 )];
}

static BOOL same( HANDLE a, HANDLE b ) { return !( ( (UINT_PTR)a ^ (UINT_PTR)b ) & ~(UINT_PTR)3 ); }

struct port_queue *port_queue_find( HANDLE port )
{
    struct port_queue *volatile *bucket = bucket_of( port );
    struct port_queue *queue;

    if ( !*bucket ) return NULL;
    AcquireSRWLockShared( &buckets_lock );
    for ( queue = *bucket; queue && !same( queue->handle, port ); ) queue = queue->next;
    if ( queue ) InterlockedIncrement( &queue->references );
    ReleaseSRWLockShared( &buckets_lock );
    return queue;
}

void port_queue_hold( struct port_queue *queue ) { InterlockedIncrement( &queue->references ); }

void port_queue_release( struct port_queue *queue )
{
    struct ws2_port_open_params params = { 0 };

    if ( !queue || InterlockedDecrement( &queue->references ) ) return;
    params.port = queue->host;
    ws2host_call( ws2_call_port_close, &params );
    free( queue->packets );
    free( queue );
}

/* Takes it out; the reference is the caller's. */
static struct port_queue *forget( HANDLE port )
{
    struct port_queue *volatile *link = bucket_of( port );
    struct port_queue *queue;

    if ( !*link ) return NULL;
    AcquireSRWLockExclusive( &buckets_lock );
    while ( ( queue = *link ) && !same( queue->handle, port ) ) link = (struct port_queue *volatile *)&queue->next;
    if ( queue ) *link = queue->next;
    ReleaseSRWLockExclusive( &buckets_lock );
    return queue;
}

/* The bucket's reference; one more for the caller when it is to be counted. */
static struct port_queue *add( HANDLE handle, ULONG concurrency, LONG references )
{
    struct port_queue *queue = calloc( 1, sizeof( *queue ) ), *volatile *bucket = bucket_of( handle );
    SYSTEM_INFO system;

    if ( !queue ) return NULL;
    if ( !concurrency )
    {
        GetSystemInfo( &system );
        concurrency = system.dwNumberOfProcessors;
    }
    queue->handle = handle;
    queue->references = references;
    queue->limit = concurrency;
    InitializeSRWLock( &queue->lock );
    AcquireSRWLockExclusive( &buckets_lock );
    queue->next = *bucket;
    *bucket = queue;
    ReleaseSRWLockExclusive( &buckets_lock );
    return queue;
}

NTSTATUS NTAPI hook_NtCreateIoCompletion( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                          ULONG concurrency )
{
    NTSTATUS status = nt_NtCreateIoCompletion( handle, access, attributes, concurrency );

    /* one with a name, or that is inherited, others may wait on */
    if ( !status && !( attributes && ( attributes->ObjectName || ( attributes->Attributes & OBJ_INHERIT ) ) ) )
        add( *handle, concurrency, 1 );
    return status;
}

struct port_queue *port_queue_adopt( HANDLE port )
{
    PUBLIC_OBJECT_BASIC_INFORMATION info;
    struct port_queue *queue;

    /* one of our own beside the program's (ports.c) */
    if ( nt_NtQueryObject( port, OBJECT_BASIC_INFORMATION, &info, sizeof( info ), NULL ) || info.HandleCount > 2 )
        return NULL;
    if ( ( queue = add( port, 0, 2 ) ) ) queue->unsure = queue->foreign = TRUE;
    return queue;
}

/* --- packets; the lock is held ------------------------------------------------------------------------------------------*/

BOOL port_queue_append( struct port_queue *queue, const struct port_packet *packet )
{
    if ( queue->count == queue->size )
    {
        UINT32 size = queue->size ? 2 * queue->size : 64;
        struct port_packet *packets = malloc( size * sizeof( *packets ) );

        if ( !packets ) return FALSE;
        for ( UINT32 i = 0; i < queue->count; i++ )
            packets[i] = queue->packets[( queue->first + i ) & ( queue->size - 1 )];
        free( queue->packets );
        queue->packets = packets;
        queue->size = size;
        queue->first = 0;
    }
    queue->packets[( queue->first + queue->count++ ) & ( queue->size - 1 )] = *packet;
    return TRUE;
}

struct port_packet port_queue_first( struct port_queue *queue )
{
    struct port_packet packet = queue->packets[queue->first];

    queue->first = ( queue->first + 1 ) & ( queue->size - 1 );
    queue->count--;
    return packet;
}

/* One at a time, who wakes the next: a thread that is woken and finds more than it takes. */
BOOL port_queue_to_wake( struct port_queue *queue )
{
    DWORD now;

    if ( queue->waiting <= 0 ) return FALSE;
    if ( queue->used && !queue->closed )
    {
        if ( !queue->count ) return FALSE;
        now = GetTickCount() | 1;
        if ( queue->woken && now - queue->woken < WOKEN_MS ) return FALSE;
        /* who is held back looks from time to time whether he still need be; one is enough */
        if ( queue->running >= queue->limit && queue->checked && now - queue->checked < CHECK_MS ) return FALSE;
        queue->woken = now;
    }
    return TRUE;
}

void port_queue_wake( struct port_queue *queue )
{
    struct ws2_port_open_params params = { .port = queue->host };

    ws2host_call( ws2_call_port_wake, &params );
}

UINT32 port_queue_fetch( struct port_queue *queue, HANDLE port, UINT32 most, BOOL *order )
{
    struct port_packet packet;
    UINT32 count = 0;

    *order = FALSE;
    while ( count < most )
    {
        LARGE_INTEGER none = { .QuadPart = 0 };

        if ( nt_NtRemoveIoCompletion( port, &packet.key, &packet.value, &packet.iosb, &none ) ) break;
        if ( ( *order = port_queue_is_order( queue, packet.key, packet.value ) ) ) break;
        count += port_queue_append( queue, &packet );
    }
    return count;
}

void port_queue_order( struct port_queue *queue )
{
    nt_NtSetIoCompletion( queue->handle, (ULONG_PTR)queue, ~(ULONG_PTR)queue, 0, 0 );
}

/* --- posting ------------------------------------------------------------------------------------------------------------*/

BOOL port_queue_post( struct port_queue *queue, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, ULONG_PTR information )
{
    const struct port_packet packet = { key, value, { { status }, information } };
    BOOL taken, wake = FALSE, look = FALSE;

    AcquireSRWLockExclusive( &queue->lock );
    if ( queue->closed ) taken = TRUE; /* nobody can want it */
    else if ( !queue->used || ( queue->unsure && queue->waiting <= 0 ) ) taken = FALSE;
    else if ( ( taken = port_queue_append( queue, &packet ) ) )
    {
        wake = port_queue_to_wake( queue );
        /* nobody is there or on the way: it may be another process's to take, which the courier sees when it is left lying */
        if ( queue->waiting <= 0 && !queue->woken && !queue->asked ) look = queue->asked = TRUE;
    }
    ReleaseSRWLockExclusive( &queue->lock );
    if ( wake ) port_queue_wake( queue );
    if ( look ) port_courier_look( queue );
    return taken;
}

NTSTATUS NTAPI hook_NtSetIoCompletion( HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status,
                                       SIZE_T information )
{
    struct port_queue *queue = port_queue_find( port );
    BOOL taken = queue && port_queue_post( queue, key, value, status, information );

    port_queue_release( queue );
    return taken ? 0 : nt_NtSetIoCompletion( port, key, value, status, information );
}

/* How many packets there are; the courier may just have one in its hands. */
NTSTATUS NTAPI hook_NtQueryIoCompletion( HANDLE port, ULONG class, void *information, ULONG size, ULONG *needed )
{
    NTSTATUS status = nt_NtQueryIoCompletion( port, class, information, size, needed );
    struct port_queue *queue = status || class ? NULL : port_queue_find( port );
    LONG depth;

    if ( !queue ) return status;
    if ( !ws2_read( &depth, information, sizeof( depth ) ) )
    {
        depth += queue->count;
        ws2_write( information, &depth, sizeof( depth ) );
    }
    port_queue_release( queue );
    return status;
}

/* --- what becomes of the port -------------------------------------------------------------------------------------------*/

UINT64 port_queue_begin( struct port_queue *queue )
{
    struct ws2_port_open_params params = { 0 };
    BOOL join = FALSE, order;
    UINT64 host = 0;

    AcquireSRWLockExclusive( &queue->lock );
    if ( !queue->used && !queue->shared && !queue->closed && !ws2host_call( ws2_call_port_open, &params ) &&
         !params.error )
    {
        queue->host = params.port;
        queue->used = TRUE;
        queue->visited = GetTickCount();
        /* what was posted before comes first; and where packets lay nobody slept */
        if ( port_queue_fetch( queue, queue->handle, MAXLONG, &order ) ) queue->unsure = FALSE;
        for ( UINT32 i = 0; i < queue->in_server; i++ ) port_queue_order( queue );
        join = !queue->unsure;
    }
    if ( queue->used ) host = queue->host;
    ReleaseSRWLockExclusive( &queue->lock );
    if ( join ) port_courier_join( queue );
    if ( params.need_io_thread ) ws2_start_io_thread();
    return host;
}

void port_queue_foreign( HANDLE port )
{
    struct port_queue *queue = port_queue_find( port );

    if ( queue ) queue->foreign = TRUE;
    port_queue_release( queue );
}

void port_queue_give_up( struct port_queue *queue )
{
    BOOL wake;

    AcquireSRWLockExclusive( &queue->lock );
    queue->shared = TRUE;
    queue->used = FALSE;
    while ( queue->count )
    {
        struct port_packet packet = port_queue_first( queue );

        nt_NtSetIoCompletion( queue->handle, packet.key, packet.value, packet.iosb.Status, packet.iosb.Information );
    }
    wake = port_queue_to_wake( queue );
    ReleaseSRWLockExclusive( &queue->lock );
    if ( wake ) port_queue_wake( queue );
}

void port_queue_share( struct port_queue *queue )
{
    port_courier_part( queue );
    port_queue_give_up( queue );
}

void port_queue_duplicating( HANDLE process, HANDLE handle, BOOL moved )
{
    struct port_queue *queue;

    if ( !*bucket_of( handle ) ||
         ( process != GetCurrentProcess() && GetProcessId( process ) != GetCurrentProcessId() ) )
        return;
    if ( !( queue = moved ? forget( handle ) : port_queue_find( handle ) ) ) return;
    port_queue_share( queue );
    port_queue_release( queue );
}

void port_queue_inheriting( HANDLE handle )
{
    struct port_queue *queue = port_queue_find( handle );

    if ( !queue ) return;
    port_queue_share( queue );
    port_queue_release( queue );
}

void port_queue_closing( HANDLE handle )
{
    struct port_queue *queue = forget( handle );
    BOOL wake = FALSE;

    if ( !queue ) return;
    AcquireSRWLockExclusive( &queue->lock );
    if ( !queue->shared )
    {
        queue->closed = TRUE;
        wake = port_queue_to_wake( queue );
        /* the loader may let those sleep on: each is woken by a packet, which it does not pass on */
        for ( UINT32 i = 0; i < queue->in_server; i++ ) nt_NtSetIoCompletion( handle, 0, 0, 0, 0 );
    }
    ReleaseSRWLockExclusive( &queue->lock );
    if ( wake ) port_queue_wake( queue );
    if ( queue->carried ) port_courier_leave( queue );
    port_queue_release( queue );
}

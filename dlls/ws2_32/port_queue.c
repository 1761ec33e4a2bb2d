/*
 * Packets of completion ports in the process.
 *
 * A port that this process makes has a queue here, known by the handle's value. It is used from the first socket on,
 * and until the handle is duplicated: then others may wait who do not look here, and all goes through wineserver.
 * What the loader's own files and other processes post lies in wineserver's queue, the other of the port's two; whoever
 * waits looks there too, at once when something is known to be there, else now and then.
 *
 * A thread that finds nothing sleeps here for a moment, where a packet of ours wakes it within the process, and then in
 * wineserver, where any does: a packet of ours goes through wineserver when a thread that sleeps there is to get it. So
 * no packet but real ones is ever posted. `lock` guards a queue; packets are posted to wineserver under it, to keep order.
 */
#include "port_queue.h"
#include "hooks.h"
#include "nt_codes.h"

LONG NTAPI RtlWaitOnAddress( const void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout );
void NTAPI RtlWakeAddressSingle( const void *address );

#define MOMENT 50000      /* 100 ns: the sleep here, hence how late a packet of another process may be noticed */
#define FOREIGN_SHARE 16  /* with foreign files: one look at wineserver's queue in so many */
#define PACKETS_AT_ONCE 64
/* STATUS_ABANDONED_WAIT_0 is meant, of which Wine 8 makes another error: this becomes ERROR_ABANDONED_WAIT_0 everywhere */
#define CLOSED_WHILE_WAITING NT_STATUS( 0x800702df )

struct sleeper /* of its port for as long as that is known: a thread that is terminated in its sleep leaves nothing wild */
{
    struct sleeper *next;
    LONG woken; /* a packet was queued for it; it is out of the list */
};

struct port_queue
{
    struct port_queue *next; /* in its bucket */
    HANDLE handle;
    LONG references;
    SRWLOCK lock;
    BOOL used;    /* packets are kept here */
    BOOL shared;  /* and never again will be */
    BOOL foreign; /* files of the loader's are on the port */
    BOOL closed;
    struct port_packet *packets; /* a ring */
    UINT32 size, first, count;   /* size: 0 or a power of two */
    struct sleeper *sleepers;    /* here, the last to come first, as Windows wakes them */
    struct sleeper *spare;       /* of threads that have woken */
    UINT32 in_server;            /* threads that sleep there */
    UINT32 sent;                 /* packets of ours on the way to them, at most */
    UINT32 posts, seen;          /* of ours to wineserver; how many there were when its queue was last found empty */
    DWORD looked;                /* when, in ms */
    UINT32 turns;                /* since then */
};

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

    if (!*bucket) return NULL;
    AcquireSRWLockShared( &buckets_lock );
    for (queue = *bucket; queue && !same( queue->handle, port );) queue = queue->next;
    if (queue) InterlockedIncrement( &queue->references );
    ReleaseSRWLockShared( &buckets_lock );
    return queue;
}

void port_queue_hold( struct port_queue *queue ) { InterlockedIncrement( &queue->references ); }

void port_queue_release( struct port_queue *queue )
{
    struct sleeper *spare;

    if (!queue || InterlockedDecrement( &queue->references )) return;
    while ((spare = queue->spare))
    {
        queue->spare = spare->next;
        free( spare );
    }
    free( queue->packets );
    free( queue );
}

/* Takes it out; the reference is the caller's. */
static struct port_queue *forget( HANDLE port )
{
    struct port_queue *volatile *link = bucket_of( port );
    struct port_queue *queue;

    if (!*link) return NULL;
    AcquireSRWLockExclusive( &buckets_lock );
    while ((queue = *link) && !same( queue->handle, port )) link = (struct port_queue *volatile *)&queue->next;
    if (queue) *link = queue->next;
    ReleaseSRWLockExclusive( &buckets_lock );
    return queue;
}

NTSTATUS NTAPI hook_NtCreateIoCompletion( HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                          ULONG concurrency )
{
    NTSTATUS status = nt_NtCreateIoCompletion( handle, access, attributes, concurrency );
    struct port_queue *queue, *volatile *bucket;

    if (status) return status;
    /* one with a name, or that is inherited, others may wait on */
    if (attributes && ( attributes->ObjectName || ( attributes->Attributes & OBJ_INHERIT ) )) return status;
    if (!(queue = calloc( 1, sizeof(*queue) ))) return status;
    queue->handle = *handle;
    queue->references = 1;
    InitializeSRWLock( &queue->lock );
    bucket = bucket_of( *handle );
    AcquireSRWLockExclusive( &buckets_lock );
    queue->next = *bucket;
    *bucket = queue;
    ReleaseSRWLockExclusive( &buckets_lock );
    return status;
}

/* --- posting; the lock is held ------------------------------------------------------------------------------------------*/

static BOOL append( struct port_queue *queue, const struct port_packet *packet )
{
    if (queue->count == queue->size)
    {
        UINT32 size = queue->size ? 2 * queue->size : 64;
        struct port_packet *packets = malloc( size * sizeof(*packets) );

        if (!packets) return FALSE;
        for (UINT32 i = 0; i < queue->count; i++)
            packets[i] = queue->packets[( queue->first + i ) & ( queue->size - 1 )];
        free( queue->packets );
        queue->packets = packets;
        queue->size = size;
        queue->first = 0;
    }
    queue->packets[( queue->first + queue->count++ ) & ( queue->size - 1 )] = *packet;
    return TRUE;
}

static struct port_packet take_first( struct port_queue *queue )
{
    struct port_packet packet = queue->packets[queue->first];

    queue->first = ( queue->first + 1 ) & ( queue->size - 1 );
    queue->count--;
    return packet;
}

static NTSTATUS send_first( struct port_queue *queue )
{
    struct port_packet packet = take_first( queue );

    queue->posts++;
    return nt_NtSetIoCompletion( queue->handle, packet.key, packet.value, packet.iosb.Status, packet.iosb.Information );
}

/* Packets that nobody here will take go to the threads that sleep in wineserver. Also when one was taken there: it may have
 * been on its way to another thread than the one that got it. */
static void send_to_sleepers( struct port_queue *queue )
{
    for (; queue->count && queue->in_server > queue->sent; queue->sent++) send_first( queue );
}

static void wake( struct sleeper *sleeper )
{
    InterlockedExchange( &sleeper->woken, 1 );
    RtlWakeAddressSingle( &sleeper->woken );
}

static void wake_all( struct port_queue *queue )
{
    struct sleeper *sleeper, *next;

    for (sleeper = queue->sleepers; sleeper; sleeper = next)
    {
        next = sleeper->next;
        wake( sleeper );
    }
    queue->sleepers = NULL;
}

BOOL port_queue_post( struct port_queue *queue, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, ULONG_PTR information )
{
    const struct port_packet packet = { key, value, { { status }, information } };
    struct sleeper *sleeper;
    BOOL taken;

    AcquireSRWLockExclusive( &queue->lock );
    if (queue->closed) taken = TRUE; /* nobody can want it */
    else if ((taken = queue->used && append( queue, &packet )))
    {
        if ((sleeper = queue->sleepers))
        {
            queue->sleepers = sleeper->next;
            wake( sleeper );
        }
        else send_to_sleepers( queue );
    }
    else queue->posts++; /* it follows, outside the lock */
    ReleaseSRWLockExclusive( &queue->lock );
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

/* --- what becomes of the port -------------------------------------------------------------------------------------------*/

void port_queue_begin( struct port_queue *queue )
{
    AcquireSRWLockExclusive( &queue->lock );
    if (!queue->used && !queue->shared)
    {
        queue->used = TRUE;
        queue->posts++; /* what was posted before comes first */
    }
    ReleaseSRWLockExclusive( &queue->lock );
}

void port_queue_foreign( HANDLE port )
{
    struct port_queue *queue = port_queue_find( port );

    if (!queue) return;
    AcquireSRWLockExclusive( &queue->lock );
    queue->foreign = TRUE;
    wake_all( queue ); /* to sleep where its packets come */
    ReleaseSRWLockExclusive( &queue->lock );
    port_queue_release( queue );
}

void port_queue_share( struct port_queue *queue )
{
    AcquireSRWLockExclusive( &queue->lock );
    queue->shared = TRUE;
    queue->used = FALSE;
    while (queue->count) send_first( queue );
    wake_all( queue );
    ReleaseSRWLockExclusive( &queue->lock );
}

void port_queue_duplicating( HANDLE process, HANDLE handle, BOOL moved )
{
    struct port_queue *queue;

    if (!*bucket_of( handle ) ||
        ( process != GetCurrentProcess() && GetProcessId( process ) != GetCurrentProcessId() ))
        return;
    if (!(queue = moved ? forget( handle ) : port_queue_find( handle ))) return;
    port_queue_share( queue );
    port_queue_release( queue );
}

void port_queue_closing( HANDLE handle )
{
    struct port_queue *queue = forget( handle );

    if (!queue) return;
    AcquireSRWLockExclusive( &queue->lock );
    if (!queue->shared)
    {
        queue->closed = TRUE;
        wake_all( queue );
        /* the loader may let those sleep on: each is woken by a packet, which it does not pass on */
        for (UINT32 i = 0; i < queue->in_server; i++) nt_NtSetIoCompletion( handle, 0, 0, 0, 0 );
    }
    ReleaseSRWLockExclusive( &queue->lock );
    port_queue_release( queue );
}

/* --- taking -------------------------------------------------------------------------------------------------------------*/

struct request
{
    HANDLE port;
    ULONG_PTR *key, *value;
    IO_STATUS_BLOCK *iosb;
    struct port_packet *packets; /* NULL: one packet, by the three above */
    ULONG count, *taken;
    BOOLEAN alertable;
};

static NTSTATUS ask_server( const struct request *request, LARGE_INTEGER *timeout, BOOLEAN alertable )
{
    if (!request->packets)
        return nt_NtRemoveIoCompletion( request->port, request->key, request->value, request->iosb, timeout );
    return nt_NtRemoveIoCompletionEx( request->port, request->packets, request->count, request->taken, timeout,
                                      alertable );
}

static NTSTATUS give( const struct request *request, const struct port_packet *packets, ULONG count )
{
    int fault;

    if (request->packets)
        fault = ws2_write( request->packets, packets, count * sizeof(*packets) ) ||
                ws2_write( request->taken, &count, sizeof(count) );
    else
        fault = ws2_write( request->key, &packets->key, sizeof(packets->key) ) ||
                ws2_write( request->value, &packets->value, sizeof(packets->value) ) ||
                ws2_write( request->iosb, &packets->iosb, sizeof(packets->iosb) );
    return fault ? STATUS_ACCESS_VIOLATION : 0;
}

/* The end of a call without a packet; Windows counts one all the same. */
static NTSTATUS give_none( const struct request *request, NTSTATUS status )
{
    const ULONG one = 1;

    if (request->packets && ws2_write( request->taken, &one, sizeof(one) )) return STATUS_ACCESS_VIOLATION;
    return status;
}

/* wineserver gave packets, of ours or others'. The lock is held. */
static void count_taken( struct port_queue *queue, const struct request *request )
{
    ULONG taken = 1;

    if (request->packets) ws2_read( &taken, request->taken, sizeof(taken) );
    queue->sent -= min( queue->sent, taken );
    send_to_sleepers( queue );
}

static BOOL must_look( struct port_queue *queue )
{
    DWORD now = GetTickCount();

    if (queue->posts == queue->seen && now == queue->looked && !( queue->foreign && ++queue->turns >= FOREIGN_SHARE ))
        return FALSE;
    queue->looked = now;
    queue->turns = 0;
    return TRUE;
}

static LONGLONG now_100ns( void )
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER now;

    if (!frequency.QuadPart) QueryPerformanceFrequency( &frequency );
    QueryPerformanceCounter( &now );
    return now.QuadPart / frequency.QuadPart * 10000000 +
           now.QuadPart % frequency.QuadPart * 10000000 / frequency.QuadPart;
}

static LONGLONG deadline_of( const LARGE_INTEGER *timeout )
{
    LARGE_INTEGER date;

    if (timeout->QuadPart <= 0) return now_100ns() - timeout->QuadPart;
    GetSystemTimeAsFileTime( (FILETIME *)&date );
    return now_100ns() + max( timeout->QuadPart - date.QuadPart, 0 );
}

/* The lock is held, and given back. TRUE when a packet came, or something else happened that is to be looked at. */
static BOOL sleep_here( struct port_queue *queue, LONGLONG longest )
{
    const LONG asleep = 0;
    struct sleeper *self = queue->spare, **link;
    LARGE_INTEGER timeout = { .QuadPart = -min( longest, MOMENT ) };
    BOOL woken;

    if (self) queue->spare = self->next;
    else if (!(self = malloc( sizeof(*self) )))
    {
        ReleaseSRWLockExclusive( &queue->lock );
        return FALSE;
    }
    self->woken = 0;
    self->next = queue->sleepers;
    queue->sleepers = self;
    ReleaseSRWLockExclusive( &queue->lock );
    RtlWaitOnAddress( &self->woken, &asleep, sizeof(asleep), &timeout );
    AcquireSRWLockExclusive( &queue->lock );
    if (!(woken = self->woken))
    {
        for (link = &queue->sleepers; *link != self;) link = &( *link )->next;
        *link = self->next;
    }
    self->next = queue->spare;
    queue->spare = self;
    ReleaseSRWLockExclusive( &queue->lock );
    return woken;
}

static NTSTATUS take( struct port_queue *queue, const struct request *request, LARGE_INTEGER *timeout )
{
    struct port_packet packets[PACKETS_AT_ONCE];
    LONGLONG deadline = 0, left = MAXLONGLONG; /* of no timeout */
    LARGE_INTEGER none = { .QuadPart = 0 }, rest;
    BOOL rested = FALSE;
    NTSTATUS status;
    UINT32 posts;
    ULONG count;

    for (;;)
    {
        AcquireSRWLockExclusive( &queue->lock );
        if (queue->used && !queue->closed && must_look( queue ))
        {
            posts = queue->posts;
            ReleaseSRWLockExclusive( &queue->lock );
            status = ask_server( request, &none, FALSE );
            AcquireSRWLockExclusive( &queue->lock );
            if (status == STATUS_TIMEOUT) queue->seen = posts;
            else if (!queue->closed)
            {
                if (!status) count_taken( queue, request );
                ReleaseSRWLockExclusive( &queue->lock );
                return status;
            }
        }
        if (queue->closed) break;
        if ((count = min( queue->count, request->packets ? request->count : 1 )))
        {
            count = min( count, PACKETS_AT_ONCE );
            for (ULONG i = 0; i < count; i++) packets[i] = take_first( queue );
            ReleaseSRWLockExclusive( &queue->lock );
            return give( request, packets, count );
        }
        if (timeout && !timeout->QuadPart) left = 0;
        else if (timeout)
        {
            if (!deadline) deadline = deadline_of( timeout );
            left = max( deadline - now_100ns(), 0 );
        }
        if (queue->used && !request->alertable && !queue->foreign)
        {
            if (!left)
            {
                ReleaseSRWLockExclusive( &queue->lock );
                return give_none( request, STATUS_TIMEOUT );
            }
            if (!rested)
            {
                rested = !sleep_here( queue, left );
                continue;
            }
        }
        rest.QuadPart = -left;
        queue->in_server++;
        ReleaseSRWLockExclusive( &queue->lock );
        status = ask_server( request, timeout ? &rest : NULL, request->alertable );
        AcquireSRWLockExclusive( &queue->lock );
        queue->in_server--;
        if (queue->closed) break;
        if (!status) count_taken( queue, request );
        ReleaseSRWLockExclusive( &queue->lock );
        return status;
    }
    ReleaseSRWLockExclusive( &queue->lock );
    return give_none( request, CLOSED_WHILE_WAITING );
}

NTSTATUS NTAPI hook_NtRemoveIoCompletion( HANDLE port, ULONG_PTR *key, ULONG_PTR *value, IO_STATUS_BLOCK *iosb,
                                          LARGE_INTEGER *timeout )
{
    const struct request request = { .port = port, .key = key, .value = value, .iosb = iosb };
    struct port_queue *queue = port_queue_find( port );
    NTSTATUS status;

    if (!queue) return nt_NtRemoveIoCompletion( port, key, value, iosb, timeout );
    status = take( queue, &request, timeout );
    port_queue_release( queue );
    return status;
}

NTSTATUS NTAPI hook_NtRemoveIoCompletionEx( HANDLE port, struct port_packet *packets, ULONG count, ULONG *taken,
                                            LARGE_INTEGER *timeout, BOOLEAN alertable )
{
    const struct request request = { .port = port, .packets = packets, .count = count, .taken = taken,
                                     .alertable = alertable };
    struct port_queue *queue = packets && count ? port_queue_find( port ) : NULL;
    NTSTATUS status;

    if (!queue) return nt_NtRemoveIoCompletionEx( port, packets, count, taken, timeout, alertable );
    status = take( queue, &request, timeout );
    port_queue_release( queue );
    return status;
}

/* Event objects that are served in the process: see served_events.h. No locks; a thread may be ended anywhere. */
#include "base/ws2_32_private.h"
#include "sockets/event_tell.h"
#include "sockets/served_events.h"
#include "base/deadline.h"
#include "base/nt_codes.h"

#define WAIT_MOST 8 /* events of one wait */
#define QUIET_TURNS 1000

enum record_state
{
    RECORD_FREE,
    RECORD_MAKING,
    RECORD_SERVED,
    RECORD_REFUSED, /* others know the event */
    RECORD_CLOSED   /* the handle is gone, and threads still use the record */
};

struct record
{
    struct ws2_served_event shared; /* with the host half */
    HANDLE handle;
    LONG state; /* enum record_state */
    LONG users;
    LONG manual;
    LONG begun, done; /* settings of wineserver's event by this process */
    LONG clear;       /* begun, when it was known not to be set: nobody else sets it */
    LONG waiters;     /* threads in waits of another kind */
};
static struct record records[WS2_SERVED_EVENTS];
static LONG record_count; /* that have ever been used */

#define LOAD( place ) __atomic_load_n( &( place ), __ATOMIC_SEQ_CST )
#define STORE( place, value ) __atomic_store_n( &( place ), value, __ATOMIC_SEQ_CST )

static UINT64 bit_of( const struct record *r ) { return 1ull << ( r - records ); }
static UINT32 take_deferred( struct record *r )
{
    return __atomic_exchange_n( &r->shared.deferred, 0, __ATOMIC_SEQ_CST );
}

static void wake( const struct record *r )
{
    struct ws2_event_wake_params params = { .mask = bit_of( r ) };

    ws2host_call( ws2_call_event_wake, &params );
}

/* --- records --------------------------------------------------------------------------------------------------------*/

static BOOL host_serves( const struct record *r, BOOL serve )
{
    struct ws2_event_serve_params params = { .index = r - records,
                                             .target = ws2_pointer( r->handle ),
                                             .state = ws2_pointer( &r->shared ),
                                             .serve = serve,
                                             .exact = GetModuleHandleW( L"user32.dll" ) != NULL };

    return !ws2host_call( ws2_call_event_serve, &params ) && !params.error;
}

static void release( struct record *r )
{
    LONG closed = RECORD_CLOSED;

    if ( !__atomic_sub_fetch( &r->users, 1, __ATOMIC_SEQ_CST ) && LOAD( r->state ) == RECORD_CLOSED )
        __atomic_compare_exchange_n( &r->state, &closed, RECORD_FREE, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST );
}

static BOOL is_of( const struct record *r, HANDLE handle )
{
    const LONG state = LOAD( r->state );

    return ( state == RECORD_SERVED || state == RECORD_REFUSED ) && is_same_handle( LOAD( r->handle ), handle );
}

/* The event's record, with one more user; NULL: it has none. */
static struct record *hold( HANDLE handle )
{
    const LONG count = LOAD( record_count );

    for ( LONG i = 0; i < count; i++ )
    {
        if ( !is_of( &records[i], handle ) ) continue;
        __atomic_add_fetch( &records[i].users, 1, __ATOMIC_SEQ_CST );
        if ( is_of( &records[i], handle ) ) return &records[i];
        release( &records[i] );
    }
    return NULL;
}

/* Only this process has the event, under this handle, and what it does with it comes here. */
static BOOL is_own( HANDLE handle, LONG *manual )
{
    PUBLIC_OBJECT_BASIC_INFORMATION basic;
    struct
    {
        UNICODE_STRING name;
        WCHAR text[64];
    } name;
    struct object_handle_flags flags;
    LONG event[2];

    if ( nt_NtQueryEvent( handle, 0, event, sizeof( event ), NULL ) ||
         nt_NtQueryObject( handle, OBJECT_BASIC_INFORMATION, &basic, sizeof( basic ), NULL ) ||
         basic.HandleCount != 1 || nt_NtQueryObject( handle, OBJECT_DATA_INFORMATION, &flags, sizeof( flags ), NULL ) ||
         flags.inherited || nt_NtQueryObject( handle, OBJECT_NAME_INFORMATION, &name, sizeof( name ), NULL ) ||
         name.name.Length )
        return FALSE;
    *manual = !event[0]; /* NotificationEvent */
    return TRUE;
}

static struct record *take_free( void )
{
    for ( LONG i = 0; i < WS2_SERVED_EVENTS; i++ )
    {
        LONG count = LOAD( record_count ), free = RECORD_FREE;

        if ( LOAD( records[i].state ) != RECORD_FREE ||
             !__atomic_compare_exchange_n( &records[i].state, &free, RECORD_MAKING, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST ) )
            continue;
        while ( count <= i &&
                !__atomic_compare_exchange_n( &record_count, &count, i + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST ) )
            continue;
        return &records[i];
    }
    return NULL;
}

static void give_up( struct record *r )
{
    if ( __atomic_exchange_n( &r->state, RECORD_CLOSED, __ATOMIC_SEQ_CST ) == RECORD_SERVED ) host_serves( r, FALSE );
}

/* The event's record, made if it has none, served only if that is wanted; with one more user. Two threads that make one at once
 * would make two: the one that is found first counts, so the other is given up. */
static struct record *make( HANDLE handle, BOOL serve )
{
    struct record *r = hold( handle ), *first;
    LONG manual = 0;

    if ( r || !( r = take_free() ) ) return r;
    serve = serve && is_own( handle, &manual );
    r->shared.deferred = 0;
    r->manual = manual;
    r->begun = r->done = r->waiters = 0;
    r->clear = -1;
    r->users++;
    STORE( r->handle, handle );
    STORE( r->state, serve && host_serves( r, TRUE ) ? RECORD_SERVED : RECORD_REFUSED );
    if ( ( first = hold( handle ) ) == r )
    {
        release( first );
        return r;
    }
    give_up( r );
    release( r );
    return first;
}

void served_event_begin( HANDLE handle )
{
    const UINT_PTR index = (UINT_PTR)handle >> 2;
    UINT8 nothing = WS2_VIEW_NOTHING;

    if ( hooks_complete && index < hooks_view.handles )
        __atomic_compare_exchange_n( &hooks_view.map[index], &nothing, WS2_VIEW_EVENT, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST );
}

/* --- setting and resetting ------------------------------------------------------------------------------------------*/

static BOOL is_clear( const struct record *r )
{
    return LOAD( r->state ) == RECORD_SERVED && LOAD( r->clear ) == LOAD( r->begun );
}

/* What `clear` may say when wineserver answers that the event is not set; -1 while a setting is under way. */
static LONG begin_look( const struct record *r )
{
    const LONG begun = LOAD( r->begun );

    return LOAD( r->done ) == begun ? begun : -1;
}

static NTSTATUS set_real( struct record *r, HANDLE handle, LONG *previous )
{
    NTSTATUS status;

    count_asked();
    __atomic_add_fetch( &r->begun, 1, __ATOMIC_SEQ_CST );
    status = nt_NtSetEvent( handle, previous );
    __atomic_add_fetch( &r->done, 1, __ATOMIC_SEQ_CST );
    return status;
}

static void make_good( struct record *r )
{
    if ( LOAD( r->shared.deferred ) && take_deferred( r ) ) set_real( r, r->handle, NULL );
}

void served_event_act( const struct ws2_io_action *actions, UINT32 count )
{
    for ( UINT32 i = 0; i < count; i++ )
    {
        const struct ws2_io_action *action = &actions[i];
        struct record *r;

        if ( action->message || action->events )
            events_tell( action->target, action->message, (SOCKET)action->handle, action->events, action->codes );
        else if ( ( r = hold( (HANDLE)(UINT_PTR)action->target ) ) )
        {
            make_good( r );
            release( r );
        }
    }
}

/* What the sockets show by now has set it. now: the I/O thread looks after it from here on. */
static void look( struct record *r, BOOL now )
{
    struct ws2_event_wait_params params;

    params.mask = bit_of( r );
    params.timeout = 0;
    params.release = now;
    if ( !ws2host_call( ws2_call_event_wait, &params ) ) served_event_act( params.actions, params.count );
}

NTSTATUS served_event_set( HANDLE handle, LONG *previous )
{
    struct record *r = hold( handle );
    NTSTATUS status;
    UINT32 before;

    if ( !r ) return nt_NtSetEvent( handle, previous );
    before = take_deferred( r );
    status = set_real( r, handle, previous );
    if ( before && previous && !status ) ws2_write( previous, &( LONG ){ 1 }, sizeof( LONG ) );
    __atomic_add_fetch( &r->shared.sets, 1, __ATOMIC_SEQ_CST );
    wake( r );
    release( r );
    return status;
}

NTSTATUS served_event_reset( HANDLE handle, LONG *previous )
{
    struct record *r = hold( handle );
    NTSTATUS status = 0;
    UINT32 before;
    LONG clear;

    if ( !r ) return nt_NtResetEvent( handle, previous );
    look( r, FALSE );
    /* one that another thread has begun came before */
    for ( unsigned int i = 0; i < QUIET_TURNS && LOAD( r->done ) != LOAD( r->begun ); i++ ) SwitchToThread();
    before = take_deferred( r );
    if ( previous || !is_clear( r ) )
    {
        clear = begin_look( r );
        count_asked();
        status = nt_NtResetEvent( handle, previous );
        if ( !status ) STORE( r->clear, clear );
        if ( before && previous && !status ) ws2_write( previous, &( LONG ){ 1 }, sizeof( LONG ) );
    }
    release( r );
    return status;
}

/* Threads that wait now go on, all or one. */
NTSTATUS served_event_pulse( HANDLE handle, LONG *previous )
{
    struct record *r = hold( handle );
    NTSTATUS status;

    if ( !r ) return nt_NtPulseEvent( handle, previous );
    look( r, FALSE );
    make_good( r );
    if ( !( status = nt_NtPulseEvent( handle, previous ) ) )
    {
        if ( !r->manual && LOAD( r->users ) > 1 ) STORE( r->shared.deferred, 1 );
        __atomic_add_fetch( &r->shared.sets, 1, __ATOMIC_SEQ_CST );
        wake( r );
    }
    release( r );
    return status;
}

/* It is served no longer, if it was. Threads that look after it go on in another way, and what they have seen is in the record. */
static void stop_serving( struct record *r )
{
    LONG served = RECORD_SERVED;

    look( r, TRUE );
    if ( __atomic_compare_exchange_n( &r->state, &served, RECORD_REFUSED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST ) )
    {
        host_serves( r, FALSE );
        wake( r );
    }
    make_good( r );
}

void served_event_refuse( HANDLE handle )
{
    struct record *r = make( handle, FALSE );

    if ( !r ) return;
    stop_serving( r );
    release( r );
}

void served_event_closing( HANDLE handle )
{
    const UINT_PTR index = (UINT_PTR)handle >> 2;
    UINT8 event = WS2_VIEW_EVENT;
    struct record *r = hold( handle );

    if ( index < hooks_view.handles )
        __atomic_compare_exchange_n( &hooks_view.map[index], &event, WS2_VIEW_NOTHING, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST );
    if ( !r ) return;
    /* the object may live on elsewhere */
    stop_serving( r );
    STORE( r->state, RECORD_CLOSED );
    release( r );
}

/* --- waiting --------------------------------------------------------------------------------------------------------*/

/* For the host half. */
static UINT64 microseconds_left( struct deadline *deadline )
{
    const LONGLONG left = deadline_left( deadline );

    return left == DEADLINE_NEVER ? UINT64_MAX : (UINT64)( left + 9 ) / 10;
}

/* Whether the event ends a wait, which takes it unless it is to be reset by hand; else *status is what the wait goes on
 * with, or fails with. seen: the settings before it, or when it is over. */
static BOOL take( struct record *r, UINT32 seen, NTSTATUS *status )
{
    LARGE_INTEGER none = { .QuadPart = 0 };
    LONG clear;

    *status = STATUS_TIMEOUT;
    if ( r->manual ? LOAD( r->shared.deferred ) || LOAD( r->shared.sets ) != seen : take_deferred( r ) ) return TRUE;
    if ( is_clear( r ) || LOAD( r->state ) == RECORD_CLOSED ) return FALSE;
    clear = begin_look( r );
    count_asked();
    if ( !( *status = nt_NtWaitForSingleObject( r->handle, FALSE, &none ) ) ) return TRUE;
    if ( *status == STATUS_TIMEOUT ) STORE( r->clear, clear );
    return FALSE;
}

/* The first of them that ends the wait; count: none, and *status. */
static ULONG take_any( ULONG count, struct record *const *held, const UINT32 *seen, NTSTATUS *status )
{
    ULONG i;

    *status = STATUS_TIMEOUT;
    for ( i = 0; i < count; i++ )
        if ( take( held[i], seen[held[i] - records], status ) || *status != STATUS_TIMEOUT ) break;
    return i;
}

static BOOL all_served( ULONG count, struct record *const *held )
{
    for ( ULONG i = 0; i < count; i++ )
        if ( LOAD( held[i]->state ) == RECORD_REFUSED ) return FALSE;
    return TRUE;
}

static void release_all( ULONG count, struct record *const *held )
{
    for ( ULONG i = 0; i < count; i++ ) release( held[i] );
}

/* Threads that wait in other ways are to see what was deferred. */
static void see_to_waiters( ULONG count, struct record *const *held )
{
    for ( ULONG i = 0; i < count; i++ )
        if ( LOAD( held[i]->waiters ) )
        {
            look( held[i], TRUE );
            make_good( held[i] );
        }
}

/* Until one of them is refused: FALSE. */
static BOOL wait_for( ULONG count, struct record *const *held, struct deadline *deadline, NTSTATUS *status )
{
    struct ws2_event_wait_params params;
    ULONG taken;

    params.wait = ( struct ws2_wait ){ 0 };
    params.mask = 0;
    params.timeout = microseconds_left( deadline );
    params.timed_out = params.release = 0;
    for ( ULONG i = 0; i < count; i++ )
    {
        params.mask |= bit_of( held[i] );
        params.seen[held[i] - records] = LOAD( held[i]->shared.sets );
    }
    if ( !params.timeout )
    {
        if ( ws2host_call( ws2_call_event_wait, &params ) ) return FALSE;
        served_event_act( params.actions, params.count );
        params.timed_out = 1;
    }
    for ( ;; )
    {
        if ( !all_served( count, held ) ) return FALSE;
        taken = take_any( count, held, params.seen, status );
        if ( taken < count || params.timed_out )
        {
            if ( taken < count && *status == STATUS_TIMEOUT ) *status = 0;
            if ( !*status ) *status = taken;
            return TRUE;
        }
        for ( ULONG i = 0; i < count; i++ )
            if ( !held[i]->manual ) params.seen[held[i] - records] = LOAD( held[i]->shared.sets );
        if ( ws2host_call( ws2_call_event_wait, &params ) || params.error ) return FALSE;
        served_event_act( params.actions, params.count );
        /* another process may have set it that has copied the handle by itself */
        for ( ULONG i = 0; params.look && i < count; i++ ) STORE( held[i]->clear, -1 );
    }
}

/* Another kind of wait for it begins, and ends: what was deferred is told, and what comes meanwhile. */
static void enter( struct record *r )
{
    __atomic_add_fetch( &r->waiters, 1, __ATOMIC_SEQ_CST );
    look( r, TRUE );
    make_good( r );
}
static void leave( struct record *r ) { __atomic_sub_fetch( &r->waiters, 1, __ATOMIC_SEQ_CST ); }

BOOL served_event_wait( ULONG count, const HANDLE *handles, const LARGE_INTEGER *timeout, NTSTATUS *status )
{
    struct deadline deadline = { .timeout = timeout };
    struct record *held[WAIT_MOST];
    BOOL done, waits;
    ULONG got;

    if ( !count || count > WAIT_MOST ) return FALSE;
    waits = deadline_left( &deadline ) != 0;
    for ( got = 0; got < count; got++ )
        if ( !( held[got] = waits ? make( handles[got], TRUE ) : hold( handles[got] ) ) ) break;
    if ( ( done = got == count && all_served( count, held ) ) )
    {
        if ( !wait_for( count, held, &deadline, status ) )
        {
            const LONGLONG left = deadline_left( &deadline );
            LARGE_INTEGER rest = { .QuadPart = left == DEADLINE_NEVER ? INT64_MIN : -left };

            for ( ULONG i = 0; i < count; i++ ) enter( held[i] );
            *status = nt_NtWaitForMultipleObjects( count, handles, TRUE, FALSE, &rest );
            for ( ULONG i = 0; i < count; i++ ) leave( held[i] );
        }
        see_to_waiters( count, held );
    }
    release_all( got, held );
    return done;
}

UINT64 served_event_enter( ULONG count, const HANDLE *handles )
{
    UINT64 entered = 0;

    for ( ULONG i = 0; i < count; i++ )
    {
        struct record *r = hooks_is_event( handles[i] ) ? hold( handles[i] ) : NULL;

        if ( !r ) continue;
        if ( entered & bit_of( r ) )
        {
            release( r );
            continue;
        }
        entered |= bit_of( r );
        enter( r );
    }
    return entered;
}

void served_event_leave( UINT64 entered )
{
    for ( ; entered; entered &= entered - 1 )
    {
        struct record *r = &records[__builtin_ctzll( entered )];

        leave( r );
        release( r );
    }
}

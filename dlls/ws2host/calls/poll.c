/*
 * select and WSAPoll: one host poll when something is ready at once, a second one to wait.
 *
 * The sets are copied before any descriptor is taken and written after all are given back, because either may fault;
 * the working memory belongs to the thread, so that nothing is lost then.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "descriptors/socket_set.h"
#include "sockets/conditions.h"
#include "descriptors/wait.h"
#include "calls/poll_memory.h"
#include "base/caller.h"

static void poll_prepare( struct pollfd *fd, struct descriptor *d, uint32_t wanted )
{
    socket_set_renew( d );
    fd->events = poll_host_events( d, wanted );
    fd->fd = fd->events ? socket_set_fd( d, fd->events ) : -1;
    fd->revents = 0;
}

/* Of what a poll has shown. */
static uint32_t conditions_of( struct descriptor *d, uint32_t revents )
{
    return poll_conditions( d, poll_renewed( d, revents ) );
}

enum poll_before
{
    POLL_UNKNOWN, /* the long way is to be gone */
    POLL_SILENT,  /* there is nothing to show of any, and that is to be waited for */
    POLL_ANSWERED
};

/* --- select -----------------------------------------------------------------------------------------------------------*/

struct windows_fd_set
{
    uint32_t count;
    uint32_t padding;
    uint64_t sockets[];
};
struct windows_fd_set32
{
    uint32_t count;
    uint32_t sockets[];
};

static uint64_t set_member( const struct windows_fd_set *set, uint32_t index )
{
    return CALLER_IS_32 ? ( (const struct windows_fd_set32 *)set )->sockets[index] : set->sockets[index];
}

static void set_store( struct windows_fd_set *set, uint32_t index, uint64_t handle )
{
    if ( CALLER_IS_32 ) ( (struct windows_fd_set32 *)set )->sockets[index] = handle;
    else set->sockets[index] = handle;
}

enum select_set
{
    SET_READ,
    SET_WRITE,
    SET_EXCEPT,
    SET_COUNT
};
_Static_assert( SET_COUNT == POLL_MEMORY_SETS, "what is remembered of select has each of its sets" );

static const uint32_t set_wants[SET_COUNT] = { POLL_READ | POLL_HANGUP | POLL_ACCEPT, POLL_WRITE, POLL_OOB };
static const uint32_t set_shows[SET_COUNT] = { POLL_READ | POLL_HANGUP | POLL_ACCEPT | POLL_RESET, POLL_WRITE,
                                               POLL_OOB | POLL_CONNECT_ERROR };

struct select_work
{
    uint32_t count[SET_COUNT]; /* entries of each set */
    uint32_t first[SET_COUNT]; /* where they begin */
    uint32_t total;
    uint64_t *handles;
    struct descriptor **descriptors;
    struct pollfd *fds;
    uint8_t *ready;
};

static struct windows_fd_set *user_set( const struct ws2_select_params *params, unsigned int set )
{
    uint64_t pointers[SET_COUNT] = { params->read, params->write, params->except };

    return (struct windows_fd_set *)(uintptr_t)pointers[set];
}

/* Copies the sets; may fault. */
static int32_t read_sets( const struct ws2_select_params *params, struct select_work *work )
{
    char *memory;

    work->total = 0;
    for ( unsigned int set = 0; set < SET_COUNT; set++ )
    {
        struct windows_fd_set *user = user_set( params, set );

        work->first[set] = work->total;
        work->count[set] = user ? user->count : 0;
        if ( work->count[set] > 0x100000 ) return WSAEINVAL;
        work->total += work->count[set];
    }
    if ( !work->total ) return WSAEINVAL;
    memory = wait_scratch( work->total * ( sizeof( uint64_t ) + sizeof( void * ) + sizeof( struct pollfd ) + 1 ) +
                           sizeof( struct pollfd ) );
    if ( !memory ) return WSAENOBUFS;
    work->handles = (uint64_t *)memory;
    work->descriptors = (struct descriptor **)( work->handles + work->total );
    work->fds = (struct pollfd *)( work->descriptors + work->total );
    work->ready = (uint8_t *)( work->fds + work->total + 1 );
    for ( unsigned int set = 0; set < SET_COUNT; set++ )
    {
        const struct windows_fd_set *user = user_set( params, set );
        uint64_t *handles = work->handles + work->first[set];

        if ( !work->count[set] ) continue;
        if ( !CALLER_IS_32 ) memcpy( handles, user->sockets, work->count[set] * sizeof( *handles ) );
        else
            for ( uint32_t i = 0; i < work->count[set]; i++ ) handles[i] = set_member( user, i );
    }
    return 0;
}

static uint32_t set_of( const struct select_work *work, uint32_t index )
{
    return index >= work->first[SET_EXCEPT] && work->count[SET_EXCEPT] ? SET_EXCEPT
           : index >= work->first[SET_WRITE] && work->count[SET_WRITE] ? SET_WRITE
                                                                       : SET_READ;
}

/* Marks what is ready; the number of entries that are. */
static uint32_t mark_ready( struct select_work *work )
{
    uint32_t ready = 0;

    for ( unsigned int set = 0; set < SET_COUNT; set++ )
        for ( uint32_t i = work->first[set]; i < work->first[set] + work->count[set]; i++ )
        {
            work->ready[i] = ( conditions_of( work->descriptors[i], work->fds[i].revents ) & set_shows[set] ) != 0;
            ready += work->ready[i];
        }
    return ready;
}

/* A socket of the sets was closed while select waited: it counts as readable and writable, but the except set alone
 * makes it WSAENOTSOCK. */
static int32_t mark_closed( struct select_work *work )
{
    uint32_t ready = 0;

    memset( work->ready, 0, work->total );
    for ( uint32_t i = 0; i < work->total; i++ )
        if ( atomic_load( &work->descriptors[i]->closing ) && set_of( work, i ) != SET_EXCEPT )
            ready += work->ready[i] = 1;
    return ready ? 0 : WSAENOTSOCK;
}

#define SEEN_WORDS 16u

/* Whether the handle may be among those that were asked about before; 0: it is not. */
static int seen_before( uint64_t *seen, uint64_t handle )
{
    uint64_t *word = &seen[( handle >> 8 ) % SEEN_WORDS];
    const uint64_t bit = descriptor_handle_bit( handle );
    const int before = ( *word & bit ) != 0;

    *word |= bit;
    return before;
}

/* Writes the ready members into the caller's sets, each once; may fault. Several sets may be one, which then has the union
 * of what is ready. A set of bits saves most searches, in whatever order the handles come: those of the pool fall. */
static uint32_t write_sets( const struct ws2_select_params *params, const struct select_work *work )
{
    uint32_t total = 0;

    for ( unsigned int set = 0; set < SET_COUNT; set++ )
    {
        struct windows_fd_set *user = user_set( params, set );
        uint32_t kept = 0;
        uint64_t seen[SEEN_WORDS] = { 0 };

        if ( !user ) continue;
        for ( unsigned int earlier = 0; earlier < set && !kept; earlier++ )
            if ( user_set( params, earlier ) == user ) kept = user->count;
        total -= kept;
        for ( uint32_t i = 0; i < kept; i++ ) seen_before( seen, set_member( user, i ) );
        for ( uint32_t i = work->first[set]; i < work->first[set] + work->count[set]; i++ )
        {
            const uint64_t handle = work->handles[i];
            uint32_t j;

            if ( !work->ready[i] ) continue;
            j = seen_before( seen, handle ) ? 0 : kept;
            while ( j < kept && set_member( user, j ) != handle ) j++;
            if ( j == kept ) set_store( user, kept++, handle );
        }
        user->count = kept;
        total += kept;
    }
    return total;
}

static int is_of_select( const struct poll_memory *memory )
{
    return memory->sets[SET_READ] | memory->sets[SET_WRITE] | memory->sets[SET_EXCEPT];
}

static void select_remember( const struct select_work *work, const struct poll_moment *moment )
{
    struct poll_memory *memory = poll_memory_renew( work->descriptors, work->fds, work->total, moment );

    if ( !memory ) return;
    memcpy( memory->sets, work->count, sizeof( memory->sets ) );
    memcpy( memory->handles, work->handles, work->total * sizeof( *work->handles ) );
}

/* The same sets as the last time? It may fault. */
static enum poll_before select_as_before( struct ws2_select_params *params )
{
    struct poll_memory *memory = poll_memory_own();
    struct select_work work = { .total = 0 };
    uint32_t members = 0;
    int found;

    if ( !memory || !is_of_select( memory ) ) return POLL_UNKNOWN;
    work.handles = memory->handles;
    work.ready = memory->marks;
    for ( unsigned int set = 0; set < SET_COUNT; set++ )
    {
        const struct windows_fd_set *user = user_set( params, set );

        work.first[set] = work.total;
        work.count[set] = user ? user->count : 0;
        if ( work.count[set] != memory->sets[set] || ( user && memcmp( user->sockets, work.handles + work.total,
                                                                       work.count[set] * sizeof( *user->sockets ) ) ) )
            return POLL_UNKNOWN;
        work.total += work.count[set];
    }
    if ( ( found = poll_memory_ask( memory ) ) < 0 ) return POLL_UNKNOWN;
    memset( work.ready, 0, work.total );
    for ( int k = 0; k < found; k++ )
    {
        const struct poll_memory_ready *ready = &memory->ready[k];
        uint32_t conditions = ready->conditions;

        if ( !conditions )
        {
            NTSTATUS status;
            struct descriptor *d = descriptor_acquire( work.handles[ready->entry], &status );

            if ( !d ) return POLL_UNKNOWN;
            conditions = conditions_of( d, ready->revents );
            descriptor_release( d );
        }
        members += work.ready[ready->entry] = ( conditions & set_shows[set_of( &work, ready->entry )] ) != 0;
    }
    if ( !members && params->timeout ) return POLL_SILENT;
    params->ready = write_sets( params, &work );
    return POLL_ANSWERED;
}

static void release_all( struct descriptor **descriptors, uint32_t count )
{
    while ( count-- )
        if ( descriptors[count] ) descriptor_release( descriptors[count] );
}

/* Once a call, which may be carried out several times; may fault. */
static int32_t read_timeout( struct ws2_select_params *params )
{
    const struct
    {
        int32_t seconds, microseconds;
    } *user = (const void *)(uintptr_t)params->timeval;

    if ( params->timeout != WS2_TIMEOUT_UNREAD ) return 0;
    if ( user && ( user->seconds < 0 || user->microseconds < 0 ) ) return WSAEINVAL;
    params->timeout = user ? user->seconds * 1000000ll + user->microseconds : -1;
    return 0;
}

NTSTATUS unix_select( void *args )
{
    struct ws2_select_params *params = args;
    const struct poll_moment moment = poll_moment_now();
    struct select_work work;
    enum poll_before before;
    NTSTATUS status = 0;
    uint32_t i;

    if ( ( params->error = read_timeout( params ) ) || ( before = select_as_before( params ) ) == POLL_ANSWERED ||
         ( params->error = read_sets( params, &work ) ) )
        return 0;
    for ( i = 0; i < work.total; i++ )
    {
        uint32_t set = set_of( &work, i );
        struct descriptor *d = descriptor_acquire( work.handles[i], &status );

        if ( !d )
        {
            release_all( work.descriptors, i );
            params->unknown = work.handles[i];
            return status;
        }
        work.descriptors[i] = d;
        poll_prepare( &work.fds[i], d, set_wants[set] );
    }
    if ( before == POLL_UNKNOWN )
    {
        while ( poll( work.fds, work.total, 0 ) < 0 && errno == EINTR ) continue;
        select_remember( &work, &moment );
    }
    while ( !mark_ready( &work ) )
    {
        enum wait_result result;

        if ( !params->timeout ) break;
        /* a connection that has just been made is waited on for something else than its outcome */
        for ( i = 0; i < work.total; i++ )
            poll_prepare( &work.fds[i], work.descriptors[i], set_wants[set_of( &work, i )] );
        result = wait_many( work.descriptors, work.fds, work.total,
                            params->timeout < 0 ? WAIT_FOREVER_US : (uint64_t)params->timeout, &params->wait );
        if ( result == WAIT_READY ) continue;
        if ( result == WAIT_CLOSED ) params->error = mark_closed( &work );
        else if ( result != WAIT_TIMED_OUT ) status = wait_status( result, &params->error );
        break;
    }
    release_all( work.descriptors, work.total );
    if ( status ) return status;
    if ( !params->error || params->error == WSAENOTSOCK ) params->ready = write_sets( params, &work );
    return 0;
}

/* --- WSAPoll ----------------------------------------------------------------------------------------------------------*/

struct windows_pollfd
{
    uint64_t fd;
    int16_t events;
    int16_t revents;
    uint32_t padding;
};
struct windows_pollfd32
{
    int32_t fd;
    int16_t events;
    int16_t revents;
};

enum windows_poll_event
{
    WS_POLLERR = 0x1,
    WS_POLLHUP = 0x2,
    WS_POLLNVAL = 0x4,
    WS_POLLWRNORM = 0x10,
    WS_POLLRDNORM = 0x100,
    WS_POLLRDBAND = 0x200,
    WS_POLL_ASKABLE = WS_POLLWRNORM | WS_POLLRDNORM | WS_POLLRDBAND
};

#define NO_SOCKET UINT64_MAX /* INVALID_SOCKET */

static uint32_t poll_wants( int16_t events )
{
    return POLL_HANGUP | ( events & WS_POLLRDNORM ? POLL_READ | POLL_ACCEPT : 0 ) |
           ( events & WS_POLLRDBAND ? POLL_OOB : 0 ) | ( events & WS_POLLWRNORM ? POLL_WRITE : 0 );
}

static int16_t poll_shows( uint32_t conditions, int16_t events )
{
    int16_t shown = 0;

    if ( conditions & ( POLL_READ | POLL_ACCEPT ) ) shown |= WS_POLLRDNORM;
    if ( conditions & POLL_OOB ) shown |= WS_POLLRDBAND;
    if ( conditions & ( POLL_WRITE | POLL_CONNECT_ERROR ) ) shown |= WS_POLLWRNORM;
    shown &= events;
    if ( conditions & ( POLL_RESET | POLL_CONNECT_ERROR ) ) shown |= WS_POLLERR | WS_POLLHUP;
    if ( conditions & POLL_HANGUP ) shown |= WS_POLLHUP;
    return shown;
}

static int16_t shown_of( struct descriptor *d, uint32_t revents, int16_t events )
{
    return poll_shows( poll_data( d, conditions_of( d, revents ) ), events );
}

static int asks_invalid( const struct windows_pollfd *entries, uint32_t count )
{
    for ( uint32_t i = 0; i < count; i++ )
        if ( entries[i].fd != NO_SOCKET && ( (uint16_t)entries[i].events & ~WS_POLL_ASKABLE ) ) return 1;
    return 0;
}

static void poll_remember( const struct windows_pollfd *entries, struct descriptor **descriptors,
                           const struct pollfd *fds, uint32_t count, const struct poll_moment *moment )
{
    struct poll_memory *memory = poll_memory_renew( descriptors, fds, count, moment );

    if ( !memory ) return;
    memset( memory->sets, 0, sizeof( memory->sets ) );
    for ( uint32_t i = 0; i < count; i++ )
    {
        memory->handles[i] = entries[i].fd;
        memory->asked[i] = entries[i].events;
    }
}

/* The same array as the last time? It may fault. */
static enum poll_before poll_as_before( struct ws2_poll_params *params, struct windows_pollfd *user )
{
    struct poll_memory *memory = poll_memory_own();
    const uint32_t count = params->count;
    uint64_t differs = 0;
    int found;

    if ( !memory || memory->count != count || is_of_select( memory ) ) return POLL_UNKNOWN;
    for ( uint32_t i = 0; i < count; i++ )
        differs |= ( user[i].fd ^ memory->handles[i] ) | (uint16_t)( user[i].events ^ memory->asked[i] );
    if ( differs || ( found = poll_memory_ask( memory ) ) < 0 ) return POLL_UNKNOWN;
    params->ready = 0;
    for ( int k = 0; k < found; k++ )
    {
        struct poll_memory_ready *ready = &memory->ready[k];
        const int16_t asked = memory->asked[ready->entry];

        if ( ready->conditions ) ready->shown = poll_shows( ready->conditions, asked );
        else
        {
            NTSTATUS status;
            struct descriptor *d = descriptor_acquire( memory->handles[ready->entry], &status );

            if ( !d ) return POLL_UNKNOWN;
            ready->shown = atomic_load( &d->closing ) ? WS_POLLNVAL : shown_of( d, ready->revents, asked );
            descriptor_release( d );
        }
        params->ready += ready->shown != 0;
    }
    if ( !params->ready && params->timeout ) return POLL_SILENT;
    for ( uint32_t i = 0; i < count; i++ ) user[i].revents = 0;
    for ( int k = 0; k < found; k++ ) user[memory->ready[k].entry].revents = memory->ready[k].shown;
    return POLL_ANSWERED;
}

NTSTATUS unix_poll( void *args )
{
    struct ws2_poll_params *params = args;
    struct windows_pollfd *user = (struct windows_pollfd *)(uintptr_t)params->fds;
    struct windows_pollfd32 *user32 = (struct windows_pollfd32 *)(uintptr_t)params->fds;
    struct descriptor **descriptors;
    struct pollfd *fds;
    struct windows_pollfd *copy;
    uint32_t count = params->count, *entries, used = 0, ready = 0;
    const struct poll_moment moment = poll_moment_now();
    enum poll_before before;
    NTSTATUS status = 0;
    char *memory;

    params->error = 0;
    if ( ( before = poll_as_before( params, user ) ) == POLL_ANSWERED ) return 0;
    if ( count > 0x100000 )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    if ( !( memory = wait_scratch(
                count * ( sizeof( *copy ) + sizeof( *descriptors ) + sizeof( *fds ) + sizeof( *entries ) ) +
                sizeof( *fds ) ) ) )
    {
        params->error = WSAENOBUFS;
        return 0;
    }
    copy = (struct windows_pollfd *)memory;
    descriptors = (struct descriptor **)( copy + count );
    fds = (struct pollfd *)( descriptors + count );
    entries = (uint32_t *)( fds + count + 1 );
    if ( !CALLER_IS_32 ) memcpy( copy, user, count * sizeof( *copy ) );
    else
        for ( uint32_t i = 0; i < count; i++ )
            copy[i] = ( struct windows_pollfd ){ .fd = (int64_t)user32[i].fd, .events = user32[i].events };

    for ( uint32_t i = 0; i < count; i++ )
    {
        struct descriptor *d;

        copy[i].revents = 0;
        if ( copy[i].fd == NO_SOCKET || !( d = descriptor_acquire( copy[i].fd, &status ) ) )
        {
            /* a handle that the process has not seen may be an inherited socket; the PE side looks once at each */
            if ( status == WS2_STATUS_ADOPT && i >= params->adopted_from )
            {
                release_all( descriptors, used );
                params->unknown = copy[i].fd;
                params->adopted_from = i + 1;
                return status;
            }
            status = 0;
            copy[i].revents = WS_POLLNVAL;
            continue;
        }
        descriptors[used] = d;
        entries[used] = i;
        poll_prepare( &fds[used++], d, poll_wants( copy[i].events ) );
    }
    /* no socket at all; then what is asked, of whatever is named; only then is a bad handle an answer, which does not count */
    if ( !used ) params->error = WSAENOTSOCK;
    else if ( asks_invalid( copy, count ) )
    {
        params->error = WSAEINVAL;
        for ( uint32_t i = 0; i < count; i++ ) copy[i].revents = 0;
    }
    if ( params->error ) goto done;
    if ( before == POLL_UNKNOWN )
    {
        while ( poll( fds, used, 0 ) < 0 && errno == EINTR ) continue;
        if ( used == count ) poll_remember( copy, descriptors, fds, count, &moment );
    }
    for ( ;; )
    {
        enum wait_result result;

        ready = 0;
        for ( uint32_t i = 0; i < used; i++ )
        {
            struct windows_pollfd *entry = &copy[entries[i]];

            entry->revents = shown_of( descriptors[i], fds[i].revents, entry->events );
            if ( atomic_load( &descriptors[i]->closing ) ) entry->revents = WS_POLLNVAL;
            ready += entry->revents != 0;
        }
        if ( ready || !params->timeout ) break;
        for ( uint32_t i = 0; i < used; i++ )
            poll_prepare( &fds[i], descriptors[i], poll_wants( copy[entries[i]].events ) );
        result = wait_many( descriptors, fds, used, params->timeout < 0 ? WAIT_FOREVER_US : params->timeout * 1000ull,
                            &params->wait );
        if ( result == WAIT_READY || result == WAIT_CLOSED ) continue;
        if ( result != WAIT_TIMED_OUT ) status = wait_status( result, &params->error );
        break;
    }
done:
    release_all( descriptors, used );
    if ( status ) return status;
    if ( !CALLER_IS_32 )
        for ( uint32_t i = 0; i < count; i++ ) user[i].revents = copy[i].revents;
    else
        for ( uint32_t i = 0; i < count; i++ ) user32[i].revents = copy[i].revents;
    params->ready = ready;
    return 0;
}

/*
 * The record of a socket's network events: one word of the slot, each change of which is one compare-and-swap.
 *
 * Any thread of any process that has the socket; no locks.
 */
#include <string.h>
#include <sys/socket.h>
#include "events/event_record.h"
#include "sockets/conditions.h"

uint32_t event_record( struct descriptor *d, uint32_t bits, uint32_t fresh, uint32_t generation )
{
    uint64_t word = atomic_load( &d->slot->events ), next;
    uint32_t added;

    do {
        if ( generation && ws2_events_generation( word ) != generation ) return 0;
        added = bits & ( fresh | ~( ws2_events_seen( word ) | ws2_events_recorded( word ) ) );
        if ( !added ) return 0;
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) & ~added,
                           ws2_events_recorded( word ) | added, ws2_events_mask( word ) );
    } while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
    return added & ws2_events_mask( next );
}

/* Whether one of bits has been neither recorded nor seen. */
static int would_add( const struct descriptor *d, uint32_t bits )
{
    const uint64_t word = atomic_load( &d->slot->events );

    return ( bits & ~( ws2_events_seen( word ) | ws2_events_recorded( word ) ) ) != 0;
}

void event_mark_posted( struct descriptor *d, uint32_t bits )
{
    uint64_t word = atomic_load( &d->slot->events ), next;

    do
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) | bits,
                           ws2_events_recorded( word ) & ~bits, ws2_events_mask( word ) );
    while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
}

void event_clear_seen( struct descriptor *d, uint32_t bits, uint32_t also_recorded )
{
    uint64_t word = atomic_load( &d->slot->events ), next;

    do
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) & ~bits,
                           ws2_events_recorded( word ) & ~( also_recorded & bits ), ws2_events_mask( word ) );
    while ( next != word && !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
}

uint32_t event_due( struct descriptor *d, uint32_t conditions )
{
    uint32_t bits = 0;

    if ( d->slot->type != SOCK_STREAM )
    {
        if ( conditions & POLL_READ ) bits |= WS2_FD_READ;
        /* to be bound is what makes one ready to send; before that nothing is told */
        if ( ( conditions & POLL_WRITE ) &&
             ( descriptor_flags( d ) & ( WS2_FLAG_BOUND | WS2_FLAG_CONNECTED | WS2_FLAG_SEND_BLOCKED ) ) )
        {
            bits |= WS2_FD_WRITE;
            /* a window is not told of a datagram socket's connect */
            if ( ( descriptor_flags( d ) & WS2_FLAG_CONNECTED ) && !atomic_load( &d->slot->event_message ) )
                bits |= WS2_FD_CONNECT;
        }
        return bits;
    }
    if ( conditions & POLL_ACCEPT ) bits |= WS2_FD_ACCEPT;
    if ( conditions & POLL_READ ) bits |= WS2_FD_READ;
    if ( conditions & POLL_OOB ) bits |= WS2_FD_OOB;
    if ( conditions & POLL_CONNECT )
    {
        /* an accepted socket was never connecting: WRITE is all that it reports */
        if ( !( descriptor_flags( d ) & WS2_FLAG_ACCEPTED ) ) bits |= WS2_FD_CONNECT;
        if ( conditions & POLL_WRITE ) bits |= WS2_FD_WRITE;
    }
    if ( conditions & POLL_CONNECT_ERROR ) bits |= WS2_FD_CONNECT;
    if ( conditions & ( POLL_HANGUP | POLL_RESET ) ) bits |= WS2_FD_CLOSE;
    if ( conditions & POLL_RESET )
    {
        atomic_store( &d->slot->close_error, WSAECONNABORTED );
        bits &= ~WS2_FD_READ;
    }
    if ( !( poll_data( d, conditions ) & POLL_READ ) ) bits &= ~WS2_FD_READ;
    return bits;
}

/* 0 when the record has changed since: word is then what it is now. */
static int take_back( struct descriptor *d, uint32_t bits, uint64_t *word )
{
    const uint64_t next = ws2_events( ws2_events_generation( *word ), ws2_events_seen( *word ),
                                      ws2_events_recorded( *word ) & ~bits, ws2_events_mask( *word ) );

    return atomic_compare_exchange_strong( &d->slot->events, word, next );
}

/* A receive that comes after the record takes it back by itself. */
uint32_t event_still_due( struct descriptor *d, uint32_t told )
{
    uint64_t word = atomic_load( &d->slot->events );
    uint32_t gone;
    int now;

    if ( !( told & EVENT_ARRIVALS ) ) return told;
    do {
        if ( ( now = poll_host_now( d ) ) < 0 ) return told;
        gone = told & EVENT_ARRIVALS & ~event_due( d, poll_conditions( d, now ) );
        if ( !gone ) return told;
    } while ( !take_back( d, gone, &word ) );
    return told & ~gone;
}

/* A send that had to wait need not any more: FD_WRITE is due anew. */
static int unblocks( struct descriptor *d, uint32_t bits )
{
    if ( !( bits & WS2_FD_WRITE ) || !( descriptor_flags( d ) & WS2_FLAG_SEND_BLOCKED ) ) return 0;
    descriptor_clear_flags( d, WS2_FLAG_SEND_BLOCKED );
    event_clear_seen( d, WS2_FD_WRITE, 0 );
    return 1;
}

uint32_t event_evaluate( struct descriptor *d, uint32_t revents, uint32_t arrivals, uint32_t generation )
{
    uint32_t bits = event_due( d, poll_conditions( d, revents ) );

    unblocks( d, bits );
    /* data that lay there when the end of the stream arrived did not arrive with it: FD_READ is not due anew */
    if ( would_add( d, bits & WS2_FD_CLOSE ) ) arrivals &= ~WS2_FD_READ;
    return event_still_due( d, event_record( d, bits, arrivals, generation ) );
}

uint32_t event_evaluate_now( struct descriptor *d )
{
    const int now = poll_host_now( d );

    return now < 0 ? 0 : event_evaluate( d, now, 0, 0 );
}

uint32_t event_take( struct descriptor *d )
{
    uint64_t word, next;
    uint32_t due, recorded, events;
    int now;

    do {
        do {
            word = atomic_load( &d->slot->events );
            now = poll_host_now( d );
            due = now < 0 ? 0 : event_due( d, poll_conditions( d, now ) );
        } while ( unblocks( d, due ) );
        recorded = ws2_events_recorded( word ) | ( due & ~ws2_events_seen( word ) );
        if ( now >= 0 && !( due & WS2_FD_CLOSE ) ) recorded &= due | ~( WS2_FD_READ | WS2_FD_ACCEPT );
        events = recorded & ws2_events_mask( word );
        next = ws2_events( ws2_events_generation( word ), ws2_events_seen( word ) | events, recorded & ~events,
                           ws2_events_mask( word ) );
    } while ( !atomic_compare_exchange_weak( &d->slot->events, &word, next ) );
    return events;
}

void event_codes( struct descriptor *d, uint32_t events, int32_t codes[WS2_EVENT_BIT_COUNT] )
{
    memset( codes, 0, WS2_EVENT_BIT_COUNT * sizeof( *codes ) );
    if ( events & WS2_FD_CONNECT ) codes[4] = atomic_load( &d->slot->connect_error );
    if ( events & WS2_FD_CLOSE ) codes[5] = atomic_load( &d->slot->close_error );
}

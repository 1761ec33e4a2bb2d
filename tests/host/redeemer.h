/* A child process that redeems the tickets it is sent, and holds what it got until it is told to end. */
#ifndef WS2HOST_TEST_REDEEMER_H
#define WS2HOST_TEST_REDEEMER_H

#include "harness.h"

#define HANDLE 0x100 /* of the first descriptor, in any process */

struct order
{
    int to_child, from_child; /* pipe ends of the child */
    uint32_t windows_pid;
};

static struct
{
    uint32_t slot, generation;
    int fd;
} redeemed[2048];
static unsigned int redeemed_count;

static void redeemer_enumerate( connection_publish_function publish )
{
    for ( unsigned int i = 0; i < redeemed_count; i++ )
        publish( redeemed[i].slot, redeemed[i].generation, HANDLE + 4 * i, redeemed[i].fd );
}

#define REDEEMED_RENEWED 1 /* it is another host socket than the slot names, and the server has that one */

static int is_replaced( uint32_t slot, uint32_t generation )
{
    const uint64_t cookie = ws2_table_slot( connection_table(), slot )->cookie;
    int found = 0;

    for ( int i = 0; !found && i < 1000; i++ )
    {
        if ( i ) usleep( 10000 );
        found = replaced_cookie( slot, generation ) == cookie;
    }
    return found;
}

/* A process that redeems what it is sent, answers with the error, and holds what it got until told 0. */
static int redeemer( void *context )
{
    const struct order *order = context;
    uint32_t ticket, slot, generation;
    int32_t error;
    int fd;

    connection_enumerate_shared = redeemer_enumerate;
    if ( ( error = connection_attach( order->windows_pid ) ) ) return 1;
    if ( write( order->from_child, &error, sizeof( error ) ) < 0 ) return 1;
    while ( read( order->to_child, &ticket, sizeof( ticket ) ) == sizeof( ticket ) && ticket )
    {
        error = ticket_redeem( ticket, &slot, &generation, &fd );
        if ( !error )
        {
            connection_name( slot, generation, HANDLE + 4 * redeemed_count );
            redeemed[redeemed_count].slot = slot;
            redeemed[redeemed_count].generation = generation;
            redeemed[redeemed_count++].fd = fd;
            if ( socket_cookie( fd ) != ws2_table_slot( connection_table(), slot )->cookie )
                error = is_replaced( slot, generation ) ? REDEEMED_RENEWED : -1;
        }
        if ( write( order->from_child, &error, sizeof( error ) ) < 0 ) return 1;
    }
    return 0;
}

struct child
{
    pid_t pid;
    int to, from;
};

static inline struct child child_start( uint32_t windows_pid )
{
    struct order order = { .windows_pid = windows_pid };
    struct child child;
    int to[2], from[2];
    int32_t attached = -1;

    ck_assert( !pipe2( to, O_CLOEXEC ) && !pipe2( from, O_CLOEXEC ) );
    order.to_child = to[0];
    order.from_child = from[1];
    child.pid = process_start( redeemer, &order );
    child.to = to[1];
    child.from = from[0];
    close( to[0] );
    close( from[1] );
    ck_assert_int_eq( read( child.from, &attached, sizeof( attached ) ), sizeof( attached ) );
    ck_assert_int_eq( attached, 0 );
    return child;
}

static inline int child_redeem( struct child *child, uint32_t ticket )
{
    int32_t error = -2;

    ck_assert_int_eq( write( child->to, &ticket, sizeof( ticket ) ), sizeof( ticket ) );
    ck_assert_int_eq( read( child->from, &error, sizeof( error ) ), sizeof( error ) );
    return error;
}

static inline void child_end( struct child *child )
{
    const uint32_t end = 0;

    ck_assert_int_eq( write( child->to, &end, sizeof( end ) ), sizeof( end ) );
    ck_assert_int_eq( process_wait( child->pid ), 0 );
}

#endif

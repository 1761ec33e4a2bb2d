/*
 * Tickets: good once, in the named process only, whatever becomes of their source; wrong ones are refused and guessing is
 * slowed down; none outlives its target.
 */
#include "harness.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28
#define HANDLE 0x100

struct order
{
    int to_child, from_child; /* pipe ends of the child */
    uint32_t windows_pid;
};

/* A process that redeems what it is sent, answers with the error, and holds what it got until told 0. */
static int redeemer( void *context )
{
    const struct order *order = context;
    uint32_t ticket, slot, generation;
    int32_t error;
    int fd;

    if ((error = connection_attach( order->windows_pid ))) return 1;
    if (write( order->from_child, &error, sizeof(error) ) < 0) return 1;
    while (read( order->to_child, &ticket, sizeof(ticket) ) == sizeof(ticket) && ticket)
    {
        error = ticket_redeem( ticket, &slot, &generation, &fd );
        if (!error)
        {
            connection_name( slot, generation, HANDLE );
            if (cookie_of( fd ) != ws2_table_slot( connection_table(), slot )->cookie) error = -1;
        }
        if (write( order->from_child, &error, sizeof(error) ) < 0) return 1;
    }
    return 0;
}

struct child
{
    pid_t pid;
    int to, from;
};

static struct child child_start( uint32_t windows_pid )
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
    ck_assert_int_eq( read( child.from, &attached, sizeof(attached) ), sizeof(attached) );
    ck_assert_int_eq( attached, 0 );
    return child;
}

static int child_redeem( struct child *child, uint32_t ticket )
{
    int32_t error = -2;

    ck_assert_int_eq( write( child->to, &ticket, sizeof(ticket) ), sizeof(ticket) );
    ck_assert_int_eq( read( child->from, &error, sizeof(error) ), sizeof(error) );
    return error;
}

static void child_end( struct child *child )
{
    const uint32_t end = 0;

    ck_assert_int_eq( write( child->to, &end, sizeof(end) ), sizeof(end) );
    ck_assert_int_eq( process_wait( child->pid ), 0 );
}

START_TEST( redeemed_once_by_the_target_only )
{
    struct child target, other;
    uint32_t slot, generation, ticket;
    int fd, unknown;

    harness_begin();
    target = child_start( TARGET );
    other = child_start( OTHER );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &ticket, &unknown ), 0 );
    ck_assert_uint_ne( ticket, 0 );
    ck_assert_int_eq( child_redeem( &other, ticket ), WSAEINVAL );
    ck_assert_int_eq( child_redeem( &target, ticket ^ 1 ), WSAEINVAL );
    /* the source closes first */
    socket_drop( fd, slot, generation, HANDLE );
    ck_assert_int_eq( child_redeem( &target, ticket ), 0 );
    ck_assert_uint_eq( harness_table().descriptors, 1 );
    ck_assert_uint_eq( harness_table().tickets, 0 );
    ck_assert_int_eq( child_redeem( &target, ticket ), WSAEINVAL );
    child_end( &target );
    child_end( &other );
    eventually( harness_table().shared == 0 );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "tickets" );
    TCase *test = tcase_create( "tickets" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, redeemed_once_by_the_target_only );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}

/*
 * Tickets: good once, in the named process only, whatever becomes of their source; wrong ones are refused and guessing is
 * slowed down; none outlives its target.
 */
#include "redeemer.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28

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

/*
 * Guessing at tickets is slow, by any way and for whoever does it: the thread that guesses is told to wait, nobody else is. Who
 * has a ticket opens it at once.
 */
#include "redeemer.h"

#define SOURCE 0x20
#define TARGET 0x24
#define OTHER 0x28

START_TEST( guessing_is_slow )
{
    struct child target, other;
    uint64_t begin;

    harness_begin();
    target = child_start( TARGET );
    other = child_start( OTHER );
    begin = harness_now();
    for ( uint32_t i = 1; i <= 14; i++ ) ck_assert_int_eq( child_redeem( &target, i ), WSAEINVAL );
    ck_assert_uint_gt( harness_now() - begin, 2000 );
    /* nobody else waits for it */
    begin = harness_now();
    ck_assert_int_eq( child_redeem( &other, 1 ), WSAEINVAL );
    ck_assert_uint_lt( harness_now() - begin, 500 );
    child_end( &target );
    child_end( &other );
    harness_end();
}
END_TEST

/* delay: ms to wait */
static int guess( int fd, uint32_t ticket, uint32_t *delay )
{
    const struct ws2_request redeem = { .type = WS2_REDEEM, .ticket = ticket };
    struct ws2_reply reply;
    const int error = raw_request( fd, &redeem, -1, &reply, NULL );

    *delay = reply.detail == WS2_DETAIL_LATER ? reply.count : 0;
    return error;
}

#define GUESSERS 18

/* Guesses on a connection of its own, each time anew, and says how long it is to wait, in tenths of a second. */
static int guesser( void *context )
{
    struct ws2_reply reply;
    uint32_t delay = 0;

    for ( int i = 0; i < 3; i++ )
    {
        int fd = raw_attach( *(uint32_t *)context, &reply, NULL );

        if ( guess( fd, 1, &delay ) != WSAEINVAL ) return 255;
        close( fd );
    }
    return delay / 100;
}

/* Of a process that does not wait as it is told: how many of its guesses are looked at before one is not. */
static int hasty_guesses( int connections )
{
    struct ws2_reply reply;
    uint32_t delay;
    int error = 0, fd = -1, count;

    for ( count = 0; !error || error == WSAEINVAL; count++ )
    {
        if ( !( count % connections ) && fd >= 0 ) raw_leave( fd );
        if ( !( count % connections ) ) fd = raw_attach( TARGET + 4 * ( count / connections ), &reply, NULL );
        error = guess( fd, 1, &delay );
    }
    ck_assert_int_eq( error, WSAEWOULDBLOCK );
    ck_assert_uint_gt( delay, 0 );
    close( fd );
    return count;
}

static int hasty_on_one_connection( void *unused )
{
    (void)unused;
    return hasty_guesses( 1000 );
}

static int hasty_on_many( void *unused )
{
    (void)unused;
    return hasty_guesses( 1 );
}

/* Slow for the process, whatever it says it is, by one connection and by connections made anew; and for a family that has
 * many processes guess. */
START_TEST( guessing_is_slow_by_any_way )
{
    pid_t guessers[GUESSERS];
    uint32_t pids[GUESSERS];
    int slowest = 0;

    harness_begin();
    harness_start_server();
    /* 4 for nothing, 8 for 2270 ms, then one for each second that they may owe and that this takes */
    ck_assert_int_le( process_wait( process_start( hasty_on_one_connection, NULL ) ), 30 );
    ck_assert_int_le( process_wait( process_start( hasty_on_many, NULL ) ), 30 );
    for ( int i = 0; i < GUESSERS; i++ )
    {
        pids[i] = 0x1000 + 4 * i;
        guessers[i] = process_start( guesser, &pids[i] );
    }
    for ( int i = 0; i < GUESSERS; i++ )
    {
        const int told = process_wait( guessers[i] );

        ck_assert_int_ne( told, 255 );
        if ( told > slowest ) slowest = told;
    }
    ck_assert_int_gt( slowest, 10 );
    harness_end();
}
END_TEST

/* --- guesses, each by another process ---------------------------------------------------------------------------------*/

#define FORKS 100
#define GUESSES_OF_EACH 3

static struct forks
{
    _Atomic uint32_t guesses, looked_at, stop;
} * forks;

/* As OTHER, which some tickets are for and which has not attached; of a session of its own or not. */
static int forked_guesser( void *context )
{
    const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = OTHER };
    struct ws2_reply reply;
    uint32_t delay;
    int fd = raw_connect();

    if ( *(int *)context ) setsid();
    if ( fd < 0 || raw_request( fd, &hello, -1, &reply, NULL ) ) return 1;
    for ( uint32_t i = 1; i <= GUESSES_OF_EACH; i++ )
    {
        forks->guesses++;
        if ( guess( fd, i, &delay ) == WSAEINVAL ) forks->looked_at++;
    }
    return 0;
}

static int guess_by_forks( void *context )
{
    while ( !forks->stop ) process_wait( process_start( forked_guesser, context ) );
    return 0;
}

/* Slow too, and nobody else waits: not in the same session. */
START_TEST( guesses_by_forks )
{
    struct ws2_request redeem = { .type = WS2_REDEEM };
    uint32_t slot, generation, ticket, tickets[40];
    struct ws2_reply reply;
    struct child target;
    uint64_t begin, seconds;
    pid_t rogue;
    int fd, other, error, unknown, ends[2];

    harness_begin();
    forks = mmap( NULL, sizeof( *forks ), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
    harness_start_server();
    begin = harness_now();
    ck_assert( !pipe2( ends, O_CLOEXEC ) );
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    ck_assert_int_eq( connection_watch( OTHER, ends[0] ), 0 );
    ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, OTHER, &ticket, &unknown ), 0 );
    rogue = process_start( guess_by_forks, &_i );
    eventually( forks->guesses > FORKS * GUESSES_OF_EACH );
    for ( int i = 0; i < 40; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ), 0 );
    for ( int i = 0; i < 40; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), 0 );
    ck_assert_int_eq( child_redeem( &target, tickets[0] ), WSAEINVAL );
    eventually( forks->guesses > 4 * FORKS * GUESSES_OF_EACH );
    forks->stop = 1;
    process_wait( rogue );
    /* 64 for nothing, 7 within 1270 ms, then one in each second */
    seconds = ( harness_now() - begin ) / 1000;
    ck_assert_uint_le( forks->looked_at, 64 + 8 + seconds );
    ck_assert_uint_ge( forks->looked_at, 64 );
    child_end( &target );
    /* whom it is meant for is told to wait once at most */
    redeem.ticket = ticket;
    other = raw_attach( OTHER, &reply, NULL );
    if ( ( error = raw_request( other, &redeem, -1, &reply, NULL ) ) )
    {
        ck_assert_int_eq( error, WSAEWOULDBLOCK );
        ck_assert_uint_eq( reply.detail, WS2_DETAIL_LATER );
        ck_assert_uint_le( reply.count, 1000 );
        usleep( ( reply.count + 1 ) * 1000 );
        ck_assert_int_eq( raw_request( other, &redeem, -1, &reply, NULL ), 0 );
    }
    raw_leave( other );
    socket_drop( fd, slot, generation, HANDLE );
    harness_end();
}
END_TEST

/* Whoever guesses, and as whomever: who has an info opens it at once. And an info that has been used is no guess. */
START_TEST( nobody_waits_for_guesses )
{
    uint32_t slot, generation, tickets[40];
    pid_t guessers[GUESSERS];
    uint32_t pids[GUESSERS];
    struct child target;
    struct ws2_reply reply;
    uint64_t begin;
    int fd, unknown;

    harness_begin();
    target = child_start( TARGET );
    ck_assert_int_eq( connection_attach( SOURCE ), 0 );
    fd = socket_make( HANDLE, &slot, &generation );
    for ( int i = 0; i < 40; i++ )
        ck_assert_int_eq( ticket_issue( slot, generation, HANDLE, fd, TARGET, &tickets[i], &unknown ), 0 );
    for ( int i = 0; i < GUESSERS; i++ )
    {
        pids[i] = 0x1000 + 4 * i;
        guessers[i] = process_start( guesser, &pids[i] );
    }
    /* the number of a process that runs is nobody else's */
    {
        const struct ws2_request hello = { .type = WS2_HELLO, .version = WS2_LAYOUT_VERSION, .windows_pid = TARGET };
        int claim = raw_connect();

        ck_assert_int_eq( raw_request( claim, &hello, -1, &reply, NULL ), WSAEACCES );
        ck_assert_uint_eq( reply.detail, WS2_DETAIL_CLAIMED );
        close( claim );
    }
    for ( uint32_t i = 1; i <= 5; i++ ) ck_assert_int_eq( child_redeem( &target, i ), WSAEINVAL );
    begin = harness_now();
    for ( int i = 0; i < 40; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), 0 );
    for ( int i = 0; i < 40; i++ ) ck_assert_int_eq( child_redeem( &target, tickets[i] ), WSAEINVAL );
    ck_assert_uint_lt( harness_now() - begin, 1000 );
    for ( int i = 0; i < GUESSERS; i++ ) ck_assert_int_ne( process_wait( guessers[i] ), 255 );
    child_end( &target );
    socket_drop( fd, slot, generation, HANDLE );
    harness_end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "guesses" );
    TCase *test = tcase_create( "guesses" );

    tcase_set_timeout( test, 60 );
    tcase_add_test( test, guessing_is_slow );
    tcase_add_test( test, guessing_is_slow_by_any_way );
    tcase_add_loop_test( test, guesses_by_forks, 0, 2 );
    tcase_add_test( test, nobody_waits_for_guesses );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}

/*
 * The queue of a completion port, without a loader: dlls/ws2_32/ports as the host's compiler builds it, on the real host half
 * and a stand-in for wineserver's ports (nt_ports.h). Packets come out as they went in, each once, whichever way they came;
 * who waited last is woken first; as many threads run as the port's concurrency value says; threads that slept in wineserver
 * come over by redirect packets that nobody sees; and all goes through wineserver for good once others have the port.
 */
#include "port_takers.h"

/* --- order --------------------------------------------------------------------------------------------------------------*/

START_TEST( first_in_first_out )
{
    HANDLE port = used_port( 0 );
    struct port_packet packets[100];
    ULONG_PTR in = 0, out = 0;
    ULONG taken;

    /* the ring grows while its first packet stands in its middle, and goes round */
    for ( unsigned int i = 0; i < 40; i++ ) post( port, in++ );
    for ( unsigned int i = 0; i < 30; i++ ) take_value( port, KEY_OWN, out++ );
    for ( unsigned int i = 0; i < 5000; i++ ) post( port, in++ );
    for ( unsigned int round = 0; out < in; round++ )
    {
        const ULONG most = 1 + round % 100;

        if ( round % 3 == 0 ) take_value( port, KEY_OWN, out++ );
        else
        {
            const ULONG left = in - out;

            ck_assert_int_eq( hook_NtRemoveIoCompletionEx( port, packets, most, &taken, NULL, FALSE ), 0 );
            ck_assert_uint_eq( taken, min( min( most, left ), 64 ) ); /* the DLL hands out 64 at a time */
            for ( ULONG i = 0; i < taken; i++ ) check_packet( &packets[i], KEY_OWN, out++ );
        }
        if ( round < 100 ) post( port, in++ );
    }
    take_nothing( port );
    ck_assert_uint_eq( nt_packets( port ), 0 );
    close_port( port );
}
END_TEST

/* What was posted before the first socket came lies in wineserver, and is first; so does what is left when others get the port. */
START_TEST( order_across_changes )
{
    HANDLE port = make_port( 0 );
    struct port_queue *queue = port_queue_find( port );
    ULONG_PTR out = 0;
    LONG depth;

    for ( ULONG_PTR i = 0; i < 100; i++ ) post( port, i );
    ck_assert_uint_eq( nt_packets( port ), 100 );
    take_value( port, KEY_OWN, out++ );
    begin( port );
    for ( ULONG_PTR i = 100; i < 200; i++ ) post( port, i );
    ck_assert_int_eq( hook_NtQueryIoCompletion( port, 0, &depth, sizeof( depth ), NULL ), 0 );
    ck_assert_int_eq( depth, 199 );
    while ( out < 150 ) take_value( port, KEY_OWN, out++ );
    port_queue_share( queue );
    ck_assert_int_eq( state_of_port( port ), PORT_SHARED );
    ck_assert_uint_eq( nt_packets( port ), 50 );
    for ( ULONG_PTR i = 200; i < 250; i++ ) post( port, i );
    while ( out < 250 ) take_value( port, KEY_OWN, out++ );
    take_nothing( port );
    port_queue_release( queue );
    close_port( port );
}
END_TEST

/* What others post comes over by the forwarder, in their order. */
START_TEST( others_packets )
{
    HANDLE port = used_port( 0 );
    struct taker taker;
    ULONG_PTR next[3] = { 0 };
    unsigned int own = 0;

    taker_start( &taker, port, COMES_BACK );
    for ( ULONG_PTR i = 0; i < 3000; i++ )
    {
        if ( i % 3 ) post_foreign( port, i );
        else post( port, i ), own++;
    }
    await( atomic_load( &taker.count ) == 3000 );
    for ( unsigned int i = 0; i < 3000; i++ )
    {
        const struct port_packet *packet = &taker.taken[i];

        check_packet( packet, packet->value % 3 ? KEY_FOREIGN : KEY_OWN, packet->value );
        ck_assert_uint_ge( packet->value, next[packet->key] ); /* each sender's order */
        next[packet->key] = packet->value + 1;
        own -= packet->key == KEY_OWN;
    }
    ck_assert_uint_eq( own, 0 );
    close_under( &taker, 1, port );
}
END_TEST

/* --- who is woken -------------------------------------------------------------------------------------------------------*/

#define TAKERS 4

static unsigned int taken_by( const struct taker takers[TAKERS] )
{
    unsigned int sum = 0;

    for ( int i = 0; i < TAKERS; i++ ) sum += atomic_load( &takers[i].count );
    return sum;
}

/* Threads come to wait one after the other; packets come one at a time. */
START_TEST( last_come_first_served )
{
    HANDLE port = used_port( TAKERS + 1 );
    struct taker takers[TAKERS];

    for ( int i = 0; i < TAKERS; i++ )
    {
        taker_start( &takers[i], port, SLEEPS );
        await( waits_here( &takers[i], port, i + 1 ) );
    }
    for ( int i = TAKERS - 1; i >= 0; i-- )
    {
        post( port, i );
        await( atomic_load( &takers[i].count ) == 1 );
        for ( int j = 0; j < TAKERS; j++ ) ck_assert_uint_eq( atomic_load( &takers[j].count ), j >= i );
        check_packet( &takers[i].taken[0], KEY_OWN, i );
    }
    /* who comes back is the last one then: it is given everything, and the others sleep */
    sem_post( &takers[2].let_go );
    await( waits_here( &takers[2], port, 1 ) );
    sem_post( &takers[0].let_go );
    await( waits_here( &takers[0], port, 2 ) );
    takers[0].then = COMES_BACK;
    for ( unsigned int i = 0; i < 50; i++ )
    {
        post( port, i );
        await( atomic_load( &takers[0].count ) == i + 2 );
        await( waits_here( &takers[0], port, 2 ) );
    }
    ck_assert_uint_eq( atomic_load( &takers[2].count ), 1 );
    close_port( port );
    for ( int i = 0; i < TAKERS; i++ )
    {
        sem_post( &takers[i].let_go );
        pthread_join( takers[i].thread, NULL );
        /* those that come back later find no such handle */
        ck_assert_int_eq( takers[i].status, i % 2 ? STATUS_INVALID_HANDLE : CLOSED );
    }
}
END_TEST

/* As many threads run as the concurrency value says: the others have packets only when one of those comes back, ends, or
 * waits for something else. */
START_TEST( concurrency )
{
    const unsigned int limit = _i;
    HANDLE port = used_port( limit );
    struct taker takers[TAKERS];
    unsigned int looks, at_work = 0;

    for ( int i = 0; i < TAKERS; i++ )
    {
        taker_start( &takers[i], port, SPINS );
        await( waits_here( &takers[i], port, i + 1 ) );
    }
    for ( unsigned int i = 0; i < 100; i++ ) post( port, i );
    await( taken_by( takers ) >= limit );
    /* whoever is held back looks again and again whether they run still */
    looks = nt_looks;
    await( nt_looks >= looks + 20 );
    for ( int i = 0; i < TAKERS; i++ )
    {
        ck_assert_uint_le( atomic_load( &takers[i].count ), 1 );
        if ( atomic_load( &takers[i].count ) ) at_work |= 1u << i;
    }
    ck_assert_int_eq( __builtin_popcount( at_work ), limit );

    /* one comes back: it is given the next, whoever else waits */
    for ( int i = 0; i < TAKERS; i++ )
        if ( at_work & 1u << i )
        {
            atomic_store( &takers[i].go, 1 );
            await( atomic_load( &takers[i].count ) == 2 );
        }
    for ( int i = 0; i < TAKERS; i++ ) ck_assert_uint_eq( atomic_load( &takers[i].count ), at_work & 1u << i ? 2 : 0 );

    /* one waits for something else: another one has its turn */
    for ( int i = 0; i < TAKERS; i++ ) takers[i].then = SLEEPS;
    for ( int i = 0; i < TAKERS; i++ )
        if ( at_work & 1u << i ) atomic_store( &takers[i].go, 1 );
    for ( int i = 0; i < TAKERS; i++ ) await( atomic_load( &takers[i].count ) == ( at_work & 1u << i ? 3 : 1 ) );

    for ( int i = 0; i < TAKERS; i++ ) takers[i].then = COMES_BACK;
    for ( int i = 0; i < TAKERS; i++ ) sem_post( &takers[i].let_go );
    await( taken_by( takers ) >= 100 );
    close_under( takers, TAKERS, port );
    ck_assert_uint_eq( taken_by( takers ), 100 );
}
END_TEST

static void *take_one_and_end( void *port )
{
    struct port_packet packet;

    ck_assert_int_eq( take( port, &packet, NULL ), 0 );
    port_user_ends( &thread_data()->port_user );
    return NULL;
}

/* A thread that has ended does not count, and one that takes from another port counts there. */
START_TEST( concurrency_of_those_gone )
{
    HANDLE port = used_port( 1 ), other = used_port( 1 ), many = make_port( 0 );
    struct port_queue *queue = port_queue_find( many );
    struct port_packet packet;
    LARGE_INTEGER none = { .QuadPart = 0 };
    struct taker taker;
    pthread_t thread;

    ck_assert_uint_eq( queue->limit, NT_PROCESSORS );
    port_queue_release( queue );
    for ( unsigned int i = 0; i < 3; i++ ) post( port, i );
    post( other, 0 );
    pthread_create( &thread, NULL, take_one_and_end, port );
    pthread_join( thread, NULL );
    taker_start( &taker, port, SPINS );
    await( atomic_load( &taker.count ) == 1 );
    /* who only looks is told of nothing while another one runs */
    ck_assert_int_eq( take( port, &packet, &none ), 0x102 );
    ck_assert_int_eq( take( other, &packet, &none ), 0 );
    taker.then = COMES_BACK;
    atomic_store( &taker.go, 1 );
    await( atomic_load( &taker.count ) == 2 );
    close_under( &taker, 1, port );
    close_port( other );
    close_port( many );
}
END_TEST

/* --- threads that sleep in wineserver -----------------------------------------------------------------------------------*/

/* The first socket comes while they do: they come over, and nobody sees by what. */
START_TEST( redirected )
{
    HANDLE port = make_port( TAKERS );
    struct taker takers[TAKERS];

    for ( int i = 0; i < TAKERS; i++ ) taker_start( &takers[i], port, COMES_BACK );
    await( nt_sleeping( port ) == TAKERS );
    begin( port );
    for ( int i = 0; i < TAKERS; i++ ) await( waits_here( &takers[i], port, TAKERS ) );
    await( nt_sleeping( port ) == 0 );
    ck_assert_uint_eq( nt_packets( port ), 0 );
    for ( unsigned int i = 0; i < 1000; i++ ) post( port, i );
    await( taken_by( takers ) >= 1000 );
    ck_assert_uint_eq( nt_packets( port ), 0 );
    close_under( takers, TAKERS, port );
    for ( int i = 0; i < TAKERS; i++ )
    {
        for ( unsigned int j = 0; j < takers[i].count; j++ )
            check_packet( &takers[i].taken[j], KEY_OWN, takers[i].taken[j].value );
    }
    ck_assert_uint_eq( taken_by( takers ), 1000 );
}
END_TEST

struct several
{
    HANDLE port;
    ULONG taken;
    struct port_packet packets[8];
};

static void *take_several( void *argument )
{
    struct several *several = argument;

    ck_assert_int_eq( hook_NtRemoveIoCompletionEx( several->port, several->packets, 8, &several->taken, NULL, FALSE ),
                      0 );
    port_user_ends( &thread_data()->port_user );
    return NULL;
}

/* A redirect packet among others: those are the program's, and it is counted nowhere. */
START_TEST( redirected_among_others )
{
    for ( unsigned int round = 0; round < 20; round++ )
    {
        struct several several = { .port = make_port( 0 ) };
        ULONG_PTR next = 0;
        pthread_t thread;

        pthread_create( &thread, NULL, take_several, &several );
        await( nt_sleeping( several.port ) == 1 );
        nt_hold( 1 ); /* neither the thread nor the forwarder gets at them before all are there */
        begin( several.port );
        for ( ULONG_PTR i = 0; i < 3; i++ ) post_foreign( several.port, i );
        nt_hold( 0 );
        pthread_join( thread, NULL );
        ck_assert_uint_ge( several.taken, 1 );
        for ( ULONG i = 0; i < several.taken; i++ ) check_packet( &several.packets[i], KEY_FOREIGN, next++ );
        while ( next < 3 ) take_value( several.port, KEY_FOREIGN, next ), next++;
        take_nothing( several.port );
        close_port( several.port );
    }
}
END_TEST

/* --- each once ----------------------------------------------------------------------------------------------------------*/

#define SENDERS 4 /* half of them post as other processes do */
#define PACKETS 3000

struct sender
{
    pthread_t thread;
    HANDLE port;
    unsigned int number;
};

static void *send_packets( void *argument )
{
    struct sender *sender = argument;

    for ( ULONG_PTR i = 0; i < PACKETS; i++ )
        ( sender->number % 2 ? post_foreign : post )( sender->port, sender->number * PACKETS + i );
    return NULL;
}

/* Senders and takers at once, and in the middle the first socket comes, and then others get the port. */
START_TEST( once )
{
    HANDLE port = make_port( TAKERS );
    struct port_queue *queue = port_queue_find( port );
    static unsigned char seen[SENDERS * PACKETS];
    struct taker takers[TAKERS];
    struct sender senders[SENDERS];
    unsigned int sum = 0;

    for ( int i = 0; i < TAKERS; i++ ) taker_start( &takers[i], port, COMES_BACK );
    for ( int i = 0; i < SENDERS; i++ )
    {
        senders[i].port = port;
        senders[i].number = i;
        pthread_create( &senders[i].thread, NULL, send_packets, &senders[i] );
    }
    while ( sum < SENDERS * PACKETS )
    {
        const unsigned int before = sum;

        sum = taken_by( takers );
        if ( sum >= SENDERS * PACKETS / 4 && before < SENDERS * PACKETS / 4 ) begin( port );
        if ( _i && sum >= SENDERS * PACKETS / 2 && before < SENDERS * PACKETS / 2 ) port_queue_share( queue );
    }
    for ( int i = 0; i < SENDERS; i++ ) pthread_join( senders[i].thread, NULL );
    if ( _i )
    {
        ck_assert_int_eq( state_of_port( port ), PORT_SHARED );
        for ( int i = 0; i < TAKERS; i++ ) ck_assert_int_eq( nt_set( port, 0, 0, 0, 0 ), 0 ); /* one more for each */
        await( taken_by( takers ) == SENDERS * PACKETS + TAKERS );
    }
    else close_under( takers, TAKERS, port );
    for ( int i = 0; i < TAKERS; i++ )
        for ( unsigned int j = 0; j < takers[i].count; j++ )
        {
            const struct port_packet *packet = &takers[i].taken[j];

            if ( !packet->key ) continue;
            ck_assert_uint_lt( packet->value, SENDERS * PACKETS );
            check_packet( packet, packet->value / PACKETS % 2 ? KEY_FOREIGN : KEY_OWN, packet->value );
            ck_assert_int_eq( seen[packet->value]++, 0 );
        }
    for ( unsigned int i = 0; i < SENDERS * PACKETS; i++ ) ck_assert_int_eq( seen[i], 1 );
    port_queue_release( queue );
}
END_TEST

/* --- what else becomes of packets and ports -----------------------------------------------------------------------------*/

START_TEST( status_with_its_packet )
{
    HANDLE port = used_port( 0 );
    struct port_queue *queue = port_queue_find( port );
    IO_STATUS_BLOCK blocks[2] = { { { 0x103 }, 0 }, { { 0x103 }, 0 } };

    post( port, 1 );
    ck_assert( port_queue_post( queue, KEY_OWN, 2, &blocks[0], 6, 10 ) );
    ck_assert( port_queue_post( queue, KEY_OWN, 3, &blocks[1], 9, 15 ) );
    take_value( port, KEY_OWN, 1 );
    ck_assert_int_eq( blocks[0].Status, 0x103 );
    take_value( port, KEY_OWN, 2 );
    ck_assert( blocks[0].Status == 6 && blocks[0].Information == 10 );
    ck_assert_int_eq( blocks[1].Status, 0x103 );
    /* nobody would fill it later */
    port_queue_share( queue );
    ck_assert( blocks[1].Status == 9 && blocks[1].Information == 15 );
    take_value( port, KEY_OWN, 3 );
    port_queue_release( queue );
    close_port( port );
}
END_TEST

/* The end of a port: who waits for it is told, here and in wineserver; a port made under its value gets nothing of it. */
START_TEST( closed )
{
    HANDLE port = make_port( 0 ), again;
    struct port_queue *old = port_queue_find( port );
    struct taker here, there;

    taker_start( &there, port, COMES_BACK );
    await( nt_sleeping( port ) == 1 );
    if ( _i ) begin( port );
    taker_start( &here, port, COMES_BACK );
    if ( _i )
    {
        await( waits_here( &here, port, 2 ) );
        await( waits_here( &there, port, 2 ) );
    }
    else await( nt_sleeping( port ) == 2 );
    close_port( port );
    await( atomic_load( &here.ended ) );
    await( atomic_load( &there.ended ) );
    ck_assert_int_eq( here.status, CLOSED );
    ck_assert_int_eq( there.status, CLOSED );
    ck_assert_uint_eq( here.count + there.count, 0 );
    pthread_join( here.thread, NULL );
    pthread_join( there.thread, NULL );
    ck_assert_ptr_null( port_queue_find( port ) );
    again = used_port( 0 );
    /* what ends late for the old one goes nowhere */
    ck_assert( port_queue_post( old, KEY_OWN, 7, NULL, 0, 0 ) );
    port_queue_share( old );
    take_nothing( again );
    post( again, 8 );
    take_value( again, KEY_OWN, 8 );
    port_queue_release( old );
    close_port( again );
}
END_TEST

/* Another process has got itself a handle, and waits there: what is left lying here becomes its own. */
START_TEST( left_to_others )
{
    HANDLE port = used_port( 0 ), ours, theirs;
    struct port_packet packet;
    LARGE_INTEGER none = { .QuadPart = 0 };

    nt_duplicate( NULL, port, NULL, &ours, 0, 0, 0 ); /* as port_list.c has */
    nt_duplicate( NULL, port, NULL, &theirs, 0, 0, 0 );
    post( port, 1 );
    ck_assert_int_eq( nt_remove( theirs, &packet.key, &packet.value, &packet.iosb, NULL ), 0 );
    check_packet( &packet, KEY_OWN, 1 );
    ck_assert_int_eq( state_of_port( port ), PORT_SHARED );
    post( port, 2 );
    ck_assert_int_eq( nt_remove( theirs, &packet.key, &packet.value, &packet.iosb, &none ), 0 );
    check_packet( &packet, KEY_OWN, 2 );
    close_port( port );
    nt_close( ours );
    nt_close( theirs );
}
END_TEST

/* One that others may wait on from the start has no queue. */
START_TEST( not_ours )
{
    OBJECT_ATTRIBUTES named = { .ObjectName = "port" }, inherited = { .Attributes = OBJ_INHERIT };
    HANDLE port, copy, more;
    struct port_queue *queue;

    ck_assert_int_eq( hook_NtCreateIoCompletion( &port, 0, &named, 0 ), 0 );
    ck_assert_ptr_null( port_queue_find( port ) );
    ck_assert_int_eq( hook_NtCreateIoCompletion( &port, 0, &inherited, 0 ), 0 );
    ck_assert_ptr_null( port_queue_find( port ) );
    /* one that was made before the hooks, which one process alone has */
    ck_assert_int_eq( nt_create( &port, 0, NULL, 0 ), 0 );
    nt_duplicate( NULL, port, NULL, &copy, 0, 0, 0 );
    ck_assert_ptr_nonnull( queue = port_queue_adopt( port ) );
    port_queue_release( queue );
    ck_assert_ptr_eq( port_queue_find( port ), queue );
    port_queue_release( queue );
    nt_create( &port, 0, NULL, 0 );
    nt_duplicate( NULL, port, NULL, &copy, 0, 0, 0 );
    nt_duplicate( NULL, port, NULL, &more, 0, 0, 0 );
    ck_assert_ptr_null( port_queue_adopt( port ) );
}
END_TEST

/* A case of its own, which CK_RUN_CASE can name. */
static void add( Suite *suite, const char *name, const TTest *function, int first, int end )
{
    TCase *test = tcase_create( name );

    tcase_set_timeout( test, 120 );
    tcase_add_loop_test( test, function, first, end );
    suite_add_tcase( suite, test );
}

int main( void )
{
    Suite *suite = suite_create( "port_queue" );
    SRunner *runner;
    int failed;

    add( suite, "first_in_first_out", first_in_first_out, 0, 1 );
    add( suite, "order_across_changes", order_across_changes, 0, 1 );
    add( suite, "others_packets", others_packets, 0, 1 );
    add( suite, "last_come_first_served", last_come_first_served, 0, 1 );
    add( suite, "concurrency", concurrency, 1, 3 );
    add( suite, "concurrency_of_those_gone", concurrency_of_those_gone, 0, 1 );
    add( suite, "redirected", redirected, 0, 1 );
    add( suite, "redirected_among_others", redirected_among_others, 0, 1 );
    add( suite, "once", once, 0, 2 );
    add( suite, "status_with_its_packet", status_with_its_packet, 0, 1 );
    add( suite, "closed", closed, 0, 2 );
    add( suite, "left_to_others", left_to_others, 0, 1 );
    add( suite, "not_ours", not_ours, 0, 1 );
    runner = srunner_create( suite );
    srunner_run_all( runner, CK_NORMAL );
    failed = srunner_ntests_failed( runner );
    srunner_free( runner );
    return failed != 0;
}

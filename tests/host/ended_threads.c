/*
 * Threads that are ended at any instruction of a call, as the loader does it by a signal: those that live go on with their own
 * requests. Each is told of once, whatever the dead thread had in its hands.
 *
 * While it holds locks of the host half's that know their holder, the thread is stepped through the call, and ended one instruction
 * later each time; not where signals are blocked, and not in the C library, whose own locks would die with it.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include "base/owner_lock.h"
#include "client/connection.h"
#include "operations/operation_private.h"
#include "winsock.h"

#define LISTENER 0x80
#define TRAP_FLAG 0x100
#define REQUESTS 4

extern const char __executable_start[], etext[];

static unsigned int last, stepped; /* the instruction at which the thread ends, and at which it is */
static uintptr_t place;            /* where that is, for addr2line */
static int completed;

static struct sockaddr_in there;
static uint64_t client, server; /* SOCKETs, others each time */
static char buffers[REQUESTS][4];
static unsigned int told[REQUESTS];

/* --- the thread ---------------------------------------------------------------------------------------------------------*/

/* The host half's: what it blocks does not keep the steps away. */
int pthread_sigmask( int how, const sigset_t *set, sigset_t *before )
{
    sigset_t others;

    if ( set && how != SIG_UNBLOCK )
    {
        others = *set;
        sigdelset( &others, SIGTRAP );
        set = &others;
    }
    return syscall( SYS_rt_sigprocmask, how, set, before, 8 ) ? errno : 0;
}

static void end_thread( void ) { pthread_exit( NULL ); }

static void step( int signal, siginfo_t *info, void *context )
{
    ucontext_t *at = context;
    greg_t *registers = at->uc_mcontext.gregs;
    uint64_t *stack;

    (void)signal, (void)info;
    if ( registers[REG_RIP] < (greg_t)__executable_start || registers[REG_RIP] >= (greg_t)etext ) return;
    if ( sigismember( &at->uc_sigmask, SIGQUIT ) || stepped++ != last ) return;
    place = (uintptr_t)registers[REG_RIP] - (uintptr_t)__executable_start;
    /* as the loader's handler: no frame is left, and nothing comes back */
    stack = (uint64_t *)( ( ( registers[REG_RSP] - 4096 ) & ~15 ) - 8 );
    *stack = 0;
    registers[REG_RSP] = (greg_t)stack;
    registers[REG_RIP] = (greg_t)end_thread;
    registers[REG_EFL] &= ~TRAP_FLAG;
}

static __thread int steps, held; /* this is the thread, and has so many locks */

static void set_trap( uint64_t on )
{
    __asm__ volatile( "lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); orq %1, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
                      :
                      : "r"( ~(uint64_t)TRAP_FLAG ), "r"( on )
                      : "memory", "cc" );
}

/* The linker puts these in place of the host half's. */
int __real_owner_lock_take( owner_lock *lock );
void __real_owner_lock_give( owner_lock *lock );

int __wrap_owner_lock_take( owner_lock *lock )
{
    const int mend = __real_owner_lock_take( lock );

    if ( steps && !held++ ) set_trap( TRAP_FLAG );
    return mend;
}

void __wrap_owner_lock_give( owner_lock *lock )
{
    if ( steps && !--held ) set_trap( 0 );
    __real_owner_lock_give( lock );
}

static void *stepped_thread( void *call )
{
    steps = 1;
    ( (void ( * )( void ))call )();
    completed = 1;
    return NULL;
}

/* 0: it has come to the end of the call. */
static int end_in( void ( *call )( void ), unsigned int instruction )
{
    pthread_t thread;

    last = instruction;
    stepped = 0;
    completed = 0;
    ck_assert( !pthread_create( &thread, NULL, stepped_thread, (void *)call ) );
    pthread_join( thread, NULL );
    return !completed;
}

static void say_where( int signal )
{
    char text[64];

    (void)signal;
    if ( write( 2, text, snprintf( text, sizeof( text ), "ended at instruction %u, %#zx\n", last, place ) ) < 0 )
        return;
}

/* --- what it does -------------------------------------------------------------------------------------------------------*/

/* Number 1 and on; nothing of Check's, which would be stepped through. */
static int32_t receive( unsigned int number )
{
    struct windows_buffer buffer = { .size = sizeof( buffers[number] ), .pointer = user( buffers[number] ) };
    struct ws2_operation_transfer_params params = {
        .operation = { .handle = server, .target = { .iosb = number, .event = 4, .thread_id = 1 } },
        .buffers = user( &buffer ),
        .count = 1
    };

    return unix_operation_receive( &params ) ? -1 : params.operation.error;
}

static void fetch_to( struct ws2_operation_fetch_params *fetch )
{
    do {
        if ( unix_operation_fetch( fetch ) ) return;
        for ( uint32_t i = 0; i < fetch->count; i++ )
        {
            told[fetch->completions[i].target.iosb]++;
            winsock_told( &fetch->completions[i] );
        }
    } while ( fetch->count );
}

static struct ws2_operation_fetch_params in_its_hands; /* the stepped thread's */

static void fetch( void )
{
    static struct ws2_operation_fetch_params ours;

    fetch_to( steps ? &in_its_hands : &ours );
}

static void serve( uint64_t handle )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( handle, &status );

    if ( !d ) return;
    operation_serve( d );
    descriptor_release( d );
}

static void begins( void ) { receive( 2 ); }

static void serves( void )
{
    serve( server );
    fetch();
}

static void cancels( void )
{
    struct ws2_operation_cancel_params params = { .handle = server, .iosb = 2 };

    unix_operation_cancel( &params );
    fetch();
}

static void closes( void )
{
    winsock_close( server );
    fetch();
}

/* --- what the others find -----------------------------------------------------------------------------------------------*/

static void begin( void )
{
    struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    harness_begin();
    harness_start_server();
    ck_assert( winsock_attach( 0x20 ) );
    ck_assert( winsock_listen( LISTENER, &there ) );
    ck_assert( !sigaction( SIGTRAP, &action, NULL ) );
    action = ( struct sigaction ){ .sa_handler = say_where, .sa_flags = SA_RESETHAND };
    ck_assert( !sigaction( SIGABRT, &action, NULL ) );
    ck_assert( !sigaction( SIGSEGV, &action, NULL ) );
    client = 0x1000;
}

static void end( void )
{
    winsock_close( LISTENER );
    harness_end();
}

static void connect_pair( void )
{
    client += 8;
    server = client + 4;
    memset( told, 0, sizeof( told ) );
    winsock_connect( LISTENER, &there, client, server );
}

static void close_pair( void )
{
    winsock_close( client );
    winsock_close( server );
    fetch();
    /* nobody tells of these any more, and the lists would grow from round to round */
    for ( uint32_t i = 0; i < in_its_hands.count; i++ )
    {
        const struct ws2_completion *completion = &in_its_hands.completions[i];

        if ( completion->told && !told[completion->target.iosb] )
            atomic_store( (_Atomic uint32_t *)(uintptr_t)completion->told, 1 );
    }
    memset( &in_its_hands, 0, sizeof( in_its_hands ) );
    for ( unsigned int i = 1; i < REQUESTS; i++ )
        ck_assert_msg( told[i] <= 1, "instruction %u, %#zx: %u twice", last, place, i );
}

static void send_some( unsigned int size )
{
    struct ws2_transfer_params params = { .handle = client, .buffer = user( "abcdefghijkl" ), .size = size };

    while ( unix_send( &params ) == WS2_STATUS_ALERT ) continue;
    ck_assert_int_eq( params.error, 0 );
}

/* Counts that have gone below 0 are seen by nobody for long. */
static void check_counts( void )
{
    NTSTATUS status;
    struct descriptor *d = descriptor_acquire( server, &status );

    ck_assert_ptr_nonnull( d );
    for ( unsigned int i = 0; i < QUEUE_COUNT; i++ ) ck_assert_uint_lt( d->queues.undelivered[i], 100 );
    descriptor_release( d );
}

/* Those that the dead thread had nothing to do with. */
static void check_told( unsigned int number )
{
    for ( unsigned int turn = 0; turn < 1000 && !told[number]; turn++ ) serves();
    ck_assert_msg( told[number] == 1, "instruction %u, %#zx: %u is told of %u times", last, place, number,
                   told[number] );
}

/* So many threads at least were ended in the middle. */
static void check_ended( unsigned int rounds, unsigned int least )
{
    ck_assert_msg( rounds > least, "only %u", rounds - 1 );
}

START_TEST( begins_one )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        connect_pair();
        ck_assert_int_eq( receive( 1 ), WSA_IO_PENDING );
        ended = end_in( begins, i );
        ck_assert_int_eq( receive( 3 ), WSA_IO_PENDING );
        send_some( 12 );
        check_told( 1 );
        check_told( 3 );
        check_counts();
        close_pair();
    }
    check_ended( i, 50 );
    end();
}
END_TEST

/* What it has in its hands goes with it, and nothing else. */
START_TEST( serves_them )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        connect_pair();
        ck_assert_int_eq( receive( 1 ), WSA_IO_PENDING );
        ck_assert_int_eq( receive( 2 ), WSA_IO_PENDING );
        send_some( 8 );
        ended = end_in( serves, i );
        serves();
        ck_assert_int_eq( receive( 3 ), WSA_IO_PENDING );
        send_some( 12 ); /* what it had received for one is gone, and that receives once more */
        check_told( 3 );
        check_counts();
        close_pair();
    }
    check_ended( i, 50 );
    end();
}
END_TEST

START_TEST( cancels_one )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        connect_pair();
        for ( unsigned int number = 1; number <= 2; number++ ) ck_assert_int_eq( receive( number ), WSA_IO_PENDING );
        ended = end_in( cancels, i );
        ck_assert_int_eq( receive( 3 ), WSA_IO_PENDING );
        send_some( 12 );
        check_told( 1 );
        check_told( 3 );
        check_counts();
        close_pair();
    }
    check_ended( i, 50 );
    end();
}
END_TEST

/* The next socket's requests know nothing of it. */
START_TEST( closes_it )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        connect_pair();
        for ( unsigned int number = 1; number <= 2; number++ ) ck_assert_int_eq( receive( number ), WSA_IO_PENDING );
        ended = end_in( closes, i );
        close_pair();
        connect_pair();
        ck_assert_int_eq( receive( 3 ), WSA_IO_PENDING );
        send_some( 4 );
        check_told( 3 );
        check_counts();
        close_pair();
    }
    check_ended( i, 50 );
    end();
}
END_TEST

static void leaves_rest( void )
{
    struct iovec rest = { .iov_base = "abcd", .iov_len = 4 };
    uint32_t need_io_thread;

    operation_background_send( client, &rest, 1, 0, &need_io_thread );
}

/* The end of the process waits for what is left of sends, and for nothing else. */
START_TEST( leaves_a_rest )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        connect_pair();
        ended = end_in( leaves_rest, i );
        serve( client );
        ck_assert_msg( !operation_background_sends, "instruction %u, %#zx: %#x", last, place,
                       operation_background_sends );
        close_pair();
    }
    check_ended( i, 50 );
    end();
}
END_TEST

/* --- what is not a request ----------------------------------------------------------------------------------------------*/

static void takes_slot( void )
{
    uint32_t slot, generation;

    if ( !lease_take( &slot, &generation ) ) lease_give_back( slot, generation );
}

/* One that it had is gone; all others are taken some time. */
START_TEST( takes_slots )
{
    uint32_t slots[256], generations[256], slot, generation;
    unsigned int i = 0;

    begin();
    /* nobody asks for more on the way, which would begin a thread */
    for ( unsigned int j = 0; j < 256; j++ ) ck_assert_int_eq( lease_take( &slots[j], &generations[j] ), 0 );
    for ( unsigned int j = 0; j < 256; j++ ) ck_assert_int_eq( lease_give_back( slots[j], generations[j] ), 1 );
    for ( int ended = 1; ended; i++ ) ended = end_in( takes_slot, i );
    check_ended( i, 50 );
    for ( unsigned int j = 0; j < 1024; j++ ) ck_assert_int_eq( lease_take( &slot, &generation ), 0 );
    for ( unsigned int j = 0; j < 256; j++ )
        ck_assert_msg( ws2_word_state( ws2_table_slot( connection_table(), slots[j] )->word ) == WS2_SLOT_PRIVATE,
                       "slot %u is lost", slots[j] );
    end();
}
END_TEST

static struct descriptor *it;

static void hold( uint64_t handle )
{
    NTSTATUS status;

    ck_assert_ptr_nonnull( it = descriptor_acquire( handle, &status ) );
}

static void watches( void )
{
    operation_lock( it );
    operation_watch( it, QUEUE_RECEIVE );
    operation_forget( it );
    owner_lock_give( &it->queues.lock );
}

static unsigned int watched( void )
{
    struct descriptor *listeners[8];
    const unsigned int count = operation_exclusive( listeners, 8 );

    for ( unsigned int i = 0; i < count; i++ ) descriptor_release( listeners[i] );
    return count;
}

/* A listener that another process has too: once in the list, or not at all. */
START_TEST( watches_it )
{
    uint32_t ticket, need_io_thread;
    unsigned int i = 0;
    int unknown, epoll;

    begin();
    ck_assert_int_eq( io_loop_open( &need_io_thread, &epoll ), 0 );
    hold( LISTENER );
    ck_assert_int_eq( ticket_issue( it->slot_index, it->generation, LISTENER, it->fd, 0x20, &ticket, &unknown ), 0 );
    ck_assert( descriptor_is_shared( it ) );
    for ( int ended = 1; ended; i++ )
    {
        ended = end_in( watches, i );
        operation_lock( it );
        ck_assert_uint_eq( watched(), 0 );
        ck_assert_int_eq( operation_watch( it, QUEUE_RECEIVE ), 0 );
        ck_assert_uint_eq( watched(), 1 );
        operation_forget( it );
        ck_assert_uint_eq( watched(), 0 );
        owner_lock_give( &it->queues.lock );
    }
    check_ended( i, 50 );
    descriptor_release( it );
    end();
}
END_TEST

static uint32_t end_nothing( struct descriptor *d )
{
    (void)d;
    return 0;
}

static uint32_t any( struct descriptor *d, const void *context )
{
    (void)d, (void)context;
    return 1;
}

static void outlives( void ) { operation_outlives( it, end_nothing ); }

START_TEST( outlives_it )
{
    unsigned int i = 0;

    begin();
    for ( int ended = 1; ended; i++ )
    {
        uint32_t count;

        connect_pair();
        hold( server );
        outlives();
        ended = end_in( outlives, i );
        count = operation_outliving_each( any, NULL );
        ck_assert_msg( count == 1 || count == 2, "instruction %u: %u", last, count );
        outlives();
        ck_assert_uint_eq( operation_outliving_each( any, NULL ), count + 1 );
        operation_outliving_turn( NULL );
        ck_assert_uint_eq( operation_outliving_each( any, NULL ), 0 );
        ck_assert_int_eq( operation_outliving_timeout(), -1 );
        descriptor_release( it );
        close_pair();
    }
    check_ended( i, 3 );
    end();
}
END_TEST

int main( void )
{
    Suite *suite = suite_create( "ended_threads" );
    TCase *test = tcase_create( "ended_threads" );

    tcase_set_timeout( test, 300 );
    tcase_add_test( test, begins_one );
    tcase_add_test( test, serves_them );
    tcase_add_test( test, cancels_one );
    tcase_add_test( test, closes_it );
    tcase_add_test( test, leaves_a_rest );
    tcase_add_test( test, takes_slots );
    tcase_add_test( test, watches_it );
    tcase_add_test( test, outlives_it );
    suite_add_tcase( suite, test );
    return harness_main( suite );
}

/*
 * Threads that wait at a completion port of sockets: how many run at once, who is next, what becomes of one that is ended,
 * who waits elsewhere for what a port is told of, and ports that are older than Winsock or are other processes' too.
 */
#include "puppets.h"

struct exchange /* with a child process, of either width */
{
    volatile LONG ready, done;
    volatile ULONGLONG port;
    DWORD owner; /* the process whose handle that is, 0: the child's own */
    DWORD error;
    ULONGLONG key;
};

static SOCKET client, server; /* server's end is at the port */

static HANDLE port_open( DWORD concurrency, ULONG_PTR key )
{
    HANDLE port = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, concurrency );

    tcp_pair( &client, &server );
    ok( CreateIoCompletionPort( (HANDLE)server, port, key, 0 ) == port, "error %lu\n", GetLastError() );
    return port;
}

static void port_close( HANDLE port )
{
    closesocket( client );
    closesocket( server );
    CloseHandle( port );
}

#define check_key( port, expected ) check_key_( __LINE__, port, expected )
static void check_key_( int line, HANDLE port, ULONG_PTR expected )
{
    OVERLAPPED *ov;
    ULONG_PTR key = 0;
    DWORD size;
    BOOL done = GetQueuedCompletionStatus( port, &size, &key, &ov, 5000 );

    ok_( __FILE__, line )( done && key == expected, "returned %d, error %lu, key %lu, expected %lu\n", done,
                           GetLastError(), (DWORD)key, (DWORD)expected );
}

/* --- how many run ---------------------------------------------------------------------------------------------------------*/

#define WORKERS 4

struct crew
{
    HANDLE port, stop;
    BOOL sleeps; /* a worker waits for `stop` with the packet in its hands */
    volatile LONG running, most, taken;
};

static DWORD WINAPI worker( void *argument )
{
    struct crew *crew = argument;
    OVERLAPPED *ov;
    ULONG_PTR key;
    DWORD size, begin;
    LONG now;

    while ( GetQueuedCompletionStatus( crew->port, &size, &key, &ov, INFINITE ) && key )
    {
        now = InterlockedIncrement( &crew->running );
        while ( now > crew->most ) InterlockedExchange( &crew->most, now );
        InterlockedIncrement( &crew->taken );
        if ( crew->sleeps ) WaitForSingleObject( crew->stop, 5000 );
        else
            for ( begin = GetTickCount(); GetTickCount() - begin < 60; ) continue;
        InterlockedDecrement( &crew->running );
    }
    return 0;
}

static void wait_until( volatile LONG *value, LONG least )
{
    for ( unsigned int i = 0; i < 1000 && *value < least; i++ ) Sleep( 10 );
}

/* Threads that run are no more than the port was made for; those that wait for something do not count. */
static void test_concurrency( void )
{
    for ( unsigned int sleeps = 0; sleeps < 2; sleeps++ )
    {
        struct crew crew = { .port = port_open( 1, 1 ), .sleeps = sleeps };
        HANDLE threads[WORKERS];
        OVERLAPPED ov;
        char byte;

        crew.stop = CreateEventW( NULL, TRUE, FALSE, NULL );
        for ( unsigned int i = 0; i < WORKERS; i++ ) threads[i] = CreateThread( NULL, 0, worker, &crew, 0, NULL );
        Sleep( 50 );
        receive_byte( server, &ov, NULL, &byte );
        for ( unsigned int i = 1; i < WORKERS; i++ ) PostQueuedCompletionStatus( crew.port, 0, 2, NULL );
        check_result( send( client, "x", 1, 0 ), 1 );
        wait_until( &crew.taken, WORKERS );
        ok( crew.taken == WORKERS, "%ld packets of %u were taken\n", crew.taken, WORKERS );
        if ( sleeps ) ok( crew.running == WORKERS, "%ld threads wait with a packet\n", crew.running );
        /* one that just waits for the clock lets the next in: it is seldom seen, and not always one's own fault */
        else ok( crew.most <= 2, "%ld threads ran at once\n", crew.most );
        SetEvent( crew.stop );
        for ( unsigned int i = 0; i < WORKERS; i++ ) PostQueuedCompletionStatus( crew.port, 0, 0, NULL );
        ok( !WaitForMultipleObjects( WORKERS, threads, TRUE, 10000 ), "workers do not end\n" );
        for ( unsigned int i = 0; i < WORKERS; i++ ) CloseHandle( threads[i] );
        CloseHandle( crew.stop );
        port_close( crew.port );
    }
}

/* --- who is next ----------------------------------------------------------------------------------------------------------*/

struct waiter
{
    HANDLE port, thread;
    volatile LONG begun;
    ULONG_PTR key;
    DWORD error; /* when it got nothing */
};

static DWORD WINAPI wait_once( void *argument )
{
    struct waiter *waiter = argument;
    OVERLAPPED *ov;
    DWORD size;

    waiter->begun = 1;
    if ( !GetQueuedCompletionStatus( waiter->port, &size, &waiter->key, &ov, 20000 ) )
    {
        waiter->error = ov ? 0 : GetLastError();
        waiter->key = 0;
    }
    return 0;
}

static void waiter_start( struct waiter *waiter, HANDLE port )
{
    waiter->port = port;
    waiter->key = 0;
    waiter->begun = 0;
    waiter->thread = CreateThread( NULL, 0, wait_once, waiter, 0, NULL );
    wait_until( &waiter->begun, 1 );
    Sleep( 60 ); /* it waits */
}

#define check_waiter( waiter, key ) check_waiter_( __LINE__, waiter, key )
static void check_waiter_( int line, struct waiter *waiter, ULONG_PTR key )
{
    DWORD result = WaitForSingleObject( waiter->thread, 5000 );

    ok_( __FILE__, line )( !result && waiter->key == key, "%s, key %lu, expected %lu\n", result ? "waits" : "returned",
                           (DWORD)waiter->key, (DWORD)key );
    if ( result ) TerminateThread( waiter->thread, 0 );
    CloseHandle( waiter->thread );
}

struct sleeper
{
    HANDLE port, stop;
    DWORD timeout; /* of each look for a packet */
    volatile LONG taken;
};

static DWORD WINAPI take_and_sleep( void *argument )
{
    struct sleeper *sleeper = argument;
    OVERLAPPED *ov;
    ULONG_PTR key;
    DWORD size;

    while ( !GetQueuedCompletionStatus( sleeper->port, &size, &key, &ov, sleeper->timeout ) ) continue;
    sleeper->taken = 1;
    WaitForSingleObject( sleeper->stop, 10000 );
    return 0;
}

/* One thread takes a packet and waits for something else; so does the next, which only looked whether there was one; a third waits
 * at the port, and gets what comes a moment later. */
static void test_looked( void )
{
    for ( unsigned int i = 0; i < 20; i++ )
    {
        HANDLE port = port_open( 1, 1 ), stop = CreateEventW( NULL, TRUE, FALSE, NULL ), threads[2];
        struct sleeper sleepers[2] = { { port, stop, INFINITE, 0 }, { port, stop, 0, 0 } };
        struct waiter waiter = { .port = port };

        for ( unsigned int k = 0; k < 2; k++ )
        {
            threads[k] = CreateThread( NULL, 0, take_and_sleep, &sleepers[k], 0, NULL );
            PostQueuedCompletionStatus( port, 0, 2, NULL );
            wait_until( &sleepers[k].taken, 1 );
        }
        waiter.thread = CreateThread( NULL, 0, wait_once, &waiter, 0, NULL );
        wait_until( &waiter.begun, 1 );
        Sleep( 1 );
        PostQueuedCompletionStatus( port, 0, 3, NULL );
        check_waiter( &waiter, 3 );
        SetEvent( stop );
        ok( !WaitForMultipleObjects( 2, threads, TRUE, 10000 ), "they do not end\n" );
        for ( unsigned int k = 0; k < 2; k++ ) CloseHandle( threads[k] );
        CloseHandle( stop );
        port_close( port );
    }
}

/* Who came last is first, whatever the packet is. */
static void test_last_first( void )
{
    HANDLE port = port_open( 0, 1 );
    struct waiter waiters[4];
    OVERLAPPED ov;
    char byte;

    receive_byte( server, &ov, NULL, &byte );
    for ( unsigned int i = 0; i < ARRAY_SIZE( waiters ); i++ ) waiter_start( &waiters[i], port );
    PostQueuedCompletionStatus( port, 0, 2, NULL );
    check_waiter( &waiters[3], 2 );
    check_result( send( client, "x", 1, 0 ), 1 );
    check_waiter( &waiters[2], 1 );
    PostQueuedCompletionStatus( port, 0, 3, NULL );
    check_waiter( &waiters[1], 3 );
    PostQueuedCompletionStatus( port, 0, 4, NULL );
    check_waiter( &waiters[0], 4 );
    port_close( port );
}

/* A thread that is ended in its wait takes nothing with it, and keeps nobody from what comes. */
static void test_terminated( void )
{
    HANDLE port = port_open( 1, 1 ), event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct waiter dead, waiter;
    OVERLAPPED ov;
    char byte;

    for ( unsigned int round = 0; round < 6; round++ )
    {
        winetest_push_context( "round %u", round );
        receive_byte( server, &ov, round == 5 ? event : NULL, &byte );
        if ( round % 2 ) waiter_start( &waiter, port );
        waiter_start( &dead, port );
        TerminateThread( dead.thread, 0 );
        ok( !WaitForSingleObject( dead.thread, 5000 ), "not ended\n" );
        CloseHandle( dead.thread );
        if ( !( round % 2 ) ) waiter_start( &waiter, port );
        if ( round < 2 ) PostQueuedCompletionStatus( port, 0, 1, NULL );
        else check_result( send( client, "x", 1, 0 ), 1 );
        check_waiter( &waiter, 1 );
        if ( round < 2 )
        {
            check_result( send( client, "x", 1, 0 ), 1 );
            check_key( port, 1 );
        }
        if ( round == 5 ) ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" );
        winetest_pop_context();
    }
    CloseHandle( event );
    port_close( port );
}

/* Ends the first thread of the process in its wait, and begins what nobody is there to wait for at the port. */
static DWORD WINAPI end_first( void *argument )
{
    struct waiter *first = argument;
    OVERLAPPED ov;
    char byte;

    wait_until( &first->begun, 1 );
    Sleep( 60 ); /* it waits */
    if ( !TerminateThread( first->thread, 0 ) || WaitForSingleObject( first->thread, 5000 ) ) ExitProcess( 1 );
    receive_byte( server, &ov, NULL, &byte );
    if ( send( client, "x", 1, 0 ) != 1 ) ExitProcess( 2 );
    for ( unsigned int i = 0; i < 500 && !HasOverlappedIoCompleted( &ov ); i++ ) Sleep( 10 );
    ExitProcess( HasOverlappedIoCompleted( &ov ) ? 10 : 3 );
    return 0;
}

static void run_first( void )
{
    struct waiter first = { .port = port_open( 1, 1 ) };

    DuplicateHandle( GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &first.thread, 0, FALSE,
                     DUPLICATE_SAME_ACCESS );
    CloseHandle( CreateThread( NULL, 0, end_first, &first, 0, NULL ) );
    wait_once( &first );
}

/* The same of a process's first thread, whose number some hosts keep. */
static void test_first_terminated( void )
{
    HANDLE process = run_child( "first", NULL, NULL, 0, NULL );
    DWORD code = 0;

    ok( !WaitForSingleObject( process, 30000 ), "the child does not end\n" );
    GetExitCodeProcess( process, &code );
    ok( code == 10, "exit status %lu\n", code );
    CloseHandle( process );
}

/* --- waiting elsewhere ----------------------------------------------------------------------------------------------------*/

/* An operation goes on whether or not anybody is at the port: events, handles and results tell of its end. */
static void test_elsewhere( void )
{
    HANDLE port = port_open( 0, 1 ), event = CreateEventW( NULL, TRUE, FALSE, NULL );
    struct waiter waiter;
    OVERLAPPED ov;
    DWORD size, flags;
    char byte;

    for ( unsigned int round = 0; round < 10; round++ )
    {
        winetest_push_context( "round %u", round );
        receive_byte( server, &ov, round % 5 == 0 ? event : NULL, &byte );
        if ( round >= 5 ) waiter_start( &waiter, port );
        check_result( send( client, "x", 1, 0 ), 1 );
        switch ( round % 5 )
        {
        case 0: ok( !WaitForSingleObject( event, 5000 ), "the event is not set\n" ); break;
        case 1: ok( !WaitForSingleObject( (HANDLE)server, 5000 ), "the handle is not signalled\n" ); break;
        case 2: check_result( WSAGetOverlappedResult( server, &ov, &size, TRUE, &flags ), TRUE ); break;
        case 3: check_result( GetOverlappedResult( (HANDLE)server, &ov, &size, TRUE ), TRUE ); break;
        case 4:
            for ( unsigned int i = 0; i < 500 && !HasOverlappedIoCompleted( &ov ); i++ ) Sleep( 10 );
            ok( HasOverlappedIoCompleted( &ov ), "it has not completed\n" );
            break;
        }
        if ( round >= 5 ) check_waiter( &waiter, 1 );
        else check_key( port, 1 );
        ok( !ov.Internal && ov.InternalHigh == 1, "status %#lx, %lu bytes\n", (DWORD)ov.Internal,
            (DWORD)ov.InternalHigh );
        winetest_pop_context();
    }
    CloseHandle( event );
    port_close( port );
}

static NTSTATUS( NTAPI *query_port )( HANDLE, int, void *, ULONG, ULONG * );

#define check_depth( port, expected ) check_depth_( __LINE__, port, expected )
static void check_depth_( int line, HANDLE port, LONG expected )
{
    LONG depth = -1;
    ULONG size = 0;
    NTSTATUS status = query_port( port, 0, &depth, sizeof( depth ), &size );

    ok_( __FILE__, line )( !status && depth == expected, "status %#lx, %ld packets, expected %ld\n", (DWORD)status,
                           depth, expected );
}

static void test_depth( void )
{
    HANDLE port = port_open( 0, 1 );
    OVERLAPPED ov;
    char byte;

    query_port = (void *)GetProcAddress( GetModuleHandleA( "ntdll" ), "NtQueryIoCompletion" );
    check_depth( port, 0 );
    receive_byte( server, &ov, NULL, &byte );
    PostQueuedCompletionStatus( port, 0, 2, NULL );
    PostQueuedCompletionStatus( port, 0, 2, NULL );
    CancelIo( (HANDLE)server );
    check_depth( port, 3 );
    check_key( port, 2 );
    check_depth( port, 2 );
    check_key( port, 2 );
    check_depth( port, 1 );
    port_close( port );
}

/* --- ports of others ------------------------------------------------------------------------------------------------------*/

/* The child takes one packet from the port, whose handle it has or gets itself, and posts one. */
static void run_waiter( struct exchange *exchange )
{
    HANDLE process, port;
    OVERLAPPED *ov;
    ULONG_PTR key = 0;
    DWORD size;

    exchange->ready = 1;
    for ( unsigned int i = 0; i < 1000 && !exchange->port; i++ ) Sleep( 10 );
    port = (HANDLE)(ULONG_PTR)exchange->port;
    if ( exchange->owner )
    {
        process = OpenProcess( PROCESS_DUP_HANDLE, FALSE, exchange->owner );
        if ( !DuplicateHandle( process, port, GetCurrentProcess(), &port, 0, FALSE, DUPLICATE_SAME_ACCESS ) )
            exchange->error = GetLastError();
        CloseHandle( process );
    }
    if ( !GetQueuedCompletionStatus( port, &size, &key, &ov, 10000 ) && !ov ) exchange->error = GetLastError();
    exchange->key = key;
    if ( !PostQueuedCompletionStatus( port, 0, 42, NULL ) ) exchange->error = GetLastError();
    exchange->done = 1;
}

enum way
{
    COPIED,    /* duplicated into the child */
    FETCHED,   /* by the child */
    INHERITED, /* made before the child, and marked */
    WAYS
};

static void test_processes( void )
{
    SECURITY_ATTRIBUTES inherited = { sizeof( inherited ), NULL, TRUE };
    HANDLE mapping = CreateFileMappingW( INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, 4096, NULL );
    struct exchange *exchange = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *exchange ) );
    char arguments[64];

    for ( enum way way = 0; way < WAYS; way++ )
        for ( unsigned int before = 0; before < 2; before++ )
        {
            HANDLE port = port_open( 0, 1 ), child, theirs = port;
            OVERLAPPED ov;
            char byte;

            winetest_push_context( "way %u, the packet %s", way, before ? "first" : "later" );
            memset( exchange, 0, sizeof( *exchange ) );
            if ( way == INHERITED ) SetHandleInformation( port, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT );
            snprintf( arguments, sizeof( arguments ), "wait %zx", (size_t)mapping );
            child = run_child( arguments, NULL, NULL, 0, NULL );
            wait_until( &exchange->ready, 1 );
            receive_byte( server, &ov, NULL, &byte );
            if ( before )
            {
                check_result( send( client, "x", 1, 0 ), 1 );
                Sleep( 50 ); /* its packet is there */
            }
            if ( way == COPIED )
                check_result(
                    DuplicateHandle( GetCurrentProcess(), port, child, &theirs, 0, FALSE, DUPLICATE_SAME_ACCESS ),
                    TRUE );
            if ( way == FETCHED ) exchange->owner = GetCurrentProcessId();
            exchange->port = (ULONG_PTR)theirs;
            Sleep( 100 );
            if ( !before ) check_result( send( client, "x", 1, 0 ), 1 );
            wait_until( &exchange->done, 1 );
            ok( exchange->done && !exchange->error && exchange->key == 1, "done %ld, error %lu, key %lu\n",
                exchange->done, exchange->error, (DWORD)exchange->key );
            check_key( port, 42 );
            winetest_wait_child_process( child );
            CloseHandle( child );
            /* it is the socket's port still */
            receive_byte( server, &ov, NULL, &byte );
            check_result( send( client, "x", 1, 0 ), 1 );
            check_key( port, 1 );
            port_close( port );
            winetest_pop_context();
        }
    UnmapViewOfFile( exchange );
    CloseHandle( mapping );
}

/* A port that was made, and waited at, before Winsock was there. */
static void test_old_port( HANDLE port, struct waiter *waiter, unsigned int waiters )
{
    OVERLAPPED ov;
    char byte;

    tcp_pair( &client, &server );
    ok( CreateIoCompletionPort( (HANDLE)server, port, 1, 0 ) == port, "error %lu\n", GetLastError() );
    for ( unsigned int i = 0; i < waiters; i++ )
    {
        receive_byte( server, &ov, NULL, &byte );
        check_result( send( client, "x", 1, 0 ), 1 );
        check_waiter( waiter, 1 );
    }
    for ( unsigned int i = 0; i < 3; i++ )
    {
        receive_byte( server, &ov, NULL, &byte );
        check_result( send( client, "x", 1, 0 ), 1 );
        check_key( port, 1 );
        receive_byte( server, &ov, NULL, &byte );
        waiter_start( waiter, port );
        check_result( send( client, "x", 1, 0 ), 1 );
        check_waiter( waiter, 1 );
        PostQueuedCompletionStatus( port, 0, 5, NULL );
        check_key( port, 5 );
    }
    port_close( port );
}

/* Its waiters are older than Winsock too, and it is closed while some of them wait. */
static void test_old_port_closed( HANDLE port, struct waiter *waiters, unsigned int count )
{
    OVERLAPPED ov;
    unsigned int served = 0;
    char byte;

    tcp_pair( &client, &server );
    ok( CreateIoCompletionPort( (HANDLE)server, port, 1, 0 ) == port, "error %lu\n", GetLastError() );
    receive_byte( server, &ov, NULL, &byte );
    check_result( send( client, "x", 1, 0 ), 1 );
    ok( PostQueuedCompletionStatus( port, 0, 2, NULL ), "error %lu\n", GetLastError() );
    /* one and another of them */
    for ( unsigned int turn = 0; turn < 500 && served < 2; turn++ )
    {
        served = 0;
        for ( unsigned int i = 0; i < count; i++ ) served += !WaitForSingleObject( waiters[i].thread, 0 );
        if ( served < 2 ) Sleep( 10 );
    }
    ok( served == 2, "%u of 2 packets are taken\n", served );
    port_close( port );
    served = 0;
    for ( unsigned int i = 0; i < count; i++ )
    {
        ok( !WaitForSingleObject( waiters[i].thread, 5000 ), "waiter %u waits\n", i );
        if ( waiters[i].key ) served |= waiters[i].key;
        else ok( waiters[i].error == ERROR_ABANDONED_WAIT_0, "waiter %u: error %lu\n", i, waiters[i].error );
        CloseHandle( waiters[i].thread );
    }
    ok( served == 3, "keys %#x\n", served );
}

START_TEST( port_waits )
{
    HANDLE closed = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    struct waiter many[4];
    HANDLE old = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    HANDLE waited = CreateIoCompletionPort( INVALID_HANDLE_VALUE, NULL, 0, 0 );
    struct waiter early, later;
    char **argv;

    if ( winetest_get_mainargs( &argv ) >= 4 && !strcmp( argv[2], "wait" ) )
    {
        struct exchange *exchange = MapViewOfFile( (HANDLE)(ULONG_PTR)strtoull( argv[3], NULL, 16 ),
                                                   FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *exchange ) );

        if ( exchange ) run_waiter( exchange );
        return;
    }
    if ( winetest_get_mainargs( &argv ) == 3 && !strcmp( argv[2], "first" ) )
    {
        support_begin();
        run_first();
        return;
    }
    waiter_start( &early, waited );
    for ( unsigned int i = 0; i < ARRAY_SIZE( many ); i++ ) waiter_start( &many[i], closed );
    if ( support_begin() ) return;
    test_old_port( old, &later, 0 );
    test_old_port( waited, &early, 1 );
    test_old_port_closed( closed, many, ARRAY_SIZE( many ) );
    test_concurrency();
    test_looked();
    test_last_first();
    test_terminated();
    test_first_terminated();
    test_elsewhere();
    test_depth();
    test_processes();
    support_end();
}

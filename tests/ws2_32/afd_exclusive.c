/*
 * Exclusive polls (facts: windows-behaviour 8.1). A socket has one main poll or none. A new poll that finds a main one
 * replaces and ends it if both are exclusive, and else waits beside it and never becomes main; one that finds none becomes
 * main, whatever else waits. A main poll that ends leaves none. Only the issue of a poll makes any of this happen.
 */
#include "afd.h"

#define POLLS 10
#define SOCKETS 4 /* the last is another descriptor of the first: a and d are one socket */

static SOCKET helper, sockets[SOCKETS];
static HANDLE release; /* threads that issued a poll live until then */

static struct pending
{
    BOOL issued;
    SOCKET through;
    HANDLE event, told;
    IO_STATUS_BLOCK iosb;
    struct afd_poll in, out;
} polls[POLLS];

static void issue( struct pending *poll )
{
    const ULONG size = POLL_SIZE( poll->in.count );

    iosb_reset( &poll->iosb );
    ResetEvent( poll->event );
    check_status( NtDeviceIoControlFile( (HANDLE)poll->through, poll->event, NULL, NULL, &poll->iosb, IOCTL_AFD_POLL,
                                         &poll->in, size, &poll->out, size ),
                  NT_PENDING );
    poll->issued = TRUE;
}

static DWORD WINAPI issue_in_thread( void *arg )
{
    struct pending *poll = arg;

    issue( poll );
    SetEvent( poll->told );
    WaitForSingleObject( release, 20000 );
    return 0;
}

static void check_ended( const char *which )
{
    for ( unsigned int i = 0; i < POLLS; i++ )
    {
        const BOOL ends = strchr( which, '0' + i ) != NULL;

        if ( !polls[i].issued ) continue;
        ok( ( WaitForSingleObject( polls[i].event, ends ? 1000 : 0 ) == WAIT_OBJECT_0 ) == ends, "poll %u %s\n", i,
            ends ? "waits" : "has ended" );
        if ( ends ) polls[i].issued = FALSE;
    }
}

/* "X1 a b": issues poll 1, exclusive, on the sockets a and b; "N1 a": one that is not exclusive. ", s": through the first of
 * these sockets and not another; ", t": by another thread. "-1": cancels poll 1. "=1": cancels
 * all of this thread's through the socket of poll 1. "!1": it has ended; without one, none. */
static void run_step( const char *step )
{
    const unsigned int number = step[1] - '0';
    struct pending *poll = &polls[number];
    HANDLE thread;

    if ( *step == '-' )
    {
        IO_STATUS_BLOCK result;

        check_status( NtCancelIoFileEx( (HANDLE)poll->through, &poll->iosb, &result ), 0 );
        return;
    }
    if ( *step == '=' )
    {
        ok( CancelIo( (HANDLE)poll->through ), "error %lu\n", GetLastError() );
        return;
    }
    memset( &poll->in, 0, sizeof( poll->in ) );
    poll->in.timeout = NEVER;
    poll->in.exclusive = *step == 'X';
    poll->through = helper;
    for ( step += 2; *step && *step != ','; step++ )
        if ( *step >= 'a' && *step < 'a' + SOCKETS )
        {
            poll->in.sockets[poll->in.count].s = sockets[*step - 'a'];
            poll->in.sockets[poll->in.count++].flags = ~0u;
        }
    if ( strchr( step, 's' ) ) poll->through = poll->in.sockets[0].s;
    if ( !strchr( step, 't' ) )
    {
        issue( poll );
        return;
    }
    thread = CreateThread( NULL, 0, issue_in_thread, poll, 0, NULL );
    ok( !WaitForSingleObject( poll->told, 10000 ), "the thread does not come\n" );
    CloseHandle( thread );
}

static void run( int family, const char *story )
{
    WSAPROTOCOL_INFOW info;
    char copy[200], *step, *next, *ended;

    winetest_push_context( "%s", story );
    release = CreateEventW( NULL, TRUE, FALSE, NULL );
    helper = socket( AF_INET, SOCK_STREAM, 0 );
    for ( unsigned int i = 0; i < SOCKETS - 1; i++ ) sockets[i] = socket( family, SOCK_STREAM, 0 );
    if ( strchr( story, 'd' ) )
    {
        check_ok( WSADuplicateSocketW( sockets[0], GetCurrentProcessId(), &info ) );
        sockets[SOCKETS - 1] = WSASocketW( family, SOCK_STREAM, 0, &info, 0, WSA_FLAG_OVERLAPPED );
    }
    else sockets[SOCKETS - 1] = socket( family, SOCK_STREAM, 0 );
    strcpy( copy, story );
    for ( step = copy; step; step = next )
    {
        if ( ( next = strchr( step, ';' ) ) ) *next++ = 0;
        while ( *step == ' ' ) step++;
        if ( ( ended = strchr( step, '!' ) ) ) *ended++ = 0;
        winetest_push_context( "%s", step );
        run_step( step );
        Sleep( ended ? 0 : 20 );
        check_ended( ended ? ended : "" );
        winetest_pop_context();
    }
    check_ended( "" );
    SetEvent( release );
    for ( unsigned int i = 0; i < SOCKETS; i++ ) closesocket( sockets[i] );
    /* the close ends those that are left */
    for ( unsigned int i = 0; i < POLLS; i++ )
        if ( polls[i].issued )
        {
            ok( !WaitForSingleObject( polls[i].event, 1000 ), "poll %u does not end\n", i );
            polls[i].issued = FALSE;
        }
    closesocket( helper );
    CloseHandle( release );
    winetest_pop_context();
}

static const char *const stories[] = {
    "X1 a; -1 !1",
    "X1 a; =1 !1",
    "X1 a; =1 !1; X2 a; X3 a !2; =3 !3",
    "N1 a; X2 a; N3 a, s; =1 !12; =3 !3; X4 a; X5 a !4",
    "X1 a, t; X2 b; =2 !2; X3 a !1",
    "N1 a; N2 a",
    "X1 a; X2 a !1",
    "X1 a; X2 a !1; X3 a !2; X4 a !3",
    "N1 a; X2 a; X3 a",
    "N1 a; -1 !1; X2 a; X3 a !2",
    "N1 a, s; X2 a; -1 !1; X3 a",
    "N1 a; X2 a; -1 !1; X3 a; X4 a !3",
    "X1 a; X2 b",
    "X1 a; X2 a, t !1",
    "X1 a, t; X2 a, t !1",
    "X1 a b; X2 a c !1",
    "X1 a; X2 a, s !1",
    "X1 a, s; X2 a !1",
    /* beside an exclusive one */
    "X1 a; N2 a; X3 a !1; N4 a",
    "X1 a; N2 a; -2 !2; X3 a !1",
    "X1 a; N2 a; -1 !1; X3 a; X4 a !3",
    "N1 a; X2 a; X3 a; -2 !2; X4 a; -1 !1; X5 a; X6 a !5",
    /* an end leaves none on each of the sockets */
    "X1 a b; X2 a !1; X3 b; X4 b !3",
    "X1 a b; -1 !1; X2 a; X3 b",
    "N1 a; X2 a b; X3 b !2; X4 a",
    "X1 a; X2 b; X3 a b !12",
    /* through whichever descriptor */
    "X1 a; X2 d !1; X3 a !2",
    "N1 d; X2 a; X3 a; X4 d",
    "X1 d; -1 !1; X2 a; X3 d !2",
    "X1 a b; X2 c d !1",
    "X1 a, s; X2 d, s !1",
    "X1 a; N2 d; -1 !1; X3 d; X4 a !3",
};

START_TEST( afd_exclusive )
{
    if ( support_begin() ) return;
    for ( unsigned int i = 0; i < POLLS; i++ )
    {
        polls[i].event = CreateEventW( NULL, TRUE, FALSE, NULL );
        polls[i].told = CreateEventW( NULL, FALSE, FALSE, NULL );
    }
    for ( unsigned int i = 0; i < ARRAY_SIZE( stories ); i++ ) run( AF_INET, stories[i] );
    for ( unsigned int i = 0; have_ipv6() && i < ARRAY_SIZE( stories ); i++ ) run( AF_INET6, stories[i] );
    for ( unsigned int i = 0; i < POLLS; i++ )
    {
        CloseHandle( polls[i].event );
        CloseHandle( polls[i].told );
    }
    support_end();
}

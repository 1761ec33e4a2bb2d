/*
 * A registration replaced again and again while data comes, as a server does that changes what it waits for before each
 * wait: every WSAEventSelect succeeds, and no arrival goes untold.
 */
#include "support.h"

#define ROUNDS 20000

/* Sends one byte back for each that it gets. */
static DWORD CALLBACK echo_bytes( void *argument )
{
    SOCKET s = (SOCKET)argument;
    char byte;

    while ( recv( s, &byte, 1, 0 ) == 1 )
        if ( send( s, &byte, 1, 0 ) != 1 ) break;
    return 0;
}

START_TEST( reregister )
{
    SOCKET client, server;
    WSAEVENT event;
    HANDLE thread;
    int round, failed = 0, untold = 0;

    if ( support_begin() ) return;
    tcp_pair( &client, &server );
    event = WSACreateEvent();
    thread = CreateThread( NULL, 0, echo_bytes, (void *)server, 0, NULL );

    for ( round = 0; round < ROUNDS && !failed && !untold; round++ )
    {
        char byte = 'x';

        if ( WSAEventSelect( client, event, FD_WRITE | FD_CLOSE ) ) failed = WSAGetLastError();
        if ( send( client, &byte, 1, 0 ) != 1 ) failed = WSAGetLastError();
        if ( WSAEventSelect( client, event, FD_READ | FD_CLOSE ) ) failed = WSAGetLastError();
        while ( !failed && !untold && recv( client, &byte, 1, 0 ) != 1 )
        {
            if ( WSAGetLastError() != WSAEWOULDBLOCK ) failed = WSAGetLastError();
            else if ( WaitForSingleObject( event, 5000 ) ) untold = 1;
            ResetEvent( event );
        }
    }
    ok( !failed, "round %d: error %d\n", round, failed );
    ok( !untold, "round %d: data came and the event was not set\n", round );

    closesocket( client );
    ok( !WaitForSingleObject( thread, 10000 ), "the echo does not end\n" );
    closesocket( server );
    CloseHandle( thread );
    WSACloseEvent( event );
    support_end();
}

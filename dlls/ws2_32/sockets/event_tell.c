/* Telling the program of network events: see event_tell.h. */
#include "ntdll/event_objects.h"
#include "sockets/event_tell.h"

static BOOL( WINAPI *post_message )( HWND window, UINT message, WPARAM wparam, LPARAM lparam );
static BOOL( WINAPI *is_window )( HWND window );

/* user32 is loaded by the first program that asks for messages, and by no other. */
static BOOL load_user32( void )
{
    HMODULE user32;

    if ( post_message ) return TRUE;
    if ( !( user32 = LoadLibraryW( L"user32.dll" ) ) ) return FALSE;
    is_window = (void *)GetProcAddress( user32, "IsWindow" );
    post_message = (void *)GetProcAddress( user32, "PostMessageW" );
    return post_message && is_window;
}

/* Messages come in this order. */
static const struct
{
    UINT32 event;
    unsigned int bit;
} message_order[] = {
    { FD_CONNECT, FD_CONNECT_BIT },
    { FD_ACCEPT, FD_ACCEPT_BIT },
    { FD_OOB, FD_OOB_BIT },
    { FD_READ, FD_READ_BIT },
    { FD_WRITE, FD_WRITE_BIT },
    { FD_CLOSE, FD_CLOSE_BIT },
    { FD_ROUTING_INTERFACE_CHANGE, FD_ROUTING_INTERFACE_CHANGE_BIT },
    { FD_ADDRESS_LIST_CHANGE, FD_ADDRESS_LIST_CHANGE_BIT },
};

void events_tell( UINT64 target, UINT32 message, SOCKET s, UINT32 events, const int32_t *codes )
{
    if ( ws2_tracing ) trace_events( s, events, target, message );
    if ( !message )
    {
        event_set( (HANDLE)(UINT_PTR)target );
        return;
    }
    if ( !load_user32() ) return;
    for ( unsigned int i = 0; i < sizeof( message_order ) / sizeof( message_order[0] ); i++ )
        if ( events & message_order[i].event )
            post_message( (HWND)(UINT_PTR)target, message, s,
                          WSAMAKESELECTREPLY( message_order[i].event, codes[message_order[i].bit] ) );
}

BOOL events_is_window( HWND window ) { return load_user32() && is_window( window ); }

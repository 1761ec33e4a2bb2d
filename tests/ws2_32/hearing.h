/* What a datagram socket hears, and that it hears no more: for tests in a network of their own. */
#ifndef WS2HOST_TEST_HEARING_H
#define WS2HOST_TEST_HEARING_H

#include "support.h"

#define check_hears( s, text ) check_hears_( __LINE__, s, text )
static inline void check_hears_( int line, SOCKET s, const char *text )
{
    char data[16] = { 0 };
    int got = -1;

    if ( wait_readable( s, 5000 ) ) got = recv( s, data, sizeof( data ), 0 );
    ok( got == (int)strlen( text ) && !memcmp( data, text, got ), "line %d: got %d, \"%.16s\"\n", line, got, data );
}

#define check_silent( s ) check_silent_( __LINE__, s )
static inline void check_silent_( int line, SOCKET s )
{
    ok( !wait_readable( s, 100 ), "line %d: something arrived\n", line );
}

#endif

/* A client that cannot have a server: WSAENETDOWN, and one line on stderr that says what to do. */
#ifndef WS2HOST_TEST_COMPLAINT_H
#define WS2HOST_TEST_COMPLAINT_H

#include "harness.h"

struct complainer
{
    void ( *prepare )( void ); /* in the client's process, before it attaches; or NULL */
    int fd;
};

static int attach_complaining( void *context )
{
    const struct complainer *complainer = context;

    if ( dup2( complainer->fd, 2 ) < 0 ) return 1;
    if ( complainer->prepare ) complainer->prepare();
    return connection_attach( 0x20 ) == WSAENETDOWN ? 0 : 2;
}

static inline void check_complaint( void ( *prepare )( void ), const char *expected, uint64_t patience )
{
    struct complainer complainer = { .prepare = prepare };
    const uint64_t begin = harness_now();
    char text[2048];
    int ends[2], count = 0;
    ssize_t size;

    ck_assert( !pipe( ends ) );
    complainer.fd = ends[1];
    ck_assert_int_eq( process_wait( process_start( attach_complaining, &complainer ) ), 0 );
    ck_assert_uint_lt( harness_now() - begin, patience );
    size = read( ends[0], text, sizeof( text ) - 1 );
    ck_assert_int_gt( size, 0 );
    text[size] = 0;
    ck_assert_msg( strstr( text, expected ), "%s: %s", expected, text );
    for ( char *line = strstr( text, "ws2host: " ); line; line = strstr( line + 1, "ws2host: " ) ) count++;
    ck_assert_int_eq( count, 1 );
    close( ends[0] );
    close( ends[1] );
}

#endif

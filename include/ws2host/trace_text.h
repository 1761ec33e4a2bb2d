/* Lines of WS2DEBUG=host and WS2DEBUG=server: "12:34:56.789012 server 292: REDEEM ticket 5f3a21 = 0, slot 64.2". */
#ifndef WS2HOST_TRACE_TEXT_H
#define WS2HOST_TRACE_TEXT_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "ws2host/protocol.h"

#define WS2_TRACE_LINE_SIZE 512
#define WS2_REQUEST_TEXT_SIZE 160u

/* Writes the time, who and a text, as vprintf, as one line to fd. -1: it could not be written. errno stays as it is. */
static inline int ws2_trace_line( int fd, const char *who, const char *format, va_list args )
{
    const int error = errno;
    char line[WS2_TRACE_LINE_SIZE];
    struct timespec now;
    struct tm local;
    int length, result;

    clock_gettime( CLOCK_REALTIME, &now );
    localtime_r( &now.tv_sec, &local );
    length = snprintf( line, sizeof( line ), "%02d:%02d:%02d.%06ld %s ", local.tm_hour, local.tm_min, local.tm_sec,
                       now.tv_nsec / 1000, who );
    length += vsnprintf( line + length, sizeof( line ) - length, format, args );
    if ( length >= (int)sizeof( line ) ) length = sizeof( line ) - 1;
    line[length++] = '\n';
    result = write( fd, line, length ) < 0 ? -1 : 0;
    errno = error;
    return result;
}

/* A name in WS2DEBUG_FILE with who for each %p. 0: it does not fit. */
static inline int ws2_trace_path( char *path, size_t size, const char *name, const char *who )
{
    size_t used = 0;

    for ( const char *p = name; *p; p++ )
    {
        const int is_place = p[0] == '%' && p[1] == 'p';

        used += snprintf( path + used, size - used, "%.*s", is_place ? -1 : 1, is_place ? who : p );
        if ( used >= size ) return 0;
        p += is_place;
    }
    return 1;
}

/* Both write at most WS2_REQUEST_TEXT_SIZE bytes, the end included, and return their argument. */
static inline const char *ws2_request_text( char *text, const struct ws2_request *request )
{
    static const char names[WS2_REQUEST_COUNT][10] = {
        [WS2_HELLO] = "HELLO",     [WS2_LEASE] = "LEASE",         [WS2_DUPLICATE] = "DUPLICATE",
        [WS2_WATCH] = "WATCH",     [WS2_REDEEM] = "REDEEM",       [WS2_NAME] = "NAME",
        [WS2_ADOPT] = "ADOPT",     [WS2_CLOSE] = "CLOSE",         [WS2_NOTICE] = "NOTICE",
        [WS2_PUBLISH] = "PUBLISH", [WS2_SPENT] = "SPENT",         [WS2_RESUMED] = "RESUMED",
        [WS2_BIND] = "BIND",       [WS2_BOUND] = "BOUND",         [WS2_LEAVE] = "LEAVE",
        [WS2_LIST] = "LIST",       [WS2_SHARE] = "SHARE",         [WS2_HELPER] = "HELPER",
        [WS2_FETCH] = "FETCH",     [WS2_CELLS_REQUEST] = "CELLS", [WS2_ISSUE] = "ISSUE",
        [WS2_TAKEN] = "TAKEN",     [WS2_REPLACE] = "REPLACE",
    };
    const uint32_t type = request->type;
    int length = snprintf( text, WS2_REQUEST_TEXT_SIZE, "%s",
                           type < WS2_REQUEST_COUNT && *names[type] ? names[type] : "a message of no known type" );

    if ( type == WS2_DUPLICATE || type == WS2_NAME || type == WS2_CLOSE || type == WS2_PUBLISH || type == WS2_BIND ||
         type == WS2_BOUND || type == WS2_SHARE || type == WS2_HELPER || type == WS2_FETCH || type == WS2_ISSUE ||
         type == WS2_TAKEN || type == WS2_REPLACE )
        length += snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, " slot %u.%u", request->slot,
                            request->generation );
    if ( request->handle && type != WS2_REDEEM && type != WS2_LIST )
        length += snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, " s=%#x", request->handle );
    if ( request->ticket )
        length += snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, " ticket %x", request->ticket );
    if ( request->windows_pid )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, type == WS2_HELLO ? " of %u" : " for %u",
                  request->windows_pid );
    return text;
}

static inline const char *ws2_reply_text( char *text, const struct ws2_request *request, const struct ws2_reply *reply )
{
    int length = snprintf( text, WS2_REQUEST_TEXT_SIZE, "%u", reply->error );

    if ( reply->detail == WS2_DETAIL_LATER )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", later: in %u ms", reply->count );
    else if ( !reply->error && ( request->type == WS2_REDEEM || request->type == WS2_ADOPT ) )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", slot %u.%u", reply->slot, reply->generation );
    else if ( !reply->error && ( request->type == WS2_LEASE || ( request->type == WS2_HELLO && reply->count ) ) )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", slots from %u", reply->slot );
    else if ( !reply->error && request->type == WS2_DUPLICATE )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", ticket %x", reply->ticket );
    return text;
}

#endif

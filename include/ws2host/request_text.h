/* A request and its answer as a line of a trace has them (WS2DEBUG=host, WS2DEBUG=server): "REDEEM ticket 5f3a21". */
#ifndef WS2HOST_REQUEST_TEXT_H
#define WS2HOST_REQUEST_TEXT_H

#include <stdio.h>
#include "ws2host/protocol.h"

#define WS2_REQUEST_TEXT_SIZE 160u

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
        [WS2_FETCH] = "FETCH",     [WS2_CELLS_REQUEST] = "CELLS",
    };
    const uint32_t type = request->type;
    int length = snprintf( text, WS2_REQUEST_TEXT_SIZE, "%s",
                           type < WS2_REQUEST_COUNT && *names[type] ? names[type] : "a message of no known type" );

    if ( type == WS2_DUPLICATE || type == WS2_NAME || type == WS2_CLOSE || type == WS2_PUBLISH || type == WS2_BIND ||
         type == WS2_BOUND || type == WS2_SHARE || type == WS2_HELPER || type == WS2_FETCH )
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
    else if ( !reply->error && request->type == WS2_LEASE )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", slots from %u", reply->slot );
    else if ( !reply->error && request->type == WS2_DUPLICATE )
        snprintf( text + length, WS2_REQUEST_TEXT_SIZE - length, ", ticket %x", reply->ticket );
    return text;
}

#endif

/* The protocol catalogue: what sockets there can be. The table is constant; infos given to these functions are copies
 * that the caller has made (ws2_read), never the program's own memory. */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include <winsock2.h>

/* Every entry, those with PFL_HIDDEN too, in the order in which they are enumerated and searched. */
extern const WSAPROTOCOL_INFOW catalogue[];
extern const unsigned int catalogue_count;

/* The entry and the triple that a new socket gets, with no info given. A Winsock code; nothing is written on
 * failure. */
int catalogue_resolve( int family, int type, int protocol, const WSAPROTOCOL_INFOW **entry, int *resolved_family,
                       int *resolved_type, int *resolved_protocol );

/* The same with an info that is no duplicate's (dwProviderReserved is 0): FROM_PROTOCOL_INFO and 0 take its value. */
int catalogue_resolve_info( int family, int type, int protocol, const WSAPROTOCOL_INFOW *info,
                            const WSAPROTOCOL_INFOW **entry, int *resolved_family, int *resolved_type,
                            int *resolved_protocol );

/* The entry of an existing socket; NULL when there is none. */
const WSAPROTOCOL_INFOW *catalogue_entry( int family, int type, int protocol );

void catalogue_to_ansi( const WSAPROTOCOL_INFOW *entry, WSAPROTOCOL_INFOA *ansi );

#endif

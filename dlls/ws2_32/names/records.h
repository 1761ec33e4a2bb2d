/* hostent, servent and protoent as blocks of memory: programs depend on how their parts lie behind each other. */
#ifndef RECORDS_H
#define RECORDS_H

#include "names/netdb.h"
#include "names/resolver.h"

/* Each returns the bytes that the block needs and fills it when size suffices. Its pointers are those of a block that
 * begins at base, wherever it is now: the program's buffer, or 0 for the offsets that a BLOB carries. */
size_t record_host( const struct resolver_answer *answer, int family, char *block, size_t size, UINT_PTR base );
size_t record_service( const struct netdb_entry *entry, char *block, size_t size, UINT_PTR base );
size_t record_protocol( const struct netdb_entry *entry, char *block, size_t size, UINT_PTR base );

/* The questions of Winsock 1, for the plain functions and the asynchronous ones. A Winsock code. */
int record_find_host( const char *name, struct resolver_answer *answer );
int record_find_host_by_address( const void *address, int length, int family, struct resolver_answer *answer );
int record_find_service( const char *name, int port, const char *protocol, struct netdb_entry *entry );
int record_find_protocol( const char *name, int number, struct netdb_entry *entry );

#endif

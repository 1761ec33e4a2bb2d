/* The data bases of hosts, services and protocols. Three sources, asked in this order: the prefix's drivers\etc,
 * Windows' stock entries (compiled in), the host's /etc. The host's own hosts file is its resolver's affair. */
#ifndef NETDB_H
#define NETDB_H

#include <windows.h>

#define NETDB_ALIASES 35

/* A line, taken apart. Its strings lie in text. */
struct netdb_entry
{
    char text[1024];
    const char *name;
    const char *aliases[NETDB_ALIASES];
    unsigned int alias_count;
    unsigned int number;  /* port in host order, or protocol number */
    const char *protocol; /* of a service */
    const char *address;  /* of a host */
};

/* By name or alias, in any case; protocol NULL means any. */
BOOL netdb_service_by_name( const char *name, const char *protocol, struct netdb_entry *entry );
BOOL netdb_service_by_port( unsigned int port, const char *protocol, struct netdb_entry *entry );
BOOL netdb_protocol_by_name( const char *name, struct netdb_entry *entry );
BOOL netdb_protocol_by_number( unsigned int number, struct netdb_entry *entry );

/* Calls back for each line of the prefix's hosts file, until the callback returns TRUE. Was there such a line? */
BOOL netdb_walk_hosts( BOOL ( *match )( const struct netdb_entry *entry, void *context ), void *context,
                       struct netdb_entry *entry );

BOOL netdb_has_name( const struct netdb_entry *entry, const char *name );

#endif

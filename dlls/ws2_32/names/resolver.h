/* Names to addresses and back, for every function that does so. Names are UTF-8, international ones in their ACE
 * form. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <windows.h>
#include "ws2host/unixcall.h"

struct resolver_answer
{
    struct ws2_address *addresses;
    unsigned int count;
    char *names; /* the canonical name, then aliases, then an empty string */
};

/* family: AF_UNSPEC, AF_INET or AF_INET6. May block for long. Aliases come with one family only. A Winsock code; the
 * answer is empty on failure. "" is this computer. */
int resolver_lookup( const char *name, int family, BOOL aliases, struct resolver_answer *answer );
void resolver_free( struct resolver_answer *answer );

/* The names of an address, as in an answer; malloc'ed. */
int resolver_reverse( const struct ws2_address *address, char **names );

/* The name of this computer. */
#define RESOLVER_HOSTNAME_SIZE 256
int resolver_hostname( char name[RESOLVER_HOSTNAME_SIZE] );

/* The addresses of the adapters; malloc'ed. */
int resolver_adapters( struct ws2_address **addresses, unsigned int *count );
BOOL resolver_has_ipv6( void );

/* The form of a name that goes to the resolver; malloc'ed. idn: international names get their ACE form. */
int resolver_encode( const WCHAR *name, BOOL idn, char **encoded );

/* An address in text: IPv4 in its loose forms, IPv6 with brackets, port (dropped) and scope. */
BOOL resolver_parse_literal( const WCHAR *text, struct ws2_address *address );

/* The socket address of an address; its size. port in network order. */
int resolver_sockaddr( const struct ws2_address *address, USHORT port, SOCKADDR_STORAGE *sockaddr );

#endif

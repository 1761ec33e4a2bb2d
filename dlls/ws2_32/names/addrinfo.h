/* The getaddrinfo family's common part: one question, one answer, four forms of the list. */
#ifndef ADDRINFO_H
#define ADDRINFO_H

#include "names/resolver.h"

/* What a hints structure asks for; all of its forms begin alike. */
struct addrinfo_hints
{
    int flags, family, type, protocol;
    int version; /* of an extended structure (AI_EXTENDED), 0 otherwise */
};

struct addrinfo_answer
{
    struct resolver_answer resolver;
    USHORT port; /* in network order */
    WCHAR *canonical;
};

enum addrinfo_form
{
    ADDRINFO_A,
    ADDRINFO_W,
    ADDRINFO_EX_A,
    ADDRINFO_EX_W
};

/* Reads the program's hints, NULL too. WSAEFAULT, or WSANO_RECOVERY when fields that must be zero are not. */
int addrinfo_read_hints( const void *user, enum addrinfo_form form, struct addrinfo_hints *hints );

/* What is wrong with a question before anything is looked up, 0 or a Winsock error. */
int addrinfo_check( const WCHAR *node, const WCHAR *service, const struct addrinfo_hints *hints );

/* May block for long. The answer is empty on failure. */
int addrinfo_query( const WCHAR *node, const WCHAR *service, const struct addrinfo_hints *hints,
                    struct addrinfo_answer *answer );
void addrinfo_free_answer( struct addrinfo_answer *answer );

/* The list as the program gets it; NULL without memory. Each entry is one block of memory. */
void *addrinfo_build( const struct addrinfo_answer *answer, const struct addrinfo_hints *hints,
                      enum addrinfo_form form );
void addrinfo_free( void *list, enum addrinfo_form form );

#endif

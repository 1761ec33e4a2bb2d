/*
 * Addresses written as text, understood as Windows does: from left to right, keeping what was understood before an error.
 * Plain functions of their arguments. A text ends with a NUL; addresses are in network order.
 */
#ifndef IP_TEXT_H
#define IP_TEXT_H

#include <winsock2.h>

/* Each returns where the address ends in the text, NULL when there is none. */

/* Exactly four decimal parts; without them the address is untouched. */
const WCHAR *ip_text_dotted( const WCHAR *text, BYTE address[4] );
/* One to four parts, each decimal, octal or hexadecimal, the last of which fills the bytes that are left; otherwise the
 * address is untouched. wraps: a single part is taken modulo 2^32 instead of refused. */
const WCHAR *ip_text_parts( const WCHAR *text, BOOL wraps, BYTE address[4] );
/* IPv6. *written: how many bytes of the address were written, all 16 unless NULL is returned. */
const WCHAR *ip_text_ipv6( const WCHAR *text, BYTE address[16], unsigned int *written );

/* The address with what a text may say beside it. */
struct ip_text_endpoint
{
    BYTE address[16]; /* IPv4: the first four */
    UINT32 scope;
    USHORT port; /* in host order */
};

/* FALSE unless all of the text was understood; then there is neither port nor scope, and the address as far as it goes. */
BOOL ip_text_endpoint4( const WCHAR *text, struct ip_text_endpoint *endpoint );
BOOL ip_text_endpoint6( const WCHAR *text, struct ip_text_endpoint *endpoint );

#endif

/* ntdll's conversions between addresses and text, which define what Windows takes and prints. Ports are in network order,
 * lengths count the NUL. */
#ifndef IP_STRINGS_H
#define IP_STRINGS_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>

/* not in the mingw-w64 headers */
LONG NTAPI RtlIpv6StringToAddressW( PCWSTR text, LPWSTR *end, IN6_ADDR *address );

#endif

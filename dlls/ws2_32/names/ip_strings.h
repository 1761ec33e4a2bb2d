/* ntdll's conversions of addresses to text, which define what Windows prints. Ports are in network order, lengths count
 * the NUL. */
#ifndef IP_STRINGS_H
#define IP_STRINGS_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>

#endif

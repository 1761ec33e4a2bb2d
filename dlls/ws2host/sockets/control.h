/*
 * Control data: Windows' WSACMSGHDR lists to the host's cmsg lists and back, for WSASendMsg and WSARecvMsg.
 *
 * width is the size of a pointer of the caller's (4 or 8), on which the layout of the headers depends.
 */
#ifndef WS2HOST_CONTROL_H
#define WS2HOST_CONTROL_H

#include <stdint.h>
#include <sys/socket.h>
#include "sockets/socket.h"

/* Enough for what control_to_host makes of any list that it accepts, and for all that a datagram can bring. */
#define CONTROL_HOST_SIZE 512
/* The same in Windows' form. */
#define CONTROL_USER_SIZE 512

/* Has the kernel deliver what the socket's options ask for. */
int32_t control_enable( struct descriptor *descriptor );

/* Whether anything is on for which the host brings control data. */
int control_wanted( const struct descriptor *descriptor );

/* Sending: size bytes of Windows' at user (which may fault) become *host_size bytes at host (CONTROL_HOST_SIZE of room,
 * aligned). WSAEINVAL for a list that is malformed or asks for what cannot be had. */
int32_t control_to_host( const void *user, uint32_t size, uint32_t width, void *host, size_t *host_size );

/* Receiving: the control data of header in Windows' form, as much as fits into capacity bytes at user. Returns the bytes
 * used; *truncated says that some did not fit (MSG_CTRUNC, WSAEMSGSIZE). */
uint32_t control_from_host( const struct descriptor *descriptor, struct msghdr *header, uint32_t width, void *user,
                            uint32_t capacity, int *truncated );

/* WSARecvMsg is used on the socket: from now on the host tells of each datagram whether it was sent to many. */
void control_want_kind( struct descriptor *descriptor );

/* What it has told: MSG_BCAST or MSG_MCAST of Windows', 0 for a datagram that was sent to this socket. */
uint32_t control_kind( struct msghdr *header );

/* The address that a datagram was sent to, in Windows' form, with the socket's port; its size, 0 if the host has not told. */
uint32_t control_destination( const struct descriptor *descriptor, struct msghdr *header, union host_address *address );

#endif

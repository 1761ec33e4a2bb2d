/* Flags of messages and the layout of buffers, as Windows has them. */
#ifndef WS2HOST_WINDOWS_MESSAGE_H
#define WS2HOST_WINDOWS_MESSAGE_H

#include <stdint.h>
#include "base/caller.h"

enum windows_message_flag
{
    WS_MSG_OOB = 0x1,
    WS_MSG_PEEK = 0x2,
    WS_MSG_DONTROUTE = 0x4,
    WS_MSG_WAITALL = 0x8,
    WS_MSG_INTERRUPT = 0x10,
    WS_MSG_PUSH_IMMEDIATE = 0x20,
    WS_MSG_TRUNC = 0x100,
    WS_MSG_CTRUNC = 0x200,
    WS_MSG_BCAST = 0x400,
    WS_MSG_MCAST = 0x800,
    WS_MSG_PARTIAL = 0x8000
};

/* WSABUF as a 64-bit program lays it out */
struct windows_buffer
{
    uint32_t size;
    uint32_t padding;
    uint64_t pointer;
};

/* and a 32-bit one */
struct windows_buffer32
{
    uint32_t size;
    uint32_t pointer;
};
#define WINDOWS_BUFFER_SIZE ( CALLER_IS_32 ? sizeof( struct windows_buffer32 ) : sizeof( struct windows_buffer ) )

/* What is more overflows sizes in a host half of 32 bits. */
#define MOST_VECTORS 0x1000000u

#endif

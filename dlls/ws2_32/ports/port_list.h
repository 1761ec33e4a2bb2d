/* Our own handles of completion ports (port_list.c), to the files of this folder. */
#ifndef PORT_LIST_H
#define PORT_LIST_H

#include "ports/port_queue.h"
#include "ports/ports.h"

struct port
{
    struct port *next;
    HANDLE theirs; /* the program's handle; NULL once that is closed */
    DWORD owner;   /* 0, or the Windows process in which `theirs` is */
    HANDLE ours;
    /* As slots name it. When the port is gone its handle may be used again at once, the id not for long. */
    UINT32 id;
    BOOL kept;                /* registrations of notifications name it */
    struct port_queue *queue; /* counted; NULL: its packets go through wineserver */
};

/* While it is held a port that was found stays. */
extern SRWLOCK port_list_lock;
/* The lock is held; NULL without memory, or when the handle is none that can be duplicated. */
struct port *port_list_find_or_add( HANDLE theirs );

/* Our handle of a port of another process's, by its id there; NULL when there is none to be had. */
HANDLE port_list_foreign( DWORD owner, UINT32 id );
/* The queue of one of this process's ports; counted. */
struct port_queue *port_list_queue_of( UINT32 id );
/* A packet into wineserver's queue of one of this process's ports; of a port that is gone it goes nowhere. */
void port_list_post( UINT32 id, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, ULONG_PTR information );

#endif

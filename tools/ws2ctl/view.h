/* One socket as it is shown: by list.c for people, by list_json.c for programs. */
#ifndef VIEW_H
#define VIEW_H

#include "ws2ctl.h"

struct view
{
    uint32_t id, generation;
    struct ws2_slot slot;
    char local[PATH_MAX], peer[ADDRESS_SIZE]; /* "-" for none; a path as the program gave it */
    const char *family, *type, *state;
    char options[512]; /* words */
    uint32_t listener; /* for which AcceptEx waits with it: its id, or WS2_NO_INDEX */
    char listener_local[PATH_MAX];
    char timer[64]; /* "" for none */
    int shared;
    int known;                          /* to the kernel: the queues are told */
    uint32_t receive_queue, send_queue; /* bytes; of a listener connections, and its backlog */
    uint32_t event_pid;                 /* Windows process with the event registration, 0 for none */
    size_t first, end;                  /* rows */
};

void view_make( struct view *view, size_t first, size_t end );
/* The descriptors that its rows show; a PRIVATE socket has one. */
unsigned int view_descriptors( const struct view *view );
/* Columns of the terminal, or COLUMNS; INT_MAX for what is no terminal. */
int view_width( void );
/* The Windows program's name, without its folder. */
void view_program( uint32_t unix_pid, char *name, size_t size );

/* 0 after a sentence about a word that is none. */
int filter_check( char **words );
int filter_passes( const struct view *view, char **words );

struct json_object;
struct json_object *view_json( const struct view *view );

#endif

/* The record of a socket's network events: event_record.c. For the files of the events only. */
#ifndef WS2HOST_EVENT_RECORD_H
#define WS2HOST_EVENT_RECORD_H

#include "events/events.h"

/* Events that arrive anew each time, however often they were seen. */
#define EVENT_ARRIVALS ( WS2_FD_READ | WS2_FD_ACCEPT | WS2_FD_OOB )

/* Records events (those in `fresh` even when they were seen, the others only once); the bits that the program is to be
 * told of, 0 when the registration is not `generation` any more (0 = whatever it is). */
uint32_t event_record( struct descriptor *d, uint32_t bits, uint32_t fresh, uint32_t generation );
/* A window has been told of events: each is posted once, until its re-enabling call. */
void event_mark_posted( struct descriptor *d, uint32_t bits );
/* They are due again; those also in `also_recorded` even if they are recorded and were not fetched. */
void event_clear_seen( struct descriptor *d, uint32_t bits, uint32_t also_recorded );
/* Of recorded events, those that the program is to be told of: what a poll saw may have been taken before it was recorded, and
 * what is not there any more is taken back. */
uint32_t event_still_due( struct descriptor *d, uint32_t told );
/* The events whose conditions hold. */
uint32_t event_due( struct descriptor *d, uint32_t conditions );
/* Records what holds, given the host's revents; the bits to tell. `arrivals`: the epoll's word that something came. */
uint32_t event_evaluate( struct descriptor *d, uint32_t revents, uint32_t arrivals, uint32_t generation );
uint32_t event_evaluate_now( struct descriptor *d );
/* Fetches what is recorded of the events registered for, and what holds now: they are seen from then on. What came and has been
 * taken is none of it, though a thread that a receive has overtaken may have recorded it since: seen, it would not be due when
 * the next one is there. */
uint32_t event_take( struct descriptor *d );
/* The error codes of the events given, by WSANETWORKEVENTS' numbers. */
void event_codes( struct descriptor *d, uint32_t events, int32_t codes[WS2_EVENT_BIT_COUNT] );

#endif

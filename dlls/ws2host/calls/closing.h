/* Closing: closing.c. */
#ifndef WS2HOST_CLOSING_H
#define WS2HOST_CLOSING_H

/* Fills in the descriptors' upcall for those that are lost. At start. */
void closing_init( void );

#endif

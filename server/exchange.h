/* A message while it is handled: what the files of its handlers share (requests*.c). */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "server.h"
#include "ws2host/socket_cookie.h"

/* Handlers fill in the reply, may take *fd (setting it to -1), and leave a descriptor of the server's own to send in *send_fd
 * (borrowed). One that answers later has the connection wait. */
struct exchange
{
    struct connection *connection;
    struct client *client; /* NULL for an observer, and before HELLO */
    const struct ws2_request *request;
    struct ws2_reply reply;
    struct ws2_row *rows;  /* WS2_LIST_ROWS, of LIST */
    struct ticket *ticket; /* redeemed by this reply, if it can be sent */
    struct holder *holder;
    int replied;
    int fd;
    int send_fd;
};

/* Handlers, one for each message of protocol.h: a Winsock code. */
/* --- requests_clients.c */
int32_t request_lease( struct exchange *e );
int32_t request_hello( struct exchange *e );
int32_t request_leave( struct exchange *e );
int32_t request_notice( struct exchange *e );
int32_t request_cells( struct exchange *e );
int32_t request_publish( struct exchange *e );
int32_t request_spent( struct exchange *e );
int32_t request_resumed( struct exchange *e );
/* --- requests_sharing.c */
int32_t request_duplicate( struct exchange *e );
int32_t request_issue( struct exchange *e );
int32_t request_watch( struct exchange *e );
int32_t request_redeem( struct exchange *e );
int32_t request_taken( struct exchange *e );
int32_t request_name( struct exchange *e );
int32_t request_adopt( struct exchange *e );
int32_t request_close( struct exchange *e );
int32_t request_share( struct exchange *e );
int32_t request_helper( struct exchange *e );
int32_t request_replace( struct exchange *e );
int32_t request_fetch( struct exchange *e );
/* Instead of the reply alone, of a ticket that has been found: the socket goes out with it, or the ticket stays as it was. */
void reply_redeemed( struct exchange *e );
/* --- requests_slots.c */
int32_t request_bind( struct exchange *e );
int32_t request_bound( struct exchange *e );
int32_t request_list( struct exchange *e );

#endif

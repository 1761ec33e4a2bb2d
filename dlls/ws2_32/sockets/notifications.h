/* Notifications of sockets' conditions by completion packets (notifications.c). */
#ifndef NOTIFICATIONS_H
#define NOTIFICATIONS_H

/* Queues the packets that are due; called by the I/O thread, and by threads that change registrations. */
void notifications_deliver( void );
/* Packets are outstanding at ports that the program may read without us: are they taken? */
void notifications_look( void );

#endif

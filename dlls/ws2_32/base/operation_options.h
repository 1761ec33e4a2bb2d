/* What is particular about an operation of the host half: the options of its struct ws2_operation_target, which the host
 * half only keeps. */
#ifndef OPERATION_OPTIONS_H
#define OPERATION_OPTIONS_H

/* Winsock's receives leave their MSG_* flags in the OVERLAPPED's Offset, for WSAGetOverlappedResult. */
#define TARGET_STORE_FLAGS 1
/* Its thread waits for it inside the call that began it. */
#define TARGET_SYNCHRONOUS 2
/* A request of registered I/O: its iosb is the request, and only the closing of its socket cancels it. */
#define TARGET_REGISTERED 4

#endif

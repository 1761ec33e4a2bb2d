/* The control codes of \Device\Afd on sockets (afd.c), for the hook of NtDeviceIoControlFile. */
#ifndef AFD_H
#define AFD_H

/* CTL_CODE( 1, function, method, FILE_ANY_ACCESS ) */
enum afd_code
{
    AFD_BIND = 0x12003,
    AFD_LISTEN = 0x1200b,
    AFD_RECV = 0x12017,
    AFD_SEND = 0x1201f,
    AFD_POLL = 0x12024,
    AFD_GETSOCKNAME = 0x1202f,
    AFD_EVENT_SELECT = 0x12087,
    AFD_GET_EVENTS = 0x1208b
};

enum afd_poll_flag
{
    AFD_POLL_READ = 0x1,
    AFD_POLL_OOB = 0x2,
    AFD_POLL_WRITE = 0x4,
    AFD_POLL_HUP = 0x8,
    AFD_POLL_RESET = 0x10,
    AFD_POLL_CLOSE = 0x20,
    AFD_POLL_CONNECT = 0x40,
    AFD_POLL_ACCEPT = 0x80,
    AFD_POLL_CONNECT_ERR = 0x100
};
#define AFD_POLL_BITS 13

#endif

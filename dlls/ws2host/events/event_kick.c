/* Kicks received: see event_kick.h. The I/O loop's thread. */
#include <poll.h>
#include <sys/epoll.h>
#include "base/io_loop.h"
#include "events/changes.h"
#include "events/event_record.h"

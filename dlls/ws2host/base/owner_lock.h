/*
 * Locks that know their holder, for what is held for a few system calls at most. The loader ends threads at any
 * instruction: who waits for a lock whose holder is dead takes it over, and finds the queues whole but for what the holder
 * was about to do. A transfer that the host had just done for it is not known to be done: who goes on with the queue does it
 * again. No system call when nobody else is there.
 *
 * Held, a lock is the holder's thread number in the upper half, and in the lower a time at which that thread ran (1/100 s since
 * the machine started, as /proc has it, modulo 2^32): one that began later has the number again.
 */
#ifndef WS2HOST_OWNER_LOCK_H
#define WS2HOST_OWNER_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t owner_lock;

/* 1: from a dead holder, who may have been in the middle of anything. */
int owner_lock_take( owner_lock *lock );
int owner_lock_try( owner_lock *lock ); /* 0: somebody has it, the caller perhaps */
void owner_lock_give( owner_lock *lock );
/* The calling thread's number. */
uint32_t owner_lock_self( void );
/* The calling thread holds it. */
int owner_lock_held( const owner_lock *lock );

#endif

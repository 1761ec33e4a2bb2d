/*
 * Locks that know their holder, for what is held for a few system calls at most. The loader ends threads at any
 * instruction: who waits for a lock whose holder is dead takes it over, and finds the queues whole but for what the holder
 * was about to do. No system call when nobody else is there.
 */
#ifndef WS2HOST_OWNER_LOCK_H
#define WS2HOST_OWNER_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

void owner_lock_take( _Atomic uint32_t *lock );
int owner_lock_try( _Atomic uint32_t *lock ); /* 0: somebody has it, the caller perhaps */
void owner_lock_give( _Atomic uint32_t *lock );
/* What stands in a lock that the calling thread holds. */
uint32_t owner_lock_self( void );
/* The calling thread holds it. */
static inline int owner_lock_held( const _Atomic uint32_t *lock ) { return atomic_load( lock ) == owner_lock_self(); }

#endif

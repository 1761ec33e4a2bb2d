/*
 * Several descriptors of one socket in one process, while the server dies: each is redeemed, named, put into the descriptor
 * table, and closed by whichever thread; what the server counts is what is open. sharing.pml has one descriptor a process.
 * Names are those of connection.c, in_flight.c and shares.c.
 */
#ifndef SERVER_KILLS
#define SERVER_KILLS 2
#endif
#ifndef DESCRIPTORS
#define DESCRIPTORS 2
#endif

mtype = { REDEEM, NAME, CLOSE, PUBLISH, RESUMED };

/* --- the connection. A server that dies loses what was sent to it; what it has sent arrives. */
chan requests = [2 * DESCRIPTORS + 2] of { mtype, byte };
chan replies = [1] of { bit };
byte serial, connected;
bit serving = 1;

/* --- the process; a descriptor's handle is its number, and 0 while it has none */
bit mutex;                          /* connection's mutex */
byte in_flight[DESCRIPTORS + 1];    /* by handle */
bit installed[DESCRIPTORS + 1];     /* stands in the descriptor table */
bit open[DESCRIPTORS + 1];          /* the process may use it: from the answer to REDEEM until it is taken out */

/* --- the server */
byte held[DESCRIPTORS + 1];         /* holders by handle */
bit taking_over, kill_server;
byte server_kills;

#if DESCRIPTORS == 2
#define COUNT ( held[0] + held[1] + held[2] )
#define OPEN ( open[1] + open[2] )
#else
#define COUNT ( held[0] + held[1] + held[2] + held[3] )
#define OPEN ( open[1] + open[2] + open[3] )
#endif

/* share_check: the slot is freed */
inline check()
{
    if
    :: COUNT == 0 && !taking_over -> assert( OPEN == 0 )
    :: else
    fi
}

inline close_holder()
{
    if
    :: held[handle] -> held[handle] = held[handle] - 1
#ifdef BREAK_UNNAMED
    :: !held[handle] && held[0] -> held[0] = held[0] - 1
    :: !held[handle] && !held[0]
#else
    :: else
#endif
    fi
}

active proctype server()
{
    byte handle;

again:
    {
        do
        :: d_step { requests?REDEEM(handle); held[0] = held[0] + 1 }
           replies!1
        :: d_step { requests?NAME(handle); if :: held[0] -> held[0] = held[0] - 1; held[handle] = held[handle] + 1 :: else fi }
        :: d_step { requests?CLOSE(handle); close_holder(); check() }
        :: d_step { requests?PUBLISH(handle); held[handle] = held[handle] + 1 }
        :: d_step { requests?RESUMED(handle); taking_over = 0; check() }
        od
    } unless { kill_server }
    d_step
    {
        kill_server = 0;
        serial = serial + 1;
        do :: requests?_(_) :: empty( requests ) -> break od;
        handle = 0;
        do :: handle <= DESCRIPTORS -> held[handle] = 0; handle = handle + 1 :: else -> break od;
        handle = 0;
        taking_over = 1
    }
    goto again
}

/* publish_all: the descriptor table first, then what it has not shown */
active proctype server_monitor()
{
    byte handle, n;

    do
    :: d_step { connected != serial && !mutex && empty( replies ) -> mutex = 1; connected = serial }
       skip;
       do
       :: handle <= DESCRIPTORS ->
          d_step
          {
              n = in_flight[handle];
              if :: handle && installed[handle] && n == 0 -> n = 1 :: else fi
          }
          do
          :: d_step { n && connected == serial && nfull( requests ) -> requests!PUBLISH(handle); n = n - 1 }
          :: n && connected != serial -> n = 0
          :: !n -> break
          od;
          skip;
          handle = handle + 1
       :: else -> break
       od;
       skip;
       d_step
       {
           if :: connected == serial -> requests!RESUMED(0) :: else fi;
           handle = 0;
           mutex = 0
       }
    od
}

/* One descriptor: opened, and closed if that is what comes to be */
proctype descriptor( byte self )
{
again:
    skip;
    d_step { connected == serial && !mutex && nfull( requests ) -> mutex = 1; requests!REDEEM(0) }
    if
    :: d_step { replies?_; in_flight[0] = in_flight[0] + 1; open[self] = 1; mutex = 0 }
    :: d_step { connected != serial && empty( replies ) -> mutex = 0 }
       goto again
    fi;
    d_step
    {
        connected == serial && !mutex && nfull( requests ) ->
        requests!NAME(self);
        in_flight[0] = in_flight[0] - 1;
        in_flight[self] = 1
    }
    d_step { installed[self] = 1; in_flight[self] = 0 } /* its entry may be needed for a newer one */
    if
    :: skip -> goto rests
    :: skip
    fi;
    d_step { installed[self] = 0; open[self] = 0 } /* taken out */
    /* close_locked: for the server that the process is connected to, or for none */
    if
    :: d_step { connected == serial && !mutex && nfull( requests ) -> requests!CLOSE(self) }
    :: d_step { connected != serial && !mutex -> skip }
    fi;
rests:
    skip
}

active proctype fate()
{
    do
    :: server_kills < SERVER_KILLS && !kill_server -> d_step { server_kills = server_kills + 1; kill_server = 1 }
    :: break
    od
}

init
{
    byte i = 1;

    atomic { do :: i <= DESCRIPTORS -> run descriptor( i ); i = i + 1 :: else -> break od }
    timeout;
    assert( !mutex && !taking_over );
    assert( COUNT == OPEN )
}

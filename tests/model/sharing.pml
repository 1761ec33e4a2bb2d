/*
 * Slots, leases, tickets and take-over as a model that spin searches whole. States and messages have the names of
 * include/ws2host/table.h and protocol.h; README.md says what is left out.
 *
 * SOURCE leases the block of the one slot. It makes a socket, duplicates it for TARGET, and closes it from another thread
 * whenever that comes to run, and does so again in the same slot with the next generation. TARGET redeems what it is
 * given, tries it a second time, and closes. Either may be killed at any step, and the server up to SERVER_KILLS times.
 *
 * Client memory dies with its process and server memory with the server; the table stays. Times do not occur: a REDEEM that is
 * to come again ("parked") does so until the take-over ends.
 *
 * ISSUE: with each answer to DUPLICATE the server promises one number more, under which SOURCE issues the next ticket of the
 * socket without an answer, as long as the connection lasts.
 *
 * AHEAD: TARGET is answered before it asks, one ticket at a time. It opens the socket by that answer, and tells the server with the
 * CLOSE, or before it says anything else.
 */
#ifdef AHEAD
#define ANSWERS 2
#else
#define ANSWERS 1
#endif
#ifndef SERVER_KILLS
#define SERVER_KILLS 1
#endif
#ifndef DEATHS
#define DEATHS 2 /* of all three together */
#endif
#ifndef SOCKETS
#define SOCKETS 2
#endif
#ifndef DUPLICATES
#define DUPLICATES 1 /* of each socket */
#endif
#ifdef ISSUES
#define NUMBERS 2 /* a DUPLICATE costs one that is promised, too */
#else
#define NUMBERS 1
#endif
#define TICKETS ( SOCKETS * NUMBERS * ( DUPLICATES + SERVER_KILLS ) + 1 ) /* numbers from 1; a DUPLICATE whose answer is lost costs one */
#define SOURCE 0
#define TARGET 1
#define NONE 255
#define BIT( n ) ( 1 << ( n ) )
#define HAS( set, n ) ( ( set >> ( n ) ) & 1 )

mtype = { FREE, PRIVATE, SHARED };
mtype = { UNLEASED, LEASED, PINNED };
mtype = { DUPLICATE, REDEEM, CLOSE, NOTICE, PUBLISH, PUBLISH_TICKET, SPENT, RESUMED, ISSUE, TAKEN, CLOSE_TICKET };
mtype = { OK, REFUSED, AHEAD_OK };

/* --- the table: shared memory */
mtype state = FREE;
byte generation = 0;
mtype block = LEASED;   /* the block directory: UNLEASED is in nobody's hands, PINNED has shared slots and no lessee */
bit record[2] = 1;      /* the client directory */
byte sharing[2];        /* ws2_client_record.sharing */
byte claim[2];          /* ws2_claim.count of this generation */

/* --- connections. A server that dies loses what was sent to it; what it has sent arrives. */
chan requests[2] = [TICKETS + 2] of { mtype, byte };
chan replies[2] = [ANSWERS] of { mtype, byte };
byte cells;             /* tickets that ended, a bit per number: memory that the server and SOURCE share */
byte serial;            /* of the server: a connection is to one of them */
bit serving;            /* it has read the table and accepts */

/* --- the clients' memory */
bit alive[2] = 1;
byte descriptor[2] = NONE; /* generation of the socket whose descriptor stands in the descriptor table */
byte connected[2];      /* serial of the server that it is connected to */
bit mutex[2];           /* connection's mutex */
byte promised;          /* SOURCE: the number that came with the last answer on its connection, 0 for none */
byte kept;              /* SOURCE: kept_ticket, a bit per number */
byte spent_kept;        /* TARGET: spent, the last one, and of AHEAD all: of the others SOURCE knows by its cells */
byte stash, unsaid;     /* TARGET: an answer that came ahead; one that is used, and the server not told */
byte ticket_socket[TICKETS] = NONE; /* which socket a number was for */
chan infos = [SOCKETS * DUPLICATES] of { byte }; /* WSAPROTOCOL_INFO on its way, SOURCE to TARGET */
bit finished[2];

/* --- the server's memory */
bit share, known[2], missing[2], resuming[2], taking_over, holder[2];
byte awaited[2]; /* of what the claims said when it took over, what has not been published */
byte open, spent; /* a bit per ticket number */
byte share_generation, parked;
byte ahead;             /* the open ticket of which TARGET was sent the answer ahead, 0 for none */

/* --- what the model watches */
byte next_ticket = 1;
byte redeemed[TICKETS];
bit killed[2], kill[2], kill_server, leave_target;
byte server_kills;

#define COUNT ( holder[SOURCE] + holder[TARGET] + tickets_open )
byte tickets_open; /* how many open[] are set: issuer's ticket_count while it lives */

/* A descriptor that stands in a descriptor table has a slot that is its own. */
inline free_slot()
{
    assert( !( alive[SOURCE] && descriptor[SOURCE] == generation ) );
    assert( !( alive[TARGET] && descriptor[TARGET] == generation ) );
    generation = generation + 1;
    state = FREE
}

/* ================================================================================================================== */
/* The server. What others can see of a handler happens in its d_steps; the server may be killed between any two. */

#ifdef BREAK_SHARING
#define UNTOLD 0
#else
#define UNTOLD untold /* a source counts as sharing until the cell of its ticket is written */
#endif

#ifdef BREAK_CLAIMS
#define CLAIMED_UNTOLD 0
#else
#define CLAIMED_UNTOLD ( untold && ticket_socket[told] == share_generation ) /* and has its claim until then */
#endif

#ifdef BREAK_AHEAD
#define CLAIMED_AHEAD 0
#else
#define CLAIMED_AHEAD ( ahead != 0 ) /* it may have opened the ticket without saying so yet */
#endif

/* the claims too, of which none is left of a generation before */
inline set_sharing( c )
{
    if
    :: record[c] && known[c] ->
        sharing[c] = holder[c] + missing[c] + ( c == SOURCE -> tickets_open + UNTOLD : CLAIMED_AHEAD )
    :: else
    fi;
    claim[SOURCE] = ( share && known[SOURCE] -> holder[SOURCE] + tickets_open + CLAIMED_UNTOLD + awaited[SOURCE] : 0 );
    claim[TARGET] = ( share && known[TARGET] -> holder[TARGET] + CLAIMED_AHEAD + awaited[TARGET] : 0 )
}

/* share_check */
inline check()
{
    if
    :: share && COUNT == 0 && !awaited[SOURCE] && !awaited[TARGET] ->
        assert( state == SHARED && generation == share_generation );
        free_slot();
        share = 0;
        claim[SOURCE] = 0; claim[TARGET] = 0;
        if :: block == PINNED -> block = UNLEASED :: else fi
    :: else
    fi
}

inline reply( c, kind, value )
{
    if :: alive[c] && connected[c] == serial -> replies[c]!kind(value) :: else fi
}

inline ticket_end( n )
{
    open = open & ~BIT( n );
    tickets_open = tickets_open - 1;
    if :: known[SOURCE] -> told = n; untold = 1 :: else fi;
    if :: ahead == n -> ahead = 0; set_sharing( TARGET ) :: else fi;
    set_sharing( SOURCE );
    check()
}

/* answer_ahead: of a ticket that has just been issued */
inline answer_ahead( number )
{
#ifdef AHEAD
    if
    :: !ahead && alive[TARGET] && connected[TARGET] == serial && !resuming[TARGET] && !missing[TARGET] ->
        ahead = number;
        set_sharing( TARGET );
        replies[TARGET]!AHEAD_OK(number)
    :: else
    fi
#endif
    skip
}

/* ticket_take, of one that was answered; holds: the descriptor is not closed already */
inline take_answered( holds )
{
    if
    :: ahead && ahead == argument ->
        holder[TARGET] = ( holds -> 1 : holder[TARGET] );
        set_sharing( TARGET );
        ticket_end( argument )
    :: else
    fi
}

/* clients_tell_ended: when the event is done, after the reply */
inline tell_ended()
{
    if
    :: d_step { told -> cells = cells | BIT( told ); told = 0; untold = 0; set_sharing( SOURCE ) }
    :: else
    fi
}

inline redeem( number )
{
    if
    :: d_step { HAS( open, number ) -> silent = ( ahead == number ); holder[TARGET] = 1; set_sharing( TARGET ) }
       d_step { ticket_end( number ) }
       d_step { if :: silent -> silent = 0 :: else -> reply( TARGET, OK, number ) fi }
       tell_ended()
    :: else ->
       d_step { if :: taking_over -> parked = number :: else -> reply( TARGET, REFUSED, number ) fi }
    fi
}

inline retry_parked()
{
    if
    :: d_step { parked && ( !taking_over || HAS( open, parked ) ) -> argument = parked; parked = 0 }
       redeem( argument )
    :: else
    fi
}

inline takeover_check_end()
{
    if
    :: taking_over && !missing[SOURCE] && !missing[TARGET] -> taking_over = 0; spent = 0; ended = 1
    :: else
    fi
}

/* shares_settle_some, too */
inline done( c )
{
    resuming[c] = 0;
    awaited[c] = 0;
    set_sharing( c );
    check();
    if
    :: missing[c] -> missing[c] = 0; set_sharing( c ); takeover_check_end()
    :: else
    fi
}

inline after_takeover()
{
    if
    :: ended -> retry_parked(); ended = 0
    :: else
    fi
}

/* client_drop: the connection has closed, and all that was sent on it has been read; or its pidfd said so */
inline drop( c )
{
    d_step { holder[c] = 0; set_sharing( c ); check(); known[c] = 0 }
    if
    :: c == TARGET ->
        d_step
        {
            parked = 0;
            n = 1;
            do
            :: n < TICKETS -> if :: HAS( open, n ) -> ticket_end( n ); if :: told -> cells = cells | BIT( told ) :: else fi
                              :: else fi;
                              n = n + 1
            :: else -> break
            od;
            n = 0; told = 0; untold = 0;
            set_sharing( SOURCE )
        }
    :: else ->
        take_back()
    fi;
    d_step { record[c] = 0; sharing[c] = 0; done( c ) }
    after_takeover()
}

/* blocks_take_back: the block is in the directory until none of its slots needs it, BREAK_LEASE: and not a step less */
inline take_back()
{
#ifdef BREAK_LEASE
    block = UNLEASED;
#endif
    d_step { if :: !share && state != FREE -> free_slot() :: else fi }
    d_step { if :: share -> block = PINNED :: else -> block = UNLEASED fi }
}

inline duplicate()
{
    /* share_private: the owner counts as sharing before anybody can see a shared slot */
    if
    :: d_step { !share -> share = 1; share_generation = argument; holder[SOURCE] = 1; set_sharing( SOURCE ) }
       if
#ifdef BREAK_CAS
       :: state == PRIVATE && generation == argument -> state = SHARED
#else
       :: d_step { state == PRIVATE && generation == argument -> state = SHARED }
#endif
       :: else -> d_step { share = 0; holder[SOURCE] = 0; set_sharing( SOURCE ) } /* its owner closed first */
       fi
    :: else
    fi;
    d_step
    {
        if
        :: share && share_generation == argument && holder[SOURCE] && known[TARGET] ->
            assert( next_ticket < TICKETS );
            n = next_ticket;
            next_ticket = next_ticket + 1;
            ticket_socket[n] = argument;
            open = open | BIT( n );
            tickets_open = tickets_open + 1;
            set_sharing( SOURCE );
            answer_ahead( n );
            reply( SOURCE, OK, n );
#ifdef ISSUES
            promised = next_ticket; /* used by nobody before the answer is there */
            next_ticket = next_ticket + 1;
#endif
            n = 0
        :: else -> reply( SOURCE, REFUSED, 0 )
        fi;
        argument = 0
    }
}

/* ticket_keep_promise_consume; SOURCE is told of one that cannot be kept, and keeps it no longer */
inline issue()
{
    if
    :: share && share_generation == ticket_socket[argument] && holder[SOURCE] && known[TARGET] ->
        open = open | BIT( argument );
        tickets_open = tickets_open + 1;
        set_sharing( SOURCE );
        answer_ahead( argument )
    :: else -> cells = cells | BIT( argument )
    fi
}

/* CLAIMED_AGAIN */
inline published( c )
{
    if :: awaited[c] -> awaited[c] = awaited[c] - 1 :: else fi
}

inline publish_ticket()
{
    if
    :: resuming[SOURCE] && taking_over && share && share_generation == ticket_socket[argument] &&
       !HAS( open, argument ) && !HAS( spent, argument ) && known[TARGET] ->
        open = open | BIT( argument );
        tickets_open = tickets_open + 1;
        published( SOURCE );
        set_sharing( SOURCE );
        reply( SOURCE, OK, argument )
    :: else -> reply( SOURCE, REFUSED, argument )
    fi
}

inline close_descriptor( c )
{
    if
    :: share && share_generation == argument && holder[c] ->
        /* the one that is closed, not another; nor is one for which a ticket stands */
        assert( !( alive[c] && descriptor[c] == argument ) || ( c == TARGET && ahead ) );
        holder[c] = 0;
        set_sharing( c );
        check()
    :: else
    fi
}

inline publish( c )
{
    if
    :: resuming[c] && share && share_generation == argument ->
        if :: !holder[c] -> published( c ) :: else fi;
        holder[c] = 1;
        set_sharing( c );
        reply( c, OK, argument )
    :: else -> reply( c, REFUSED, argument )
    fi
}

inline ticket_spent()
{
    if
    :: resuming[TARGET] && HAS( open, argument ) -> ticket_end( argument )
    :: resuming[TARGET] && !HAS( open, argument ) -> spent = spent | BIT( argument )
    :: else
    fi
}

/* table_take_over, takeover_begin: one step, since nobody is served before it ends and it is done again when it dies */
inline takeover_begin()
{
    d_step
    {
        i = 0;
        do
        :: i < 2 ->
            if
            :: record[i] && alive[i] ->
                known[i] = 1;
#ifndef BREAK_TAKEOVER
                missing[i] = sharing[i] != 0
#endif
            :: record[i] && !alive[i] -> record[i] = 0; sharing[i] = 0
            :: else
            fi;
            i = i + 1
        :: else -> break
        od;
        i = 0;
        taking_over = 1;
        if
        :: block != UNLEASED && state == SHARED -> share = 1; share_generation = generation
        :: block != UNLEASED && state == PRIVATE && !known[SOURCE] -> free_slot()
        :: else
        fi;
        if
        :: block != UNLEASED && !known[SOURCE] -> block = ( share -> PINNED : UNLEASED )
        :: else
        fi;
        /* shares_restored */
        awaited[SOURCE] = ( share && missing[SOURCE] -> claim[SOURCE] : 0 );
        awaited[TARGET] = ( share && missing[TARGET] -> claim[TARGET] : 0 );
        set_sharing( SOURCE );
        check();
        takeover_check_end()
    }
    after_takeover();
    serving = 1
}

inline serve()
{
    do
    :: requests[SOURCE]?DUPLICATE(argument) -> duplicate()
    :: d_step { requests[SOURCE]?CLOSE(argument); close_descriptor( SOURCE ); argument = 0 }
    :: d_step { requests[SOURCE]?PUBLISH(argument); publish( SOURCE ); argument = 0 }
    :: d_step { requests[SOURCE]?PUBLISH_TICKET(argument); publish_ticket(); argument = 0 } retry_parked()
    :: d_step { requests[SOURCE]?RESUMED(argument); done( SOURCE ) } after_takeover()
    :: d_step { requests[SOURCE]?ISSUE(argument); issue(); argument = 0 }
#ifdef BREAK_HEARING
    :: d_step { !parked && requests[TARGET]?[REDEEM, _] -> requests[TARGET]?REDEEM(argument) }
#else
    /* the issuer is listened to first */
    :: d_step { !parked && requests[TARGET]?[REDEEM, _] && !requests[SOURCE]??[ISSUE, _] -> requests[TARGET]?REDEEM(argument) }
#endif
       redeem( argument ); argument = 0
    :: d_step { requests[TARGET]?CLOSE(argument); close_descriptor( TARGET ); argument = 0 }
    :: d_step { requests[TARGET]?TAKEN(argument); take_answered( 1 ); argument = 0 } tell_ended()
    :: d_step { requests[TARGET]?CLOSE_TICKET(argument); take_answered( 0 ); argument = 0 } tell_ended()
    :: d_step { requests[TARGET]?PUBLISH(argument); publish( TARGET ); argument = 0 }
    :: d_step { requests[TARGET]?SPENT(argument); ticket_spent(); argument = 0 } tell_ended()
    :: d_step { requests[TARGET]?RESUMED(argument); done( TARGET ) } after_takeover()
    :: known[SOURCE] && !alive[SOURCE] && empty( requests[SOURCE] ) -> drop( SOURCE )
    :: known[TARGET] && !alive[TARGET] && empty( requests[TARGET] ) -> drop( TARGET )
    od
}

active proctype server()
{
    byte argument, n, i, told;
    bit untold, ended, silent;

    known[SOURCE] = 1;
    known[TARGET] = 1;
    serving = 1;
again:
    { serve() } unless { kill_server }
    d_step
    {
        kill_server = 0;
        serving = 0;
        serial = serial + 1;
        do :: requests[SOURCE]?_(_) :: empty( requests[SOURCE] ) -> break od;
        do :: requests[TARGET]?_(_) :: empty( requests[TARGET] ) -> break od;
        share = 0; share_generation = 0; parked = 0; taking_over = 0; tickets_open = 0; told = 0; untold = 0; ended = 0;
        argument = 0; n = 0; ahead = 0; silent = 0;
        known[0] = 0; known[1] = 0; missing[0] = 0; missing[1] = 0; resuming[0] = 0; resuming[1] = 0;
        holder[0] = 0; holder[1] = 0;
        awaited[0] = 0; awaited[1] = 0;
        open = 0; spent = 0
    }
    { takeover_begin() } unless { kill_server };
    goto again
}

/* ================================================================================================================== */
/* The clients */

#define HUNG_UP( c ) ( connected[c] != serial && empty( replies[c] ) )
/* while no answer is waited for: what came ahead goes with the connection */
#ifdef AHEAD
#define IDLE_HUNG_UP( c ) ( connected[c] != serial )
#else
#define IDLE_HUNG_UP( c ) HUNG_UP( c )
#endif

/* CLOSE to the server that the process is connected to; one-way, so it may be lost with the server. One that has died in
 * the eyes of the process is told nothing, and neither is the next: it is never told of the descriptor. */
inline tell( c, kind, value )
{
    if
    :: d_step { connected[c] == serial && !mutex[c] && nfull( requests[c] ) -> requests[c]!kind(value) }
    :: d_step { IDLE_HUNG_UP( c ) && !mutex[c] -> skip }
    fi
}

/* tickets_prepare's part */
inline tell_used()
{
    if
    :: unsaid -> requests[TARGET]!TAKEN(unsaid); unsaid = 0
    :: else
    fi
}

/* server_monitor.c, and whichever thread finds the connection gone: publishes what the process holds. */
inline connect( c )
{
    serving && !mutex[c] && IDLE_HUNG_UP( c ) ->
    mutex[c] = 1;
    if
    :: c == TARGET -> stash = 0; unsaid = 0; do :: replies[c]?_(_) :: empty( replies[c] ) -> break od
    :: else
    fi;
    connected[c] = serial;
    if :: c == SOURCE -> promised = 0 :: else fi;
    if :: known[c] -> resuming[c] = 1 :: else fi
}

inline publish_descriptor( c )
{
    if
    :: d_step { descriptor[c] != NONE && state == SHARED && connected[c] == serial -> requests[c]!PUBLISH(descriptor[c]) }
       do
       :: replies[c]?AHEAD_OK(stash)
       :: replies[c]?OK(_) -> break
       :: replies[c]?REFUSED(_) -> break
       :: HUNG_UP( c ) -> break
       od;
       skip
    :: else
    fi;
    skip
}

active proctype source_monitor()
{
    byte number = 1;

    {
        do
        :: d_step { connect( SOURCE ) }
           publish_descriptor( SOURCE );
#ifndef BREAK_CELLS
           d_step { kept = kept & ~cells } /* drop_ended */
#endif
           do
           :: d_step
              {
                  connected[SOURCE] == serial && ( kept >> number ) ->
                  do :: !HAS( kept, number ) -> number = number + 1 :: else -> break od;
                  requests[SOURCE]!PUBLISH_TICKET(number)
              }
              if
              :: replies[SOURCE]?OK(_)
              :: d_step { replies[SOURCE]?REFUSED(_) -> kept = kept & ~BIT( number ) }
              :: HUNG_UP( SOURCE )
              fi;
              number = number + 1
           :: else -> break
           od;
           skip;
           d_step
           {
               if :: connected[SOURCE] == serial -> requests[SOURCE]!RESUMED(0) :: else fi;
               mutex[SOURCE] = 0;
               number = 1
           }
        :: d_step { !mutex[SOURCE] && ( kept & cells ) -> kept = kept & ~cells } /* tickets_ended: whenever it comes to run */
        od
    } unless { !alive[SOURCE] }
}

active proctype target_monitor()
{
    byte number = 1;

    {
        do
        :: d_step { connect( TARGET ) }
           publish_descriptor( TARGET );
           d_step
           {
               if
               :: connected[TARGET] == serial ->
#ifndef BREAK_SPENT
                   do
                   :: number < TICKETS ->
                       if :: HAS( spent_kept, number ) -> requests[TARGET]!SPENT(number) :: else fi;
                       number = number + 1
                   :: else -> break
                   od;
                   number = 1;
#endif
                   requests[TARGET]!RESUMED(0)
               :: else
               fi;
               mutex[TARGET] = 0
           }
        od
    } unless { !alive[TARGET] }
}

/* WSADuplicateSocket on one thread while another calls closesocket */
bit closing; /* there is something to close */

active proctype source()
{
    byte number, i, duplicates;

    {
        do
        :: i < SOCKETS ->
            if
            :: state == FREE ->
                d_step
                {
                    /* occupy */
                    state == FREE && descriptor[SOURCE] == NONE && !closing ->
                    assert( descriptor[TARGET] != generation || !alive[TARGET] );
                    state = PRIVATE;
                    descriptor[SOURCE] = generation;
                    closing = 1
                }
                i = i + 1;
                duplicates = 0;
again:          skip;
#ifdef ISSUES
                if
                :: promised ->
                    d_step
                    {
                        !mutex[SOURCE] && ( connected[SOURCE] != serial || nfull( requests[SOURCE] ) ) ->
                        if
                        :: promised && connected[SOURCE] == serial && descriptor[SOURCE] != NONE && state == SHARED &&
                           generation == descriptor[SOURCE] ->
                            number = promised;
                            promised = 0;
                            ticket_socket[number] = descriptor[SOURCE];
                            kept = kept | BIT( number );
                            requests[SOURCE]!ISSUE(number)
                        :: else -> promised = 0 /* it asks */
                        fi
                    }
                    if
                    :: number ->
                        infos!number;
                        number = 0;
                        duplicates = duplicates + 1;
                        if :: duplicates < DUPLICATES -> goto again :: else -> goto issued fi
                    :: else
                    fi
                :: else
                fi;
#endif
                d_step
                {
                    connected[SOURCE] == serial && serving && !mutex[SOURCE] && nfull( requests[SOURCE] ) ->
                    if
                    :: descriptor[SOURCE] != NONE ->
                        mutex[SOURCE] = 1;
                        requests[SOURCE]!DUPLICATE(descriptor[SOURCE]);
                        number = 1
                    :: else -> number = 0 /* it was closed first: WSAENOTSOCK */
                    fi
                }
                if
                :: number ->
                    if
                    :: d_step { replies[SOURCE]?OK(number); kept = kept | BIT( number ); mutex[SOURCE] = 0 }
                       infos!number;
                       duplicates = duplicates + 1;
                       if :: duplicates < DUPLICATES -> goto again :: else fi
                    :: d_step { replies[SOURCE]?REFUSED(_); mutex[SOURCE] = 0 }
                    :: d_step { HUNG_UP( SOURCE ) -> mutex[SOURCE] = 0 }
                       goto again
                    fi
                :: else
                fi;
issued:         skip;
                number = 0;
                !closing
            :: state != FREE -> i = i + 1 /* its slots come from elsewhere */
            fi
        :: else -> break
        od;
        finished[SOURCE] = 1
    } unless { kill[SOURCE] }
    d_step { if :: kill[SOURCE] -> alive[SOURCE] = 0; descriptor[SOURCE] = NONE; kill[SOURCE] = 0 :: else fi }
}

active proctype source_closer()
{
    byte g = NONE;

    {
        do
        :: d_step { closing && descriptor[SOURCE] != NONE -> g = descriptor[SOURCE]; descriptor[SOURCE] = NONE }
           if
           :: d_step { state == PRIVATE && generation == g -> free_slot() } /* lease_give_back */
           :: else -> tell( SOURCE, CLOSE, g )
           fi;
           d_step { g = NONE; closing = 0 }
        od
    } unless { !alive[SOURCE] }
}

inline opened( number )
{
    redeemed[number] = redeemed[number] + 1;
    assert( redeemed[number] == 1 );
    descriptor[TARGET] = ticket_socket[number];
    assert( state == SHARED && generation == ticket_socket[number] )
}

active proctype target()
{
    byte number, g = NONE;

    {
        do
        :: infos?number ->
again:      skip;
#ifdef AHEAD
            d_step
            {
                !mutex[TARGET] ->
                if :: !stash && replies[TARGET]?[AHEAD_OK, _] -> replies[TARGET]?AHEAD_OK(stash) :: else fi;
                if
                :: stash == number ->
                    opened( number );
                    spent_kept = spent_kept | BIT( number );
                    unsaid = number;
                    stash = 0
                :: else
                fi
            }
            if :: redeemed[number] -> goto use :: else fi;
#endif
            d_step { connected[TARGET] == serial && serving && !mutex[TARGET] && len( requests[TARGET] ) < TICKETS ->
                     mutex[TARGET] = 1; tell_used(); requests[TARGET]!REDEEM(number) }
waits:      skip;
            if
#ifdef AHEAD
            :: d_step
               {
                   replies[TARGET]?AHEAD_OK(stash);
                   if
                   :: stash == number ->
                       opened( number );
                       spent_kept = spent_kept | BIT( number );
                       stash = 0;
                       mutex[TARGET] = 0
                   :: else
                   fi
               }
               if :: redeemed[number] -> skip :: else -> goto waits fi
#endif
            :: d_step
               {
                   replies[TARGET]?OK(_);
                   opened( number );
#ifdef AHEAD
                   spent_kept = spent_kept | BIT( number );
#else
                   spent_kept = BIT( number );
#endif
                   mutex[TARGET] = 0
               }
            :: d_step
               {
                   replies[TARGET]?REFUSED(_);
                   /* only a source that died with the server takes its tickets along */
                   assert( redeemed[number] == 1 || ( killed[SOURCE] && server_kills ) );
                   mutex[TARGET] = 0;
                   redeemed[number] = 1 /* not again */
               }
               number = 0
            :: d_step { HUNG_UP( TARGET ) -> mutex[TARGET] = 0 }
               goto again
            fi;
use:        skip;
            if
            :: number && descriptor[TARGET] != NONE -> /* a second time, while the descriptor is open */
                if
                :: goto again_with_descriptor
                :: skip
                fi
            :: else
            fi;
closes:     skip;
            if
            :: descriptor[TARGET] != NONE ->
                d_step { g = descriptor[TARGET]; descriptor[TARGET] = NONE }
#ifdef AHEAD
                if
                :: d_step { connected[TARGET] == serial && !mutex[TARGET] && nfull( requests[TARGET] ) ->
                            if :: unsaid -> requests[TARGET]!CLOSE_TICKET(unsaid); unsaid = 0
                            :: else -> requests[TARGET]!CLOSE(g) fi }
                :: d_step { IDLE_HUNG_UP( TARGET ) && !mutex[TARGET] -> unsaid = 0 }
                fi;
#else
                tell( TARGET, CLOSE, g );
#endif
                g = NONE
            :: else
            fi;
            number = 0
        :: leave_target && empty( infos ) -> break
        od;
        goto gone;
again_with_descriptor:
        skip;
        d_step { connected[TARGET] == serial && serving && !mutex[TARGET] && len( requests[TARGET] ) < TICKETS ->
                 mutex[TARGET] = 1; tell_used(); requests[TARGET]!REDEEM(number) }
refused:
        skip;
        if
#ifdef AHEAD
        :: replies[TARGET]?AHEAD_OK(stash) -> assert( stash != number ); goto refused
#endif
        :: d_step { replies[TARGET]?OK(_); assert( false ) }
        :: d_step { replies[TARGET]?REFUSED(_); mutex[TARGET] = 0 }
        :: d_step { HUNG_UP( TARGET ) -> mutex[TARGET] = 0 }
           goto again_with_descriptor
        fi;
        goto closes
    } unless { kill[TARGET] };
gone:
    skip;
    d_step { alive[TARGET] = 0; descriptor[TARGET] = NONE; kill[TARGET] = 0 }
}

/* --- who dies when */
active proctype fate()
{
    byte deaths;

    do
    :: deaths < DEATHS && server_kills < SERVER_KILLS && !kill_server ->
        d_step { deaths = deaths + 1; server_kills = server_kills + 1; kill_server = 1 }
    :: deaths < DEATHS && !killed[SOURCE] && !finished[SOURCE] ->
        d_step { deaths = deaths + 1; killed[SOURCE] = 1; kill[SOURCE] = 1 }
    :: deaths < DEATHS && !killed[TARGET] && !leave_target ->
        d_step { deaths = deaths + 1; killed[TARGET] = 1; kill[TARGET] = 1 }
    :: deaths == DEATHS || finished[SOURCE] -> break
    od
}

/* --- at rest, nothing is left: the target's end takes what it never opened */
active proctype rest()
{
    timeout;
    /* nobody waits for an answer for ever */
    assert( ( finished[SOURCE] || !alive[SOURCE] ) && ( empty( infos ) || !alive[TARGET] ) && !parked );
    assert( !( mutex[SOURCE] && alive[SOURCE] ) && !( mutex[TARGET] && alive[TARGET] ) );
    if
    :: !killed[SOURCE] && !killed[TARGET] ->
        assert( state == FREE && !tickets_open && !holder[SOURCE] && !holder[TARGET] )
    :: else
    fi;
    leave_target = 1;
    timeout;
    assert( !taking_over );
    assert( state == FREE && !share );
    assert( !tickets_open && !holder[SOURCE] && !holder[TARGET] );
    assert( record[SOURCE] == alive[SOURCE] && !record[TARGET] );
    assert( empty( requests[SOURCE] ) && empty( requests[TARGET] ) )
}

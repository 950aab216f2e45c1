%% The work of the cases on the BEAM: each is done twice, and the second time is measured. Prints one line of JSON.
-module(otp).
-behaviour(gen_server).
-behaviour(supervisor).
-export([main/1, start_listener/0, init/1, handle_call/3, handle_cast/2]).

main([Case | Numbers]) ->
  Work = work(list_to_atom(Case), [list_to_integer(Each) || Each <- Numbers]),
  Work(),
  erlang:garbage_collect(),
  {Answer, Nanoseconds, CpuMs} = Work(),
  io:format("{\"answer\":~b,\"seconds\":~.9f,\"cpuSeconds\":~.6f}~n", [Answer, Nanoseconds / 1.0e9, CpuMs / 1.0e3]),
  halt().

%% Each answers with what the round has done, how long it took and what processor time it used.
work(ping_pong, [Turns]) -> fun() -> ping_pong(Turns) end;
work(spawn_bare, [Count]) -> fun() -> spawn_bare(Count) end;
work(spawn_supervised, [Count]) -> fun() -> spawn_supervised(Count) end;
work(ring, [Size, Tokens, Hops]) -> fun() -> ring(Size, Tokens, Hops) end;
work(fan_in, [Senders, Each]) -> fun() -> fan_in(Senders, Each) end.

timed(Work) ->
  {CpuBefore, _} = erlang:statistics(runtime),
  Begun = erlang:monotonic_time(nanosecond),
  Answer = Work(),
  Ended = erlang:monotonic_time(nanosecond),
  {CpuAfter, _} = erlang:statistics(runtime),
  {Answer, Ended - Begun, CpuAfter - CpuBefore}.

ping_pong(Turns) ->
  Main = self(),
  timed(fun() ->
    Ping = spawn(fun() -> receive {other, Other} -> player(Other, Main, 0) end end),
    Pong = spawn(fun() -> player(Ping, Main, 0) end),
    Ping ! {other, Pong},
    Ping ! {ball, Turns},
    Handled = receive {done, Mine} -> Mine end,
    [Each ! {stop, Main} || Each <- [Ping, Pong]],
    Sum = lists:sum([receive {handled, Count} -> Count end || _ <- [Ping, Pong]]),
    true = Handled =< Sum,
    Sum
  end).

player(Other, Main, Handled) ->
  receive
    {ball, 1} -> Main ! {done, Handled + 1}, player(Other, Main, Handled + 1);
    {ball, Left} -> Other ! {ball, Left - 1}, player(Other, Main, Handled + 1);
    {stop, From} -> From ! {handled, Handled}
  end.

%% Processes that nobody supervises: the least that an Erlang program can start.
spawn_bare(Count) ->
  Result = timed(fun() ->
    All = [spawn(fun listener/0) || _ <- lists:seq(1, Count)],
    lists:last(All) ! {hello, self()},
    receive here -> ok end,
    put(all, All),
    length(All)
  end),
  [exit(Each, kill) || Each <- erase(all)],
  Result.

listener() -> receive {hello, From} -> From ! here, listener() end.

%% Servers below a supervisor of dynamic children: what OTP's documentation has a program start.
spawn_supervised(Count) ->
  {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
  Result = timed(fun() ->
    All = [begin {ok, Each} = supervisor:start_child(Supervisor, []), Each end || _ <- lists:seq(1, Count)],
    here = gen_server:call(lists:last(All), hello),
    length(All)
  end),
  unlink(Supervisor),
  Watch = monitor(process, Supervisor),
  exit(Supervisor, shutdown),
  receive {'DOWN', Watch, _, _, _} -> ok end,
  Result.

start_listener() -> gen_server:start_link(?MODULE, listener, []).

init(supervisor) ->
  Child = #{id => listener, start => {?MODULE, start_listener, []}, shutdown => brutal_kill},
  {ok, {#{strategy => simple_one_for_one}, [Child]}};
init(listener) -> {ok, 0}.

handle_call(hello, _From, State) -> {reply, here, State}.
handle_cast(_, State) -> {noreply, State}.

ring(Size, Tokens, Hops) ->
  Main = self(),
  First = spawn(fun() -> receive {next, Next} -> hopper(Next, Main) end end),
  All = lists:foldl(fun(_, [Next | _] = Made) -> [spawn(fun() -> hopper(Next, Main) end) | Made] end, [First], lists:seq(2, Size)),
  First ! {next, hd(All)},
  Ring = list_to_tuple(All),
  Result = timed(fun() ->
    [element(At * Size div Tokens + 1, Ring) ! {token, Hops} || At <- lists:seq(0, Tokens - 1)],
    [receive done -> ok end || _ <- lists:seq(1, Tokens)],
    Tokens * Hops
  end),
  [exit(Each, kill) || Each <- All],
  Result.

hopper(Next, Main) ->
  receive
    {token, 0} -> Main ! done;
    {token, Left} -> Next ! {token, Left - 1}
  end,
  hopper(Next, Main).

fan_in(Senders, Each) ->
  Main = self(),
  timed(fun() ->
    Sink = spawn(fun() -> sink(Senders * Each, 0, Main) end),
    [spawn(fun() -> receive go -> sender(Sink, 0, Each) end end) ! go || _ <- lists:seq(1, Senders)],
    receive {sum, Sum} -> Sum end
  end).

sink(0, Sum, Main) -> Main ! {sum, Sum};
sink(Left, Sum, Main) -> receive {item, Value} -> sink(Left - 1, Sum + Value, Main) end.

sender(_, Each, Each) -> ok;
sender(Sink, Value, Each) -> Sink ! {item, Value}, sender(Sink, Value + 1, Each).

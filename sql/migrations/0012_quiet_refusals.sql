-- What a client is refused is in nobody's log as an error: with its detail, context and
-- statement each was two kilobytes, as many as a client likes. Faults of ours are logged
-- as ever. Where the one who migrates may not give this, refusals are logged.

do $$
begin
    grant set on parameter log_min_messages to pos_api, pos_daemon;
exception when insufficient_privilege then
    raise notice 'refusals go on to be logged: grant set on parameter log_min_messages to pos_api, pos_daemon';
end
$$;

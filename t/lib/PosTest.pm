package PosTest;

# A whole instance for a test: PostgreSQL, posd and nginx on their own port and state
# folder, started by build.sh itself, so that what is tested is what people run.
#
#   my $pos = PosTest->start(check_responses => 'on');
#   my $r = $pos->get('/healthz');            # {status, headers, body, json}
#   my $q = $pos->quote({lines => [...]});
#   $pos->wait_for('posd back', 10, sub { ... });
#
# At END everything is stopped and the logs are read: an [alert], [emerg] or sanitizer
# line fails the test, as does a connection that nginx still counts.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use Errno ();
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(TCP_NODELAY IPPROTO_TCP);
use Test::More;
use Time::HiRes qw(time sleep);

our $ROOT  = abs_path(dirname(__FILE__) . '/../..');
our $BUILD = $ENV{POS_BUILD} || "$ROOT/build";
our $JSON  = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

my @running;

sub json   { my ($value) = @_; return $JSON->encode($value) }
sub parse  { my ($text)  = @_; return eval { $JSON->decode($text) } }
sub slurp  { my ($path) = @_; open my $f, '<:raw', $path or return; local $/; return scalar <$f> }

sub spurt {
    my ($path, $text) = @_;
    open my $f, '>:raw', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
        or die "no free port: $!";
    return $s->sockport;
}

# Options: sample (default 1), check_responses, workers, pool, h2 (1 gives a port for
# HTTP/2), nginx_http, nginx_server, env => {...}.
sub start {
    my ($class, %o) = @_;
    my $self = $class->new(%o);
    $self->start_again;
    return $self->started;
}

# The same, not started yet: for a test of how it starts.
sub new {
    my ($class, %o) = @_;
    my $port = free_port();
    my $self = bless {
        port => $port, dir => "/tmp/pos-t-$$-$port", options => \%o, expect_log => [],
    }, $class;
    $self->{h2_port} = free_port() if $o{h2};
    push @running, $self;
    return $self;
}

sub started {
    my ($self) = @_;
    $self->{state} = abs_path($self->{dir});
    $self->{keys}  = parse(slurp("$self->{dir}/keys.json") // '{}');
    return $self;
}

sub environment {
    my ($self) = @_;
    my $o = $self->{options};
    return (
        POS_PORT => $self->{port}, POS_DIR => $self->{dir}, POS_SKIP_BUILD => 1,
        POS_PG_NOSYNC => $o->{durable} ? '' : 1,
        POS_BUILD => $BUILD,
        POS_CHECK_RESPONSES => $o->{check_responses} // 'on',
        POS_SAMPLE          => $o->{sample}          // 1,
        POS_STOP_SECONDS    => 20,
        ($o->{workers}      ? (POS_WORKERS      => $o->{workers})      : ()),
        ($o->{pool}         ? (POS_POOL         => $o->{pool})         : ()),
        ($o->{nginx_http}   ? (POS_NGINX_HTTP   => $o->{nginx_http})   : ()),
        ($o->{nginx_server} ? (POS_NGINX_SERVER => $o->{nginx_server}) : ()),
        ($self->{h2_port}   ? (POS_H2_PORT      => $self->{h2_port})   : ()),
        %{ $o->{env} || {} },
    );
}

sub build_sh {
    my ($self, @command) = @_;
    my $out = "$self->{dir}.out";
    my $pid = $self->build_sh_begin($out, @command);
    waitpid $pid, 0;
    my $code = $? >> 8;
    $self->{output} = slurp($out);
    unlink $out;
    return $code;
}

# Its process, which leads a process group of its own as a shell's foreground job does.
sub build_sh_begin {
    my ($self, $out, @command) = @_;
    my %env = $self->environment;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @ENV{ keys %env } = values %env;
        delete $ENV{POS_TEMPLATE} if !($self->{options}{sample} // 1);
        local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
        setpgrp 0, 0 if $command[0] eq 'run';
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $out;
        open STDERR, '>&', \*STDOUT;
        exec "$ROOT/build.sh", @command or die "build.sh: $!";
    }
    return $pid;
}

sub start_again {
    my ($self) = @_;
    my $code = $self->build_sh('start');
    BAIL_OUT("instance does not start: $self->{output}" . $self->log_tail) if $code;
    return $self;
}

sub stop { my ($self) = @_; return $self->build_sh('stop') }

# --- processes -------------------------------------------------------------

sub pid {
    my ($self, $name) = @_;
    my $file = $name eq 'postgres' ? "$self->{dir}/pg/postmaster.pid" : "$self->{dir}/run/$name.pid";
    my ($pid) = (slurp($file) // '') =~ /^(\d+)/;
    return $pid;
}

# Of nginx's children those that still serve: one that shuts down is not counted.
sub workers {
    my ($self) = @_;
    my $master = $self->pid('nginx') or return;
    return grep { (slurp("/proc/$_/cmdline") // '') =~ /worker process(?! is shutting)/ } children($master);
}

sub children {
    my ($pid) = @_;
    return split ' ', slurp("/proc/$pid/task/$pid/children") // '';
}

sub alive { my ($pid) = @_; return (slurp("/proc/$pid/stat") // '') =~ /\) [^ZX]/ }

sub kill9 {
    my ($self, $pid) = @_;
    kill 'KILL', $pid;
    $self->wait_for("process $pid gone", 5, sub { !alive($pid) });
    return;
}

sub reload { my ($self) = @_; kill 'HUP', $self->pid('nginx'); return }

# `immediate` loses its connections at once; `fast` says goodbye to them.
sub stop_postgres {
    my ($self, $mode) = @_;
    return $self->pg_ctl('stop', '-m', $mode || 'fast');
}

sub start_postgres {
    my ($self) = @_;
    return $self->pg_ctl('start', '-l', "$self->{state}/log/postgres.log");
}

sub pg_ctl {
    my ($self, @command) = @_;
    return quietly(service_user(), '/usr/lib/postgresql/15/bin/pg_ctl', '-D', "$self->{state}/pg",
        '-w', '-t', 30, '-s', @command);
}

# As build.sh starts it, where no watcher does.
sub start_posd {
    my ($self, @options) = @_;
    die "a watcher starts posd too: POS_WATCH must be 0\n" if $self->{options}{env}{POS_WATCH} // 1;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @running = ();
        chdir '/';
        POSIX::setsid();
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/log/posd.log";
        open STDERR, '>&', \*STDOUT;
        exec service_user(), 'sh', '-c', 'echo $$ > "$1"; shift; exec "$@"', 'posd', "$self->{state}/run/posd.pid", "$self->{state}/lib/posd", 'run',
            '--database', "host=$self->{state}/run dbname=pos user=pos_daemon", '--replica', "$self->{state}/replica", '--spool', "$self->{state}/spool", @options
            or POSIX::_exit(127);
    }
    return $self->wait_for('posd', 5, sub { my $p = $self->pid('posd'); $p && alive($p) });
}

sub service_user {
    return $> ? () : qw(setpriv --reuid postgres --regid postgres --init-groups env HOME=/tmp);
}

sub quietly {
    my (@command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        chdir '/';
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec @command or exit 127;
    }
    waitpid $pid, 0;
    return $? >> 8;
}

sub sql {
    my ($self, $text, $role) = @_;
    my @command = (service_user(), 'psql', '-XqtA', '-v', 'ON_ERROR_STOP=1', '-h', "$self->{state}/run",
        '-U', $role || 'pos_super', '-d', 'pos', '-c', $text);
    open my $out, '-|', @command or die "psql: $!";
    local $/;
    my $answer = <$out>;
    close $out;
    $answer //= '';
    $answer =~ s/\n\z//;
    return $answer;
}

# posd's own proof: the replica holds what the tables hold.
sub check_replica {
    my ($self, $name) = @_;
    my @command = (service_user(), "$self->{state}/lib/posd", 'check',
        '--database', "host=$self->{state}/run dbname=pos user=pos_daemon",
        '--replica', "$self->{state}/replica");
    my ($ok, $said) = (0, '');
    my $end = time + 20;
    until ($ok || time > $end) {
        $said = command_output(@command);
        $ok   = $? == 0;
        select undef, undef, undef, 0.1 if !$ok;
    }
    return ok($ok, $name || 'the replica equals the tables') || diag($said);
}

sub command_output {
    my (@command) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or exit 127;
    }
    local $/;
    my $text = <$out>;
    close $out;
    return $text // '';
}

sub wait_for {
    my ($self, $name, $seconds, $condition) = @_;
    my $end = time + $seconds;
    while (1) {
        my $result = $condition->();
        return $result if $result;
        if (time > $end) {
            diag("waited $seconds s in vain for: $name");
            return;
        }
        select undef, undef, undef, 0.01;
    }
}

# --- HTTP --------------------------------------------------------------------

sub connect {
    my ($self, $port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port || $self->{port}, Timeout => 5);
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1 if $s;
    return $s;
}

sub key {
    my ($self, $role, $mode) = @_;
    return $self->{keys}{ $mode || 'sandbox' }{ $role || 'admin' };
}

# request('POST', '/v1/quotes', json => {...}, key => 'pos_test_…'|undef, headers => {...},
# body => bytes, chunked => n (bytes a chunk), socket => kept-alive socket, timeout => s)
sub request {
    my ($self, $method, $path, %o) = @_;
    my $text   = $self->request_text($method, $path, %o);
    my $socket = $o{socket} || $self->connect or return { status => 0, headers => {}, body => "connect: $!" };
    my $left = send_all($socket, $text, $o{timeout} || 20);
    my $answer = read_answer($socket, $method, $o{timeout} || 20);
    close $socket if !$o{socket};
    $answer->{sent_all} = $left;
    return $answer;
}

sub request_text {
    my ($self, $method, $path, %o) = @_;
    my $body = exists $o{json} ? json($o{json}) : $o{body};
    my $key  = exists $o{key} ? $o{key} : $self->key('admin');
    my %h = (
        Host => "127.0.0.1:$self->{port}",
        ($o{socket}   ? () : (Connection => 'close')),
        (defined $key ? (Authorization => "Bearer $key") : ()),
        (defined $body ? ('Content-Type' => 'application/json') : ()),
        %{ $o{headers} || {} },
    );
    if (defined $body) {
        if ($o{chunked}) { $h{'Transfer-Encoding'} = 'chunked'; $body = chunked($body, $o{chunked}) }
        else             { $h{'Content-Length'} //= length $body }
    }
    my $head = "$method $path HTTP/1.1\r\n"
        . join('', map { defined $h{$_} ? "$_: $h{$_}\r\n" : () } sort keys %h) . "\r\n";
    utf8::encode($head) if utf8::is_utf8($head);
    return $head . ($body // '');
}

sub chunked {
    my ($body, $size) = @_;
    my $out = '';
    for (my $at = 0; $at < length $body; $at += $size) {
        my $part = substr $body, $at, $size;
        $out .= sprintf "%x\r\n%s\r\n", length $part, $part;
    }
    return $out . "0\r\n\r\n";
}

# Stops early when the server answers before it has read all (413, 401).
sub send_all {
    my ($socket, $text, $timeout) = @_;
    my ($at, $end) = (0, time + $timeout);
    my $select = IO::Select->new($socket);
    local $SIG{PIPE} = 'IGNORE';
    $socket->blocking(0);
    while ($at < length $text && time < $end) {
        my $n = syswrite $socket, $text, 65536, $at;
        if (defined $n) { $at += $n; next }
        last if !$!{EAGAIN} && !$!{EINTR};
        last if $select->can_read(0);
        $select->can_write(0.2);
    }
    $socket->blocking(1);
    return $at == length $text;
}

sub read_answer {
    my ($socket, $method, $timeout) = @_;
    my $r = { status => 0, headers => {}, body => '', started => time };
    my $buffer = ${*$socket}{pos_rest} // '';
    ${*$socket}{pos_rest} = '';
    my $end = time + $timeout;
    while ($buffer !~ /\r\n\r\n/) {
        read_more($socket, \$buffer, $end) or return fail_answer($r, $buffer);
    }
    ($r->{head}, $buffer) = split /\r\n\r\n/, $buffer, 2;
    my ($first, @fields) = split /\r\n/, $r->{head};
    ($r->{status}) = $first =~ m{^HTTP/1\.[01] (\d+)};
    for (@fields) { my ($n, $v) = split /:\s*/, $_, 2; $r->{headers}{ lc $n } = $v }
    my $length = $r->{headers}{'content-length'};
    my $empty  = $method eq 'HEAD' || $r->{status} == 204 || $r->{status} == 304;
    if ($empty) { $r->{body} = '' }
    elsif (($r->{headers}{'transfer-encoding'} // '') eq 'chunked') {
        read_chunks($socket, \$buffer, $end, $r) or return fail_answer($r, $buffer);
    }
    elsif (defined $length) {
        while (length $buffer < $length) { read_more($socket, \$buffer, $end) or return fail_answer($r, $buffer) }
        $r->{body} = substr $buffer, 0, $length, '';
    }
    else {
        1 while read_more($socket, \$buffer, $end);
        ($r->{body}, $buffer) = ($buffer, '');
    }
    ${*$socket}{pos_rest} = $buffer;
    $r->{seconds} = time - $r->{started};
    $r->{json} = parse($r->{body}) if ($r->{headers}{'content-type'} // '') =~ /json\b/;
    return $r;
}

sub fail_answer {
    my ($r, $buffer) = @_;
    return { %$r, status => 0, body => $buffer, broken => 1 };
}

sub read_more {
    my ($socket, $buffer, $end) = @_;
    my $left = $end - time;
    return 0 if $left <= 0 || !IO::Select->new($socket)->can_read($left);
    return sysread $socket, $$buffer, 262_144, length $$buffer;
}

sub read_chunks {
    my ($socket, $buffer, $end, $r) = @_;
    while (1) {
        until ($$buffer =~ /\r\n/) { read_more($socket, $buffer, $end) or return 0 }
        $$buffer =~ s/^([0-9a-fA-F]+)[^\r]*\r\n// or return 0;
        my $size = hex $1;
        while (length $$buffer < $size + 2) { read_more($socket, $buffer, $end) or return 0 }
        $r->{body} .= substr $$buffer, 0, $size;
        substr $$buffer, 0, $size + 2, '';
        return 1 if !$size;
    }
}

sub get   { my ($self, $path, %o) = @_; return $self->request('GET',    $path, %o) }
sub post  { my ($self, $path, $json, %o) = @_; return $self->request('POST',  $path, with_json($json, %o)) }
sub put   { my ($self, $path, $json, %o) = @_; return $self->request('PUT',   $path, with_json($json, %o)) }
sub patch { my ($self, $path, $json, %o) = @_; return $self->request('PATCH', $path, with_json($json, %o)) }
sub del   { my ($self, $path, %o) = @_; return $self->request('DELETE', $path, %o) }

sub with_json {
    my ($json, %o) = @_;
    return (defined $json ? (json => $json) : (), %o);
}

sub put_lua {
    my ($self, $id, $source, %o) = @_;
    return $self->request('PUT', "/v1/promotions/$id", body => $source,
        headers => { 'Content-Type' => 'text/x-lua', %{ delete $o{headers} || {} } }, %o);
}

# Publishes; what the checks warn of is meant so.
sub publish {
    my ($self, $id, $body, %o) = @_;
    my $path = "/v1/promotions/$id/publish";
    my $r = $self->post($path, $body, %o);
    return $r if $r->{status} != 409 || (($r->{json} || {})->{code} // '') ne 'not_acknowledged';
    return $self->post($path, { %{ $body || {} }, acknowledge => $r->{json}{acknowledge} }, %o);
}

# A cart for the sample's London shop, unless the test says otherwise.
sub quote {
    my ($self, $cart, %o) = @_;
    return $self->post('/v1/quotes', { currency => 'GBP', store => 'london', channel => 'web', %$cart }, %o);
}

sub lines {
    my (@pairs) = @_;
    my @lines;
    while (my ($sku, $quantity) = splice @pairs, 0, 2) {
        push @lines, { id => 1 + @lines . '', sku => $sku, quantity => $quantity };
    }
    return \@lines;
}

# Whether several connections in a row, so both workers, answer by revision n or later.
sub at_revision {
    my ($self, $n) = @_;
    for (1 .. 16) {
        my $r = $self->quote({ lines => lines('TEA', 1) });
        my ($rev) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
        return 0 if !defined $rev || $rev < $n;
    }
    return 1;
}

# Loads a book document under the key and waits for its job.
sub import_book {
    my ($self, $book, %o) = @_;
    my $body = ref $book ? json($book) : $book;
    my $r = $self->request('POST', '/v1/imports', body => $body, timeout => 60, %o);
    return $r if $r->{status} != 202;
    return $self->wait_job($r->{headers}{location}, $o{seconds} || 60, %o);
}

sub wait_job {
    my ($self, $location, $seconds, %o) = @_;
    my $job;
    $self->wait_for("job $location", $seconds, sub {
        $job = $self->get($location, exists $o{key} ? (key => $o{key}) : ());
        return ($job->{json} || {})->{status} && $job->{json}{status} =~ /^(succeeded|failed|cancelled)$/;
    });
    return $job;
}

# The problem's code and the pointers it names: what a client's program reads.
sub is_problem {
    my ($r, $status, $code, $name) = @_;
    my $j = $r->{json} || {};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $r->{status} == $status
        && ($r->{headers}{'content-type'} // '') =~ m{^application/problem\+json}
        && (!defined $code || ($j->{code} // '') eq $code)
        && ($j->{status} // 0) == $status && length($j->{title} // '') && length($j->{request_id} // '')
        && ($j->{type} // '') =~ m{/docs/errors#} && $r->{body} !~ m{/[a-z]+/[a-z_]+\.(?:c|sql|lua)\b|select |pos\.};
    return ok($good, $name) || diag("got $r->{status} $r->{body}");
}

# --- load ----------------------------------------------------------------------

# Clients that send the same cart for as long as they are told, each in a process of its
# own; every 20th request opens a new connection, so that all workers are met. `stop`
# gives what each answer was: [sent, got, status, total, revision, {promotion => amount}].
sub load {
    my ($self, %o) = @_;
    my $file = "$self->{dir}.load" . ++$self->{loads};
    my @pids;
    for my $client (1 .. $o{clients} || 2) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            @running = ();
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            $self->load_client("$file.$client", %o);
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    return bless { pids => \@pids, file => $file }, 'PosTest::Load';
}

sub load_client {
    my ($self, $file, %o) = @_;
    my $ended = 0;
    local $SIG{TERM} = sub { $ended = 1 };
    open my $out, '>:raw', $file or die "$file: $!";
    my $cart = { currency => 'GBP', store => 'london', channel => 'web', %{ $o{cart} } };
    my %head = (json => $cart, key => $o{key} // $self->key('storefront'));
    my $text;
    my ($socket, $count) = (undef, 0);
    until ($ended) {
        if (!$socket || ++$count % 20 == 0) {
            close $socket if $socket;
            $socket = $self->connect;
            if (!$socket) { select undef, undef, undef, 0.01; next }
            $text //= $self->request_text('POST', '/v1/quotes', %head, socket => 1);
        }
        my $sent = time;
        send_all($socket, $text, 10);
        my $r = read_answer($socket, 'POST', 10);
        last if $ended && !$r->{status};    # our own end broke it off
        my $j = $r->{json} || {};
        my %p = map { $_->{id} => $_->{amount} } @{ $j->{promotions} || [] };
        print $out json([$sent, time, $r->{status}, $j->{total}, $j->{revision}, \%p, $r->{status} == 200 ? '' : $r->{body}]), "\n";
        undef $socket if !$r->{status} || ($r->{headers}{connection} // '') eq 'close';
        select undef, undef, undef, $o{pause} if $o{pause};
    }
    close $out;
    return;
}

# --- the end ------------------------------------------------------------------

# Lines that a test provokes on purpose.
sub expect_log { my ($self, $pattern) = @_; push @{ $self->{expect_log} }, $pattern; return }

sub log_text {
    my ($self) = @_;
    return join '', map { slurp($_) // '' } glob "$self->{dir}/log/*.log";
}

sub log_tail {
    my ($self) = @_;
    my @lines = split /\n/, $self->log_text;
    return join "\n", '', @lines[ (@lines > 20 ? -20 : -@lines) .. -1 ];
}

sub bad_log_lines {
    my ($self) = @_;
    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:|open socket #\d+ left|PANIC:|terminated by signal/ }
        split /\n/, $self->log_text;
    for my $pattern (@{ $self->{expect_log} }) { @bad = grep { $_ !~ $pattern } @bad }
    return @bad;
}

# Processes that stop does not know of: they name this instance's folder.
sub left_behind {
    my ($self) = @_;
    my $state = $self->{state} or return;
    return grep { $_ != $$ && (slurp("/proc/$_/cmdline") // '') =~ m{\Q$state\E/} } map { m{(\d+)} } glob '/proc/[0-9]*';
}

sub finish {
    my ($self) = @_;
    return if $self->{finished}++;
    my @pids = grep { defined } map { $self->pid($_) } qw(nginx posd postgres);
    $self->stop;
    my @bad   = $self->bad_log_lines;
    my @alive = grep { alive($_) } @pids, $self->left_behind;
    my $failed = @bad || @alive;
    diag("bad log line: $_") for @bad[ 0 .. ($#bad < 9 ? $#bad : 9) ];
    diag("still running: $_, " . ((slurp("/proc/$_/cmdline") // 'gone since') =~ tr/\0/ /r)) for @alive;
    if (($failed || $?) && $ENV{POS_KEEP}) { diag("kept: $self->{dir}") }
    else {
        my $real = abs_path($self->{dir});
        remove_tree($real) if $real && $real =~ m{^/(?:tmp|var/tmp)/pos-};
        unlink $self->{dir};
    }
    return $failed;
}

package PosTest::Load;

sub stop {
    my ($self) = @_;
    kill 'TERM', @{ $self->{pids} };
    waitpid $_, 0 for @{ $self->{pids} };
    my @records;
    for my $file (glob "$self->{file}.*") {
        push @records, map { PosTest::parse($_) } split /\n/, PosTest::slurp($file);
        unlink $file;
    }
    return [sort { $a->[0] <=> $b->[0] } @records];
}

package PosTest;

my $owner = $$;

END {
    if ($$ == $owner) {
        my $code = $?;
        for my $instance (@running) { $code ||= 1 if $instance->finish }
        $? = $code;
    }
}

for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { exit 1 };
}

1;

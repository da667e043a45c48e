package PgTest;

# nginx with the module and a PostgreSQL of its own, with a contract and functions that
# the test brings: no shop, no posd. For tests of the way to the database and of the
# contract itself. At END all is stopped and the error log is read for alerts.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree make_path);
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time sleep);

our $ROOT  = abs_path(dirname(__FILE__) . '/../..');
our $BUILD = abs_path($ENV{POS_BUILD} || "$ROOT/build");
our $BIN   = '/usr/lib/postgresql/15/bin';

my @running;

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or return ''; local $/; return scalar <$f> }

sub spurt {
    my ($path, $text) = @_;
    open my $f, '>:raw', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";
    return $path;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die "no port: $!";
    return $s->sockport;
}

# An operation for the contract: ("get /things/{id}" => {...}) to its defaults.
sub operation {
    my (%o) = @_;
    return { 'x-pos-scope' => 'public', responses => { default => { description => 'any' } }, %o };
}

sub contract {
    my (%paths) = @_;
    my %out;
    for my $at (keys %paths) {
        my ($method, $path) = split ' ', $at;
        $out{$path}{$method} = operation(%{ $paths{$at} });
    }
    return { openapi => '3.1.0', info => { title => 't', version => '1' },
        servers => [ { url => '/v1' } ], paths => \%out };
}

# Options: contract, functions [names], sql, database (0: none), conninfo (text with
# SOCKETS and PORT replaced), http and main (lines of nginx.conf), connections (of a
# worker), max_connections.
sub new {
    my ($class, %o) = @_;
    my $port = free_port();
    my $self = bless { port => $port, pg_port => free_port(), dir => "/tmp/pos-pg-$$-$port", %o }, $class;
    push @running, $self;
    make_path("$self->{dir}/run", "$self->{dir}/spool");
    $self->write_files;
    if ($< == 0) {
        my (undef, undef, $uid, $gid) = getpwnam 'postgres';
        chown $uid, $gid, $self->{dir}, glob "$self->{dir}/*";
    }
    if ($o{database} // 1) {
        $self->run("$BIN/initdb", '-A', 'trust', '-U', 'postgres', '-D', "$self->{dir}/pg") or die 'initdb';
        open my $c, '>>', "$self->{dir}/pg/postgresql.conf" or die $!;
        print $c "listen_addresses = '127.0.0.1'\nport = $self->{pg_port}\nfsync = off\n",
            "unix_socket_directories = '$self->{dir}/run'\nmax_connections = " . ($o{max_connections} || 30) . "\n";
        close $c;
        $self->start_pg;
        $self->psql($o{sql}) if $o{sql};
    }
    return $self;
}

sub write_files {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $conninfo = $self->{conninfo} // 'host=SOCKETS port=PORT dbname=postgres user=postgres';
    $conninfo =~ s/SOCKETS/$dir\/run/g;
    $conninfo =~ s/PORT/$self->{pg_port}/g;
    my $user = $< == 0 ? 'user postgres;' : '';
    my $http = $self->{http} // '';
    my $main = $self->{main} // '';
    my $connections = $self->{connections} // 256;
    spurt("$dir/openapi.json", Cpanel::JSON::XS->new->canonical->encode($self->{contract}));
    spurt("$dir/functions.txt", join '', map { "$_\n" } @{ $self->{functions} || [] });
    spurt("$dir/nginx.conf", <<"CONF");
load_module $BUILD/ngx_http_pos_module.so;
$user
worker_processes 1;
pid $dir/run/nginx.pid;
error_log $dir/error.log info;
events { worker_connections $connections; }
$main
http {
    access_log off;
    client_body_temp_path $dir/run/body; proxy_temp_path $dir/run/proxy; fastcgi_temp_path $dir/run/fcgi;
    scgi_temp_path $dir/run/scgi; uwsgi_temp_path $dir/run/uwsgi;
    client_max_body_size 1100m; client_body_buffer_size 64k;
    pos_contract $dir/openapi.json;
    pos_functions $dir/functions.txt;
    pos_database "$conninfo";
    pos_spool $dir/spool;
    $http
    server { listen 127.0.0.1:$self->{port}; location / { pos_api; } }
}
CONF
    return;
}

# Runs quietly, as an unprivileged user where we are root.
sub run {
    my ($self, @command) = @_;
    unshift @command, 'runuser', '-u', 'postgres', '--' if $< == 0;
    my $pid = fork // die $!;
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/out.log";
        open STDERR, '>&', \*STDOUT;
        chdir '/';
        exec @command or exit 127;
    }
    waitpid $pid, 0;
    return $? == 0;
}

sub start_pg { my ($self) = @_; return $self->run("$BIN/pg_ctl", '-D', "$self->{dir}/pg", '-w', '-l', "$self->{dir}/pg.log", 'start') }
sub stop_pg  { my ($self) = @_; return $self->run("$BIN/pg_ctl", '-D', "$self->{dir}/pg", '-w', '-m', 'immediate', 'stop') }

sub psql {
    my ($self, $sql) = @_;
    spurt("$self->{dir}/run/in.sql", $sql);
    open my $p, '-|', 'psql', '-h', "$self->{dir}/run", '-p', $self->{pg_port}, '-U', 'postgres', '-AtqX',
        '-v', 'ON_ERROR_STOP=1', '-f', "$self->{dir}/run/in.sql", 'postgres' or die $!;
    local $/;
    my $out = <$p> // '';
    close $p or die "psql failed: $sql";
    $out =~ s/\n\z//;
    return $out;
}

sub start_nginx {
    my ($self) = @_;
    my $rc = system "nginx -c $self->{dir}/nginx.conf 2>$self->{dir}/start.log";
    return $rc != 0 ? 0 : wait_for('nginx', 5, sub { my $r = eval { $self->request('GET', '/') }; $r && $r->{status} });
}

# What nginx says of a configuration: (started?, text).
sub check_conf {
    my ($self) = @_;
    my $rc = system "nginx -t -c $self->{dir}/nginx.conf 2>$self->{dir}/start.log";
    return ($rc == 0, slurp("$self->{dir}/start.log"));
}

sub master { my ($self) = @_; my $pid = slurp("$self->{dir}/run/nginx.pid"); $pid =~ s/\s//g; return $pid }

sub children {
    my ($self) = @_;
    my $master = $self->master or return;
    return grep { length } split /\s+/, slurp("/proc/$master/task/$master/children");
}

sub workers { my ($self) = @_; return grep { slurp("/proc/$_/cmdline") !~ /cache (?:manager|loader)/ } $self->children }

sub reload { my ($self) = @_; return kill 'HUP', $self->master }

sub wait_for {
    my ($what, $seconds, $check) = @_;
    my $end = time + $seconds;
    while (time < $end) {
        return 1 if $check->();
        select undef, undef, undef, 0.02;
    }
    diag "waited $seconds s in vain for: $what";
    return 0;
}

sub connect_to { my ($self) = @_; return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}", Timeout => 5) }

# Sends a request and hands out the socket: the answer is read by `answer`.
sub begin {
    my ($self, $method, $path, %o) = @_;
    my $s = $self->connect_to or die "connect: $!";
    my $h = $o{headers} || {};
    my $head = "$method $path HTTP/1.1\r\nHost: t\r\nConnection: close\r\n";
    $head .= "$_: $h->{$_}\r\n" for sort keys %$h;
    $head .= 'Content-Length: ' . length($o{body}) . "\r\n" if defined $o{body};
    $s->syswrite($head . "\r\n" . ($o{body} // ''));
    return $s;
}

sub answer {
    my ($s, $seconds) = @_;
    my $end = time + ($seconds // 15);
    my $in  = '';
    my $sel = IO::Select->new($s);
    while (time < $end && $sel->can_read($end - time)) {
        last unless sysread $s, $in, 1 << 20, length $in;
    }
    my ($head, $body) = split /\r\n\r\n/, $in, 2;
    return { status => 0, body => '', headers => {} } unless defined $head && $head =~ m{^HTTP/1.1 (\d+)};
    my %headers = map { my ($k, $v) = split /:\s*/, $_, 2; (lc $k => $v) } grep { /:/ } split /\r\n/, $head;
    my $r = { status => $1, headers => \%headers, body => $body // '' };
    $r->{json} = eval { Cpanel::JSON::XS->new->utf8->allow_nonref->decode($r->{body}) };
    return $r;
}

sub request { my ($self, @how) = @_; return answer($self->begin(@how)) }

sub stop {
    my ($self) = @_;
    return if $self->{stopped}++;
    if (my $master = $self->master) {
        kill 'QUIT', $master;
        wait_for('nginx to end', 15, sub { !kill 0, $master }) or kill 'KILL', $self->workers, $master;
    }
    $self->stop_pg if -e "$self->{dir}/pg/postmaster.pid";
    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|open socket/ } split /\n/, slurp("$self->{dir}/error.log");
    @bad = grep { !/$self->{expect_log}/ } @bad if $self->{expect_log};
    is("@bad", '', 'no alert in the error log');
    remove_tree($self->{dir}) unless $ENV{POS_KEEP};
    return;
}

END {
    my $rc = $?;
    $_->stop for @running;
    $? = $rc;
}

1;

# A PostgreSQL of a test's own, with the schema in it. Where PGHOST is set, the
# caller's cluster is used (as a superuser), and only a database is made. Other files
# than today's schema are the caller's.
package PosSql;
use strict;
use warnings;
use File::Temp ();
use IPC::Open3 qw(open3);
use Cpanel::JSON::XS ();

my $bin = '/usr/lib/postgresql/15/bin';

sub start {
    my ($class, $root, @files) = @_;
    my $self = bless { root => $root, db => "pos_test_$$", pid => $$ }, $class;
    $self->_cluster unless $ENV{PGHOST};
    $self->_psql('postgres', '-c', "create database $self->{db}");
    $self->{made} = 1;
    @files = (sort(glob "$root/sql/migrations/*.sql"), sort(glob "$root/sql/api/*.sql")) unless @files;
    $self->load(@files);
    return $self;
}

# initdb refuses root: then the cluster is the user postgres's.
sub _cluster {
    my ($self) = @_;
    my $dir = $self->{dir} = File::Temp::tempdir('pos-sql-XXXXXX', TMPDIR => 1);
    my @as = ();
    if ($> == 0) {
        chown((getpwnam 'postgres')[2, 3], $dir);
        @as = qw(runuser -u postgres --);
    }
    $self->{as} = \@as;
    $self->{ctl} = [@as, "$bin/pg_ctl", '-D', "$dir/data", '-w', '-s', '-l', "$dir/log"];
    chdir '/';
    _run(@as, "$bin/initdb", '-D', "$dir/data", '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8');
    _run(@{ $self->{ctl} }, '-o', "-k $dir -c listen_addresses='' -c fsync=off", 'start');
    $self->{up} = 1;
    @ENV{qw(PGHOST PGPORT PGUSER)} = ($dir, 5432, 'postgres');
}

sub _run {
    my $pid = open3(my $in, my $out, undef, @_);
    close $in;
    my $text = do { local $/; <$out> };
    waitpid $pid, 0;
    die "@_: $text" if $?;
    return $text;
}

sub _psql {
    my ($self, $db, @args) = @_;
    return _run('psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-d', $db, @args);
}

# Schema files, in one transaction, as posd applies them.
sub load { my ($self, @paths) = @_; return $self->_psql($self->{db}, '-1', map { ('-f', $_) } @paths) }

sub file  { my ($self, $path) = @_; return $self->_psql($self->{db}, '-f', $path) }
sub query { my ($self, $sql)  = @_; my $t = $self->_psql($self->{db}, '-c', $sql); chomp $t; return $t }

# Runs several statements at once, each in a session of its own; gives what
# each printed, errors too.
sub together { my ($self, @sql) = @_; return $self->said($self->begin(@sql)) }

# The same in two: begun, and what they said in the end.
sub begin {
    my ($self, @sql) = @_;
    return map {
        my $pid = open3(my $in, my $out, undef, 'psql', '-qXAt', '-v', 'VERBOSITY=sqlstate', '-d', $self->{db});
        print $in $_;
        close $in;
        [$pid, $out];
    } @sql;
}

sub said {
    my ($self, @runs) = @_;
    return map { my $h = $_->[1]; my $t = do { local $/; <$h> }; waitpid $_->[0], 0; $t } @runs;
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{pid};
    local ($?, $@);
    eval { $self->_psql('postgres', '-c', "drop database $self->{db} with (force)") } if $self->{made};
    if ($self->{up}) {
        eval { _run(@{ $self->{ctl} }, '-m', 'immediate', 'stop') };
        delete @ENV{qw(PGHOST PGPORT PGUSER)};
        system 'rm', '-rf', $self->{dir};
    }
}

1;

#!/usr/bin/perl
# DBI with DBD::Pg: four processes, each with a handle of its own.
# With a deadline, a statement is asynchronous, https://metacpan.org/pod/DBD::Pg#Asynchronous-Queries, and a
# connect has an alarm, https://metacpan.org/pod/DBI#Signal-Handling-and-Canceling-Operations.
use v5.36;
use FindBin;
use lib $FindBin::Bin;
use Adapter;
use DBI;
use DBD::Pg qw(:async);
use IO::Select;
use JSON::PP    ();
use POSIX       qw(SIGALRM);
use Time::HiRes qw(alarm sleep time);

use constant {
    INSERT       => 'INSERT INTO pgsquall_ledger (id) VALUES (?)',
    SELECT       => 'SELECT 1 FROM pgsquall_ledger WHERE id = ?',
    LISTEN_PAUSE => 1,                                               # seconds, before it listens again
    PING_EVERY   => 1,                                               # seconds, while it hears nothing
    LATE         => "the deadline has passed\n",
};

my $tuned = $ARGV[-1] eq 'tuned';

# libpq reads the database's address from its own variables.
my $source = 'dbi:Pg:' . join ';', !$tuned ? () : (
    'connect_timeout=5',                     # seconds, for each host
    'keepalives_idle=2',                     # seconds of silence before the first probe
    'keepalives_interval=1',                 # seconds
    'keepalives_count=3',                    # probes
    'tcp_user_timeout=5000',                 # ms that sent bytes may stay unacknowledged
    'target_session_attrs=read-write',       # after a failover: never a standby
    q(options='-c statement_timeout=5s'),    # the server's timer
);
my %attributes = (AutoCommit => 1, RaiseError => 1, PrintError => 0);

my ($dbh, $failed);                          # the worker's handle, and whether its last result was an error

# tuned: DBI's cache, which pings the handle before each use. default: a ping after an error.
sub connection ($deadline) {
    my @where = ($source, undef, undef, \%attributes);
    return $dbh = in_time($deadline, sub { DBI->connect_cached(@where) }) if $tuned;
    undef $dbh if $dbh && $failed && !in_time($deadline, sub { $dbh->ping });
    return $dbh //= in_time($deadline, sub { DBI->connect(@where) });
}

# POSIX's sigaction interrupts a call of libpq; Perl's own signals wait until it has returned.
sub in_time ($deadline, $call) {
    return $call->() if !$deadline;
    my $old = POSIX::SigAction->new;
    POSIX::sigaction(SIGALRM, POSIX::SigAction->new(sub { die LATE }), $old);
    my $result = eval {
        my $left = $deadline - time;
        alarm($left > 0 ? $left : 1e-6);
        my $made = $call->();
        alarm 0;
        $made;
    };
    my $error = $@;
    alarm 0;
    POSIX::sigaction(SIGALRM, $old);
    die $error if $error;
    return $result;
}

# One statement; the number of its rows.
sub run ($deadline, $sql, @keys) {
    my $statement = $dbh->prepare($sql, $deadline ? { pg_async => PG_ASYNC } : {});
    my $rows      = $statement->execute(@keys);
    return $rows if !$deadline;
    my $socket = IO::Select->new($dbh->{pg_socket});
    while (!$dbh->pg_ready) {
        my $left = $deadline - time;
        next if $left > 0 && ($socket->can_read($left) || 1);
        $dbh->pg_cancel;
        die LATE;
    }
    return $dbh->pg_result;
}

sub perform ($request) {
    my ($op, $key) = $request->@{qw(op key)};
    my $deadline = $request->{deadline_ms} ? time + $request->{deadline_ms} / 1000 : 0;
    connection($deadline);
    $failed = 1;    # until it has succeeded
    my @found;
    if    ($op eq 'transaction') { transaction($deadline, $key) }
    elsif ($op eq 'write')       { run($deadline, INSERT, $key) }
    else { @found = (found => run($deadline, SELECT, $key) > 0 ? JSON::PP::true : JSON::PP::false) }
    $failed = 0;
    return @found;
}

sub transaction ($deadline, $key) {
    $dbh->begin_work;
    eval {
        run($deadline, 'SELECT 1');
        run($deadline, INSERT, $key);
        $dbh->commit;
        1;
    } or do {
        my %error = describe($@);    # before the rollback has a state of its own
        eval { $dbh->rollback };
        die \%error;
    };
    return;
}

sub describe ($error) {
    return %$error if ref $error;
    return (message => $error, kind     => 'deadline')  if $error eq LATE;
    return (message => $error, sqlstate => $DBI::state) if $DBI::state;
    return $error =~ /^DB[ID]/ ? (message => $error) : ();
}

sub listen_for_good {
    my $before;
    while (1) {
        eval {
            $dbh = DBI->connect($source, undef, undef, \%attributes);
            $dbh->do('LISTEN pgsquall_news');
            say_line($before++ ? { gap => JSON::PP::true } : { id => 0, ok => JSON::PP::true });
            hear();
        };
        print STDERR "not listening: $@";
        sleep LISTEN_PAUSE;
    }
}

# Like the documentation's loop, but it waits for a notification instead of sleeping.
sub hear {
    my $socket = IO::Select->new($dbh->{pg_socket});
    while ($dbh->ping) {
        while (my $notification = $dbh->pg_notifies) {
            say_line({ notification => { payload => $notification->[2] } });
        }
        $socket->can_read(PING_EVERY);
    }
    die "ping failed\n";
}

serve(
    hello => {
        name         => 'dbd-pg',
        version      => "$DBD::Pg::VERSION",
        capabilities => [qw(transaction listen deadline multi_host tls)],
    },
    perform  => \&perform,
    describe => \&describe,
    listen   => \&listen_for_good,
    close    => sub { $dbh->disconnect if $dbh },
);

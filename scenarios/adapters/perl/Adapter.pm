# The adapter protocol for Perl: JSON lines on stdin and stdout, four processes, independent of any library.
package Adapter;

use v5.36;
use JSON::PP    ();
use POSIX       qw(WNOHANG);
use Socket      qw(AF_UNIX SOCK_SEQPACKET PF_UNSPEC);
use Time::HiRes qw(sleep time);

use Exporter 'import';
our @EXPORT = qw(serve say_line);

use constant {
    WORKERS       => 4,
    LONGEST_LINE  => 4096,    # bytes: what one write to a pipe never mixes with another process's
    MESSAGE_CHARS => 900,     # of an error, so that its line stays below that
    LAST_WORDS    => 1.5,     # seconds for workers to close; a hung one is abandoned
};

my $json = JSON::PP->new->utf8->canonical;

sub say_line ($line) {
    syswrite STDOUT, $json->encode($line) . "\n";
    return;
}

# perform: performs one request and returns the fields of its answer besides ok, or dies.
# describe: converts the error it died of to an answer's error; returns nothing if it is a bug.
# listen: runs until the process ends. close: called at the end.
sub serve (%client) {
    say_line({ hello => { $client{hello}->%*, concurrency => WORKERS } });

    # Each read takes one whole request, by any free worker; every worker reads the end of stdin.
    socketpair my $requests, my $desk, AF_UNIX, SOCK_SEQPACKET, PF_UNSPEC or die "socketpair: $!";
    my %children;
    my $start = sub ($body) {
        my $pid = fork // die "fork: $!";
        return $children{$pid} = 1 if $pid;
        $SIG{CHLD} = 'DEFAULT';
        close STDIN;
        close $desk;
        $body->();
        exit 0;
    };
    local $SIG{CHLD} = sub {
        while ((my $pid = waitpid -1, WNOHANG) > 0) {
            delete $children{$pid};
            die "process $pid ended: $?\n" if $?;
        }
    };
    $start->(sub { work($requests, %client) }) for 1 .. WORKERS;
    close $requests;
    while (my $line = <STDIN>) {
        if   ($json->decode($line)->{op} eq 'listen') { $start->($client{listen}) }
        else                                          { syswrite $desk, $line }
    }
    close $desk;
    my $until = time + LAST_WORDS;
    sleep 0.02 while %children && time < $until;
    local $SIG{CHLD} = 'IGNORE';
    kill TERM => keys %children;
    exit 0;
}

sub work ($requests, %client) {
    while (sysread $requests, my $line, LONGEST_LINE) {
        my $request = $json->decode($line);
        my $answer  = eval { { ok => JSON::PP::true, $client{perform}->($request) } };
        if (!$answer) {
            my $thrown = $@;
            my %error  = $client{describe}->($thrown) or die $thrown;
            $error{message} = substr $error{message}, 0, MESSAGE_CHARS;
            $answer         = { error => \%error };
        }
        say_line({ id => $request->{id}, %$answer });
    }
    $client{close}->();
    return;
}

1;
